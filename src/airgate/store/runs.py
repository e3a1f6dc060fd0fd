"""DAG runs, and the counters that make counting them cheap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airgate.model.query import Listing, Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store.database import Tx


def get(tx: Tx, dag_id: str, run_id: str) -> DagRun:
    """One run. Raises NotFound (code ``run_not_found``)."""
    raise NotImplementedError


def list_runs(tx: Tx, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
    """One page of the runs that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    raise NotImplementedError


def insert(tx: Tx, run: DagRun) -> DagRun:
    """Keep a new run and give it back with its `seq`.

    Raises:
        Conflict: code ``run_exists`` or ``logical_date_exists``; where both hold, the date wins.
    """
    raise NotImplementedError


def save(tx: Tx, runs: Sequence[DagRun]) -> None:
    """Overwrite runs, found by (dag_id, run_id); `id` and `seq` stay. Raises NotFound for an unknown one."""
    raise NotImplementedError


def delete(tx: Tx, dag_id: str, run_id: str) -> None:
    """Delete a run with its task instances, tries, XComs and triggers. Raises NotFound."""
    raise NotImplementedError


def unfinished(tx: Tx) -> tuple[DagRun, ...]:
    """Queued and running runs of all DAGs, oldest first."""
    raise NotImplementedError


def newest_scheduled(tx: Tx, dag_id: str) -> DagRun | None:
    """The newest scheduled or backfill run, by logical date (`run_after` where there is none)."""
    raise NotImplementedError


def previous(tx: Tx, dag_id: str, logical_date: datetime, state: RunState | None = None) -> DagRun | None:
    """The run with the newest logical date before this one, in `state` where given."""
    raise NotImplementedError


def previous_successful(tx: Tx, dag_id: str, logical_date: datetime) -> DagRun | None:
    """The successful run with the newest logical date before this one."""
    raise NotImplementedError


def count(tx: Tx, which: RunFilter, logical_dates: Sequence[datetime] | None = None) -> int:
    """How many runs match, and have one of the logical dates where those are given."""
    raise NotImplementedError


def recent_states(tx: Tx, dag_id: str, n: int) -> tuple[RunState, ...]:
    """How the last `n` finished runs ended, newest (by logical date or `run_after`) first."""
    raise NotImplementedError
