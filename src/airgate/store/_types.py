"""Column types: one meaning, stored the way each database compares and indexes it best."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

E = TypeVar("E", bound=Enum)
S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# The "C" collation orders by code point, which is what SQLite does; a list looks the same on both.
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# SQLite gives rising numbers to exactly `INTEGER PRIMARY KEY`.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware datetime, given back in UTC, to the microsecond.

    PostgreSQL: ``timestamptz``. SQLite: microseconds since 1970 as an integer, the fastest of what sorts correctly.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def bind_processor(self, dialect: Dialect) -> Any:
        return _require_aware if dialect.name == "postgresql" else _to_microseconds

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _to_utc if dialect.name == "postgresql" else _from_microseconds


def _require_aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"a naive datetime cannot be stored: {value!r}")
    return value


def _to_microseconds(value: datetime | None) -> int | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a naive datetime cannot be stored: {value!r}")
    return (value - EPOCH) // MICROSECOND


def _to_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


class Id(TypeDecorator[UUID]):
    """A UUID: 16 bytes on SQLite, ``uuid`` on PostgreSQL."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=True))
        return dialect.type_descriptor(LargeBinary(16))

    def bind_processor(self, dialect: Dialect) -> Any:
        return None if dialect.name == "postgresql" else _to_bytes

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return None if dialect.name == "postgresql" else _from_bytes


def _to_bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _from_bytes(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


class Word(TypeDecorator[E], Generic[E]):
    """A member of an enum, stored as its value: the wire word."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        super().__init__()
        self.enum = enum

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return postgresql.TEXT(collation="C") if dialect.name == "postgresql" else Text()

    def bind_processor(self, dialect: Dialect) -> Any:
        return _to_word

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        members = {member.value: member for member in self.enum}
        members[None] = None  # type: ignore[assignment]
        return members.__getitem__


def _to_word(value: Enum | None) -> str | None:
    return None if value is None else value.value


class Json(TypeDecorator[Any]):
    """A JSON value as text; Python's NaN, infinities and lone surrogates survive too. SQL NULL is None."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else from_json(value)


class JsonValue(TypeDecorator[Any]):
    """As `Json`, where None is a value like any other (``null``) and the column is never empty."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return from_json(value)


class JsonOf(TypeDecorator[T], Generic[T]):
    """A value of one type, as JSON text."""

    impl = Text
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self._decode = msgspec.json.Decoder(of).decode  # made before there are threads, see `reader_of`

    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._decode(value)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def to_json(value: Any) -> str:
    """The JSON text of a value or struct.

    msgspec is fast, but writes NaN and infinities as ``null`` and refuses lone surrogates; what it may have changed
    goes through the standard library, which knows a notation for them.
    """
    try:
        text = _encoder.encode(value)
    except UnicodeEncodeError:
        text = b"null"
    if b"null" in text:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    return text.decode()


def from_json(text: str) -> Any:
    """The value of a text made by `to_json`."""
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError:
        return json.loads(text)


def reader_of(struct: type[S]) -> Callable[[str], S]:
    """What makes structs of the texts that `to_json` made of them.

    It is to be called while a module is imported: where two threads are the first to decode a struct that holds others,
    msgspec 0.22 reads what it has not filled in yet, and the process dies of a segmentation fault.
    """
    decode = msgspec.json.Decoder(struct).decode

    def read(text: str) -> S:
        try:
            return decode(text)
        except msgspec.DecodeError:
            return msgspec.convert(json.loads(text), struct)

    return read
