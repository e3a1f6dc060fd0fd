"""Gathers from the store what is needed to say why a task instance is not started."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from airgate.engine.allot import usage_of
from airgate.engine.past import left_of, past_of
from airgate.engine.snapshot import Graph, RunSnapshot
from airgate.engine.why import Reason, Slots, may_start, reasons
from airgate.model.query import Order, Page, TaskFilter
from airgate.model.states import TaskState
from airgate.store import dags, pools, runs, tasks
from airgate.store.database import Tx

_ALL: Final = Page(limit=100_000)
_TAKING = (
    TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED, TaskState.AWAITING_INPUT,
)  # fmt: skip


def why_held(
    tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int, *, now: datetime, parallelism: int
) -> tuple[Reason, ...]:
    """What keeps an instance at `now`, as far as the store tells. Raises NotFound."""
    instance = tasks.get(tx, dag_id, run_id, task_id, map_index)
    if not may_start(instance):
        return ()
    run, dag = runs.get(tx, dag_id, run_id), dags.get(tx, dag_id)
    graph = Graph(dag.spec)
    instances, choices = left_of(tx, run)
    past = past_of(tx, run, catchup=dag.spec.catchup) if graph.waits_for_past else None
    snapshot = RunSnapshot.of(run, graph, instances, choices=choices, past=past, paused=dag.is_paused)
    taking = tasks.list_tasks(tx, TaskFilter(states=_TAKING), Order("dag_id"), _ALL)
    slots = Slots(
        pools={pool.name: pool for pool in pools.list_pools(tx, Order("name"), _ALL).items},
        usage=usage_of(taking.items),
        parallelism=parallelism,
    )
    return reasons(snapshot, instance, slots, now)
