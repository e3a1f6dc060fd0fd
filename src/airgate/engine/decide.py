"""What happens next in a run: pure, total, and settled in one call.

The shell calls `reconcile` when a run starts or moves to another DAG version, and `decide` after every event. It
commits what they return before acting upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec.structs import replace

from airgate.engine.settle import FINISHED, READY_STATES, Settling, in_process, set_state
from airgate.engine.snapshot import Graph, Key, RunSnapshot, key_of
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, RunType, TaskState


class RunCallback(msgspec.Struct, frozen=True):
    """The DAG's callback that is due: on success or failure, why, and the task instance that stands for it."""

    success: bool
    reason: str
    """``success``, ``task_failure``, ``all_tasks_deadlocked`` or ``timed_out``: Airflow's words."""
    relevant: Key | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a snapshot. Applying it and deciding again at the same time changes nothing."""

    snapshot: RunSnapshot
    """The run as it is now: `changed` and `run` applied."""
    changed: tuple[TaskInstance, ...] = ()
    """Instances to store, each once, in their new form. Those now ``SCHEDULED`` wait for `airgate.engine.allot`."""
    run_changed: bool = False
    """Whether the run's own row is to be stored."""
    ended: str | None = None
    """Why the run ended in this very decision (the words of `RunCallback.reason`), None while it goes on."""
    callback: RunCallback | None = None
    """Given only where the DAG has one for this end."""
    stops: tuple[UUID, ...] = ()
    """Instance ids of tries whose process must be ended; their instances are in their final state already."""
    wake_at: datetime | None = None
    """Decide again at this time even if nothing happens: a retry, a reschedule, a timeout, a date."""
    needs_past: bool = False
    """A task waits to hear of the run before: set `RunSnapshot.past` and decide again."""
    waits_for_past: bool = False
    """A task is held by the run before; decide again when that one changes."""

    @property
    def run(self) -> DagRun:
        """The run as it is now."""
        return self.snapshot.run


def decide(snapshot: RunSnapshot, now: datetime, *, changed: Collection[Key] | None = None) -> Decision:
    """Settle everything that can be settled at `now`.

    Only a run that is ``RUNNING`` is decided on; any other comes back as it is. With `changed`, only what these
    instances can have an effect on is looked at (and timers); the result is that of a full decision, provided that
    the snapshot was the result of a decision before those instances changed. Leave it None after anything else: a
    start, a new DAG version, news of the past, a pause.
    """
    run = snapshot.run
    if run.state is not RunState.RUNNING:
        return Decision(snapshot=snapshot)
    deadline = _deadline(snapshot)
    if deadline is not None and deadline <= now and not snapshot.paused:
        return _time_out(snapshot, now)
    if run.logical_date is not None and run.logical_date > now:
        return Decision(snapshot=snapshot, wake_at=_earliest((run.logical_date, deadline)))
    settling = Settling(snapshot, now)
    settling.settle(changed)
    return _conclude(settling, deadline)


def _deadline(snapshot: RunSnapshot) -> datetime | None:
    limit, start = snapshot.spec.dagrun_timeout, snapshot.run.start_date
    return None if limit is None or start is None else start + timedelta(seconds=limit)


