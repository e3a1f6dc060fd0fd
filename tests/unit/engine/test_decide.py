from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from airgate.engine.decide import RunCallback, decide, fail_fast, pauses_dag, reconcile, skip_downstream
from airgate.engine.retry import AsksRetry, Failed, Rescheduled, Skipped
from airgate.engine.snapshot import Graph, Past, RunSnapshot, SkipChoice
from airgate.model.dag import TaskSpec
from airgate.model.states import RunState, RunType, TaskState, TriggerRule
from tests.unit.engine.make import (
    NOW,
    Ids,
    dag,
    finish,
    finish_all,
    later,
    run,
    running,
    started,
    states,
    task,
    with_states,
)

S = TaskState
CHAIN = dag(task("a"), task("b", "a"), task("c", "b"))


def test_first_decision_schedules_the_roots_and_nothing_else() -> None:
    decision = decide(started(CHAIN), NOW)

    assert states(decision.snapshot) == {"a": S.SCHEDULED, "b": None, "c": None}
    (only,) = decision.changed
    assert (only.try_number, only.scheduled_at) == (1, NOW)
    assert decision.run.last_scheduling_decision == NOW


def test_chain_succeeds_when_each_task_does() -> None:
    decision = finish_all(decide(started(CHAIN), NOW), "a", "b", "c")

    assert (decision.run.state, decision.run.end_date, decision.ended) == (RunState.SUCCESS, NOW, "success")
    assert decision.callback is None


def test_failure_fails_everything_after_it_in_one_decision() -> None:
    decision = finish_all(decide(started(CHAIN), NOW), "a", failed=["a"])

    assert states(decision.snapshot) == {"a": S.FAILED, "b": S.UPSTREAM_FAILED, "c": S.UPSTREAM_FAILED}
    assert (decision.run.state, decision.ended) == (RunState.FAILED, "task_failure")
    marked = decision.snapshot.instances["c", -1]
    assert (marked.try_number, marked.start_date, marked.end_date) == (0, NOW, NOW)


def test_long_chain_is_settled_in_one_decision() -> None:
    tasks = [task("t0"), *(task(f"t{number}", f"t{number - 1}") for number in range(1, 1500))]

    decision = finish(decide(started(dag(*tasks)), NOW).snapshot, "t0", Skipped(NOW))

    assert len(decision.changed) == 1499
    assert decision.run.state is RunState.SUCCESS


def test_failure_and_skip_that_arrive_together_count_as_failure_whatever_their_order() -> None:
    for first, second in (("x", "y"), ("y", "x")):
        spec = dag(task("x"), task("y"), task("join", first, second))
        decision = decide(with_states(started(spec), {"x": S.FAILED, "y": S.SKIPPED}), NOW)
        assert states(decision.snapshot)["join"] is S.UPSTREAM_FAILED


def test_skip_that_arrives_a_round_before_a_failure_counts_first() -> None:
    # As over Airflow's loops: `near` is skipped in the first, so that `join` is in the second, where `far` fails.
    spec = dag(
        task("root"),
        task("middle", "root"),
        task("near", "root", trigger_rule=TriggerRule.ALL_SKIPPED),
        task("far", "middle"),
        task("join", "near", "far"),
    )

    decision = finish(decide(started(spec), NOW).snapshot, "root", Failed(NOW))

    assert states(decision.snapshot)["far"] is S.UPSTREAM_FAILED
    assert states(decision.snapshot)["join"] is S.SKIPPED


def test_inert_task_succeeds_without_a_try_being_run() -> None:
    decision = decide(started(dag(task("a", inert=True), task("b", "a", inert=True), task("c", "b"))), NOW)

    assert states(decision.snapshot) == {"a": S.SUCCESS, "b": S.SUCCESS, "c": S.SCHEDULED}
    done = decision.snapshot.instances["a", -1]
    assert (done.try_number, done.start_date, done.end_date, done.scheduled_at) == (1, NOW, NOW, None)


def test_run_of_inert_tasks_ends_at_once() -> None:
    assert decide(started(dag(task("a", inert=True))), NOW).ended == "success"


def test_run_without_tasks_succeeds() -> None:
    assert decide(started(dag()), NOW).run.state is RunState.SUCCESS


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.SUCCESS, RunState.FAILED])
def test_run_that_is_not_running_is_left_alone(state: RunState) -> None:
    snapshot = started(CHAIN, state=state)

    decision = decide(snapshot, NOW)

    assert decision.snapshot is snapshot
    assert (decision.changed, decision.run_changed) == ((), False)


