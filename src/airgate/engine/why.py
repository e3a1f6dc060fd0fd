"""Why a task instance that could yet be started is not: the engine's own reasons, for people to read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from airgate.engine.allot import Hold, Usage, Waiting, allot
from airgate.engine.rules import READY
from airgate.engine.settle import FINISHED, READY_STATES, Settling
from airgate.engine.snapshot import RunSnapshot
from airgate.model.admin import Pool
from airgate.model.dag import TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import RunState, TaskState

_PLACE: Final = {
    Hold.NO_POOL: "Pool Slots Available",
    Hold.POOL_TOO_SMALL: "Pool Slots Available",
    Hold.POOL_FULL: "Pool Slots Available",
    Hold.RUN_FULL: "Task Instance Slots Available",
    Hold.TASK_FULL: "Task Concurrency",
    Hold.RUN_TASK_FULL: "Task Concurrency",
}
_NAMED: Final = 5
"""How many upstream tasks a reason names."""


class Reason(msgspec.Struct, frozen=True, order=True):
    """One thing that keeps the instance: Airflow's name for its kind, and a sentence."""

    name: str
    text: str


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to run in, and what is taken of it."""

    pools: Mapping[str, Pool]
    usage: Usage
    parallelism: int


def may_start(instance: TaskInstance) -> bool:
    """Whether the instance could yet be started: it is not queued, does not run, and has not finished."""
    return instance.state is TaskState.SCHEDULED or instance.state in READY_STATES


def reasons(snapshot: RunSnapshot, instance: TaskInstance, slots: Slots, now: datetime) -> tuple[Reason, ...]:
    """Everything that keeps an instance at `now`, by name; nothing for one that is queued, runs or has finished.

    `snapshot` knows the run before where `RunSnapshot.past` is given; where it is not, that run keeps nothing.
    """
    if not may_start(instance):
        return ()
    task = snapshot.graph.tasks.get(instance.task_id)
    if task is None:
        return (Reason("Task Instance State", "The DAG no longer has this task."),)
    found = [*_of_run(snapshot, now), *_of_time(instance, now), *_of_slots(snapshot, instance, task, slots)]
    if instance.state is not TaskState.SCHEDULED:
        found += _of_rules(snapshot, instance, task, now)
    return tuple(sorted(found))


def _of_run(snapshot: RunSnapshot, now: datetime) -> Iterator[Reason]:
    run = snapshot.run
    if snapshot.paused:
        yield Reason("Dag Not Paused", f"The DAG '{run.dag_id}' is paused.")
    if run.state is not RunState.RUNNING:
        yield Reason("Dagrun Running", f"The run is not running, but {run.state.value}.")
    elif run.logical_date is not None and run.logical_date > now:
        yield Reason("Execution Date", f"The run's date is in the future: {run.logical_date.isoformat()}.")


def _of_time(instance: TaskInstance, now: datetime) -> Iterator[Reason]:
    due = instance.retry_at
    if due is None or due <= now:
        return
    if instance.state is TaskState.UP_FOR_RESCHEDULE:
        yield Reason("Ready To Reschedule", f"The task asked to be looked at again at {due.isoformat()}.")
    else:
        yield Reason("Not In Retry Period", f"The next try is due at {due.isoformat()}.")


def _of_slots(snapshot: RunSnapshot, instance: TaskInstance, task: TaskSpec, slots: Slots) -> Iterator[Reason]:
    waiting = Waiting.of(instance, snapshot.run, task, snapshot.spec.max_active_tasks)
    allotted = allot((waiting,), slots.usage, slots.pools, parallelism=slots.parallelism)
    hold = allotted.held.get(0)
    if hold is not None:
        yield Reason(_PLACE[hold], _sentence(hold, waiting))
    elif not allotted.chosen:
        yield Reason("Task Instance Slots Available", f"All {slots.parallelism} places of the engine are taken.")


def _sentence(hold: Hold, waiting: Waiting) -> str:
    one = waiting.instance
    match hold:
        case Hold.NO_POOL:
            return f"There is no pool '{one.pool}'."
        case Hold.POOL_TOO_SMALL:
            return f"The task wants {one.pool_slots} slots of the pool '{one.pool}', more than it has."
        case Hold.POOL_FULL:
            return f"The pool '{one.pool}' has less than {one.pool_slots} free slots."
        case Hold.RUN_FULL:
            return f"The DAG's limit of {waiting.max_active_tasks} active tasks in a run is reached."
        case Hold.TASK_FULL:
            return f"The task's limit of {waiting.max_active_tis_per_dag} active instances is reached."
        case Hold.RUN_TASK_FULL:
            return f"The task's limit of {waiting.max_active_tis_per_dagrun} active instances in a run is reached."


def _of_rules(snapshot: RunSnapshot, instance: TaskInstance, task: TaskSpec, now: datetime) -> Iterator[Reason]:
    settling = Settling(snapshot, now)
    if settling.verdict(task, instance.map_index) is not READY:
        yield Reason("Trigger Rule", _upstream(snapshot, task))
    if snapshot.past is not None and not settling.past_allows(task):
        yield Reason("Previous Dagrun State", "The task waits for itself in the run before this one.")


def _upstream(snapshot: RunSnapshot, task: TaskSpec) -> str:
    """What the trigger rule waits for, with the first few upstream tasks that have not finished."""
    unfinished = [
        task_id
        for task_id in snapshot.graph.upstream[task.task_id]
        if any(one.state not in FINISHED for one in snapshot.of_task(task_id))
    ]
    rule = f"The trigger rule '{task.trigger_rule.value}' is not met"
    if not unfinished:
        return f"{rule} by the tasks before it."
    named = ", ".join(unfinished[:_NAMED]) + (", …" if len(unfinished) > _NAMED else "")
    return f"{rule}: not finished yet: {named}."
