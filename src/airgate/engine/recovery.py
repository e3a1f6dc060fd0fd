"""Taking up the work again after a stop or a crash.

What the store says is true: a run that was accepted goes on, a try that was running has died with the process tree (the
tree's lock proves that it is gone) and is counted as Airflow counts a killed task, a try that was only queued was never
started and waits again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from airgate.engine.past import choices_of
from airgate.engine.registry import Registry
from airgate.engine.retry import Killed, after_try
from airgate.engine.scheduler import Scheduler
from airgate.engine.snapshot import Graph, Key, RunSnapshot, SkipChoice, key_of
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

    dags: tuple[Dag, ...]
    queued: tuple[DagRun, ...]
    running: tuple[Remains, ...]


def remember(tx: Tx) -> Remembered:
    """Read everything that is unfinished."""
    unfinished = runs.unfinished(tx)
    running = [run for run in unfinished if run.state is RunState.RUNNING]
    instances: dict[tuple[str, str], list[TaskInstance]] = {}
    for instance in tasks.of_runs(tx, [(run.dag_id, run.run_id) for run in running]):
        instances.setdefault((instance.dag_id, instance.run_id), []).append(instance)
    return Remembered(
        dags=dags.all_active(tx),
        queued=tuple(run for run in unfinished if run.state is RunState.QUEUED),
        running=tuple(
            Remains(run, tuple(instances.get((run.dag_id, run.run_id), ())), choices_of(tx, run)) for run in running
        ),
    )


async def recover(
    database: Database,
    scheduler: Scheduler,
    registry: Registry,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> frozenset[UUID]:
    """Give the scheduler everything unfinished. The old process tree must be gone. Gives the ids of those runs."""
    remembered = await database.read(remember)
    scheduler.pools_changed(await database.read(all_pools))
    for dag in remembered.dags:
        scheduler.dag_changed(dag)
    known = {dag.dag_id: dag for dag in remembered.dags}
    for remains in remembered.running:
        owner = known.get(remains.run.dag_id)
        if owner is None:
            owner = await database.read(dags.get, remains.run.dag_id)
        _resume(scheduler, registry.graph(owner), owner, remains, clock(), new_id)
    for run in remembered.queued:
        scheduler.accepted(run, fresh=False)
    return frozenset(run.id for run in (*remembered.queued, *(remains.run for remains in remembered.running)))


def _resume(
    scheduler: Scheduler, graph: Graph, dag: Dag, remains: Remains, now: datetime, new_id: Callable[[], UUID]
) -> None:
    changed: list[TaskInstance] = []
    archived: list[TaskInstance] = []
    for instance in remains.instances:
        if instance.state is TaskState.QUEUED:
            changed.append(msgspec.structs.replace(instance, state=TaskState.SCHEDULED, queued_at=None))
        elif instance.state in _WAS_IN_A_PROCESS:
            ended = after_try(
                instance,
                Killed(ended_at=now, reason=REASON),
                graph.tasks.get(instance.task_id),
                logical_date=remains.run.logical_date,
                now=now,
                new_id=new_id,
            )
            changed.append(ended.instance)
            if ended.archived is not None:
                archived.append(ended.archived)
    snapshot = RunSnapshot.of(
        remains.run, graph, _with(remains.instances, changed), choices=remains.choices, paused=dag.is_paused
    )
    active = scheduler.resume(snapshot)
    _ = scheduler.change(active, changed=changed, archived=archived)


def _with(instances: Iterable[TaskInstance], changed: Iterable[TaskInstance]) -> list[TaskInstance]:
    return list({**{key_of(one): one for one in instances}, **{key_of(one): one for one in changed}}.values())


def all_pools(tx: Tx) -> tuple[Pool, ...]:
    """Every pool."""
    return pools.list_pools(tx, Order("name"), _ALL).items
