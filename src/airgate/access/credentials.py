"""Reading an Authorization header, in all the forms the dialects' clients send. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256
from typing import Final

import msgspec

MAX_HEADER: Final = 8192
"""Longer headers prove nothing; no credential of ours comes near."""

_KEY_SCHEMES: Final = frozenset({"bearer", "api-key"})
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")


class Login(msgspec.Struct, frozen=True):
    """A name and what it is proven by: a password, or one of the identity's tokens."""

    name: str
    password: str


class Key(msgspec.Struct, frozen=True):
    """A token alone."""

    secret: str


def parse(authorization: str | None) -> Login | Key | None:
    """The credential in a header value, or None where there is none to be understood.

    Understood are ``Basic base64(name:password)``, ``Bearer KEY``, ``Api-Key KEY`` and a bare ``KEY``; the scheme's
    case does not matter.
    """
    if authorization is None or len(authorization) > MAX_HEADER:
        return None
    words = authorization.split()
    if len(words) == 1:
        return Key(words[0])
    if len(words) != 2:
        return None
    scheme, proof = words[0].lower(), words[1]
    if scheme == "basic":
        return _login(proof)
    return Key(proof) if scheme in _KEY_SCHEMES else None


def _login(encoded: str) -> Login | None:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    usable = name and colon and "\0" not in name  # PostgreSQL takes no NUL, not even in a question
    return Login(name, password) if usable else None


def looks_like_token(secret: str) -> bool:
    """Whether it has the form of the tokens issued here: 32 lowercase hexadecimal digits."""
    return _TOKEN.fullmatch(secret) is not None


def digest(secret: str) -> bytes:
    """What is kept of a token. One round is enough: tokens are 128 random bits, not chosen by people."""
    return sha256(secret.encode()).digest()
