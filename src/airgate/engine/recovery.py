"""Taking up the work again after a stop or a crash.

What the store says is true: a run that was accepted goes on, a try that was running has died with the process tree (the
tree's lock proves that it is gone) and is counted as Airflow counts a killed task, a try that was only queued was never
started and waits again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from airgate.engine.past import choices_of
from airgate.engine.registry import Registry
from airgate.engine.retry import Killed
from airgate.engine.scheduler import Scheduler
from airgate.engine.snapshot import Key, RunSnapshot, SkipChoice
from airgate.model.admin import Pool
from airgate.model.dag import Dag
from airgate.model.query import Order, Page
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState
from airgate.store import dags, pools, runs, tasks
from airgate.store.database import Database, Tx

REASON = "its process ended when Airgate's server stopped"
_WAS_IN_A_PROCESS = frozenset({TaskState.RUNNING, TaskState.RESTARTING})
_ALL = Page(limit=100_000)


class Remains(msgspec.Struct, frozen=True):
    """One running run as the store has it."""

    run: DagRun
    instances: tuple[TaskInstance, ...]
    choices: Mapping[Key, SkipChoice]


class Remembered(msgspec.Struct, frozen=True):
    """What the store knows of unfinished work."""

    queued: tuple[DagRun, ...]
    running: tuple[Remains, ...]
    owners: Mapping[str, Dag]
    """The DAGs of running runs, those without a file too."""
    pools: tuple[Pool, ...]


def remember(tx: Tx) -> Remembered:
    """Read everything that is unfinished."""
    unfinished = runs.unfinished(tx)
    running = [run for run in unfinished if run.state is RunState.RUNNING]
    instances: dict[tuple[str, str], list[TaskInstance]] = {}
    for instance in tasks.of_runs(tx, [(run.dag_id, run.run_id) for run in running]):
        instances.setdefault((instance.dag_id, instance.run_id), []).append(instance)
    return Remembered(
        queued=tuple(run for run in unfinished if run.state is RunState.QUEUED),
        running=tuple(
            Remains(run, tuple(instances.get((run.dag_id, run.run_id), ())), choices_of(tx, run)) for run in running
        ),
        owners={dag_id: dags.get(tx, dag_id) for dag_id in {run.dag_id for run in running}},
        pools=all_pools(tx),
    )


async def recover(
    database: Database, scheduler: Scheduler, registry: Registry, *, clock: Callable[[], datetime]
) -> None:
    """Give the scheduler everything unfinished, and have it begin. The old process tree must be gone.

    Raises Unavailable.
    """
    remembered = await database.read(remember)
    scheduler.pools_changed(remembered.pools)
    for remains in remembered.running:
        dag_id = remains.run.dag_id
        _resume(scheduler, registry, registry.dag(dag_id) or remembered.owners[dag_id], remains, clock())
    for run in remembered.queued:
        scheduler.accepted(run, fresh=False)
    scheduler.begin()


def _resume(scheduler: Scheduler, registry: Registry, dag: Dag, remains: Remains, now: datetime) -> None:
    waiting = [
        msgspec.structs.replace(one, state=TaskState.SCHEDULED, queued_at=None)
        for one in remains.instances
        if one.state is TaskState.QUEUED
    ]
    snapshot = RunSnapshot.of(
        remains.run, registry.graph(dag), remains.instances, choices=remains.choices, paused=dag.is_paused
    )
    active = scheduler.resume(snapshot)
    _ = scheduler.change(active, changed=waiting)
    for instance in remains.instances:
        if instance.state in _WAS_IN_A_PROCESS:
            scheduler.desk.end(instance, Killed(ended_at=now, reason=REASON))


def all_pools(tx: Tx) -> tuple[Pool, ...]:
    """Every pool."""
    return pools.list_pools(tx, Order("name"), _ALL).items
