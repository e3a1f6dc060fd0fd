"""Nouns kept as documents: the struct as JSON in one column, and beside it copies of what lists filter and sort by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Table, select

from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Listing, Order, Page
from airgate.store._query import Conditions, ordered, paged, sortable, total
from airgate.store._tx import Tx
from airgate.store._types import reader_of, to_json

S = TypeVar("S", bound=msgspec.Struct)


class Documents(Generic[S]):
    """A table of documents.

    Args:
        struct: what a document is; its `id` is the key.
        table: has ``id``, ``document``, and any columns named like fields of the struct.
        noun: what error messages and codes call it.
        derived: further columns, computed from the struct.
    """

    def __init__(
        self, struct: type[S], table: Table, noun: str, *, derived: dict[str, Callable[[S], Any]] | None = None
    ) -> None:
        self._struct = struct
        self._read = reader_of(struct)
        self._table = table
        self._noun = noun
        self._derived = derived or {}
        self._copied = [field for field in struct.__struct_fields__ if field in table.c]
        self._sortable = sortable(table, self._copied)

    def create(self, tx: Tx, value: S, /, **more: Any) -> S:
        """Keep a new one. Raises Conflict (code ``<noun>_exists``) where a unique column has its value already."""
        statement = tx.insert(self._table).values(**self._row(value), **more).on_conflict_do_nothing()
        if tx.run(statement.returning(self._table.c.id)).first() is None:
            raise Conflict(f"There is such a {self._noun} already", code=f"{self._code}_exists")
        return value

    def get(self, tx: Tx, key: UUID, *conditions: Any) -> S:
        """One of them. Raises NotFound (code ``<noun>_not_found``), also where it meets not all conditions."""
        found = self.first(tx, self._table.c.id == key, *conditions)
        if found is None:
            raise self.unknown(key)
        return found

    def first(self, tx: Tx, *conditions: Any) -> S | None:
        """Any one that meets the conditions."""
        text = tx.run(select(self._table.c.document).where(*conditions).limit(1)).scalar()
        return None if text is None else self._read(text)

    def all(self, tx: Tx, *conditions: Any) -> tuple[S, ...]:
        """Every one that meets the conditions, in the order they were made."""
        return self._decoded(tx.run(select(self._table.c.document).where(*conditions).order_by(self._table.c.id)))

    def list(self, tx: Tx, conditions: Conditions, order: Order, page: Page) -> Listing[S]:
        """One page of them. Raises InvalidInput (code ``order_field``)."""
        by = ordered(order, self._sortable, [self._table.c.id])
        rows = tx.run(paged(select(self._table.c.document).where(*conditions).order_by(*by), page))
        return Listing(self._decoded(rows), total(tx, self._table, conditions))

    def update(self, tx: Tx, value: S, /, **more: Any) -> S:
        """Overwrite. Raises NotFound, and Conflict where it would equal another in a unique column."""
        row = self._row(value)
        self._refuse_clash(tx, row)
        key = row.pop("id")
        if tx.run(self._table.update().where(self._table.c.id == key).values(**row, **more)).rowcount == 0:
            raise self.unknown(key)
        return value

    def delete(self, tx: Tx, key: UUID, *conditions: Any) -> None:
        """Delete. Raises NotFound."""
        if tx.run(self._table.delete().where(self._table.c.id == key, *conditions)).rowcount == 0:
            raise self.unknown(key)

    def unknown(self, key: object) -> NotFound:
        """What is raised where there is none."""
        return NotFound(f"There is no {self._noun} '{key}'", code=f"{self._code}_not_found")

    @property
    def _code(self) -> str:
        return self._noun.replace(" ", "_")

    def _row(self, value: S) -> dict[str, Any]:
        row = {field: getattr(value, field) for field in self._copied}
        row |= {name: derive(value) for name, derive in self._derived.items()}
        return row | {"document": to_json(value)}

    def _refuse_clash(self, tx: Tx, row: dict[str, Any]) -> None:
        for columns in _unique(self._table):
            same = [column == row[column.name] for column in columns]
            if tx.run(select(self._table.c.id).where(*same, self._table.c.id != row["id"])).first() is not None:
                raise Conflict(f"There is such a {self._noun} already", code=f"{self._code}_exists")

    def _decoded(self, rows: Iterable[Any]) -> tuple[S, ...]:
        return tuple(self._read(row[0]) for row in rows)


def _unique(table: Table) -> Iterable[tuple[Any, ...]]:
    for constraint in table.constraints:
        if type(constraint).__name__ == "UniqueConstraint":
            yield tuple(constraint.columns)  # type: ignore[attr-defined]
