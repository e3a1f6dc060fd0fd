"""What a list is asked for: filters, order and page. Stores turn these into SQL; nothing here knows how."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from airgate.model.states import RunState, TaskState

T = TypeVar("T")


class Page(msgspec.Struct, frozen=True):
    """A window on an ordered list."""

    limit: int = 100
    offset: int = 0


class Order(msgspec.Struct, frozen=True):
    """Sort by one field of the noun; ties are broken by its natural key."""

    field: str
    descending: bool = False


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list, and how many there are in all."""

    items: tuple[T, ...]
    total: int


class Span(msgspec.Struct, frozen=True):
    """An interval of time, both ends inclusive and optional."""

    start: datetime | None = None
    end: datetime | None = None


class NumberSpan(msgspec.Struct, frozen=True):
    """An interval of numbers, both ends inclusive and optional."""

    start: float | None = None
    end: float | None = None


class DagFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which DAGs. `pattern` is a case-insensitive LIKE infix; `tags` are alternatives. Empty means no restriction."""

    dag_ids: tuple[str, ...] | None = None
    pattern: str | None = None
    tags: tuple[str, ...] = ()
    only_active: bool = True
    paused: bool | None = None
    file: str | None = None


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which DAG runs. None means no restriction, an empty tuple matches nothing."""

    dag_ids: tuple[str, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    states: tuple[RunState, ...] | None = None
    execution_date: Span = Span()
    start_date: Span = Span()
    end_date: Span = Span()
    updated_at: Span = Span()


class RunSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which DAG runs to walk through by execution date. None means no restriction, an empty tuple matches nothing.

    `run_id_like`: the run id matches this pattern, in which ``%`` stands for any characters and ``_`` for one; case
    does not count. `after`: execution date and `seq` of a run; only what follows it in the order of these two.
    """

    dag_ids: tuple[str, ...] | None = None
    states: tuple[RunState, ...] | None = None
    external_trigger: bool | None = None
    run_id_like: str | None = None
    after: tuple[datetime, int] | None = None


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which task instances. `states` may hold None: instances nobody has looked at yet."""

    dag_ids: tuple[str, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    task_ids: tuple[str, ...] | None = None
    map_indexes: tuple[int, ...] | None = None
    states: tuple[TaskState | None, ...] | None = None
    pools: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None
    executors: tuple[str, ...] | None = None
    execution_date: Span = Span()
    start_date: Span = Span()
    end_date: Span = Span()
    updated_at: Span = Span()
    duration: NumberSpan = NumberSpan()
