"""Credentials that were found good, remembered for a moment so that a request costs microseconds, not a hash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

import msgspec

from airgate.access.decisions import Caller

ENTRIES: Final = 4096


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a good credential leads to, and what must be looked at every time it is used."""

    caller: Caller
    until: datetime | None = None
    """When the credential ends, or its identity does; None: never."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it may be used from; empty: anywhere."""


class VerifiedCredentials:
    """Maps header values to callers. A header is never kept, only its digest under a key of this process.

    Args:
        key: 16 to 64 random bytes.
        seconds: how long an entry counts.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(self, key: bytes, seconds: float, steady: Callable[[], float]) -> None:
        self._key = key
        self._seconds = seconds
        self._steady = steady
        self._entries: dict[bytes, tuple[Known, float]] = {}
        self.generation = 0
        """Rises whenever something is forgotten: what was looked up before must not be remembered after."""

    def digest(self, authorization: str) -> bytes:
        """What stands for a header value here."""
        return blake2b(authorization.encode("utf-8", "surrogatepass"), digest_size=32, key=self._key).digest()

    def get(self, digest: bytes) -> Known | None:
        """What the credential leads to; None if it is not known, or not any more."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if self._steady() >= entry[1]:
            del self._entries[digest]
            return None
        return entry[0]

    def put(self, digest: bytes, known: Known, generation: int) -> None:
        """Remember a credential verified since `generation`; nothing happens if something was forgotten since."""
        if generation != self.generation:
            return
        self._entries.pop(digest, None)
        self._entries[digest] = (known, self._steady() + self._seconds)
        if len(self._entries) > ENTRIES:
            del self._entries[next(iter(self._entries))]

    def forget(self, *, identity_id: UUID | None = None, key_id: UUID | None = None) -> None:
        """Forget every credential of an identity, or the one key and what was made with it."""
        self.generation += 1
        gone = [
            digest
            for digest, (known, _) in self._entries.items()
            if known.caller.identity.id == identity_id or (key_id is not None and known.caller.key_id == key_id)
        ]
        for digest in gone:
            del self._entries[digest]

    def forget_all(self) -> None:
        """Forget everything: what roles allow has changed."""
        self.generation += 1
        self._entries.clear()
