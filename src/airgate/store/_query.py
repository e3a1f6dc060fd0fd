"""Filters, order and pages as SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, TextClause, and_, func, or_, select

from airgate.model.errors import InvalidInput
from airgate.model.query import NumberSpan, Order, Page, Span
from airgate.store._tx import Tx

AT_ONCE = 500
"""Most values in one list: a statement has room for so many only."""

Conditions = list[ColumnElement[bool] | TextClause]


def one_of(column: ColumnElement[Any], values: Collection[Any] | None) -> Conditions:
    """The column has one of the values, None among them meaning empty. None instead of values: anything goes."""
    if values is None:
        return []
    present = [value for value in values if value is not None]
    among = column == present[0] if len(present) == 1 else column.in_(present)
    return [or_(among, column.is_(None))] if None in values else [among]


def unindexed(column: ColumnElement[str]) -> ColumnElement[str]:
    """The same text, in a form no index is used for.

    SQLite rather follows an index that gives the order, or one that finds an equal value, than one that finds a range,
    however small that is.
    """
    return column.concat("")


def by_key(columns: tuple[Any, Any], keys: Collection[tuple[str, Any]]) -> Iterator[Any]:
    """Conditions that together find the rows with these pairs of values, few enough in each for any database.

    SQLite uses no index for ``(a, b) IN (...)``, but does for ``a = ... AND b IN (...)``.
    """
    first, second = columns
    by_first: dict[str, list[Any]] = {}
    for one, other in sorted(set(keys)):
        by_first.setdefault(one, []).append(other)
    for one, others in by_first.items():
        for start in range(0, len(others), AT_ONCE):
            yield and_(first == one, second.in_(others[start : start + AT_ONCE]))


def within(column: ColumnElement[Any], span: Span | NumberSpan) -> Conditions:
    """The column lies in the span, both ends included."""
    conditions: Conditions = []
    if span.start is not None:
        conditions.append(column >= span.start)
    if span.end is not None:
        conditions.append(column <= span.end)
    return conditions


def sortable(table: Table, names: Collection[str], **others: Any) -> dict[str, Any]:
    """Columns that a list may be sorted by: those named, and others under names of their own."""
    return {**{name: table.c[name] for name in names if name in table.c}, **others}


def ordered(order: Order, fields: Mapping[str, Any], ties: Collection[Any]) -> Any:
    """What to sort by. An empty value is less than any other.

    Raises:
        InvalidInput: (code ``order_field``) nothing can be sorted by this field.
    """
    column = fields.get(order.field)
    if column is None:
        raise InvalidInput(f"Ordering with '{order.field}' is not possible.", code="order_field")
    parts = (column, *(tie for tie in ties if tie is not column))
    return [_directed(part, descending=order.descending) for part in parts]


def _directed(column: Any, *, descending: bool) -> Any:
    part = column.desc() if descending else column.asc()
    # Said only where it matters: PostgreSQL would not use an index on a column that is never empty.
    if not getattr(column, "nullable", False):
        return part
    return part.nulls_last() if descending else part.nulls_first()


def paged(statement: Select[Any], page: Page) -> Select[Any]:
    """The page of a statement that sorts."""
    return statement.limit(page.limit).offset(page.offset)


def total(tx: Tx, source: Any, conditions: Conditions) -> int:
    """How many rows of a table or join meet the conditions."""
    return int(tx.run(select(func.count()).select_from(source).where(*conditions)).scalar_one())
