"""Clearing and marking by hand: which instances are touched, and what becomes of them and of their run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from airgate.engine.settle import FINISHED, in_process, set_state
from airgate.engine.snapshot import Graph, RunSnapshot
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState


def related(graph: Graph, task_ids: Collection[str], *, upstream: bool, downstream: bool) -> frozenset[str]:
    """The tasks clearing touches: the given ones, their relatives, and the setups and teardowns those need."""
    given = [task_id for task_id in task_ids if task_id in graph.tasks]
    found = set(given)
    for task_id in given:
        task = graph.tasks[task_id]
        if downstream:
            relatives = graph.flat(task_id, upstream=False)
            found |= relatives
            for relative in relatives:
                found |= _needed_around(graph, relative)
        if upstream:
            found |= _upstream_with_teardowns(graph, task_id)
        else:
            found |= _needed_around(graph, task_id)
        if task.is_setup and not downstream:
            found |= _teardowns_of(graph, task_id)
    return frozenset(found)


def _teardowns_of(graph: Graph, setup_id: str) -> set[str]:
    return {task_id for task_id in graph.downstream[setup_id] if graph.tasks[task_id].is_teardown}


def _upstream_with_teardowns(graph: Graph, task_id: str) -> set[str]:
    found = set(graph.flat(task_id, upstream=True))
    for setup_id in [one for one in found if graph.tasks[one].is_setup]:
        found |= _teardowns_of(graph, setup_id) - {task_id}
    return found


def _needed_around(graph: Graph, task_id: str) -> set[str]:
    """Setups a task needs to run again, and their teardowns: those still open at the task, or never torn down."""
    task = graph.tasks[task_id]
    if task.is_setup or task.is_teardown:
        return set()
    later = graph.flat(task_id, upstream=False)
    found: set[str] = set()
    for setup_id in graph.flat(task_id, upstream=True):
        if graph.tasks[setup_id].is_setup:
            teardowns = _teardowns_of(graph, setup_id)
            if not teardowns or not teardowns.isdisjoint(later):
                found |= {setup_id} | teardowns
    return found


def marked_with(graph: Graph, task_id: str, *, upstream: bool, downstream: bool) -> frozenset[str]:
    """The tasks marking touches: the given one and its relatives; no teardown downstream of it."""
    found = {task_id}
    if downstream:
        found |= {one for one in graph.flat(task_id, upstream=False) if not graph.tasks[one].is_teardown}
    if upstream:
        found |= graph.flat(task_id, upstream=True)
    return frozenset(found)


def runs_around(runs: Iterable[DagRun], anchor: DagRun, *, future: bool, past: bool) -> tuple[DagRun, ...]:
    """The anchor and, as asked, the DAG's runs with a later or earlier logical date, oldest first.

    A run without a logical date has no neighbours.
    """
    date = anchor.logical_date
    if date is None:
        return (anchor,)
    found = {anchor.run_id: (date, anchor)}
    for run in runs:
        other = run.logical_date
        if other is not None and ((future and other > date) or (past and other < date)):
            found[run.run_id] = (other, run)
    return tuple(run for _, run in sorted(found.values(), key=lambda pair: pair[0]))


def to_clear(
    instances: Iterable[TaskInstance],
    task_ids: Collection[str] | None,
    *,
    only_failed: bool = False,
    only_running: bool = False,
) -> tuple[TaskInstance, ...]:
    """Which of the instances clearing touches. `only_failed`: failed and upstream_failed; both flags add up."""
    states = (_FAILED if only_failed else ()) + (_RUNNING if only_running else ())
    return tuple(
        instance
        for instance in instances
        if (task_ids is None or instance.task_id in task_ids) and (not states or instance.state in states)
    )


_FAILED = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
_RUNNING = (TaskState.RUNNING,)


class Cleared(msgspec.Struct, frozen=True):
    """An instance after clearing, the try that goes to history (None: there was none), and the try id to stop."""

    instance: TaskInstance
    archived: TaskInstance | None = None
    stop: UUID | None = None


def clear(instance: TaskInstance, task: TaskSpec | None, *, now: datetime, new_id: Callable[[], UUID]) -> Cleared:
    """Make an instance run again, with its retries renewed. A running one is ``RESTARTING`` until it has stopped."""
    archived = _archived(instance, now)
    stop = instance.id if in_process(instance) else None
    fresh = replace(instance, id=new_id(), updated_at=now)
    if instance.state is TaskState.RUNNING or instance.state is TaskState.RESTARTING:
        return Cleared(replace(fresh, state=TaskState.RESTARTING), archived, stop)
    tries = instance.try_number
    fresh = replace(
        fresh,
        state=None,
        max_tries=max(instance.max_tries, tries) if task is None else tries + task.retries,
        next_method=None,
        next_kwargs=None,
        retry_at=None,
        reschedule_count=0,
        end_reason=None,
    )
    return Cleared(fresh if task is None else _refreshed(fresh, task), archived, stop)


_NOT_IN_TRY = (None, TaskState.UP_FOR_RETRY, TaskState.RESTARTING)
"""States whose last try, if any, is in history already."""


def _archived(instance: TaskInstance, now: datetime) -> TaskInstance | None:
    """The present try as history tells of it. One that was not over is a failure that ends now."""
    if instance.try_number == 0 or instance.state in _NOT_IN_TRY:
        return None
    if instance.state in FINISHED:
        return instance
    return replace(instance, state=TaskState.FAILED, end_date=instance.end_date or now, updated_at=now)


def _refreshed(instance: TaskInstance, task: TaskSpec) -> TaskInstance:
    """What a task says of itself counts anew for its next try."""
    return replace(
        instance,
        operator=task.operator,
        pool=task.pool,
        pool_slots=task.pool_slots,
        queue=task.queue,
        priority_weight=task.weight_total,
        executor=task.executor,
        executor_config=task.executor_config,
    )


def run_after_clearing(run: DagRun, now: datetime) -> DagRun:
    """The run once some of its instances were cleared (not asked without ``reset_dag_runs``): a finished one queues."""
    run = replace(run, clear_number=run.clear_number + 1, queued_at=now, updated_at=now)
    return _queued(run, now) if run.state.finished else run


def _queued(run: DagRun, now: datetime) -> DagRun:
    return replace(
        run,
        state=RunState.QUEUED,
        queued_at=now,
        start_date=None,
        end_date=None,
        last_scheduling_decision=None,
        updated_at=now,
    )


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
    affected = [one for one in instances if one.task_id in task_ids and one.state is not state]
    return Marked(
        changed=tuple(set_state(one, state, now) for one in affected),
        stops=tuple(one.id for one in affected if in_process(one)),
    )


def mark_run(snapshot: RunSnapshot, state: RunState, now: datetime) -> Marked:
    """Set a run's state by hand.

    ``success`` and ``failed``: running instances take that state, waiting ones are skipped, teardowns stay; the run
    itself ends at once only where no teardown is left to run. ``queued``: the run is decided on anew; nothing is
    cleared.
    """
    run = snapshot.run
    if not state.finished:
        return Marked(run=_queued(run, now) if state is RunState.QUEUED else _restarted(run, now))
    final = TaskState.SUCCESS if state is RunState.SUCCESS else TaskState.FAILED
    tasks = snapshot.graph.tasks
    open_ones = [one for one in snapshot.instances.values() if one.state not in FINISHED and one.task_id in tasks]
    affected = [one for one in open_ones if not tasks[one.task_id].is_teardown]
    # A teardown that is still to run needs its run to go on.
    ends_now = len(affected) == len(open_ones)
    return Marked(
        changed=tuple(set_state(one, final if one.state in _UNDERWAY else TaskState.SKIPPED, now) for one in affected),
        stops=tuple(one.id for one in affected if in_process(one)),
        run=_ended(run, state, now) if ends_now else run,
    )


_UNDERWAY = (
    TaskState.RUNNING,
    TaskState.DEFERRED,
    TaskState.UP_FOR_RESCHEDULE,
    TaskState.AWAITING_INPUT,
)


def _ended(run: DagRun, state: RunState, now: datetime) -> DagRun:
    # A run that had ended keeps its end: only what it ended as is corrected.
    return replace(run, state=state, end_date=run.end_date if run.state.finished else now, updated_at=now)


def _restarted(run: DagRun, now: datetime) -> DagRun:
    start = now if run.state.finished else (run.start_date or now)
    return replace(run, state=RunState.RUNNING, start_date=start, end_date=None, updated_at=now)
