"""Opaque signed tokens: what a client is given to hand back, and cannot make itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

_DIGEST_BYTES = 20


class BadToken(Exception):
    """The token was not made by this server, or was changed on its way."""


class Signer:
    """Signs JSON values into URL-safe text and reads them back.

    Args:
        secret: the server's secret; tokens of another secret are refused.
        purpose: tokens of one purpose are refused for every other.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = hmac.digest(secret, purpose.encode(), hashlib.sha256)

    def sign(self, value: Any) -> str:
        """The token for a JSON value."""
        payload = _encode(msgspec.json.encode(value))
        return f"{payload}.{_encode(self._digest(payload))}"

    def read(self, token: str) -> Any:
        """The value of a token.

        Raises:
            BadToken: not a token of this signer.
        """
        payload, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(_decode(signature), self._digest(payload)):
                raise BadToken
            return msgspec.json.decode(_decode(payload))
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise BadToken from error

    def _digest(self, payload: str) -> bytes:
        return hmac.digest(self._key, payload.encode(), hashlib.sha256)[:_DIGEST_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
