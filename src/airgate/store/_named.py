"""Nouns that are one row under one name: listed, read, written and deleted alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Table, select

from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Listing, Order, Page
from airgate.store._mapping import Mapping
from airgate.store._query import ordered, paged, sortable, total
from airgate.store._tx import Tx

S = TypeVar("S", bound=msgspec.Struct)


class Named(Generic[S]):
    """A table whose first column names its rows; the columns in `secret` are encrypted."""

    def __init__(self, struct: type[S], table: Table, noun: str, *, secret: Collection[str] = ()) -> None:
        self._mapping = Mapping(struct, table)
        self._table = table
        self._noun = noun
        self._secret = secret
        self._name = self._mapping.fields[0]
        self._column = table.c[self._name]
        self._sortable = sortable(table, [field for field in self._mapping.fields if field not in secret])

    def list(self, tx: Tx, order: Order, page: Page) -> Listing[S]:
        """One page of them."""
        by = ordered(order, self._sortable, [self._column])
        rows = tx.run(paged(select(*self._mapping.columns).order_by(*by), page))
        return Listing(tuple(self._decode(tx, row) for row in rows), total(tx, self._table, []))

    def get(self, tx: Tx, name: str) -> S:
        """One of them. Raises NotFound."""
        row = tx.run(select(*self._mapping.columns).where(self._column == name)).first()
        if row is None:
            raise self._unknown(name)
        return self._decode(tx, row)

    def names(self, tx: Tx) -> tuple[str, ...]:
        """The names of all of them, sorted."""
        return tuple(tx.run(select(self._column).order_by(self._column)).scalars())

    def put(self, tx: Tx, value: S) -> S:
        """Create or overwrite."""
        statement = tx.insert(self._table).values(self._encode(tx, value))
        changed = {field: statement.excluded[field] for field in self._mapping.fields[1:]}
        tx.run(statement.on_conflict_do_update(index_elements=[self._name], set_=changed))
        return value

    def create(self, tx: Tx, value: S) -> S:
        """Create. Raises Conflict."""
        # What was inserted is asked for, since not every driver counts it.
        new = tx.insert(self._table).values(self._encode(tx, value)).on_conflict_do_nothing()
        if tx.run(new.returning(self._column)).first() is None:
            raise self._taken(value)
        return value

    def update(self, tx: Tx, name: str, value: S) -> S:
        """Overwrite, perhaps under a new name. Raises NotFound, and Conflict where the new name is taken."""
        renamed = getattr(value, self._name)
        if renamed != name and tx.run(select(self._column).where(self._column == renamed)).first() is not None:
            raise self._taken(value)
        change = self._table.update().where(self._column == name).values(self._encode(tx, value))
        if tx.run(change).rowcount == 0:
            raise self._unknown(name)
        return value

    def delete(self, tx: Tx, name: str) -> None:
        """Delete. Raises NotFound."""
        if tx.run(self._table.delete().where(self._column == name)).rowcount == 0:
            raise self._unknown(name)

    def _encode(self, tx: Tx, value: S) -> dict[str, Any]:
        return self._with_secrets(self._mapping.encode(value), tx.lock)

    def _decode(self, tx: Tx, row: Sequence[Any]) -> S:
        values = dict(zip(self._mapping.fields, row, strict=True))
        return self._mapping.struct(**self._with_secrets(values, tx.unlock))

    def _with_secrets(self, values: dict[str, Any], convert: Callable[[Any], Any]) -> dict[str, Any]:
        return {field: convert(value) if field in self._secret else value for field, value in values.items()}

    def _unknown(self, name: str) -> NotFound:
        return NotFound(f"{self._noun.capitalize()} '{name}' was not found", code=f"{self._noun}_not_found")

    def _taken(self, value: S) -> Conflict:
        name = getattr(value, self._name)
        return Conflict(f"{self._noun.capitalize()} '{name}' already exists", code=f"{self._noun}_exists")
