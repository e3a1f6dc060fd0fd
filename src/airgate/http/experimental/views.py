"""How the experimental dialect shows things. Tasks and task instances are dumps: every value is Python's text of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zlib import crc32

from airgate.http.operations import Call
from airgate.model.admin import DEFAULT_POOL, Pool
from airgate.model.dag import TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState

_UNKNOWN_TO_AIRGATE: Final = dict.fromkeys(
    (
        "email", "lineage_data", "on_failure_callback", "on_retry_callback", "on_success_callback", "resources",
        "run_as_user", "sla", "subdag",
    )
)  # fmt: skip
_SUB_PROCESS: Final = {
    "bash_command": None, "env": None, "output_encoding": "utf-8", "sub_process": None, "xcom_push_flag": False,
}  # fmt: skip
"""What a BashOperator of 1.10 has besides."""


def state_of(run: DagRun) -> str:
    """A run's state in 1.10's words, which has none for waiting: a run was running as soon as it was made."""
    return RunState.RUNNING.value if run.state is RunState.QUEUED else run.state.value


def run_view(call: Call, run: DagRun) -> dict[str, Any]:
    """A run as lists show it."""
    return {
        "dag_id": run.dag_id,
        "dag_run_url": run_url(call, run),
        "execution_date": run.execution_date.isoformat(),
        "id": run.seq,
        "run_id": run.run_id,
        "start_date": run.start_date.isoformat() if run.start_date else "",
        "state": state_of(run),
    }


def latest_view(call: Call, run: DagRun) -> dict[str, Any]:
    """A run as ``/latest_runs`` shows it."""
    view = run_view(call, run)
    return {name: view[name] for name in ("dag_id", "dag_run_url", "execution_date", "start_date")}


def run_url(call: Call, run: DagRun) -> str:
    """Where Airflow's web interface showed a run."""
    name = call.deployment.name
    home = "" if name == call.services.default_deployment else f"/{name}/airflow"
    query = urlencode({"dag_id": run.dag_id, "execution_date": str(run.execution_date)}, safe="")
    return f"{call.services.base_path}{home}/graph?{query}"


def pool_view(pool: Pool) -> dict[str, Any]:
    """A pool. Pools have no numbers here; one is made of the name, so that it is always the same."""
    number = 1 if pool.name == DEFAULT_POOL else 2 + crc32(pool.name.encode()) % 2_000_000_000
    return {"description": pool.description, "id": number, "pool": pool.name, "slots": pool.slots}


def instance_dump(instance: TaskInstance, execution_date: datetime) -> dict[str, str]:
    """A task instance, by the names of 1.10's columns."""
    return _texts(
        {
            "dag_id": instance.dag_id,
            "duration": instance.duration,
            "end_date": instance.end_date,
            "execution_date": execution_date,
            "executor_config": instance.executor_config,
            "hostname": instance.hostname,
            "job_id": None,
            "max_tries": instance.max_tries,
            "operator": instance.operator,
            "pid": instance.pid,
            "pool": instance.pool,
            "pool_slots": instance.pool_slots,
            "priority_weight": instance.priority_weight,
            "queue": instance.queue,
            "queued_dttm": instance.queued_at,
            "start_date": instance.start_date,
            "state": instance.state and instance.state.value,
            "task_id": instance.task_id,
            "test_mode": False,
            "unixname": instance.unixname,
        }
    )


def task_dump(task: TaskSpec) -> dict[str, str]:
    """A task, by the names of a 1.10 operator's public attributes."""
    return _texts(
        {
            **_UNKNOWN_TO_AIRGATE,
            **(_SUB_PROCESS if task.operator_class == "BashOperator" else {}),
            "depends_on_past": task.depends_on_past,
            "do_xcom_push": task.do_xcom_push,
            "email_on_failure": True,
            "email_on_retry": True,
            "end_date": _iso(task.end_date),
            "execution_timeout": _span(task.execution_timeout),
            "executor_config": task.executor_config,
            "inlets": list(task.inlets),
            "max_retry_delay": _span(task.max_retry_delay),
            "outlets": list(task.outlets),
            "owner": task.owner,
            "params": {name: param.value for name, param in task.params.items()},
            "pool": task.pool,
            "pool_slots": task.pool_slots,
            "priority_weight": task.priority_weight,
            "queue": task.queue,
            "retries": task.retries,
            "retry_delay": _span(task.retry_delay),
            "retry_exponential_backoff": bool(task.retry_exponential_backoff),
            "start_date": _iso(task.start_date),
            "task_concurrency": task.max_active_tis_per_dag,
            "task_id": task.task_id,
            "trigger_rule": task.trigger_rule.value,
            "wait_for_downstream": task.wait_for_downstream,
            "weight_rule": task.weight_rule.value,
        }
    )


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
