"""Model to wire: runs, task instances and XComs in v1's shapes. Pure functions."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from airgate.http.dates import iso
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunType, TaskState

_RUN_TYPES = {RunType.ASSET_TRIGGERED: "dataset_triggered", RunType.OPERATOR_TRIGGERED: RunType.MANUAL.value}
_STATES = {TaskState.AWAITING_INPUT: TaskState.DEFERRED.value}
"""States v1 has no word for, and the nearest it has."""


def run_view(run: DagRun, zone: tzinfo | None = None) -> dict[str, Any]:
    """A DAG run. `zone`: the offset its date was asked for with, in which the answer to a trigger repeats it."""
    date = iso(_in(zone, run.execution_date))
    return {
        "conf": run.conf,
        "dag_id": run.dag_id,
        "dag_run_id": run.run_id,
        "data_interval_end": iso(_in_if(zone, run.data_interval_end, run.execution_date)),
        "data_interval_start": iso(_in_if(zone, run.data_interval_start, run.execution_date)),
        "end_date": iso(run.end_date),
        "execution_date": date,
        "external_trigger": run.external_trigger,
        "last_scheduling_decision": iso(run.last_scheduling_decision),
        "logical_date": date,
        "note": run.note,
        "run_type": _RUN_TYPES.get(run.run_type, run.run_type.value),
        "start_date": iso(run.start_date),
        "state": run.state.value,
    }


RUN_FIELDS = frozenset(
    {
        "conf", "dag_id", "dag_run_id", "data_interval_end", "data_interval_start", "end_date", "execution_date",
        "external_trigger", "last_scheduling_decision", "logical_date", "note", "run_type", "start_date", "state",
    }
)  # fmt: skip


def _in(zone: tzinfo | None, moment: datetime) -> datetime:
    return moment if zone is None else moment.astimezone(zone)


def _in_if(zone: tzinfo | None, moment: datetime | None, date: datetime) -> datetime | None:
    return moment if zone is None or moment != date else date.astimezone(zone)


def try_view(instance: TaskInstance) -> dict[str, Any]:
    """One try of a task, as the history shows it."""
    return {
        "dag_id": instance.dag_id,
        "dag_run_id": instance.run_id,
        "duration": instance.duration,
        "end_date": iso(instance.end_date),
        "executor": instance.executor,
        "executor_config": instance.executor_config,
        "hostname": instance.hostname,
        "map_index": instance.map_index,
        "max_tries": instance.max_tries,
        "operator": instance.operator,
        "pid": instance.pid,
        "pool": instance.pool,
        "pool_slots": instance.pool_slots,
        "priority_weight": instance.priority_weight,
        "queue": instance.queue,
        "queued_when": iso(instance.queued_at),
        "start_date": iso(instance.start_date),
        "state": None if instance.state is None else _STATES.get(instance.state, instance.state.value),
        "task_display_name": instance.task_display_name or instance.task_id,
        "task_id": instance.task_id,
        "try_number": instance.try_number,
        "unixname": instance.unixname,
    }


def instance_view(instance: TaskInstance, execution_date: datetime | None) -> dict[str, Any]:
    """A task instance. `execution_date` is its run's."""
    return try_view(instance) | {
        "execution_date": iso(execution_date),
        "note": instance.note,
        "rendered_fields": instance.rendered_fields,
        "rendered_map_index": instance.rendered_map_index,
        "sla_miss": None,
        "trigger": None,
        "triggerer_job": None,
    }


def reference_view(instance: TaskInstance, execution_date: datetime | None) -> dict[str, Any]:
    """A task instance by name."""
    return {
        "dag_id": instance.dag_id,
        "dag_run_id": instance.run_id,
        "execution_date": iso(execution_date),
        "task_id": instance.task_id,
    }


def xcom_view(xcom: XCom, execution_date: datetime | None) -> dict[str, Any]:
    """An XCom without its value."""
    return {
        "dag_id": xcom.dag_id,
        "execution_date": iso(execution_date),
        "key": xcom.key,
        "map_index": xcom.map_index,
        "task_id": xcom.task_id,
        "timestamp": iso(xcom.timestamp),
    }


def xcom_value_view(xcom: XCom, execution_date: datetime | None, *, stringify: bool) -> dict[str, Any]:
    """An XCom with its value: as Python would print it, or as JSON."""
    value = xcom.value if not stringify or xcom.value is None else str(xcom.value)
    return xcom_view(xcom, execution_date) | {"value": value}
