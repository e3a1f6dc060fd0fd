"""What several v1 handlers share: pages, orders, spans, field selection, and saying that something is missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.problems import Problem, bad_request
from airgate.model.errors import NotFound
from airgate.model.query import Order, Page, Span

T = TypeVar("T")

ALL: Final = "~"
"""Stands for every DAG, run or task in a path."""

NO_CONTENT_JSON: Final = Reply(status=204)
NO_CONTENT: Final = Reply(status=204, media_type="text/html; charset=utf-8")


async def existing(found: Awaitable[T], problem: Callable[[], Problem]) -> T:
    """What is found, or the dialect's own way of saying that it is not there."""
    try:
        return await found
    except NotFound:
        raise problem() from None


def page(call: Call) -> Page:
    """The window a query asks for: 0 or nothing means the usual page, more than the largest means that."""
    limit, services = call.query.limit or 0, call.services
    if limit < 0:
        raise bad_request(None, "Page limit must be a positive integer")
    return Page(min(limit or services.page_limit, services.max_page_limit), call.query.offset)


def order(order_by: str | None, default: str, sortable: Mapping[str, str]) -> Order:
    """The order asked for, in the store's words.

    Args:
        order_by: the query's word, descending with a leading ``-``.
        default: the word that counts when there is none.
        sortable: the dialect's words and the store's for them.
    """
    word = default if order_by is None else order_by
    name = word.lstrip("-")
    if name not in sortable:
        raise bad_request(f"Ordering with '{name}' is disallowed or the attribute does not exist on the model")
    return Order(sortable[name], descending=word.startswith("-"))


def span(start: datetime | None, end: datetime | None) -> Span:
    """Both ends in UTC."""
    return Span(start and start.astimezone(UTC), end and end.astimezone(UTC))


def one_or_all(word: str) -> tuple[str, ...] | None:
    """A path segment as a filter: ``~`` restricts nothing."""
    return None if word == ALL else (word,)


async def shown_dags(call: Call) -> tuple[str, ...] | None:
    """The path's DAG as a filter for lists; for ``~`` all that the caller may see. None: no restriction."""
    word = call.params["dag_id"]
    return (word,) if word != ALL else await visible.dag_ids(call)


def select(view: Mapping[str, Any], fields: Iterable[str] | None) -> Mapping[str, Any]:
    """The view, or the wanted part of it."""
    return view if fields is None else {name: view[name] for name in fields}


def marshmallow_fields(fields: Sequence[str] | None, known: frozenset[str], schema: str, title: str) -> None:
    """Refuse unknown field names as v1 does for DAGs."""
    unknown = [name for name in dict.fromkeys(fields or ()) if name not in known]
    if unknown:
        raise bad_request(f"Invalid fields for <{schema}(many=False)>: OrderedSet({unknown!r}).", title)


def masked(data: Mapping[str, Any], mask: Sequence[str], fixed: frozenset[str]) -> dict[str, Any]:
    """The part of a body that an update mask lets through. Refuses fields that are fixed or not in the body."""
    names = [name.strip() for name in mask]
    for name in names:
        if name not in data or name in fixed:
            raise bad_request(f"'{name}' is unknown or cannot be updated.")
    return {name: data[name] for name in names}
