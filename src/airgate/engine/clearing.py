"""Clearing and marking by hand: which instances are touched, and what becomes of them and of their run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from airgate.engine.snapshot import Graph, RunSnapshot
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState


def related(graph: Graph, task_ids: Collection[str], *, upstream: bool, downstream: bool) -> frozenset[str]:
    """The tasks clearing touches: the given ones, their relatives, and the setups and teardowns those need."""
    raise NotImplementedError


def marked_with(graph: Graph, task_id: str, *, upstream: bool, downstream: bool) -> frozenset[str]:
    """The tasks marking touches: the given one and its relatives; no teardown downstream of it."""
    raise NotImplementedError


def runs_around(runs: Iterable[DagRun], anchor: DagRun, *, future: bool, past: bool) -> tuple[DagRun, ...]:
    """The anchor and, as asked, the DAG's runs with a later or earlier logical date, oldest first.

    A run without a logical date has no neighbours.
    """
    raise NotImplementedError


def to_clear(
    instances: Iterable[TaskInstance],
    task_ids: Collection[str] | None,
    *,
    only_failed: bool = False,
    only_running: bool = False,
) -> tuple[TaskInstance, ...]:
    """Which of the instances clearing touches. `only_failed`: failed and upstream_failed; both flags add up."""
    raise NotImplementedError


class Cleared(msgspec.Struct, frozen=True):
    """An instance after clearing, the try that goes to history (None: there was none), and the try id to stop."""

    instance: TaskInstance
    archived: TaskInstance | None = None
    stop: UUID | None = None


def clear(instance: TaskInstance, task: TaskSpec | None, *, now: datetime, new_id: Callable[[], UUID]) -> Cleared:
    """Make an instance run again, with its retries renewed. One that runs becomes ``RESTARTING`` until it is stopped."""
    raise NotImplementedError


def run_after_clearing(run: DagRun, now: datetime) -> DagRun:
    """The run when some of its instances were cleared (and ``reset_dag_runs`` was not declined): a finished one queues."""
    raise NotImplementedError


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """Instances marked by hand, the ids of tries to stop, and the run as it is now."""

    changed: tuple[TaskInstance, ...] = ()
    stops: tuple[UUID, ...] = ()
    run: DagRun | None = None


def mark(instances: Iterable[TaskInstance], task_ids: Collection[str], state: TaskState, now: datetime) -> Marked:
    """Set the state of the instances of these tasks that are in another one. `run` is None.

    The caller then clears, among ``related(downstream=True)`` and without the marked task itself, what is failed or
    upstream_failed (`to_clear` with `only_failed`), so that the run can go on.
    """
    raise NotImplementedError


def mark_run(snapshot: RunSnapshot, state: RunState, now: datetime) -> Marked:
    """Set a run's state by hand.

    ``success`` and ``failed``: running instances take that state, waiting ones are skipped, teardowns stay; the run
    itself ends at once only where no teardown is left to run. ``queued``: the run is decided on anew; nothing is cleared.
    """
    raise NotImplementedError
