"""What keeps a task instance from starting is told, and only that."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from airgate.engine.allot import Usage
from airgate.engine.snapshot import Past, RunSnapshot
from airgate.engine.why import Slots, reasons
from airgate.model.admin import Pool, PoolUsage
from airgate.model.states import RunState, TaskState
from tests.unit.engine.make import NOW, dag, later, run, started, task

S = TaskState
POOLS = {"default_pool": Pool(name="default_pool", slots=4), "small": Pool(name="small", slots=1)}
FREE = Slots(pools=POOLS, usage=Usage(), parallelism=8)


def why(snapshot: RunSnapshot, task_id: str, slots: Slots = FREE) -> dict[str, str]:
    instance = snapshot.get(task_id)
    assert instance is not None
    return {reason.name: reason.text for reason in reasons(snapshot, instance, slots, NOW)}


def with_instance(snapshot: RunSnapshot, task_id: str, **changes: Any) -> RunSnapshot:
    instance = snapshot.get(task_id)
    assert instance is not None
    return snapshot.with_instances((replace(instance, **changes),))


def test_nothing_keeps_an_instance_that_may_start() -> None:
    assert why(started(dag(task("a"))), "a") == {}


@pytest.mark.parametrize("state", [S.QUEUED, S.RUNNING, S.SUCCESS, S.FAILED, S.DEFERRED])
def test_nothing_is_told_of_an_instance_that_is_past_that(state: TaskState) -> None:
    snapshot = replace(with_instance(started(dag(task("a"))), "a", state=state), paused=True)
    assert why(snapshot, "a") == {}


def test_upstream_tasks_that_have_not_finished_are_named() -> None:
    found = why(started(dag(task("a"), task("b"), task("c", "a", "b"))), "c")
    assert found == {"Trigger Rule": "The trigger rule 'all_success' is not met: not finished yet: a, b."}


def test_paused_dag_and_waiting_run_are_told() -> None:
    snapshot = replace(started(dag(task("a"))), paused=True, run=run(RunState.QUEUED))
    assert why(snapshot, "a").keys() == {"Dag Not Paused", "Dagrun Running"}


@pytest.mark.parametrize(
    ("settings", "usage", "name"),
    [
        ({"pool": "nowhere"}, Usage(), "Pool Slots Available"),
        ({"pool": "small", "pool_slots": 2}, Usage(), "Pool Slots Available"),
        ({"pool": "small"}, Usage(pools={"small": PoolUsage(running=1)}), "Pool Slots Available"),
        ({}, Usage(per_run={("d", "r"): 2}), "Task Instance Slots Available"),
        ({"max_active_tis_per_dag": 1}, Usage(per_task={("d", "a"): 1}), "Task Concurrency"),
        ({"max_active_tis_per_dagrun": 1}, Usage(per_run_task={("d", "r", "a"): 1}), "Task Concurrency"),
        ({}, Usage(total=8), "Task Instance Slots Available"),
    ],
)
def test_whatever_is_full_is_told(settings: dict[str, Any], usage: Usage, name: str) -> None:
    snapshot = with_instance(started(dag(task("a", **settings), max_active_tasks=2)), "a", state=S.SCHEDULED)
    assert why(snapshot, "a", replace(FREE, usage=usage)).keys() == {name}


def test_time_of_the_next_try_is_told() -> None:
    snapshot = started(dag(task("a")))
    retrying = with_instance(snapshot, "a", state=S.UP_FOR_RETRY, retry_at=later(60))
    assert why(retrying, "a") == {"Not In Retry Period": f"The next try is due at {later(60).isoformat()}."}
    looking = with_instance(snapshot, "a", state=S.UP_FOR_RESCHEDULE, retry_at=later(60))
    assert why(looking, "a").keys() == {"Ready To Reschedule"}
    assert why(with_instance(snapshot, "a", state=S.UP_FOR_RETRY, retry_at=later(-1)), "a") == {}


def test_run_before_this_one_is_told() -> None:
    snapshot = started(dag(task("a", depends_on_past=True)))
    failed = replace(snapshot, past=Past(run_id="p", logical_date=later(-60), states={"a": (S.FAILED,)}))
    assert why(failed, "a").keys() == {"Previous Dagrun State"}
    assert why(replace(failed, past=Past()), "a") == {}
