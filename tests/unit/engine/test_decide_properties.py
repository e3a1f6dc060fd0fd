"""`decide` driven over random DAGs with random endings, watched by oracles that know nothing of its insides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airgate.engine.decide import Decision, decide, skip_downstream
from airgate.engine.retry import (
    AsksRetry,
    Failed,
    Killed,
    Outcome,
    Rescheduled,
    Skipped,
    Succeeded,
    after_try,
    may_retry,
)
from airgate.engine.snapshot import Graph, Key, RunSnapshot, SkipChoice, key_of
from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import TASK_FINISHED, RunState, TaskState, TriggerRule
from tests.unit.engine.make import NOW, Ids, dag, later, running, started, states

S = TaskState
ORDINARY = [rule for rule in TriggerRule if rule is not TriggerRule.ALL_DONE_SETUP_SUCCESS]
thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def random_dags(draw: st.DrawFn) -> DagSpec:
    """Up to seven tasks with any rules, inert ones among them, and perhaps a setup with its teardown around some."""
    size = draw(st.integers(1, 7))
    tasks: dict[str, TaskSpec] = {}
    for number in range(size):
        parents = [f"t{earlier}" for earlier in range(number) if draw(st.integers(0, 9)) < 4]
        tasks[f"t{number}"] = TaskSpec(
            task_id=f"t{number}",
            upstream=tuple(parents),
            trigger_rule=draw(st.sampled_from([TriggerRule.ALL_SUCCESS, *ORDINARY])),
            retries=draw(st.sampled_from([0, 0, 1, 2])),
            retry_delay=60.0,
            inert=draw(st.integers(0, 9)) == 0,
        )
    if draw(st.booleans()):
        first = draw(st.integers(0, size - 1))
        last = draw(st.integers(first, size - 1))
        tasks = {"setup": TaskSpec(task_id="setup", is_setup=True), **tasks}
        opened = tasks[f"t{first}"]
        tasks[opened.task_id] = replace(opened, upstream=("setup", *opened.upstream))
        tasks["teardown"] = TaskSpec(
            task_id="teardown",
            upstream=("setup", f"t{last}"),
            is_teardown=True,
            trigger_rule=TriggerRule.ALL_DONE_SETUP_SUCCESS,
            on_failure_fail_dagrun=draw(st.booleans()),
        )
    return with_setups(dag(*tasks.values()))


def with_setups(spec: DagSpec) -> DagSpec:
    """Fill in what the room beside DAG code computes: which setups a task needs, what lies before a teardown."""
    graph = Graph(spec)

    def filled(task: TaskSpec) -> TaskSpec:
        above, below = graph.flat(task.task_id, upstream=True), graph.flat(task.task_id, upstream=False)
        if task.is_teardown:
            scope = (above - set(task.upstream)) & graph.flat("setup", upstream=False)
            return replace(task, teardown_scope=tuple(sorted(scope)))
        needed = "setup" in above and "teardown" in below
        return replace(task, setups=("setup",) if needed else ())

    return replace(spec, tasks=tuple(filled(task) for task in spec.tasks))


class Drive:
    """One run played to its end, with the rules of the game checked at every step."""

    def __init__(self, spec: DagSpec, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self.draw = draw
        self.now = NOW
        self.new_id = Ids()
        self.archived: dict[str, list[int]] = {}
        self.by_branch: set[str] = set()
        self.decision = decide(started(spec, new_id=self.new_id), NOW)
        self.check_step(started(spec), self.decision)

    def play(self) -> Decision:
        for step in range(400):
            if self.decision.run.state is not RunState.RUNNING:
                return self.decision
            self.step(eager=step > 120)
        pytest.fail("the run does not end")

    def step(self, *, eager: bool) -> None:
        snapshot = self.decision.snapshot
        movable = [one for one in snapshot.instances.values() if one.state in (S.SCHEDULED, S.RUNNING)]
        if not movable:
            assert self.decision.wake_at is not None, "nothing runs, and nobody will look again"
            self.now = self.decision.wake_at
            self.after(snapshot, set())
            return
        one = movable[self.draw(st.integers(0, len(movable) - 1))]
        if one.state is S.SCHEDULED:
            self.after(snapshot.with_instances((running(one, self.now),)), {key_of(one)})
        else:
            self.end(snapshot, one, 0 if eager else self.draw(st.integers(0, 9)))

    def end(self, snapshot: RunSnapshot, one: TaskInstance, dice: int) -> None:
        task = snapshot.graph.tasks[one.task_id]
        changed = {key_of(one)}
        if dice == 9 and not task.is_setup:
            snapshot, skipped = self.branch(snapshot, one)
            changed |= skipped
        outcome = self.outcome(one, task, dice)
        result = after_try(one, outcome, task, logical_date=NOW, now=self.now, new_id=self.new_id)
        if result.archived is not None:
            self.archived.setdefault(one.task_id, []).append(result.archived.try_number)
        self.after(snapshot.with_instances((result.instance,)), changed)

    def outcome(self, one: TaskInstance, task: TaskSpec, dice: int) -> Outcome:
        if dice == 4 and one.reschedule_count < 3:
            return Rescheduled(self.now, self.now.replace(microsecond=0))
        if dice == 5:
            return Skipped(self.now)
        if dice in (6, 7):
            return AsksRetry(self.now) if may_retry(one, task) else Failed(self.now)
        return Killed(self.now, "killed by signal 9") if dice == 8 else Succeeded(self.now)

    def branch(self, snapshot: RunSnapshot, one: TaskInstance) -> tuple[RunSnapshot, set[Key]]:
        below = [other for other in snapshot.graph.downstream[one.task_id] if other != "teardown"]
        followed = [other for other in below if self.draw(st.integers(0, 1))]
        choice = SkipChoice(followed=frozenset((*followed, "teardown")))
        skipped = skip_downstream(snapshot, [other for other in below if other not in followed], self.now)
        self.by_branch |= set(below) - set(followed)
        for other in skipped:
            if snapshot.instances[key_of(other)].state is S.UPSTREAM_FAILED:
                # A branch skips even what had failed by its upstream; what was decided on that failure stands.
                self.by_branch |= snapshot.graph.flat(other.task_id, upstream=False)
        snapshot = replace(snapshot.with_instances(skipped), choices={**snapshot.choices, key_of(one): choice})
        return snapshot, {key_of(other) for other in skipped}

    def after(self, snapshot: RunSnapshot, changed: set[Key]) -> None:
        self.decision = decide(snapshot, self.now, changed=changed)
        same(self.decision, decide(snapshot, self.now))
        self.check_step(snapshot, self.decision)

    def check_step(self, before: RunSnapshot, decision: Decision) -> None:
        for after in decision.changed:
            old = before.instances[key_of(after)]
            assert old.state in (None, S.UP_FOR_RETRY, S.UP_FOR_RESCHEDULE), "a try was started over another"
            begins = after.state is S.SCHEDULED or (after.state is S.SUCCESS and after.try_number > 0)
            resumed = old.state is S.UP_FOR_RESCHEDULE
            assert after.try_number == old.try_number + (begins and not resumed)
            assert old.retry_at is None or after.state is not S.SCHEDULED or old.retry_at <= self.now
        again = decide(decision.snapshot, self.now)
        assert again.changed == ()
        assert again.run is decision.run


def same(left: Decision, right: Decision) -> None:
    def essence(decision: Decision) -> tuple[object, ...]:
        return (
            {key_of(one): one for one in decision.changed},
            decision.run,
            decision.ended,
            decision.callback,
            set(decision.stops),
            decision.wake_at,
            decision.needs_past,
            decision.waits_for_past,
        )

    assert essence(left) == essence(right)


def met(rule: TriggerRule, above: list[TaskState | None]) -> bool:  # noqa: C901 -- one line per rule
    """Whether a rule is met, told from the final states of the upstream, in the words of the manual."""
    if not above:
        return True
    bad = [state for state in above if state in (S.FAILED, S.UPSTREAM_FAILED)]
    match rule:
        case TriggerRule.ALL_SUCCESS:
            return all(state is S.SUCCESS for state in above)
        case TriggerRule.ALL_FAILED:
            return len(bad) == len(above)
        case TriggerRule.ONE_SUCCESS:
            return S.SUCCESS in above
        case TriggerRule.ONE_FAILED:
            return bool(bad)
        case TriggerRule.ONE_DONE:
            return S.SUCCESS in above or S.FAILED in above
        case TriggerRule.NONE_FAILED:
            return not bad
        case TriggerRule.NONE_SKIPPED:
            return S.SKIPPED not in above
        case TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS:
            return not bad and S.SUCCESS in above
        case TriggerRule.ALL_SKIPPED:
            return all(state is S.SKIPPED for state in above)
        case TriggerRule.ALL_DONE_MIN_ONE_SUCCESS:
            return S.SKIPPED not in above and S.SUCCESS in above
        case _:
            return True


def expected_run_state(spec: DagSpec, final: dict[str, TaskState | None]) -> RunState:
    counted = {task.task_id for task in spec.tasks if not task.is_teardown or task.on_failure_fail_dagrun}
    ends = [task for task in spec.tasks if task.task_id in counted and not counted & set(task.downstream)]
    bad = any(final[task.task_id] in (S.FAILED, S.UPSTREAM_FAILED) for task in ends)
    return RunState.FAILED if bad else RunState.SUCCESS


@given(spec=random_dags(), data=st.data())
@thorough
def test_every_run_ends_and_every_task_ends_as_its_rule_says(spec: DagSpec, data: st.DataObject) -> None:
    drive = Drive(spec, data.draw)
    decision = drive.play()

    final = states(decision.snapshot)
    assert all(state in TASK_FINISHED for state in final.values())
    assert decision.run.state is expected_run_state(spec, final)
    for task in spec.tasks:
        instance = decision.snapshot.instances[task.task_id, -1]
        above = [final[parent] for parent in task.upstream]
        # A setup right before a task counts as any other upstream; one further up must have succeeded.
        ready = task.trigger_rule is TriggerRule.ALWAYS or all(
            final[setup] is S.SUCCESS for setup in task.setups if setup not in task.upstream
        )
        if instance.try_number > 0 and task.task_id not in drive.by_branch:
            assert met(task.trigger_rule, above), f"{task.task_id} ran on {above}"
            assert ready, f"{task.task_id} ran without its setup"
        elif instance.try_number == 0 and task.task_id not in drive.by_branch:
            held = not met(task.trigger_rule, above) or not ready
            assert held or task.is_teardown, f"{task.task_id} did not run on {above}"


@given(spec=random_dags(), data=st.data())
@thorough
def test_every_try_is_accounted_for(spec: DagSpec, data: st.DataObject) -> None:
    drive = Drive(spec, data.draw)
    decision = drive.play()

    for instance in decision.snapshot.instances.values():
        archived = drive.archived.get(instance.task_id, [])
        assert archived == list(range(1, len(archived) + 1))
        assert instance.try_number in (len(archived), len(archived) + 1)
        assert instance.try_number <= spec_of(spec, instance.task_id).retries + 1


def spec_of(spec: DagSpec, task_id: str) -> TaskSpec:
    return next(task for task in spec.tasks if task.task_id == task_id)


@given(spec=random_dags(), data=st.data())
@thorough
def test_teardown_runs_when_its_setup_succeeded(spec: DagSpec, data: st.DataObject) -> None:
    drive = Drive(spec, data.draw)
    decision = drive.play()

    setup, teardown = decision.snapshot.get("setup"), decision.snapshot.get("teardown")
    if setup is not None and teardown is not None:
        assert (teardown.try_number > 0) == (setup.state is S.SUCCESS)


@given(spec=random_dags(), data=st.data(), seconds=st.integers(1, 300))
@thorough
def test_run_that_times_out_leaves_nothing_unfinished_and_stops_what_runs(
    spec: DagSpec, data: st.DataObject, seconds: int
) -> None:
    drive = Drive(replace(spec, dagrun_timeout=float(seconds)), data.draw)
    for _ in range(data.draw(st.integers(0, 6))):
        if drive.decision.run.state is RunState.RUNNING:
            drive.step(eager=False)
    before = drive.decision.snapshot
    if before.run.state is not RunState.RUNNING:
        return

    deadline: datetime = later(seconds)
    decision = decide(before, deadline)

    assert decision.ended == "timed_out"
    assert decision.run.state is RunState.FAILED
    assert all(state in TASK_FINISHED for state in states(decision.snapshot).values())
    in_process = {one.id for one in before.instances.values() if one.state in (S.RUNNING, S.QUEUED)}
    assert set(decision.stops) == in_process
