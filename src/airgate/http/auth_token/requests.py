"""What a sign-in asks, as JSON or as a form. What was sent is never repeated in an answer: it holds passwords."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from airgate.http.auth_token.errors import Refusal
from airgate.http.json_input import BadJson, read_json
from airgate.http.params import parse

_FIELDS: Final = ("username", "password")
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_LONGEST_FIELD: Final = 64


class SignIn(msgspec.Struct, frozen=True):
    """Who signs in, and with what."""

    username: str
    password: str


def read_sign_in(content_type: str | None, raw: bytes) -> SignIn:
    """The sign-in a request asks for.

    Raises:
        Refusal: another content type, no JSON, or fields that are missing, empty, unknown or no text.
    """
    kind = (content_type or _JSON).partition(";")[0].strip().lower()
    if kind == _FORM:
        given: Any = {name: values[-1] for name, values in parse(raw).items()}
    elif kind == _JSON:
        given = _json(raw)
    else:
        raise Refusal(415, "Only application/json or application/x-www-form-urlencoded is supported")
    if not isinstance(given, dict):
        raise Refusal(422, "The body has to be a JSON object with username and password")
    _check(given)
    return SignIn(given["username"], given["password"])


def _json(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except BadJson as error:
        raise Refusal(400, f'{error}; the body is to be like {{"username": …, "password": …}}') from error


def _check(given: dict[str, Any]) -> None:
    wrong = [(name, _fault(given, name)) for name in _FIELDS]
    wrong += [(name, "Extra inputs are not permitted [type=extra_forbidden]") for name in given if name not in _FIELDS]
    faults = [(name, fault) for name, fault in wrong if fault]
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        lines = "".join(f"\n{name[:_LONGEST_FIELD]}\n  {fault}" for name, fault in faults[:10])
        raise Refusal(422, f"{len(faults)} validation {noun} for LoginBody{lines}")
    if not (given["username"] and given["password"]):
        raise Refusal(400, "Username and password must be provided")


def _fault(given: dict[str, Any], name: str) -> str | None:
    if name not in given:
        return "Field required [type=missing]"
    return None if isinstance(given[name], str) else "Input should be a valid string [type=string_type]"