def _earliest(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _ended_run(run: DagRun, state: RunState, now: datetime) -> DagRun:
    return replace(run, state=state, end_date=now, last_scheduling_decision=now, updated_at=now)


def _time_out(snapshot: RunSnapshot, now: datetime) -> Decision:
    """The run took too long: it fails, and whatever is unfinished is skipped, teardowns too."""
    unfinished = [instance for instance in snapshot.instances.values() if instance.state not in FINISHED]
    skipped = tuple(
        replace(
            instance,
            state=TaskState.SKIPPED,
            end_date=now if in_process(instance) else instance.end_date,
            retry_at=None,
            updated_at=now,
        )
        for instance in unfinished
    )
    latest = max(unfinished, key=lambda instance: (instance.start_date is not None, instance.start_date), default=None)
    run = _ended_run(snapshot.run, RunState.FAILED, now)
    return Decision(
        snapshot=snapshot.with_instances(skipped, run=run),
        changed=skipped,
        run_changed=True,
        ended="timed_out",
        callback=_callback(snapshot, latest, success=False, reason="timed_out"),
        stops=tuple(instance.id for instance in unfinished if in_process(instance)),
    )


def _callback(
    snapshot: RunSnapshot, relevant: TaskInstance | None, *, success: bool, reason: str
) -> RunCallback | None:
    spec = snapshot.spec
    if not (spec.has_success_callback if success else spec.has_failure_callback):
        return None
    return RunCallback(success, reason, None if relevant is None else key_of(relevant))


def _conclude(settling: Settling, deadline: datetime | None) -> Decision:
    """The decision, once nothing more can be settled: does the run go on, and when is it to be looked at again?"""
    snapshot = settling.snapshot
    run = snapshot.run
    unfinished = [instance for instance in settling.instances.values() if instance.state not in FINISHED]
    end = _end_of(settling, unfinished)
    if end is not None:
        run = _ended_run(run, end.state, settling.now)
    elif run.last_scheduling_decision is None:
        run = replace(run, last_scheduling_decision=settling.now, updated_at=settling.now)
    if settling.changed or run is not snapshot.run:
        snapshot = replace(snapshot, instances=settling.instances, run=run)
    return Decision(
        snapshot=snapshot,
        changed=tuple(settling.changed.values()),
        run_changed=run is not settling.snapshot.run,
        ended=None if end is None else end.reason,
        callback=None if end is None else _end_callback(settling, unfinished, end),
        stops=tuple(settling.stops),
        wake_at=None if end is not None else _wake_at(settling, unfinished, deadline),
        needs_past=settling.needs_past,
        waits_for_past=settling.waits_for_past,
    )


class _End(msgspec.Struct, frozen=True):
    """How a run ends."""

    state: RunState
    reason: str


_SUCCESS = _End(RunState.SUCCESS, "success")
_FAILURE = _End(RunState.FAILED, "task_failure")
_DEADLOCK = _End(RunState.FAILED, "all_tasks_deadlocked")
_BAD = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)


def _end_of(settling: Settling, unfinished: list[TaskInstance]) -> _End | None:
    """The run's end, None while it goes on. Teardowns do not count unless they ask to, see `Graph.leaves`."""
    if unfinished:
        return _DEADLOCK if _is_deadlocked(settling, unfinished) else None
    leaves = settling.graph.leaves
    failed = any(one.state in _BAD and one.task_id in leaves for one in settling.instances.values())
    return _FAILURE if failed else _SUCCESS


def _is_deadlocked(settling: Settling, unfinished: list[TaskInstance]) -> bool:
    """Whether nothing runs, nothing waits for a time or for another run, and nothing ever can."""
    patient = settling.graph.patient
    # Most of the time the first unfinished instance that is on its way settles the question.
    if any(instance.state not in READY_STATES or instance.task_id in patient for instance in unfinished):
        return False
    return not any(
        (instance.state is not None or settling.snapshot.paused) and settling.may_run(instance)
        for instance in unfinished
    )


def _end_callback(settling: Settling, unfinished: list[TaskInstance], end: _End) -> RunCallback | None:
    relevant: TaskInstance | None
    if end is _DEADLOCK:
        finished = {one.task_id for one in settling.instances.values() if one.state in FINISHED}
        upstream = settling.graph.upstream
        relevant = next((one for one in unfinished if not finished.isdisjoint(upstream[one.task_id])), None)
    else:
        wanted = TaskState.SUCCESS if end is _SUCCESS else TaskState.FAILED
        ends = [
            one for one in settling.instances.values() if one.state is wanted and one.task_id in settling.graph.tasks
        ]
        relevant = max(ends, key=lambda one: (one.end_date is not None, one.end_date), default=None)
    return _callback(settling.snapshot, relevant, success=end is _SUCCESS, reason=end.reason)


def _wake_at(settling: Settling, unfinished: list[TaskInstance], deadline: datetime | None) -> datetime | None:
    if settling.snapshot.paused:
        return None
    times = (one.retry_at for one in unfinished if one.retry_at is not None and one.retry_at > settling.now)
    return _earliest((deadline, *times))


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """A run brought in line with its DAG version."""

    snapshot: RunSnapshot
    created: tuple[TaskInstance, ...] = ()
    """To insert."""
    changed: tuple[TaskInstance, ...] = ()
    """To save: removed and restored ones."""
    stops: tuple[UUID, ...] = ()
    """Tries of tasks that are gone."""


