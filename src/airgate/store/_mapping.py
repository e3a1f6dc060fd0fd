"""Rows and structs: one mapping per table, by field name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Row, Table, Update, bindparam

S = TypeVar("S", bound=msgspec.Struct)


class Mapping(Generic[S]):
    """How a struct and the rows of a table correspond.

    Every field has a column of its name. `derived` names properties of the struct that are stored besides, to be
    filtered and sorted by, and never read back; `given` names columns that the database fills in.
    """

    def __init__(
        self, struct: type[S], table: Table, *, derived: Sequence[str] = (), given: Sequence[str] = ()
    ) -> None:
        self.struct = struct
        self.table = table
        self.fields = tuple(field for field in struct.__struct_fields__ if field in table.c)
        self.columns: tuple[Column[Any], ...] = tuple(table.c[field] for field in self.fields)
        stored = [field for field in self.fields if field not in given]
        self.stored = (*stored, *derived)
        self._values = attrgetter(*self.stored)

    def encode(self, value: S) -> dict[str, Any]:
        """The row of a struct, by column name."""
        return dict(zip(self.stored, self._values(value), strict=True))

    def encode_all(self, values: Iterable[S]) -> list[dict[str, Any]]:
        """The rows of several structs."""
        return [self.encode(value) for value in values]

    def changes(self, values: Iterable[S], keys: Sequence[str], fixed: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The parameters of `update`, one set per struct."""
        rows = self.encode_all(values)
        for row in rows:
            for key in keys:
                row[f"key_{key}"] = row.pop(key)
            for name in fixed:
                del row[name]
        return rows

    def update(self, keys: Sequence[str], fixed: Sequence[str] = ()) -> Update:
        """Overwrite the row found by `keys`, all but its `fixed` columns. Takes what `changes` gives."""
        changed: dict[str, Any] = {name: bindparam(name) for name in self.stored if name not in {*keys, *fixed}}
        return self.table.update().where(*self.by(keys)).values(changed)

    def by(self, keys: Sequence[str]) -> list[ColumnElement[bool]]:
        """The row with these values, given as parameters named ``key_...``."""
        return [self.table.c[key] == bindparam(f"key_{key}") for key in keys]

    def decode(self, row: Row[Any] | Sequence[Any]) -> S:
        """The struct of a row that was selected by `columns`."""
        return self.struct(**dict(zip(self.fields, row, strict=True)))

    def decode_all(self, rows: Iterable[Row[Any]]) -> tuple[S, ...]:
        """The structs of several rows."""
        return tuple(map(self.decode, rows))
