"""Query parameters declared as msgspec Structs: the Struct's fields, turned once into a table that is quick to apply.

A field's type says what a parameter is (``int``, ``float``, ``bool``, ``str``, ``datetime``, or ``tuple[str, ...]``
for one that may be given several times), its default what it is when absent. What a *wrong* parameter is answered with,
each dialect says for itself.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

Kind = Literal["integer", "number", "boolean", "string", "date-time", "list"]


class Param(NamedTuple):
    """One query parameter. `minimum` is inclusive."""

    name: str
    kind: Kind
    required: bool
    minimum: float | None


@functools.cache
def compiled(query: type[msgspec.Struct]) -> tuple[Param, ...]:
    """The parameters a Struct declares, in its order."""
    described = inspect.type_info(query)
    assert isinstance(described, inspect.StructType)
    return tuple(_param(field) for field in described.fields)


def _param(field: inspect.Field) -> Param:
    kinds = [option for option in _options(field.type) if not isinstance(option, inspect.NoneType)]
    kind = kinds[0]
    return Param(field.encode_name, _kind(kind), field.required, getattr(kind, "ge", None))


def _options(kind: Any) -> tuple[Any, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _kind(kind: Any) -> Kind:
    match kind:
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.StrType():
            return "string"
        case inspect.DateTimeType():
            return "date-time"
        case inspect.VarTupleType(item_type=inspect.StrType()):
            return "list"
        case _:
            raise TypeError(f"a query parameter cannot be {kind!r}")


def parse(raw: bytes) -> dict[str, list[str]]:
    """The raw query string as the values of each name, in order. What is not UTF-8 becomes U+FFFD."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw.decode("ascii", "replace"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values