def test_run_waits_for_its_logical_date() -> None:
    decision = decide(started(CHAIN, logical_date=later(60)), NOW)

    assert (decision.changed, decision.wake_at) == ((), later(60))


# ---------------------------------------------------------------------------------------------------- retries, timers


def test_task_that_asks_for_a_retry_is_scheduled_again_when_its_time_has_come() -> None:
    spec = dag(task("a", retries=2, retry_delay=30.0))
    decision = finish(decide(started(spec), NOW).snapshot, "a", AsksRetry(NOW))
    assert states(decision.snapshot) == {"a": S.UP_FOR_RETRY}
    assert decision.wake_at == later(30)

    early = decide(decision.snapshot, later(29), changed=())
    assert early.changed == ()

    (again,) = decide(decision.snapshot, later(30), changed=()).changed
    assert (again.state, again.try_number, again.retry_at) == (S.SCHEDULED, 2, None)


def test_rescheduled_task_goes_on_with_the_same_try() -> None:
    decision = decide(started(dag(task("a"))), NOW)
    decision = finish(decision.snapshot, "a", Rescheduled(NOW, later(5)))
    assert decision.wake_at == later(5)

    (again,) = decide(decision.snapshot, later(5)).changed

    assert (again.state, again.try_number, again.reschedule_count) == (S.SCHEDULED, 1, 1)


def test_wake_is_the_earliest_of_retries_and_timeout() -> None:
    spec = dag(task("a", retries=1, retry_delay=300.0), task("b", retries=1, retry_delay=30.0), dagrun_timeout=100.0)
    decision = decide(started(spec), NOW)
    assert decision.wake_at == later(100)

    decision = finish(finish(decision.snapshot, "a", AsksRetry(NOW)).snapshot, "b", AsksRetry(NOW))

    assert decision.wake_at == later(30)


def test_timeout_fails_the_run_skips_the_rest_and_stops_what_runs() -> None:
    spec = dag(task("a"), task("b"), task("c", "b"), dagrun_timeout=60.0, has_failure_callback=True)
    decision = finish_all(decide(started(spec), NOW), "a")
    at_work = running(decision.snapshot.instances["b", -1])
    snapshot = decision.snapshot.with_instances((at_work,))
    assert decide(snapshot, later(59)).ended is None

    decision = decide(snapshot, later(60))

    assert states(decision.snapshot) == {"a": S.SUCCESS, "b": S.SKIPPED, "c": S.SKIPPED}
    assert (decision.run.state, decision.run.end_date) == (RunState.FAILED, later(60))
    assert decision.stops == (at_work.id,)
    ended = decision.snapshot.instances["b", -1]
    assert (ended.start_date, ended.end_date) == (NOW, later(60))
    assert decision.callback == RunCallback(success=False, reason="timed_out", relevant=("b", -1))


# ---------------------------------------------------------------------------------------------------- ends of a run


def test_deadlocked_run_fails_and_says_so() -> None:
    # The task in the middle has no instance: it begins only after the run's logical date.
    spec = dag(task("a"), task("b", start_date=later(99)), task("c", "a", "b"), has_failure_callback=True)
    decision = finish_all(decide(started(spec), NOW), "a")

    assert states(decision.snapshot) == {"a": S.SUCCESS, "c": None}
    assert (decision.run.state, decision.ended) == (RunState.FAILED, "all_tasks_deadlocked")
    assert decision.callback == RunCallback(success=False, reason="all_tasks_deadlocked", relevant=("c", -1))


@pytest.mark.parametrize("limit", [{"max_active_tis_per_dag": 1}, {"depends_on_past": True}])
def test_run_is_not_called_deadlocked_when_a_waiting_task_may_be_held_from_outside(limit: dict[str, object]) -> None:
    spec = dag(task("a"), task("b", start_date=later(99)), TaskSpec(task_id="c", upstream=("a", "b"), **limit))  # type: ignore[arg-type]

    decision = finish_all(decide(started(spec), NOW), "a")

    assert decision.run.state is RunState.RUNNING


def test_run_is_not_deadlocked_while_a_retry_is_due_later() -> None:
    spec = dag(task("a", retries=1), task("b", start_date=later(99)), task("c", "b"))

    decision = finish(decide(started(spec), NOW).snapshot, "a", AsksRetry(NOW))

    assert decision.run.state is RunState.RUNNING


