"""Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 (``v1``) and Ed25519 (``v1a``). Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SYMMETRIC: Final = "v1"
ASYMMETRIC: Final = "v1a"
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - not a secret, but how one begins
_PRIVATE_PREFIX: Final = "whsk_"
_PUBLIC_PREFIX: Final = "whpk_"
_SECRET_BYTES: Final = range(24, 65)
_SEED_BYTES: Final = 32


class BadSigningSecret(ValueError):
    """A text is no secret of its scheme. The message says what one looks like; it never holds the text."""


def new_secret(scheme: str, random_bytes: Callable[[int], bytes]) -> str:
    """A fresh secret: ``whsec_…`` for v1, ``whsk_…`` (a private key) for v1a."""
    prefix = _SECRET_PREFIX if scheme == SYMMETRIC else _PRIVATE_PREFIX
    return prefix + base64.b64encode(random_bytes(_SEED_BYTES)).decode()


def public_key(secret: str) -> str:
    """What receivers check v1a signatures with: ``whpk_…``. Raises BadSigningSecret."""
    raw = _private_key(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return _PUBLIC_PREFIX + base64.b64encode(raw).decode()


def check_secret(scheme: str, secret: str) -> None:
    """Refuse a text that is no secret of the scheme. Raises BadSigningSecret."""
    if scheme == SYMMETRIC:
        _symmetric_key(secret)
    else:
        _private_key(secret)


def headers(message_id: str, at: datetime, body: bytes, keys: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The three headers of a signed message.

    Args:
        message_id: the same for every attempt of a delivery.
        at: when it is sent.
        body: exactly as it is sent.
        keys: scheme and secret of each key; with several, any one of them proves the message, which is how keys are
            rotated.
    """
    seconds = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    found = {"webhook-id": message_id, "webhook-timestamp": seconds}
    signatures = [_signature(scheme, secret, signed) for scheme, secret in keys]
    if signatures:
        found["webhook-signature"] = " ".join(signatures)
    return found


def _signature(scheme: str, secret: str, signed: bytes) -> str:
    if scheme == SYMMETRIC:
        proof = hmac.digest(_symmetric_key(secret), signed, sha256)
    else:
        proof = _private_key(secret).sign(signed)
    return f"{scheme},{base64.b64encode(proof).decode()}"


def _symmetric_key(secret: str) -> bytes:
    raw = _decoded(secret.removeprefix(_SECRET_PREFIX))
    if len(raw) not in _SECRET_BYTES:
        raise BadSigningSecret("A v1 secret is 'whsec_' and the base64 of 24 to 64 bytes.")
    return raw


def _private_key(secret: str) -> Ed25519PrivateKey:
    raw = _decoded(secret.removeprefix(_PRIVATE_PREFIX))
    if len(raw) == 2 * _SEED_BYTES:  # the seed and the public key, as some libraries keep them
        raw = raw[:_SEED_BYTES]
    if len(raw) != _SEED_BYTES:
        raise BadSigningSecret("A v1a secret is 'whsk_' and the base64 of an Ed25519 private key of 32 bytes.")
    return Ed25519PrivateKey.from_private_bytes(raw)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
