"""Passwords, kept as argon2id hashes. Hashing takes tens of milliseconds and of mebibytes, so it runs on threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from airgate.model.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE: Final = 2
_WAITING: Final = 64


class Passwords:
    """Makes and checks password hashes, a few at a time.

    Args:
        hasher: the cost of a hash; the default is what RFC 9106 recommends where memory is scarce.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._asked = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises Unavailable while too many wait."""
        return await self._on_thread(self._hasher.hash, password)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether the password has that hash.

        Without a hash (no such name, or a name without a password) the answer is no, and takes as long as any other.
        Raises Unavailable while too many wait.
        """
        if kept is None:
            if self._nobody is None:
                self._nobody = await self.hash("nobody")
            await self._on_thread(self._matches, self._nobody, password)
            return False
        return await self._on_thread(self._matches, kept, password)

    def _matches(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._asked >= _AT_ONCE + _WAITING:
            raise Unavailable("Too many sign-ins at once; try again in a moment.", code="sign_ins")
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *args, **kwargs)
        finally:
            self._asked -= 1