def reconcile(snapshot: RunSnapshot, now: datetime, *, new_id: Callable[[], UUID]) -> Reconciled:
    """Create the instances the run lacks, mark those whose task is gone as removed, restore those that are back.

    Tasks whose start or end date excludes the run's logical date get no instance, except in a backfill.
    Mapped tasks get one instance at -1; their expansion will happen in `decide`, once the lengths are known.
    """
    graph, run = snapshot.graph, snapshot.run
    present = {task_id for task_id, _ in snapshot.instances}
    created = tuple(
        new_instance(run, task, new_id(), now)
        for task in graph.spec.tasks
        if task.task_id not in present and _is_in_season(run, task)
    )
    changed = []
    stops = []
    for instance in snapshot.instances.values():
        after = _reconciled(instance, graph, now)
        if after is not instance:
            changed.append(after)
            if in_process(instance):
                stops.append(instance.id)
    return Reconciled(
        snapshot=snapshot.with_instances((*changed, *created)),
        created=created,
        changed=tuple(changed),
        stops=tuple(stops),
    )


def new_instance(run: DagRun, task: TaskSpec, instance_id: UUID, now: datetime, *, map_index: int = -1) -> TaskInstance:
    """A task's instance before its first try."""
    return TaskInstance(
        id=instance_id,
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=task.task_id,
        map_index=map_index,
        max_tries=task.retries,
        operator=task.operator,
        task_display_name=task.display_name or task.task_id,
        pool=task.pool,
        pool_slots=task.pool_slots,
        queue=task.queue,
        priority_weight=task.weight_total,
        executor=task.executor,
        executor_config=task.executor_config,
        dag_version_id=run.dag_version_id,
        updated_at=now,
    )


def _is_in_season(run: DagRun, task: TaskSpec) -> bool:
    date = run.logical_date
    if date is None or run.run_type is RunType.BACKFILL:
        return True
    return (task.start_date is None or task.start_date <= date) and (task.end_date is None or date <= task.end_date)


def _reconciled(instance: TaskInstance, graph: Graph, now: datetime) -> TaskInstance:
    is_known, is_removed = instance.task_id in graph.tasks, instance.state is TaskState.REMOVED
    if is_known and is_removed:
        return replace(instance, state=None, updated_at=now)
    if not is_known and not is_removed:
        return replace(instance, state=TaskState.REMOVED, retry_at=None, updated_at=now)
    return instance


def skip_downstream(
    snapshot: RunSnapshot, targets: Sequence[str | tuple[str, int]], now: datetime
) -> tuple[TaskInstance, ...]:
    """What the Task SDK's ``SkipDownstreamTasks`` changes: the targets, unless they run, succeeded or failed."""
    keys = dict.fromkeys((target, -1) if isinstance(target, str) else (target[0], target[1]) for target in targets)
    found = (snapshot.instances.get(key) for key in keys)
    return tuple(
        replace(
            instance,
            state=TaskState.SKIPPED,
            start_date=now,
            end_date=now,
            retry_at=None,
            updated_at=now,
        )
        for instance in found
        if instance is not None and instance.state not in _UNSKIPPABLE
    )


_UNSKIPPABLE = (TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED)


class Stopped(msgspec.Struct, frozen=True):
    """Instances changed by ending a run's tasks from outside, and the ids of tries whose process must be ended."""

    changed: tuple[TaskInstance, ...] = ()
    stops: tuple[UUID, ...] = ()


def fail_fast(snapshot: RunSnapshot, failed: Key, now: datetime) -> Stopped:
    """What a failed task of a ``fail_fast`` DAG does to the others: running ones fail, the rest are skipped.

    Call it when a try ended ``FAILED`` for good; empty unless the DAG asks for it. Teardowns are left alone.
    """
    if not snapshot.spec.fail_fast:
        return Stopped()
    tasks = snapshot.graph.tasks
    others = [
        instance
        for instance in snapshot.instances.values()
        if instance.task_id != failed[0]
        and instance.task_id in tasks
        and not tasks[instance.task_id].is_teardown
        and instance.state not in _LEFT_ALONE
    ]
    changed = (
        set_state(one, TaskState.FAILED if one.state is TaskState.RUNNING else TaskState.SKIPPED, now) for one in others
    )
    return Stopped(tuple(changed), tuple(one.id for one in others if in_process(one)))


_LEFT_ALONE = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)


def pauses_dag(recent: Sequence[RunState], limit: int) -> bool:
    """Whether a DAG is to be paused because its last `limit` runs (newest first) all failed; 0 means never.

    Ask when a run ended for ``task_failure``.
    """
    return limit > 0 and len(recent) >= limit and all(state is RunState.FAILED for state in recent[:limit])
