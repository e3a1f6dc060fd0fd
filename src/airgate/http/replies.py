"""Replies: what a handler gives back when it wants to say more than a value, and JSON as Flask used to print it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec

_ESCAPED = re.compile("[^\x00-\x7e]")
"""What is written as an escape, besides what JSON itself demands: all but printable ASCII."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A finished reply. `stream`, where given, follows `body` in chunks."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    stream: AsyncIterator[bytes] | None = None


def pretty_json(value: Any) -> bytes:
    """JSON with sorted keys, two spaces, ASCII only and a newline at the end."""
    try:
        text = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2)
    except OverflowError:  # an integer beyond 64 bits, which only the standard library prints
        text = json.dumps(value, sort_keys=True, indent=2, default=msgspec.to_builtins).encode()
    return _ascii(text) + b"\n"


def compact_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only and a newline at the end."""
    return _ascii(msgspec.json.encode(value, order="sorted")) + b"\n"


def _ascii(text: bytes) -> bytes:
    if b"\x7f" in text or not text.isascii():
        text = _ESCAPED.sub(_escaped, text.decode()).encode("ascii")
    return text


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"
