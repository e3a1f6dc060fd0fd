from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from airgate.engine.clearing import (
    clear,
    mark,
    mark_run,
    marked_with,
    related,
    run_after_clearing,
    runs_around,
    to_clear,
)
from airgate.engine.decide import decide
from airgate.engine.snapshot import Graph, RunSnapshot
from airgate.model.run import TaskInstance
from airgate.model.states import RunState, TaskState
from tests.unit.engine.make import (
    NOW,
    Ids,
    dag,
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
CHAIN = dag(task("a", retries=1), task("b", "a"), task("c", "b"))
WITH_TEARDOWN = dag(task("a"), task("b", "a"), task("x", "b", is_teardown=True))


def test_mark_takes_relatives_but_no_teardown_downstream() -> None:
    graph = Graph(WITH_TEARDOWN)

    assert marked_with(graph, "a", upstream=False, downstream=True) == {"a", "b"}
    assert marked_with(graph, "x", upstream=True, downstream=False) == {"a", "b", "x"}


def test_unknown_task_has_no_relatives() -> None:
    assert related(Graph(CHAIN), ["nobody"], upstream=True, downstream=True) == frozenset()


def test_neighbouring_runs_are_those_on_the_asked_side_of_the_anchor() -> None:
    before, anchor, after = (
        run(run_id=name, logical_date=later(date)) for name, date in zip("bma", (-1, 0, 1), strict=True)
    )
    everything = [after, anchor, before, run(run_id="none", logical_date=None)]

    def found(*, future: bool, past: bool) -> str:
        return "".join(one.run_id for one in runs_around(everything, anchor, future=future, past=past))

    assert found(future=False, past=False) == "m"
    assert found(future=True, past=False) == "ma"
    assert found(future=False, past=True) == "bm"
    assert found(future=True, past=True) == "bma"
    assert runs_around(everything, everything[3], future=True, past=True) == (everything[3],)


@pytest.mark.parametrize(
    ("only_failed", "only_running", "found"),
    [(True, False, "bc"), (False, True, "d"), (True, True, "bcd"), (False, False, "abcd")],
)
def test_clearing_takes_the_states_it_is_asked_for(only_failed: bool, only_running: bool, found: str) -> None:
    spec = dag(*(task(name) for name in "abcd"))
    snapshot = with_states(started(spec), {"a": S.SUCCESS, "b": S.FAILED, "c": S.UPSTREAM_FAILED, "d": S.RUNNING})

    chosen = to_clear(snapshot.instances.values(), None, only_failed=only_failed, only_running=only_running)

    assert "".join(one.task_id for one in chosen) == found
    assert to_clear(snapshot.instances.values(), {"z"}) == ()


def tried(state: TaskState | None, number: int = 2) -> TaskInstance:
    return TaskInstance(
        id=UUID(int=5), dag_id="d", run_id="r", task_id="a", state=state, try_number=number, max_tries=1, start_date=NOW
    )


def test_cleared_instance_keeps_its_try_number_and_gets_its_retries_back() -> None:
    done = clear(tried(S.FAILED), task("a", retries=3, pool="new"), now=later(1), new_id=Ids())

    assert (done.instance.state, done.instance.try_number, done.instance.max_tries) == (None, 2, 5)
    assert done.instance.pool == "new"
    assert done.instance.id != tried(S.FAILED).id
    assert (done.archived, done.stop) == (tried(S.FAILED), None)


def test_instance_of_a_vanished_task_can_be_cleared() -> None:
    assert clear(tried(S.FAILED), None, now=later(1), new_id=Ids()).instance.max_tries == 2


@pytest.mark.parametrize(
    ("state", "number"), [(None, 0), (S.SKIPPED, 0), (S.UP_FOR_RETRY, 1), (None, 3), (S.RESTARTING, 1)]
)
def test_nothing_goes_to_history_twice_or_without_a_try(state: TaskState | None, number: int) -> None:
    assert clear(tried(state, number), task("a"), now=NOW, new_id=Ids()).archived is None


def test_running_instance_is_stopped_and_restarts() -> None:
    done = clear(tried(S.RUNNING), task("a"), now=later(1), new_id=Ids())

    assert done.instance.state is S.RESTARTING
    assert done.stop == UUID(int=5)
    assert done.archived is not None
    assert (done.archived.state, done.archived.end_date) == (S.FAILED, later(1))


def test_queued_instance_is_stopped_and_starts_afresh() -> None:
    done = clear(tried(S.QUEUED), task("a"), now=later(1), new_id=Ids())

    assert (done.instance.state, done.stop) == (None, UUID(int=5))


def test_finished_run_queues_again_after_clearing() -> None:
    ended = run(RunState.FAILED, end_date=NOW, last_scheduling_decision=NOW)

    again = run_after_clearing(ended, later(1))

    assert (again.state, again.queued_at, again.clear_number) == (RunState.QUEUED, later(1), 1)
    assert (again.start_date, again.end_date, again.last_scheduling_decision) == (None, None, None)


def test_unfinished_run_goes_on_after_clearing() -> None:
    again = run_after_clearing(run(), later(1))

    assert (again.state, again.start_date, again.clear_number) == (RunState.RUNNING, NOW, 1)


def test_cleared_tasks_run_again_to_the_end() -> None:
    decision = finish_all(decide(started(CHAIN), NOW), "a", "b", failed=["b"])
    ids = Ids()
    failed = to_clear(decision.snapshot.instances.values(), None, only_failed=True)
    cleared = [clear(one, decision.snapshot.graph.tasks[one.task_id], now=NOW, new_id=ids).instance for one in failed]
    snapshot = decision.snapshot.with_instances(
        cleared, run=replace(run_after_clearing(decision.run, NOW), state=RunState.RUNNING, start_date=NOW)
    )

    decision = finish_all(decide(snapshot, NOW), "b", "c")

    assert decision.run.state is RunState.SUCCESS
    assert decision.snapshot.instances["b", -1].try_number == 2


def test_marking_changes_what_is_in_another_state_and_stops_what_runs() -> None:
    snapshot = with_states(started(CHAIN), {"a": S.SUCCESS, "b": S.RUNNING})

    marked = mark(snapshot.instances.values(), {"a", "b"}, S.SUCCESS, later(1))

    (only,) = marked.changed
    assert (only.task_id, only.state, only.end_date) == ("b", S.SUCCESS, later(1))
    assert marked.stops == (snapshot.instances["b", -1].id,)


@pytest.mark.parametrize("state", [RunState.SUCCESS, RunState.FAILED])
def test_marking_a_run_ends_what_runs_so_and_skips_the_rest(state: RunState) -> None:
    snapshot = with_states(started(CHAIN), {"a": S.SUCCESS, "b": S.RUNNING})

    marked = mark_run(snapshot, state, later(1))

    assert {one.task_id: one.state for one in marked.changed} == {"b": TaskState(state.value), "c": S.SKIPPED}
    assert marked.run is not None
    assert (marked.run.state, marked.run.end_date) == (state, later(1))
    assert marked.stops == (snapshot.instances["b", -1].id,)


def test_marking_a_run_lets_its_teardowns_run_first() -> None:
    snapshot = with_states(started(WITH_TEARDOWN), {"a": S.SUCCESS})
    snapshot = snapshot.with_instances((running(snapshot.instances["b", -1]),))

    marked = mark_run(snapshot, RunState.FAILED, NOW)

    assert {one.task_id: one.state for one in marked.changed} == {"b": S.FAILED}
    assert marked.run is snapshot.run


def test_marking_a_finished_run_corrects_only_its_state() -> None:
    snapshot = with_states(started(CHAIN), {"a": S.SUCCESS, "b": S.FAILED, "c": S.UPSTREAM_FAILED})
    ended = RunSnapshot.of(
        replace(snapshot.run, state=RunState.FAILED, end_date=NOW), snapshot.graph, snapshot.instances.values()
    )

    marked = mark_run(ended, RunState.SUCCESS, later(5))

    assert marked.changed == ()
    assert marked.run is not None
    assert (marked.run.state, marked.run.end_date) == (RunState.SUCCESS, NOW)


def test_queueing_a_run_clears_nothing() -> None:
    snapshot = with_states(started(CHAIN, state=RunState.FAILED), {"a": S.FAILED})

    marked = mark_run(snapshot, RunState.QUEUED, later(1))

    assert marked.changed == ()
    assert marked.run is not None
    assert (marked.run.state, marked.run.start_date) == (RunState.QUEUED, None)
    assert states(snapshot)["a"] is S.FAILED
