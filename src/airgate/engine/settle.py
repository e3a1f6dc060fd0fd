"""Settling the task instances of one run, in rounds.

Every round looks at the states as they were when it began, and its changes take effect together: the outcome cannot
depend on the order in which tasks are looked at, and it is the one that Airflow's scheduler reaches over its loops. A
round after the first looks only at what the round before it touched, so that a run costs its edges, not its rounds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from airgate.engine.rules import READY, WAIT, Counts, Verdict, judge, judge_setups
from airgate.engine.snapshot import UNMAPPED, Key, RunSnapshot
from airgate.model.dag import TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState, TriggerRule

# Tuples, because a member of an enum is found in them by identity, and hashed in Python code by a set.
FINISHED = (
    TaskState.SUCCESS,
    TaskState.SKIPPED,
    TaskState.FAILED,
    TaskState.UPSTREAM_FAILED,
    TaskState.REMOVED,
)
READY_STATES = (None, TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE)
"""States from which an instance may be scheduled."""
_TIMED = (TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE)
_IN_PROCESS = (TaskState.QUEUED, TaskState.RUNNING)
_GOOD = (TaskState.SUCCESS, TaskState.SKIPPED)


def in_process(instance: TaskInstance) -> bool:
    """Whether a process may be at work on this very try. That of a restarting one was stopped when it was cleared."""
    return instance.state in _IN_PROCESS


def set_state(instance: TaskInstance, state: TaskState | None, now: datetime) -> TaskInstance:
    """The instance with its state set from outside, with dates where it had none, as Airflow sets them."""
    start = instance.start_date or now
    end = (instance.end_date or now) if state in FINISHED else instance.end_date
    return replace(instance, state=state, start_date=start, end_date=end, retry_at=None, updated_at=now)


class Settling:
    """One decision in the making: the snapshot it began with, and what has changed since."""

    def __init__(self, snapshot: RunSnapshot, now: datetime) -> None:
        self.snapshot = snapshot
        self.graph = snapshot.graph
        self.now = now
        self.instances: dict[Key, TaskInstance] = dict(snapshot.instances)
        self.changed: dict[Key, TaskInstance] = {}
        self.stops: list[UUID] = []
        self.needs_past = False
        self.waits_for_past = False

    def settle(self, changed: Collection[Key] | None) -> None:
        """Run rounds until nothing changes. `changed` as for `airgate.engine.decide.decide`."""
        if changed is None:
            self._drop_unknown()
            candidates: Collection[Key] = list(self.instances)
        else:
            candidates = self._affected(changed)
        while candidates:
            candidates = self._round(candidates)

    def _drop_unknown(self) -> None:
        """Instances of tasks the DAG no longer has are removed, even while they run."""
        for key, instance in self.snapshot.instances.items():
            if key[0] not in self.graph.tasks and instance.state is not TaskState.REMOVED:
                if in_process(instance):
                    self.stops.append(instance.id)
                self._put(key, replace(instance, state=TaskState.REMOVED, retry_at=None, updated_at=self.now))

    def _affected(self, changed: Collection[Key]) -> dict[Key, None]:
        """What has to be looked at after these instances changed: they, their dependents, timers, and the patient."""
        found = dict.fromkeys(changed)
        found |= self._dependents(task_id for task_id, _ in changed)
        for task_id in self.graph.waits_for_past:
            found |= dict.fromkeys(self._keys(task_id))
        for key, instance in self.instances.items():
            if instance.state in _TIMED:
                found[key] = None
        return found

    def _dependents(self, task_ids: Iterable[str]) -> dict[Key, None]:
        dependents = self.graph.dependents
        return {
            key: None
            for task_id in dict.fromkeys(task_ids)
            for dependent in dependents.get(task_id, ())
            for key in self._keys(dependent)
        }

    def _keys(self, task_id: str) -> list[Key]:
        return [(task_id, index) for index in self.snapshot.expanded.get(task_id, UNMAPPED)]

    def _put(self, key: Key, instance: TaskInstance) -> None:
        self.instances[key] = instance
        self.changed[key] = instance

    def _round(self, candidates: Iterable[Key]) -> dict[Key, None]:
        """Look at the candidates, apply what follows, and return who is to be looked at next."""
        changes: list[tuple[Key, TaskInstance]] = []
        for key in candidates:
            instance = self.instances.get(key)
            if instance is not None and instance.state in READY_STATES:
                after = self._next_form(instance)
                if after is not None:
                    changes.append((key, after))
        for key, after in changes:
            self._put(key, after)
        return self._dependents(key[0] for key, after in changes if after.state in FINISHED)

    def _next_form(self, instance: TaskInstance) -> TaskInstance | None:
        """What an instance that waits becomes now, None while it goes on waiting."""
        task = self.graph.tasks.get(instance.task_id)
        if task is None:
            return None
        verdict = self.verdict(task, instance.map_index)
        if verdict is not READY:
            return None if verdict is WAIT else set_state(instance, verdict, self.now)
        if self.snapshot.paused or not self._is_due(instance) or not self.past_allows(task):
            return None
        return self._scheduled(instance, task)

    def _is_due(self, instance: TaskInstance) -> bool:
        return instance.state is None or instance.retry_at is None or instance.retry_at <= self.now

    def _scheduled(self, instance: TaskInstance, task: TaskSpec) -> TaskInstance:
        now = self.now
        # A rescheduled try goes on; anything else begins a new one.
        number = instance.try_number + (instance.state is not TaskState.UP_FOR_RESCHEDULE)
        if task.inert:
            return replace(
                instance,
                state=TaskState.SUCCESS,
                start_date=now,
                end_date=now,
                try_number=number,
                retry_at=None,
                updated_at=now,
            )
        return replace(
            instance,
            state=TaskState.SCHEDULED,
            scheduled_at=now,
            try_number=number,
            retry_at=None,
            updated_at=now,
        )

    def may_run(self, instance: TaskInstance) -> bool:
        """Whether the rules let the instance run, now or when its time comes."""
        task = self.graph.tasks.get(instance.task_id)
        return task is not None and self.verdict(task, instance.map_index) is READY

    def verdict(self, task: TaskSpec, map_index: int) -> Verdict:
        """What choices, setups and upstream make of an instance.

        A mapped task that has not been expanded never gets ready: its expansion will happen here, once the lengths
        it maps over are part of the snapshot.
        """
        verdict = self._upstream_verdict(task, map_index)
        # A branch's choice outweighs a failure beside it, as it does when the branch itself skips what it rules out.
        if verdict is not TaskState.SKIPPED and self._is_ruled_out(task, map_index):
            return TaskState.SKIPPED
        return WAIT if task.mapped and map_index < 0 and verdict is READY else verdict

    def _upstream_verdict(self, task: TaskSpec, map_index: int) -> Verdict:
        upstream = self.graph.upstream[task.task_id]
        if not upstream or task.trigger_rule is TriggerRule.ALWAYS:
            return READY
        setups = self.graph.setups.get(task.task_id)
        by_setups = READY if setups is None else judge_setups(self._count(setups), map_index=map_index)
        if by_setups is TaskState.UPSTREAM_FAILED or by_setups is TaskState.SKIPPED:
            return by_setups
        verdict = judge(task.trigger_rule, self._count(upstream), map_index=map_index)
        if by_setups is TaskState.REMOVED:  # unless the task ends in another way for its upstream
            return by_setups if verdict is READY else verdict or by_setups
        if verdict is not READY:
            return verdict
        scope = self.graph.scopes.get(task.task_id)
        return by_setups if scope is None or self._count(scope).complete else WAIT

    def _is_ruled_out(self, task: TaskSpec, map_index: int) -> bool:
        choices = self.snapshot.choices
        if not choices:
            return False
        for parent in self.graph.upstream[task.task_id]:
            index = map_index if self.graph.tasks[parent].mapped else -1
            choice = choices.get((parent, index))
            if choice is not None and choice.rules_out(task.task_id) and self._has_finished(parent):
                return True
        return False

    def _has_finished(self, task_id: str) -> bool:
        return any(
            (instance := self.instances.get(key)) is not None and instance.state in FINISHED
            for key in self._keys(task_id)
        )

    def _count(self, task_ids: tuple[str, ...]) -> Counts:
        """Count the instances of these tasks by state.

        All instances of a mapped task count. Inside a mapped task group only those with the same map index will.
        """
        expanded = self.snapshot.expanded
        if expanded and any(task_id in expanded for task_id in task_ids):
            found = [self.instances.get(key) for task_id in task_ids for key in self._keys(task_id)]
            expected = sum(1 for instance in found if instance is not None)
        else:
            found = [self.instances.get((task_id, -1)) for task_id in task_ids]
            # A task that got no instance still counts: whoever waits for it waits in vain, and the run deadlocks.
            expected = len(task_ids)
        states = [instance.state for instance in found if instance is not None]
        number = states.count
        setups = self._setup_states(task_ids) if self.graph.has_setups else []
        return Counts(
            upstream=expected,
            success=number(TaskState.SUCCESS),
            skipped=number(TaskState.SKIPPED),
            failed=number(TaskState.FAILED),
            upstream_failed=number(TaskState.UPSTREAM_FAILED),
            removed=number(TaskState.REMOVED),
            upstream_setup=len(setups),
            success_setup=setups.count(TaskState.SUCCESS),
            skipped_setup=setups.count(TaskState.SKIPPED),
        )

    def _setup_states(self, task_ids: tuple[str, ...]) -> list[TaskState | None]:
        """States of the instances of those tasks that are setups."""
        setups = [task_id for task_id in task_ids if self.graph.tasks[task_id].is_setup]
        found = (self.instances.get(key) for task_id in setups for key in self._keys(task_id))
        return [None if instance is None else instance.state for instance in found]

    def past_allows(self, task: TaskSpec) -> bool:
        """Whether the run before this one lets the task run. Backfills will start with an empty past of their own."""
        if not task.depends_on_past or self.snapshot.run.logical_date is None:
            return True
        if self.snapshot.past is None:
            self.needs_past = True
            return False
        allowed = self._past_is_done(task)
        self.waits_for_past = self.waits_for_past or not allowed
        return allowed

    def _past_is_done(self, task: TaskSpec) -> bool:
        past = self.snapshot.past
        if past is None or past.run_id is None:
            return True
        if self.snapshot.spec.catchup and task.start_date and past.logical_date and past.logical_date < task.start_date:
            return True  # the task did not exist yet, as far as the schedule is concerned
        states = past.states.get(task.task_id, ())
        if not states:
            return task.ignore_first_depends_on_past and task.task_id not in past.seen
        if any(state not in _GOOD for state in states):
            return False
        if not task.wait_for_downstream:
            return True
        return all(
            state in _GOOD for other in self.graph.downstream[task.task_id] for state in past.states.get(other, ())
        )