@pytest.mark.parametrize(("counts", "state"), [(False, RunState.SUCCESS), (True, RunState.FAILED)])
def test_failed_teardown_fails_the_run_only_when_it_asks_to(counts: bool, state: RunState) -> None:
    spec = dag(
        task("setup", is_setup=True),
        task("work", "setup", setups=("setup",)),
        task(
            "teardown",
            "setup",
            "work",
            is_teardown=True,
            trigger_rule=TriggerRule.ALL_DONE_SETUP_SUCCESS,
            on_failure_fail_dagrun=counts,
        ),
    )

    decision = finish_all(decide(started(spec), NOW), "setup", "work", "teardown", failed=["teardown"])

    assert decision.run.state is state


def test_teardown_waits_for_everything_between_its_setup_and_itself() -> None:
    spec = dag(
        task("setup", is_setup=True),
        task("slow", "setup", setups=("setup",)),
        task("quick", "setup", setups=("setup",)),
        task("bridge", "slow", trigger_rule=TriggerRule.ONE_DONE, setups=("setup",)),
        task(
            "teardown",
            "setup",
            "quick",
            "bridge",
            is_teardown=True,
            trigger_rule=TriggerRule.ALL_DONE_SETUP_SUCCESS,
            teardown_scope=("slow",),
        ),
    )
    decision = finish_all(decide(started(spec), NOW), "setup", "quick")
    snapshot = with_states(decision.snapshot, {"bridge": S.SKIPPED})
    assert states(decide(snapshot, NOW).snapshot)["teardown"] is None

    decision = finish(snapshot, "slow")

    assert states(decision.snapshot)["teardown"] is S.SCHEDULED


def test_callback_names_the_task_that_ended_last() -> None:
    spec = dag(task("a"), task("b"), has_success_callback=True, has_failure_callback=True)
    decision = decide(started(spec), NOW)

    succeeded = finish(finish(decision.snapshot, "b", now=later(1)).snapshot, "a", now=later(2))
    failed = finish(finish(decision.snapshot, "b", Failed(later(1)), now=later(1)).snapshot, "a", now=later(2))

    assert succeeded.callback == RunCallback(success=True, reason="success", relevant=("a", -1))
    assert failed.callback == RunCallback(success=False, reason="task_failure", relevant=("b", -1))


@pytest.mark.parametrize(
    ("recent", "limit", "pauses"),
    [
        ([RunState.FAILED, RunState.FAILED], 2, True),
        ([RunState.FAILED, RunState.SUCCESS, RunState.FAILED], 2, False),
        ([RunState.FAILED], 2, False),
        ([RunState.FAILED], 0, False),
    ],
)
def test_dag_is_paused_only_after_as_many_failed_runs_in_a_row(
    recent: list[RunState], limit: int, pauses: bool
) -> None:
    assert pauses_dag(recent, limit) is pauses


# ---------------------------------------------------------------------------------------------------- paused


def test_paused_dag_starts_no_task_and_ends_no_run_that_has_some_left() -> None:
    decision = decide(replace(started(CHAIN), paused=True), NOW)

    assert decision.changed == ()
    assert decision.run.state is RunState.RUNNING


def test_run_of_a_paused_dag_ends_when_its_last_task_does() -> None:
    snapshot = with_states(started(CHAIN), {"a": S.FAILED})

    decision = decide(replace(snapshot, paused=True), NOW)

    assert decision.run.state is RunState.FAILED


def test_run_of_a_paused_dag_does_not_time_out() -> None:
    snapshot = started(replace(CHAIN, dagrun_timeout=1.0))

    assert decide(replace(snapshot, paused=True), later(9)).ended is None


# ---------------------------------------------------------------------------------------------------- branches


def test_branch_choice_skips_again_after_the_skipped_task_was_cleared() -> None:
    spec = dag(task("branch"), task("left", "branch"), task("right", "branch"))
    snapshot = with_states(started(spec), {"branch": S.SUCCESS, "left": S.SUCCESS})
    choice = SkipChoice.from_xcom({"followed": ["left"]})
    assert choice is not None

    decision = decide(replace(snapshot, choices={("branch", -1): choice}), NOW)

    assert states(decision.snapshot)["right"] is S.SKIPPED


def test_branch_choice_does_not_count_while_the_branch_runs_again() -> None:
    spec = dag(task("branch"), task("left", "branch", trigger_rule=TriggerRule.ALWAYS))
    snapshot = with_states(started(spec), {"branch": S.RUNNING})

    decision = decide(replace(snapshot, choices={("branch", -1): SkipChoice(skipped=frozenset({"left"}))}), NOW)

    assert states(decision.snapshot)["left"] is S.SCHEDULED


