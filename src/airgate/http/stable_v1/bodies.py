"""Reading a JSON body as v1 does: present, of the right media type, JSON, an object, and as its schema says."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from airgate.http.operations import Call, Check
from airgate.http.stable_v1.problems import Problem, bad_request

_DEEPEST: Final = 100
"""Levels of nesting that are taken. Deeper JSON could be read, but not everything that would later print it can."""

_LONG_NUMBER: Final = re.compile(rb"\d{19}")
_decode = msgspec.json.Decoder().decode


def _run(call: Call) -> None:
    raw = call.raw_body
    if not raw:
        raise bad_request("Request body must not be empty")
    media_type = call.header(b"content-type") or ""
    if not _is_json(media_type):
        detail = f"Invalid Content-type ({media_type}), expected JSON data"
        raise Problem(415, detail, title="Unsupported Media Type", linked=False)
    body = _decoded(raw)
    if not isinstance(body, dict):
        raise bad_request(f"{body!r} is not of type 'object'")
    call.operation.body.check(body)
    call.body = body


CHECKED = Check(_run, lambda operation: operation.body is not None)


def _is_json(media_type: str) -> bool:
    main, _, sub = media_type.partition(";")[0].strip().lower().partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def _decoded(raw: bytes) -> Any:
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, ValueError) as error:
        raise bad_request("Request body is not valid JSON") from error
    except RecursionError as error:
        raise _too_deep() from error
    if value is None:
        raise bad_request("Request body is not valid JSON")
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise _too_deep()
    if _LONG_NUMBER.search(raw) is not None:
        _refuse_huge_numbers(value)
    return value


def _depth(value: Any) -> int:
    level: list[Any] = [value]
    depth = 0
    while level:
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth - 1


def _refuse_huge_numbers(value: Any) -> None:
    try:
        msgspec.msgpack.encode(value)
    except OverflowError as error:
        raise bad_request("Request body holds an integer that does not fit 64 bits") from error


def _too_deep() -> Problem:
    return bad_request(f"Request body is nested more than {_DEEPEST} levels deep")
