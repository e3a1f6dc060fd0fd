from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airgate.engine.allot import Allotment, Hold, QueuedRun, Usage, Waiting, allot, start_runs, urgency, usage_of
from airgate.model.admin import Pool
from airgate.model.run import TaskInstance
from airgate.model.states import RunState, TaskState
from tests.unit.engine.make import NOW, later, run, task

S = TaskState
POOLS = {"p": Pool(name="p", slots=4), "free": Pool(name="free", slots=-1)}


def instance(
    task_id: str = "a",
    *,
    state: TaskState = S.SCHEDULED,
    run_id: str = "r",
    pool: str = "p",
    slots: int = 1,
    weight: int = 1,
) -> TaskInstance:
    return TaskInstance(
        id=UUID(int=1),
        dag_id="d",
        run_id=run_id,
        task_id=task_id,
        state=state,
        pool=pool,
        pool_slots=slots,
        priority_weight=weight,
    )


def waiting(
    task_id: str = "a",
    *,
    per_run: int = 16,
    per_dag: int | None = None,
    per_dagrun: int | None = None,
    age: float = 0,
    **kind: object,
) -> Waiting:
    return Waiting(
        instance=instance(task_id, **kind),  # type: ignore[arg-type]
        run_date=later(-age),
        max_active_tasks=per_run,
        max_active_tis_per_dag=per_dag,
        max_active_tis_per_dagrun=per_dagrun,
    )


def names(result: Allotment) -> list[str]:
    return [one.instance.task_id for one in result.chosen]


def chosen(items: Sequence[Waiting], active: Sequence[TaskInstance] = (), parallelism: int = 99) -> Allotment:
    return allot(items, usage_of(active), POOLS, parallelism=parallelism)


def test_more_urgent_goes_first_then_the_older_run_then_the_smaller_map_index() -> None:
    mapped = waiting("mapped", weight=5, age=9)
    items = [
        waiting("light", weight=1),
        waiting("young", weight=5),
        replace(mapped, instance=replace(mapped.instance, map_index=3)),
        waiting("old", weight=5, age=9),
    ]

    assert names(chosen(items, parallelism=3)) == ["old", "mapped", "young"]


def test_equally_urgent_ones_go_in_the_order_given() -> None:
    assert names(chosen([waiting("x"), waiting("y"), waiting("z")], parallelism=2)) == ["x", "y"]


@pytest.mark.parametrize(
    ("one", "active", "why"),
    [
        (waiting(pool="none"), [], Hold.NO_POOL),
        (waiting(slots=5), [], Hold.POOL_TOO_SMALL),
        (waiting(slots=2), [instance("b", state=S.RUNNING, slots=3)], Hold.POOL_FULL),
        (waiting(per_run=1), [instance("b", state=S.QUEUED)], Hold.RUN_FULL),
        (waiting(per_dag=1), [instance(state=S.RUNNING, run_id="other")], Hold.TASK_FULL),
        (waiting(per_dag=1), [instance(state=S.DEFERRED, run_id="other")], Hold.TASK_FULL),
        (waiting(per_dagrun=1), [instance(state=S.AWAITING_INPUT)], Hold.RUN_TASK_FULL),
    ],
)
def test_held_instance_says_why(one: Waiting, active: list[TaskInstance], why: Hold) -> None:
    result = chosen([one], active)

    assert (result.chosen, result.held) == ((), {0: why})


@pytest.mark.parametrize(
    ("one", "active"),
    [
        (waiting(slots=9, pool="free"), [instance("b", state=S.RUNNING, slots=9, pool="free")]),
        (waiting(slots=4), [instance("b", state=S.DEFERRED, slots=4)]),
        (waiting(slots=4), [instance("b", state=S.AWAITING_INPUT, slots=4)]),
        (waiting(per_run=1), [instance("b", state=S.DEFERRED)]),
        (waiting(per_run=1), [instance("b", state=S.RUNNING, run_id="other")]),
        (waiting(per_dagrun=1), [instance(state=S.RUNNING, run_id="other")]),
        (waiting(slots=4), [instance("b", state=S.SCHEDULED), instance("c", state=S.SUCCESS)]),
    ],
)
def test_instance_is_not_held_by_what_does_not_count(one: Waiting, active: list[TaskInstance]) -> None:
    assert names(chosen([one], active)) == ["a"]


def test_deferred_instances_take_slots_of_a_pool_that_says_so() -> None:
    pools = {"p": Pool(name="p", slots=4, include_deferred=True)}

    result = allot([waiting(slots=2)], usage_of([instance("b", state=S.DEFERRED, slots=3)]), pools, parallelism=9)

    assert result.held == {0: Hold.POOL_FULL}


def test_smaller_one_passes_a_more_urgent_one_that_does_not_fit() -> None:
    result = chosen([waiting("big", slots=3, weight=9), waiting("small")], [instance("b", state=S.RUNNING, slots=2)])

    assert names(result) == ["small"]
    assert result.held == {0: Hold.POOL_FULL}


