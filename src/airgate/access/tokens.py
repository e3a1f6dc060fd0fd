"""JSON Web Tokens that a sign-in gives: who signed in, with what, and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import jwt
import msgspec
from jwt.types import Options

from airgate.model.identity import Identity

ISSUER: Final = "airgate"
AUDIENCE: Final = "airgate"
_ALGORITHM: Final = "HS256"
_REQUIRED: Final = ("sub", "iat", "exp", "iss", "aud", "gen")
_OPTIONS: Final[Options] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": list(_REQUIRED),
}
"""Times are held against the clock that everything is given, not against one that the library reads."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `gen` is the identity's generation when it was made, `key` the key it was made with."""

    sub: UUID
    iat: int
    exp: int
    gen: int
    key: UUID | None = None

    @property
    def ends(self) -> datetime:
        """When it counts no more."""
        return datetime.fromtimestamp(self.exp, UTC)


class WebTokens:
    """Makes and reads tokens.

    Args:
        secret: at least 32 bytes that only servers of this installation know.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, identity: Identity, *, key_id: UUID | None, now: datetime, ends: datetime) -> str:
        """A token for an identity."""
        claims = {
            "sub": str(identity.id),
            "iat": int(now.timestamp()),
            "exp": int(ends.timestamp()),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "gen": identity.generation,
            "name": identity.name,
        }
        if key_id is not None:
            claims["key"] = str(key_id)
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """What a token says, whether or not its time is over; None if it was not made here."""
        if not token.isascii():
            return None
        try:
            found = jwt.decode(
                token, self._secret, algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS
            )
            return msgspec.convert(found, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError):
            return None


def looks_like_web_token(secret: str) -> bool:
    """Whether it has the form of one: three parts with dots between them."""
    return secret.count(".") == 2
