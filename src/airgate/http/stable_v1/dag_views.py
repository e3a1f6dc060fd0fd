"""Model to wire: DAGs, their tasks and their import errors in v1's shapes. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from airgate.http.dates import iso
from airgate.http.stable_v1.dataset_views import dataset_expression
from airgate.model.dag import Dag, ImportFailure, ParamSpec, TaskSpec

FileToken = Callable[[str], str]
"""Signs the path of a DAG file, relative to the DAG folder."""


class _Due(NamedTuple):
    """No next run."""

    run_after: datetime | None = None
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None


_NEVER: Final = dict.fromkeys(
    ("is_subdag", "last_expired", "last_pickled", "pickle_id", "root_dag_id", "scheduler_lock")
) | {"is_subdag": False}
"""What v1 tells of things that have gone: subdags, pickles, locks."""


_NOT_DUE: Final = _Due()
_OLD_WORDS: Final = {"Triggered by assets": "Triggered by datasets"}


def dag_view(dag: Dag, file_token: FileToken) -> dict[str, Any]:
    """A DAG as lists show it."""
    spec, due = dag.spec, dag.next_run or _NOT_DUE
    return _NEVER | {
        "dag_display_name": spec.display_name or dag.dag_id,
        "dag_id": dag.dag_id,
        "default_view": spec.default_view,
        "description": spec.description,
        "file_token": file_token(dag.file),
        "fileloc": spec.fileloc or dag.file,
        "has_import_errors": dag.has_import_errors,
        "has_task_concurrency_limits": any(_is_limited(task) for task in spec.tasks),
        "is_active": dag.is_active,
        "is_paused": dag.is_paused,
        "last_parsed_time": iso(dag.last_parsed_at),
        "max_active_runs": spec.max_active_runs,
        "max_active_tasks": spec.max_active_tasks,
        "max_consecutive_failed_dag_runs": spec.max_consecutive_failed_dag_runs,
        "next_dagrun": iso(due.logical_date),
        "next_dagrun_create_after": iso(due.run_after),
        "next_dagrun_data_interval_end": iso(due.data_interval_end),
        "next_dagrun_data_interval_start": iso(due.data_interval_start),
        "owners": list(spec.owners),
        "schedule_interval": spec.schedule.interval,
        "tags": [{"name": tag} for tag in sorted(spec.tags)],
        "timetable_description": _OLD_WORDS.get(spec.schedule.description, spec.schedule.description),
    }


DAG_FIELDS: Final = frozenset(
    {
        "dag_display_name", "dag_id", "default_view", "description", "file_token", "fileloc", "has_import_errors",
        "has_task_concurrency_limits", "is_active", "is_paused", "is_subdag", "last_expired", "last_parsed_time",
        "last_pickled", "max_active_runs", "max_active_tasks", "max_consecutive_failed_dag_runs", "next_dagrun",
        "next_dagrun_create_after", "next_dagrun_data_interval_end", "next_dagrun_data_interval_start", "owners",
        "pickle_id", "root_dag_id", "schedule_interval", "scheduler_lock", "tags", "timetable_description",
    }
)  # fmt: skip


def details_view(dag: Dag, file_token: FileToken) -> dict[str, Any]:
    """A DAG with what its file says of it."""
    spec = dag.spec
    return dag_view(dag, file_token) | {
        "catchup": spec.catchup,
        "concurrency": spec.max_active_tasks,
        "dag_run_timeout": seconds_view(spec.dagrun_timeout),
        "dataset_expression": dataset_expression(spec.schedule.asset_expression),
        "doc_md": spec.doc_md,
        "end_date": iso(spec.end_date),
        "is_paused_upon_creation": spec.is_paused_upon_creation,
        "last_parsed": iso(dag.last_parsed_at),
        "orientation": spec.orientation,
        "params": params_view(spec.params),
        "render_template_as_native_obj": spec.render_template_as_native_obj,
        "start_date": iso(spec.start_date),
        "template_searchpath": None if spec.template_searchpath is None else list(spec.template_searchpath),
        "timezone": spec.timezone,
    }


DETAIL_FIELDS: Final = DAG_FIELDS | {
    "catchup", "concurrency", "dag_run_timeout", "dataset_expression", "doc_md", "end_date", "is_paused_upon_creation",
    "last_parsed", "orientation", "params", "render_template_as_native_obj", "start_date", "template_searchpath",
    "timezone",
}  # fmt: skip


def task_view(task: TaskSpec) -> dict[str, Any]:
    """A task. Some of v1's numbers are written with a decimal point, whole or not."""
    return {
        "class_ref": {"class_name": task.operator_class, "module_path": task.operator_module},
        "depends_on_past": task.depends_on_past,
        "doc_md": task.doc_md,
        "downstream_task_ids": sorted(task.downstream),
        "end_date": iso(task.end_date),
        "execution_timeout": seconds_view(task.execution_timeout),
        "extra_links": [],
        "is_mapped": task.mapped,
        "operator_name": task.operator,
        "owner": task.owner,
        "params": params_view(task.params),
        "pool": task.pool,
        "pool_slots": float(task.pool_slots),
        "priority_weight": float(task.priority_weight),
        "queue": task.queue,
        "retries": float(task.retries),
        "retry_delay": seconds_view(task.retry_delay),
        "retry_exponential_backoff": task.retry_exponential_backoff > 0,
        "start_date": iso(task.start_date),
        "task_display_name": task.display_name or task.task_id,
        "task_id": task.task_id,
        "template_fields": list(task.template_fields),
        "trigger_rule": task.trigger_rule.value,
        "ui_color": task.ui_color,
        "ui_fgcolor": task.ui_fgcolor,
        "wait_for_downstream": task.wait_for_downstream,
        "weight_rule": task.weight_rule.value,
    }


def params_view(params: dict[str, ParamSpec]) -> dict[str, Any]:
    """Params, each with its default and its schema."""
    return {
        name: {
            "__class": "airflow.models.param.Param",
            "description": param.description,
            "schema": param.schema,
            "value": param.value,
        }
        for name, param in params.items()
    }


def seconds_view(seconds: float | None) -> dict[str, Any] | None:
    """A duration as v1 writes one."""
    if seconds is None:
        return None
    delta = timedelta(seconds=seconds)
    return {
        "__type": "TimeDelta",
        "days": delta.days,
        "microseconds": delta.microseconds,
        "seconds": delta.seconds,
    }


def import_error_view(failure: ImportFailure) -> dict[str, Any]:
    """Why a DAG file cannot be used."""
    return {
        "filename": failure.file,
        "import_error_id": failure.id,
        "stack_trace": failure.stack_trace,
        "timestamp": iso(failure.timestamp),
    }


def _is_limited(task: TaskSpec) -> bool:
    return task.max_active_tis_per_dag is not None or task.max_active_tis_per_dagrun is not None
