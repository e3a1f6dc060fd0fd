"""Builders for the engine's tests: small DAGs, runs, instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from airgate.engine.decide import Decision, decide, reconcile
from airgate.engine.retry import Failed, Outcome, Succeeded, after_try
from airgate.engine.snapshot import Graph, RunSnapshot, key_of
from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, RunType, TaskState, TriggeredBy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Ids:
    """Distinct ids, in order."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> UUID:
        self._last += 1
        return UUID(int=self._last)


def dag(*tasks: TaskSpec, **settings: Any) -> DagSpec:
    """A DAG; downstream is filled in from upstream."""
    below: dict[str, list[str]] = {task.task_id: [] for task in tasks}
    for task in tasks:
        for parent in task.upstream:
            below[parent].append(task.task_id)
    return DagSpec(
        dag_id="d",
        tasks=tuple(replace(task, downstream=tuple(below[task.task_id])) for task in tasks),
        **settings,
    )


def task(task_id: str, *upstream: str, **settings: Any) -> TaskSpec:
    return TaskSpec(task_id=task_id, upstream=upstream, **settings)


def run(state: RunState = RunState.RUNNING, **settings: Any) -> DagRun:
    defaults: dict[str, Any] = {
        "id": UUID(int=0),
        "dag_id": "d",
        "run_id": "r",
        "run_type": RunType.MANUAL,
        "triggered_by": TriggeredBy.REST_API,
        "run_after": NOW,
        "queued_at": NOW,
        "logical_date": NOW,
        "start_date": NOW if state is not RunState.QUEUED else None,
    }
    return DagRun(state=state, **{**defaults, **settings})


def started(spec: DagSpec, *, new_id: Callable[[], UUID] | None = None, **settings: Any) -> RunSnapshot:
    """A run that has just started, with its instances."""
    snapshot = RunSnapshot.of(run(**settings), Graph(spec), ())
    return reconcile(snapshot, NOW, new_id=new_id or Ids()).snapshot


def with_states(snapshot: RunSnapshot, states: Mapping[str, TaskState | None]) -> RunSnapshot:
    """The snapshot with some instances put in a state, as if by magic."""
    return snapshot.with_instances(
        replace(instance, state=states[instance.task_id])
        for instance in snapshot.instances.values()
        if instance.task_id in states
    )


def states(snapshot: RunSnapshot) -> dict[str, TaskState | None]:
    """States by task id, of unmapped instances."""
    return {instance.task_id: instance.state for instance in snapshot.instances.values()}


def running(instance: TaskInstance, at: datetime = NOW) -> TaskInstance:
    return replace(instance, state=TaskState.RUNNING, start_date=at)


def finish(
    snapshot: RunSnapshot,
    task_id: str,
    outcome: Outcome | None = None,
    *,
    now: datetime = NOW,
    new_id: Ids | None = None,
) -> Decision:
    """Run one scheduled task to an end and decide on what follows."""
    instance = snapshot.instances[task_id, -1]
    assert instance.state is TaskState.SCHEDULED, f"{task_id} is {instance.state}"
    result = after_try(
        running(instance, now),
        outcome or Succeeded(now),
        snapshot.graph.tasks[task_id],
        logical_date=snapshot.run.logical_date,
        now=now,
        new_id=new_id or Ids(),
    )
    return decide(snapshot.with_instances((result.instance,)), now, changed=[key_of(result.instance)])


def finish_all(decision: Decision, *task_ids: str, failed: Iterable[str] = ()) -> Decision:
    for task_id in task_ids:
        decision = finish(decision.snapshot, task_id, Failed(NOW) if task_id in failed else None)
    return decision
