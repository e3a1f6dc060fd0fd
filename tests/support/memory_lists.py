"""Filters, order and pages over what is kept in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airgate.model.errors import InvalidInput
from airgate.model.query import Listing, Order, Page, Span

T = TypeVar("T")


def window(items: Iterable[T], order: Order, page: Page) -> Listing[T]:
    """One page of what matches; nothing sorts before everything else."""
    found = list(items)
    if found and not hasattr(found[0], order.field):
        raise InvalidInput(f"Cannot order by {order.field!r}", code="order_field")

    def key(item: T) -> tuple[bool, Any]:
        value = getattr(item, order.field)
        return value is not None, "" if value is None else str(value) if isinstance(value, dict) else value

    found.sort(key=key, reverse=order.descending)
    return Listing(tuple(found[page.offset : page.offset + page.limit]), len(found))


def within(span: Span, moment: datetime | None) -> bool:
    if span.start is None and span.end is None:
        return True
    if moment is None:
        return False
    return (span.start is None or moment >= span.start) and (span.end is None or moment <= span.end)


def like(pattern: str, text: str) -> bool:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def among(allowed: Sequence[Any] | None, value: Any) -> bool:
    return allowed is None or value in allowed
