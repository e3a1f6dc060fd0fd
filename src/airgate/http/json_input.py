"""JSON that clients send: read with limits, so that whatever passes can also be stored and printed."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

DEEPEST: Final = 100
"""Levels of nesting that are taken. Deeper JSON could be read, but not everything that would later print it can."""

_LONG_NUMBER: Final = re.compile(rb"\d{19}")
_NUL: Final = b"\\u0000"
_decode: Final = msgspec.json.Decoder().decode


class BadJson(Exception):
    """The text is no JSON, or more than is taken. The message says which, for the client."""


class TooDeep(BadJson):
    """Nested more than `DEEPEST` levels deep."""


class HugeNumber(BadJson):
    """An integer that does not fit 64 bits."""


def read_json(raw: bytes, *, nul: bool = False) -> Any:
    """The value of a JSON text. `nul`: NUL characters pass, for who looks for them later.

    Raises:
        BadJson: no JSON, or nested too deeply, or with an integer beyond 64 bits or a NUL character in it.
    """
    try:
        value = _decode(raw)
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadJson("The text is not valid JSON in UTF-8") from error
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise _too_deep()
    if _LONG_NUMBER.search(raw) is not None:
        _refuse_huge_numbers(value)
    if _NUL in raw and not nul:
        _refuse_nul(value)
    return value


def _too_deep() -> TooDeep:
    return TooDeep(f"The JSON is nested more than {DEEPEST} levels deep")


def _depth(value: Any) -> int:
    level: list[Any] = [value]
    depth = 0
    while level:
        level = [child for item in level for child in _children(item)]
        depth += 1
    return depth - 1


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _refuse_huge_numbers(value: Any) -> None:
    try:
        msgspec.msgpack.encode(value)
    except OverflowError as error:
        raise HugeNumber("The JSON holds an integer that does not fit 64 bits") from error


def _refuse_nul(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and "\0" in item:
            raise BadJson("The JSON holds a NUL character, which no text may")
        waiting += [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