def test_short_circuit_choice_rules_out_what_it_names() -> None:
    choice = SkipChoice.from_xcom({"skipped": ["x"]})

    assert choice is not None
    assert (choice.rules_out("x"), choice.rules_out("y")) == (True, False)


@pytest.mark.parametrize("value", [None, "left", {"other": 1}, {"followed": "left"}, ["left"]])
def test_value_that_is_no_choice_is_not_taken_for_one(value: object) -> None:
    assert SkipChoice.from_xcom(value) is None


@pytest.mark.parametrize("state", [S.RUNNING, S.SUCCESS, S.FAILED])
def test_skip_downstream_leaves_what_runs_or_has_ended_by_itself(state: TaskState) -> None:
    snapshot = with_states(started(CHAIN), {"b": state, "c": S.UPSTREAM_FAILED})

    changed = skip_downstream(snapshot, ["b", ("c", -1), "unknown"], NOW)

    assert [(one.task_id, one.state, one.start_date, one.end_date) for one in changed] == [("c", S.SKIPPED, NOW, NOW)]


# ---------------------------------------------------------------------------------------------------- the run before

PAST = dag(task("a", depends_on_past=True), task("b", "a"))


def test_task_that_depends_on_past_asks_for_it_and_waits() -> None:
    decision = decide(started(PAST), NOW)

    assert decision.needs_past
    assert states(decision.snapshot)["a"] is None
    assert decision.run.state is RunState.RUNNING


@pytest.mark.parametrize(
    ("before", "goes"),
    [
        ((S.SUCCESS,), True),
        ((S.SKIPPED,), True),
        ((S.FAILED,), False),
        ((S.RUNNING,), False),
        ((None,), False),
        ((S.SUCCESS, S.FAILED), False),
        ((), False),
    ],
)
def test_task_goes_on_only_if_the_run_before_did_well(before: tuple[TaskState | None, ...], goes: bool) -> None:
    past = Past(run_id="before", logical_date=later(-60), states={"a": before})

    decision = decide(replace(started(PAST), past=past), NOW)

    assert (states(decision.snapshot)["a"] is S.SCHEDULED) is goes
    assert decision.waits_for_past is not goes


def test_run_goes_on_saying_that_it_waits_for_the_past_when_something_else_happens() -> None:
    snapshot = started(dag(task("a", depends_on_past=True), task("b")))
    assert finish(decide(snapshot, NOW).snapshot, "b").needs_past

    known = replace(snapshot, past=Past(run_id="before", states={"a": (S.FAILED,)}))

    assert finish(decide(known, NOW).snapshot, "b").waits_for_past


def test_first_run_waits_for_no_past() -> None:
    assert decide(replace(started(PAST), past=Past()), NOW).changed != ()


def test_run_without_logical_date_has_no_past() -> None:
    decision = decide(started(PAST, logical_date=None), NOW)

    assert not decision.needs_past
    assert states(decision.snapshot)["a"] is S.SCHEDULED


def test_wait_for_downstream_waits_for_the_tasks_after_it_in_the_run_before() -> None:
    spec = dag(task("a", depends_on_past=True, wait_for_downstream=True), task("b", "a"))
    past = Past(run_id="before", states={"a": (S.SUCCESS,), "b": (S.RUNNING,)})
    assert decide(replace(started(spec), past=past), NOW).waits_for_past

    past = replace(past, states={"a": (S.SUCCESS,), "b": (S.SUCCESS,)})

    assert not decide(replace(started(spec), past=past), NOW).waits_for_past


@pytest.mark.parametrize(("seen", "goes"), [(frozenset[str](), True), (frozenset({"a"}), False)])
def test_new_task_may_ignore_the_past_it_was_not_in(seen: frozenset[str], goes: bool) -> None:
    spec = dag(task("a", depends_on_past=True, ignore_first_depends_on_past=True))

    decision = decide(replace(started(spec), past=Past(run_id="before", seen=seen)), NOW)

    assert (states(decision.snapshot)["a"] is S.SCHEDULED) is goes


def test_task_younger_than_the_run_before_does_not_wait_for_it_when_the_dag_catches_up() -> None:
    spec = dag(task("a", depends_on_past=True, start_date=later(-10)), catchup=True)
    past = Past(run_id="before", logical_date=later(-60))

    assert states(decide(replace(started(spec), past=past), NOW).snapshot)["a"] is S.SCHEDULED


