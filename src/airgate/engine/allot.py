"""What may start now, across runs: pools, priorities and limits for tasks, ``max_active_runs`` for runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from airgate.model.admin import Pool, PoolUsage
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState


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
        return cls(
            instance=instance,
            run_date=run.execution_date,
            max_active_tasks=max_active_tasks,
            max_active_tis_per_dag=task.max_active_tis_per_dag,
            max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
        )


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
    ledger = _Ledger()
    for instance in instances:
        if instance.state in _IN_SLOT:
            ledger.take(instance)
        elif instance.state in _PARKED:
            ledger.park(instance)
    return ledger.usage()


# Members of an enum are found in tuples by identity; see `airgate.engine.settle`.
_IN_SLOT = (TaskState.RUNNING, TaskState.QUEUED, TaskState.RESTARTING)
_PARKED = (TaskState.DEFERRED, TaskState.AWAITING_INPUT)


class _Ledger:
    """Counters that change while instances are counted or chosen."""

    def __init__(self, usage: Usage | None = None) -> None:
        usage = usage or Usage()
        self.total = usage.total
        self.pools = dict(usage.pools)
        self.per_run = Counter(usage.per_run)
        self.per_task = Counter(usage.per_task)
        self.per_run_task = Counter(usage.per_run_task)

    def usage(self) -> Usage:
        return Usage(
            total=self.total,
            pools=self.pools,
            per_run=self.per_run,
            per_task=self.per_task,
            per_run_task=self.per_run_task,
        )

    def take(self, one: TaskInstance) -> None:
        """Count an instance in a worker slot; one that is not running yet is about to."""
        self.total += 1
        self.per_run[one.dag_id, one.run_id] += 1
        self._count_task(one)
        pool = self.pools.get(one.pool, _NONE)
        if one.state is TaskState.RUNNING or one.state is TaskState.RESTARTING:
            self.pools[one.pool] = replace(pool, running=pool.running + one.pool_slots)
        else:
            self.pools[one.pool] = replace(pool, queued=pool.queued + one.pool_slots)

    def park(self, one: TaskInstance) -> None:
        """Count an instance that holds no worker slot. Waiting for a human never takes a pool slot, deferral may."""
        self._count_task(one)
        if one.state is TaskState.DEFERRED:
            pool = self.pools.get(one.pool, _NONE)
            self.pools[one.pool] = replace(pool, deferred=pool.deferred + one.pool_slots)

    def _count_task(self, one: TaskInstance) -> None:
        self.per_task[one.dag_id, one.task_id] += 1
        self.per_run_task[one.dag_id, one.run_id, one.task_id] += 1

    def hold(self, waiting: Waiting, pools: Mapping[str, Pool]) -> Hold | None:
        """Why the instance must wait, None if it may start."""
        one = waiting.instance
        return self._pool_hold(one, pools.get(one.pool)) or self._limit_hold(waiting, one)

    def _pool_hold(self, one: TaskInstance, pool: Pool | None) -> Hold | None:
        if pool is None:
            return Hold.NO_POOL
        if pool.slots < 0:
            return None
        if one.pool_slots > pool.slots:
            return Hold.POOL_TOO_SMALL
        return Hold.POOL_FULL if one.pool_slots > self.pools.get(one.pool, _NONE).open(pool) else None

    def _limit_hold(self, waiting: Waiting, one: TaskInstance) -> Hold | None:
        if self.per_run[one.dag_id, one.run_id] >= waiting.max_active_tasks:
            return Hold.RUN_FULL
        limit = waiting.max_active_tis_per_dag
        if limit is not None and self.per_task[one.dag_id, one.task_id] >= limit:
            return Hold.TASK_FULL
        limit = waiting.max_active_tis_per_dagrun
        if limit is not None and self.per_run_task[one.dag_id, one.run_id, one.task_id] >= limit:
            return Hold.RUN_TASK_FULL
        return None


_NONE = PoolUsage()


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
    return (-waiting.instance.priority_weight, waiting.run_date, waiting.instance.map_index)


def allot(waiting: Sequence[Waiting], usage: Usage, pools: Mapping[str, Pool], *, parallelism: int) -> Allotment:
    """Choose what may be queued now, such that no pool and no limit is exceeded.

    The list is taken in order of `urgency` (ties in the order given; cheapest when it is in that order already).
    `parallelism` bounds the tries of the whole engine, those in `usage` included.
    """
    ledger = _Ledger(usage)
    chosen: list[Waiting] = []
    held: dict[int, Hold] = {}
    for position in sorted(range(len(waiting)), key=lambda index: urgency(waiting[index])):
        if ledger.total >= parallelism:
            break
        one = waiting[position]
        reason = ledger.hold(one, pools)
        if reason is None:
            ledger.take(one.instance)
            chosen.append(one)
        else:
            held[position] = reason
    return Allotment(chosen=tuple(chosen), held=held)


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
    active = Counter(running)
    started: list[DagRun] = []
    due: list[datetime] = []
    for one in sorted(queued, key=_seniority):
        if one.paused or one.run.state is not RunState.QUEUED:
            continue
        if one.run.run_after > now:
            due.append(one.run.run_after)
        elif active[one.run.dag_id] < one.max_active_runs:
            active[one.run.dag_id] += 1
            started.append(replace(one.run, state=RunState.RUNNING, start_date=now, end_date=None, updated_at=now))
    return RunStarts(tuple(started), min(due, default=None))


def _seniority(one: QueuedRun) -> tuple[bool, datetime, datetime, int]:
    decided = one.run.last_scheduling_decision
    return (decided is not None, decided or one.run.run_after, one.run.run_after, one.run.seq)
