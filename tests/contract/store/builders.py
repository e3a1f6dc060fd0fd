"""Values to store: valid, and as plain as can be but for what a test says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.trigger import Trigger, TriggerState

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def make_run(run_id: str = "r1", **more: Any) -> DagRun:
    values: dict[str, Any] = {
        "id": uuid7(),
        "dag_id": "d",
        "run_id": run_id,
        "state": RunState.QUEUED,
        "run_type": RunType.MANUAL,
        "triggered_by": TriggeredBy.REST_API,
        "run_after": START,
        "queued_at": START,
    }
    return DagRun(**(values | more))


def make_task(task_id: str = "t1", run_id: str = "r1", **more: Any) -> TaskInstance:
    values: dict[str, Any] = {"id": uuid7(), "dag_id": "d", "run_id": run_id, "task_id": task_id}
    return TaskInstance(**(values | more))


def make_xcom(key: str = "return_value", value: Any = 1, **more: Any) -> XCom:
    values: dict[str, Any] = {"dag_id": "d", "run_id": "r1", "task_id": "t1", "map_index": -1, "timestamp": START}
    return XCom(key=key, value=value, **(values | more))


def make_trigger(run: DagRun, key: str | None = None, fingerprint: str = "f", **more: Any) -> Trigger:
    values: dict[str, Any] = {
        "id": uuid7(),
        "deployment": "local",
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "idempotency_key": key or f"{run.dag_id}/{run.run_id}",
        "fingerprint": fingerprint,
        "state": TriggerState.ACCEPTED,
        "created_at": START,
    }
    return Trigger(**(values | more))


def make_spec(dag_id: str = "d", **more: Any) -> DagSpec:
    return DagSpec(**({"dag_id": dag_id, "tasks": (TaskSpec(task_id="t1"),)} | more))
