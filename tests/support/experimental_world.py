"""The DAG and run that the recorded exchanges with Airflow 1.10.15 began with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from airgate.model.dag import DagSpec, ScheduleSpec
from airgate.model.run import TaskInstance
from airgate.model.states import RunState, TaskState
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import FILE, SteppingClock, dag_of, instance_of, operator, run_of

START = datetime(2026, 11, 21, 0, 39, 18, 418294, tzinfo=UTC)
FIRST = datetime(2021, 11, 16, 11, 34, tzinfo=UTC)
_BASH: dict[str, Any] = {
    "kind": "BashOperator",
    "module": "airflow.operators.bash",
    "owner": "me",
    "start_date": datetime(2021, 1, 1, tzinfo=UTC),
    "template_fields": ("bash_command", "env"),
}
HELLO = DagSpec(
    dag_id="hello",
    fileloc=f"/opt/airflow/dags/{FILE}",
    owners=("me",),
    schedule=ScheduleSpec(summary="@daily", periodic=True, can_be_scheduled=True),
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    tasks=(operator("a", downstream=("b",), **_BASH), operator("b", upstream=("a",), **_BASH)),
)
SOURCE = "from airflow import DAG\n\nDAG('hello')  # <b>not</b> markup\n"


def recorded_world() -> World:
    """One DAG with one run, whose first task has succeeded."""
    world = World(SteppingClock(START))
    world.dags["hello"] = dag_of(HELLO, is_paused=False)
    world.sources[FILE] = SOURCE
    run = run_of("hello", "r1", logical_date=FIRST, state=RunState.RUNNING, start_date=START)
    world.put_run(run)
    world.put_instance(replace(instance_of(run, "a"), **_first_try()))
    return world


def _first_try() -> dict[str, Any]:
    queued = datetime(2026, 11, 21, 0, 4, 15, 320122, tzinfo=UTC)
    started = datetime(2026, 11, 21, 0, 4, 26, 925553, tzinfo=UTC)
    tried: dict[str, Any] = {
        "state": TaskState.SUCCESS,
        "operator": "BashOperator",
        "hostname": "localhost",
        "pid": 15740,
        "priority_weight": 2,
        "queued_at": queued,
        "start_date": started,
        "end_date": started + timedelta(microseconds=197984),
    }
    assert tried.keys() <= set(TaskInstance.__struct_fields__)
    return tried
