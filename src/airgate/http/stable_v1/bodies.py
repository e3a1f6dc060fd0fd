"""Reading a JSON body as v1 does: present, of the right media type, JSON, an object, and as its schema says."""

from __future__ import annotations

from typing import Any

from airgate.http.json_input import DEEPEST, BadJson, HugeNumber, TooDeep, read_json
from airgate.http.operations import Call, Check
from airgate.http.stable_v1.problems import Problem, bad_request


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
        value = read_json(raw, nul=True)
    except TooDeep as error:
        raise bad_request(f"Request body is nested more than {DEEPEST} levels deep") from error
    except HugeNumber as error:
        raise bad_request("Request body holds an integer that does not fit 64 bits") from error
    except BadJson as error:
        raise bad_request("Request body is not valid JSON") from error
    if value is None:
        raise bad_request("Request body is not valid JSON")
    return value