items = st.builds(
    waiting,
    st.sampled_from("abc"),
    per_run=st.integers(1, 4),
    per_dag=st.none() | st.integers(1, 3),
    per_dagrun=st.none() | st.integers(1, 2),
    age=st.sampled_from([0, 1, 2]),
    run_id=st.sampled_from("rst"),
    pool=st.sampled_from(["p", "p", "free", "none"]),
    slots=st.integers(1, 5),
    weight=st.integers(1, 3),
)
active_ones = st.builds(
    instance,
    st.sampled_from("abc"),
    state=st.sampled_from([S.RUNNING, S.QUEUED, S.RESTARTING, S.DEFERRED, S.AWAITING_INPUT]),
    run_id=st.sampled_from("rst"),
    pool=st.sampled_from(["p", "free"]),
    slots=st.integers(1, 2),
)


def fits(one: Waiting, queued: list[TaskInstance], *, parallelism: int) -> bool:
    """Whether one more may start beside these, reckoned from scratch."""
    in_slot = [other for other in queued if other.state not in (S.DEFERRED, S.AWAITING_INPUT)]
    mine = one.instance
    pool = POOLS.get(mine.pool)
    taken = sum(other.pool_slots for other in in_slot if other.pool == mine.pool)
    of_run = Counter(other.run_id for other in in_slot)[mine.run_id]
    of_task = [other for other in queued if other.task_id == mine.task_id]
    of_run_task = [other for other in of_task if other.run_id == mine.run_id]
    return (
        len(in_slot) < parallelism
        and pool is not None
        and (pool.slots < 0 or taken + mine.pool_slots <= pool.slots)
        and of_run < one.max_active_tasks
        and (one.max_active_tis_per_dag is None or len(of_task) < one.max_active_tis_per_dag)
        and (one.max_active_tis_per_dagrun is None or len(of_run_task) < one.max_active_tis_per_dagrun)
    )


@given(st.lists(items, max_size=12), st.lists(active_ones, max_size=5), st.integers(0, 8))
@settings(max_examples=300, deadline=None)
def test_no_limit_is_exceeded_and_nothing_that_fits_is_left(
    waiting_ones: list[Waiting], active: list[TaskInstance], parallelism: int
) -> None:
    result = chosen(waiting_ones, active, parallelism)

    beside = list(active)
    for one in result.chosen:
        assert fits(one, beside, parallelism=parallelism)
        beside.append(replace(one.instance, state=S.QUEUED))
    left = list(waiting_ones)
    for one in result.chosen:
        left.remove(one)
    assert not any(fits(one, beside, parallelism=parallelism) for one in left)
    assert [urgency(one) for one in result.chosen] == sorted(urgency(one) for one in result.chosen)
    assert len(result.held) <= len(left)


def test_usage_counts_only_what_is_active() -> None:
    assert usage_of([instance(state=S.SCHEDULED), instance(state=S.SUCCESS)]) == Usage()


def test_waiting_gathers_the_limits_of_its_task_and_run() -> None:
    spec = task("a", max_active_tis_per_dag=2, max_active_tis_per_dagrun=1)

    one = Waiting.of(instance(), run(logical_date=None, run_after=later(5)), spec, 3)

    assert (one.run_date, one.max_active_tasks) == (later(5), 3)
    assert (one.max_active_tis_per_dag, one.max_active_tis_per_dagrun) == (2, 1)


# ---------------------------------------------------------------------------------------------------- runs


def queued(run_id: str, *, limit: int = 1, paused: bool = False, **settings: object) -> QueuedRun:
    return QueuedRun(run=run(RunState.QUEUED, run_id=run_id, **settings), max_active_runs=limit, paused=paused)


def test_runs_start_in_order_of_their_date_until_the_dag_is_full() -> None:
    result = start_runs(
        [
            queued("late", limit=3, run_after=later(-1)),
            queued("early", limit=3, run_after=later(-2)),
            queued("x", limit=3),
        ],
        {"d": 1},
        NOW,
    )

    assert [(one.run_id, one.state, one.start_date) for one in result.started] == [
        ("early", RunState.RUNNING, NOW),
        ("late", RunState.RUNNING, NOW),
    ]


def test_run_that_was_decided_on_before_lets_new_ones_pass() -> None:
    cleared = queued("cleared", run_after=later(-9), last_scheduling_decision=later(-5))

    assert [one.run_id for one in start_runs([cleared, queued("new")], {}, NOW).started] == ["new"]


def test_run_of_a_paused_dag_waits() -> None:
    assert start_runs([queued("r", paused=True)], {}, NOW).started == ()


def test_run_is_not_started_before_its_time() -> None:
    result = start_runs([queued("soon", run_after=later(7)), queued("later", run_after=later(8))], {}, NOW)

    assert (result.started, result.wake_at) == ((), later(7))


@given(st.lists(st.integers(0, 3), max_size=8), st.integers(0, 4), st.integers(0, 5))
def test_runs_of_a_dag_never_exceed_its_limit(ages: list[int], running: int, limit: int) -> None:
    result = start_runs(
        [queued(f"r{number}", limit=limit, run_after=later(-age)) for number, age in enumerate(ages)],
        {"d": running},
        NOW,
    )

    assert len(result.started) == max(0, min(len(ages), limit - running))