# ---------------------------------------------------------------------------------------------------- versions


def test_reconcile_gives_a_run_an_instance_per_task() -> None:
    spec = dag(task("a", retries=3, pool="p", pool_slots=2, queue="q", weight_total=7, operator="X"))
    version = UUID(int=77)

    result = reconcile(RunSnapshot.of(run(dag_version_id=version), Graph(spec), ()), NOW, new_id=Ids())

    (made,) = result.created
    assert (made.state, made.try_number, made.max_tries, made.map_index) == (None, 0, 3, -1)
    assert (made.pool, made.pool_slots, made.queue, made.priority_weight) == ("p", 2, "q", 7)
    assert (made.operator, made.task_display_name, made.dag_version_id) == ("X", "a", version)
    again = reconcile(result.snapshot, NOW, new_id=Ids())
    assert (again.created, again.changed) == ((), ())


@pytest.mark.parametrize(
    ("limits", "kind", "made"),
    [
        ({"start_date": later(1)}, RunType.MANUAL, False),
        ({"end_date": later(-1)}, RunType.SCHEDULED, False),
        ({"start_date": later(1)}, RunType.BACKFILL, True),
        ({"start_date": NOW, "end_date": NOW}, RunType.MANUAL, True),
    ],
)
def test_task_out_of_season_gets_no_instance(limits: dict[str, object], kind: RunType, made: bool) -> None:
    snapshot = started(dag(task("a", **limits)), run_type=kind)

    assert (snapshot.get("a") is not None) is made


def test_task_that_left_the_dag_is_removed_and_its_try_stopped() -> None:
    before = started(CHAIN)
    at_work = running(before.instances["b", -1])
    moved = RunSnapshot.of(
        before.run, Graph(dag(task("a"), task("c", "a"))), [*before.with_instances((at_work,)).instances.values()]
    )

    result = reconcile(moved, NOW, new_id=Ids())

    assert states(result.snapshot) == {"a": None, "b": S.REMOVED, "c": None}
    assert result.stops == (at_work.id,)
    assert decide(moved, NOW).stops == (at_work.id,)
    assert finish_all(decide(result.snapshot, NOW), "a", "c").run.state is RunState.SUCCESS


def test_task_that_came_back_runs_after_all() -> None:
    snapshot = with_states(started(CHAIN), {"b": S.REMOVED})

    result = reconcile(snapshot, NOW, new_id=Ids())

    assert states(result.snapshot)["b"] is None
    assert [one.task_id for one in result.changed] == ["b"]


# ---------------------------------------------------------------------------------------------------- mapped instances


def test_join_waits_for_every_mapped_instance() -> None:
    spec = dag(task("m", mapped=True), task("join", "m"))
    base = started(spec)
    template = base.instances["m", -1]
    mapped = [replace(template, id=UUID(int=50 + index), map_index=index, state=S.SUCCESS) for index in range(3)]
    snapshot = RunSnapshot.of(base.run, base.graph, [base.instances["join", -1], *mapped])
    assert snapshot.of_task("m") == tuple(mapped)
    unfinished = snapshot.with_instances((replace(mapped[1], state=S.RUNNING),))
    assert decide(unfinished, NOW).changed == ()

    decision = decide(unfinished.with_instances(mapped), NOW, changed=[("m", 1)])

    assert decision.snapshot.instances["join", -1].state is S.SCHEDULED


def test_mapped_task_is_not_started_before_it_is_expanded() -> None:
    decision = decide(started(dag(task("m", mapped=True))), NOW)

    assert states(decision.snapshot) == {"m": None}
    assert decision.ended == "all_tasks_deadlocked"


# ---------------------------------------------------------------------------------------------------- fail fast


def test_failure_in_a_fail_fast_dag_ends_the_others_but_not_teardowns() -> None:
    spec = dag(task("a"), task("b"), task("c", "b"), task("done"), task("x", "a", is_teardown=True), fail_fast=True)
    snapshot = with_states(started(spec), {"a": S.FAILED, "b": S.RUNNING, "done": S.SUCCESS})

    stopped = fail_fast(snapshot, ("a", -1), NOW)

    assert {one.task_id: one.state for one in stopped.changed} == {"b": S.FAILED, "c": S.SKIPPED}
    assert stopped.stops == (snapshot.instances["b", -1].id,)


def test_failure_in_any_other_dag_leaves_the_others_alone() -> None:
    assert fail_fast(with_states(started(CHAIN), {"a": S.FAILED}), ("a", -1), NOW).changed == ()
