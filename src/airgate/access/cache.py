"""Credentials that were found good, remembered for a moment so that a request costs microseconds, not a hash."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from uuid import UUID

from airgate.model.identity import Identity

ENTRIES: Final = 4096


class VerifiedCredentials:
    """Maps header values to identities. A header is never kept, only its digest under a key of this process.

    Args:
        key: 16 to 64 random bytes.
        seconds: how long an entry counts.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(self, key: bytes, seconds: float, steady: Callable[[], float]) -> None:
        self._key = key
        self._seconds = seconds
        self._steady = steady
        self._entries: dict[bytes, tuple[Identity, UUID | None, float]] = {}
        self.generation = 0
        """Rises whenever something is forgotten: what was looked up before must not be remembered after."""

    def digest(self, authorization: str) -> bytes:
        """What stands for a header value here."""
        return blake2b(authorization.encode("utf-8", "surrogatepass"), digest_size=32, key=self._key).digest()

    def get(self, digest: bytes) -> Identity | None:
        """Whose credential it is; None if it is not known, or not any more."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if self._steady() >= entry[2]:
            del self._entries[digest]
            return None
        return entry[0]

    def put(self, digest: bytes, identity: Identity, token_id: UUID | None, generation: int) -> None:
        """Remember a credential verified since `generation`; nothing happens if something was forgotten since."""
        if generation != self.generation:
            return
        self._entries.pop(digest, None)
        self._entries[digest] = (identity, token_id, self._steady() + self._seconds)
        if len(self._entries) > ENTRIES:
            del self._entries[next(iter(self._entries))]

    def forget(self, *, identity_id: UUID | None = None, token_id: UUID | None = None) -> None:
        """Forget every credential of an identity, or the one token."""
        self.generation += 1
        gone = [
            digest
            for digest, (identity, token, _) in self._entries.items()
            if identity.id == identity_id or (token is not None and token == token_id)
        ]
        for digest in gone:
            del self._entries[digest]
