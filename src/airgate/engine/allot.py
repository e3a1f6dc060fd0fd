"""What may start now, across runs: pools, priorities and limits for tasks, ``max_active_runs`` for runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from airgate.model.admin import Pool, PoolUsage
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A ``SCHEDULED`` instance and the limits it is under. Leave out those of paused DAGs and of runs not running."""

    instance: TaskInstance
    run_date: datetime
    """The run's logical date, or its `run_after` where there is none."""
    max_active_tasks: int
    """Of the DAG, per run."""
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None

    @classmethod
    def of(cls, instance: TaskInstance, run: DagRun, task: TaskSpec, max_active_tasks: int) -> Waiting:
        """Gather the limits of one instance."""
        raise NotImplementedError


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken already. Make it with `usage_of` from the active instances of all runs."""

    total: int = 0
    """Tries in a worker slot."""
    pools: Mapping[str, PoolUsage] = {}
    per_run: Mapping[tuple[str, str], int] = {}
    """By (DAG, run): instances in a worker slot."""
    per_task: Mapping[tuple[str, str], int] = {}
    """By (DAG, task): those and the deferred ones, over all runs."""
    per_run_task: Mapping[tuple[str, str, str], int] = {}
    """By (DAG, run, task): the same within one run."""


def usage_of(instances: Iterable[TaskInstance]) -> Usage:
    """Count the instances that are queued, running, restarting, deferred or awaiting input; others are ignored."""
    raise NotImplementedError


class Hold(StrEnum):
    """Why an instance was not chosen."""

    NO_POOL = "no such pool"
    POOL_TOO_SMALL = "more pool slots wanted than the pool has"
    POOL_FULL = "pool is full"
    RUN_FULL = "max_active_tasks of the DAG reached in this run"
    TASK_FULL = "max_active_tis_per_dag of the task reached"
    RUN_TASK_FULL = "max_active_tis_per_dagrun of the task reached"


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances may be queued now, most urgent first; why others may not.

    `held` is by position in the list that was given. Instances that are in neither came after the last free slot.
    """

    chosen: tuple[Waiting, ...] = ()
    held: Mapping[int, Hold] = {}


def urgency(waiting: Waiting) -> tuple[int, datetime, int]:
    """Sort key, most urgent first: priority, then the older run, then the smaller map index."""
    raise NotImplementedError


def allot(
    waiting: Sequence[Waiting], usage: Usage, pools: Mapping[str, Pool], *, parallelism: int
) -> Allotment:
    """Choose what may be queued now, such that no pool and no limit is exceeded.

    The list is taken in order of `urgency` (ties in the order given; cheapest when it is in that order already).
    `parallelism` bounds the tries of the whole engine, those in `usage` included.
    """
    raise NotImplementedError


class QueuedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A queued run and what it is under."""

    run: DagRun
    max_active_runs: int
    paused: bool = False
    """The DAG is paused, or its file is gone: the run waits."""


class RunStarts(msgspec.Struct, frozen=True):
    """Runs that start now, already in their new form, and when the next one is due by its own date."""

    started: tuple[DagRun, ...] = ()
    wake_at: datetime | None = None


def start_runs(queued: Iterable[QueuedRun], running: Mapping[str, int], now: datetime) -> RunStarts:
    """Which queued runs start now. `running` counts the running runs per DAG, backfill runs left out.

    Runs never decided on come first, then by `run_after` and creation. Backfills will count by their own limit here.
    """
    raise NotImplementedError
