"""Reading queries and bodies as their Structs say: what is unknown or wrong is refused, and named."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import inspect

from airgate.http.dates import rfc3339
from airgate.http.json_input import BadJson, read_json
from airgate.http.native.problems import Fault, Refused, wrong_body, wrong_parameters
from airgate.http.operations import Call, Check
from airgate.http.params import parse

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_PLACE: Final = re.compile(r"(?P<said>.*?)(?: - at `(?P<path>\$[^`]*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")


class NoQuery(msgspec.Struct, frozen=True):
    """No parameters at all."""


class Parameter(NamedTuple):
    """One query parameter: how its text is read (ValueError says what is wrong with it), and whether it may repeat."""

    read: Callable[[str], Any]
    repeats: bool


# ------------------------------------------------------------------------------------------------------------- queries


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError("is not an integer")
    return int(text)


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise ValueError("is not a number")
    return float(text)


def _boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError("is neither true nor false")
    return _BOOLEANS[text]


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


def _instant(text: str) -> datetime:
    moment = rfc3339(text)
    if moment is None:
        raise ValueError("is not an RFC 3339 date with an offset, like 2026-03-01T12:00:00Z (a + is written %2B)")
    return moment.astimezone(UTC)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("is not a UUID") from None


def _word(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return text

    return read


def _reader(kind: Any) -> Callable[[str], Any]:
    match kind:
        case inspect.IntType():
            return _integer
        case inspect.FloatType():
            return _number
        case inspect.BoolType():
            return _boolean
        case inspect.StrType():
            return _text
        case inspect.DateTimeType():
            return _instant
        case inspect.UUIDType():
            return _uuid
        case inspect.EnumType(cls=words):
            return _word(tuple(word.value for word in words))
        case _:
            raise TypeError(f"a query parameter cannot be {kind!r}")


@functools.cache
def parameters(query: type[msgspec.Struct]) -> Mapping[str, Parameter]:
    """The parameters a Struct declares, by name."""
    described = inspect.type_info(query)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: _parameter(field.type) for field in described.fields}


def _parameter(declared: Any) -> Parameter:
    kind = _bare(declared)
    if isinstance(kind, inspect.VarTupleType):
        return Parameter(_reader(_bare(kind.item_type)), repeats=True)
    return Parameter(_reader(kind), repeats=False)


def _bare(kind: Any) -> Any:
    """The kind itself: without what is only said of it, and whether it may be absent or not."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(option for option in kind.types if not isinstance(option, inspect.NoneType)))
    return kind


def read_query(raw: bytes, query: type[msgspec.Struct]) -> Any:
    """A query string as its Struct. Raises Refused, with a fault for each parameter that is unknown or wrong."""
    known = parameters(query)
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for name, texts in parse(raw).items():
        try:
            values[name] = _value(known, name, texts)
        except ValueError as error:
            faults.append(Fault(detail=str(error), parameter=name))
    if faults:
        raise wrong_parameters(faults)
    try:
        return msgspec.convert(values, query, strict=False, builtin_types=(UUID,))
    except msgspec.ValidationError as error:
        detail, pointer = _explained(error)
        fault = Fault(detail=f"is out of bounds: {detail}", parameter=pointer.removeprefix("#/"))
        raise wrong_parameters([fault]) from None


def _value(known: Mapping[str, Parameter], name: str, texts: list[str]) -> Any:
    if name not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"is not a parameter of this operation, which knows {names}")
    parameter = known[name]
    if parameter.repeats:
        return [parameter.read(text) for text in texts]
    if len(texts) > 1:
        raise ValueError("is given more than once")
    return parameter.read(texts[0])


# -------------------------------------------------------------------------------------------------------------- bodies


def read_body(raw: bytes, media_type: str | None, body: Any) -> Any:
    """A request's body as its Struct. Raises Refused: 415, or 400 with a pointer to what is wrong."""
    if not _is_json(media_type or ""):
        raise Refused(415, "media_type", "A body is JSON, and its Content-Type is application/json")
    if not raw:
        raise wrong_body("There is no body; an empty one is written {}")
    try:
        value = read_json(raw)
    except BadJson as error:
        raise Refused(400, "invalid_json", str(error)) from None
    try:
        return msgspec.convert(value, body)
    except msgspec.ValidationError as error:
        raise wrong_body(*_explained(error)) from None


def _is_json(media_type: str) -> bool:
    main, _, sub = media_type.partition(";")[0].strip().lower().partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def _explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """What is wrong, and where: a JSON pointer in a URI fragment."""
    found = _PLACE.fullmatch(str(error))
    assert found is not None
    said, pointer = found["said"], _pointer(found["path"] or "$")
    if unknown := _UNKNOWN.fullmatch(said):
        return f"There is no such field as `{unknown['name']}`", f"{pointer}/{_escaped(unknown['name'])}"
    if missing := _MISSING.fullmatch(said):
        return f"The field `{missing['name']}` is missing", f"{pointer}/{_escaped(missing['name'])}"
    return said, pointer


def _pointer(path: str) -> str:
    steps = []
    for step in _STEP.finditer(path):
        if step["name"] is None and step["index"] is None:
            break  # a key that msgspec does not name
        steps.append("/" + _escaped(step["name"] or step["index"]))
    return "#" + "".join(steps)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _query(call: Call) -> None:
    call.query = read_query(call.raw_query, call.operation.query or NoQuery)


def _body(call: Call) -> None:
    call.body = read_body(call.raw_body, call.header(b"content-type"), call.operation.body)


QUERY: Final = Check(_query, lambda operation: True)
BODY: Final = Check(_body, lambda operation: operation.body is not None)
