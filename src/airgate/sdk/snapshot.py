"""Describe a DAG as a map of the shape of ``airgate.model.dag.DagSpec``, which is the only definition of that shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk.definitions._internal.types import is_arg_set
from airflow.sdk.definitions.asset import BaseAsset
from airflow.sdk.definitions.taskgroup import MappedTaskGroup, TaskGroup
from airflow.sdk.module_loading import import_string
from airflow.serialization.encoders import encode_asset_like
from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.timetables.simple import AssetTriggeredTimetable, NullTimetable
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]

from airgate.sdk.timetables import core_timetable, manual_interval_is_exact

_RELATIVE = (
    *("years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds"),
    *("year", "month", "day", "hour", "minute", "second", "microsecond"),
)
_HIGHEST = 2147483647
_LOWEST = -2147483648

Spec = dict[str, Any]


def of_dag(dag: Any) -> Spec:
    """Describe one DAG.

    Raises:
        Exception: something in the DAG cannot be described (its timetable, an asset); worth an import error.
    """
    core = core_timetable(dag.timetable)
    tasks = dag.topological_sort()
    return {
        "dag_id": dag.dag_id,
        "display_name": dag.dag_display_name,
        "description": dag.description,
        "doc_md": dag.doc_md,
        "fileloc": dag.fileloc,
        "tags": sorted(str(tag) for tag in dag.tags),
        "owners": sorted({str(task.owner) for task in tasks}),
        "owner_links": {str(owner): str(link) for owner, link in dag.owner_links.items()},
        "schedule": _schedule(dag, core),
        "timezone": str(getattr(dag.timezone, "name", dag.timezone)),
        **_dates(dag, tasks),
        "catchup": bool(dag.catchup),
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "max_consecutive_failed_dag_runs": dag.max_consecutive_failed_dag_runs,
        "dagrun_timeout": _seconds(dag.dagrun_timeout),
        "is_paused_upon_creation": dag.is_paused_upon_creation,
        "fail_fast": dag.fail_fast,
        "render_template_as_native_obj": dag.render_template_as_native_obj,
        "template_searchpath": None if dag.template_searchpath is None else [str(p) for p in dag.template_searchpath],
        "default_args": jsonable(dag.default_args),
        "params": _params(dag.params),
        "tasks": [_task(task) for task in tasks],
        "groups": [_group(group) for group in _groups(dag.task_group)],
        "has_success_callback": bool(dag.on_success_callback),
        "has_failure_callback": bool(dag.on_failure_callback),
        "allowed_run_types": _run_types(dag.allowed_run_types),
    }


def jsonable(value: Any) -> Any:
    """`value` as JSON has it; what JSON does not know is shown by its text."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return _plain(value)
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((jsonable(item) for item in value), key=str)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if callable(value):
        return f"<callable {getattr(value, '__qualname__', type(value).__qualname__)}>"
    return str(value)


def _plain(value: Any) -> Any:
    """Undo subclasses (enums of str, numpy numbers): encoders know the plain types only."""
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return str(getattr(value, "value", value)) if kind is str and type(value) is not str else kind(value)
    return value


# --- schedule and dates ------------------------------------------------------------------------------------------


def _schedule(dag: Any, core: Any) -> Spec:
    asset_driven = isinstance(core, AssetTriggeredTimetable)
    return {
        "summary": core.summary,
        "description": core.description or "",
        "periodic": bool(core.periodic),
        "can_be_scheduled": bool(core.can_be_scheduled),
        "active_runs_limit": core.active_runs_limit,
        "partitioned": bool(core.partitioned),
        "asset_expression": jsonable(core.asset_condition.as_expression()) if asset_driven else None,
        "interval": _interval(dag.schedule, core),
        "manual_interval_is_exact": manual_interval_is_exact(core),
    }


def _interval(schedule: Any, core: Any) -> Spec | None:
    """What Airflow 2 called ``schedule_interval``, in the form its API shows."""
    if isinstance(schedule, timedelta):
        return {
            "__type": "TimeDelta",
            "days": schedule.days,
            "seconds": schedule.seconds,
            "microseconds": schedule.microseconds,
        }
    if isinstance(schedule, relativedelta):
        return {"__type": "RelativeDelta", **{name: getattr(schedule, name) for name in _RELATIVE}}
    if isinstance(core, NullTimetable):
        return None
    if type(core) is AssetTriggeredTimetable:
        return {"__type": "CronExpression", "value": "Dataset"}
    return {"__type": "CronExpression", "value": schedule if isinstance(schedule, str) else core.summary}


def _dates(dag: Any, tasks: Iterable[Any]) -> Spec:
    """The DAG's dates, and the bounds they and its tasks' dates set for scheduled runs."""
    starts = [date for date in (dag.start_date, *(task.start_date for task in tasks)) if date is not None]
    ends = [task.end_date for task in tasks]
    latest = dag.end_date
    if all(ends):
        # Tasks that all end by themselves may end later than the DAG says: then they count.
        latest = max((date for date in (*ends, dag.end_date) if date is not None), default=None)
    return {
        "start_date": _utc(dag.start_date),
        "end_date": _utc(dag.end_date),
        "earliest": _utc(min(starts, default=None)),
        "latest": _utc(latest),
    }


def _utc(moment: datetime | None) -> datetime | None:
    """A plain datetime in UTC: encoders do not know Pendulum's."""
    if moment is None:
        return None
    at = moment.astimezone(timezone.utc)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=timezone.utc)


def _seconds(duration: Any) -> float | None:
    if duration is None:
        return None
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _run_types(types: Any) -> list[str] | None:
    if not types:
        return None
    return sorted(str(getattr(kind, "value", kind)) for kind in types)


# --- tasks -------------------------------------------------------------------------------------------------------


def _task(task: Any) -> Spec:
    emails = bool(task.email)
    return {
        "task_id": task.task_id,
        "display_name": task.task_display_name,
        "operator": task.operator_name,
        "operator_module": getattr(task, "_task_module", type(task).__module__),
        "operator_class": getattr(task, "task_type", type(task).__name__),
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        **_retries(task),
        **_limits(task),
        "depends_on_past": bool(task.depends_on_past),
        "ignore_first_depends_on_past": bool(task.ignore_first_depends_on_past),
        "wait_for_downstream": bool(task.wait_for_downstream),
        "wait_for_past_depends_before_skipping": bool(task.wait_for_past_depends_before_skipping),
        "start_date": _utc(task.start_date),
        "end_date": _utc(task.end_date),
        **_setup_and_teardown(task),
        "inert": _inert(task),
        "mapped": bool(task.is_mapped) or task.get_closest_mapped_task_group() is not None,
        "group": task.task_group.group_id if task.task_group is not None else None,
        "params": _params(task.params),
        **_looks(task),
        "executor_config": str(task.executor_config or {}),
        "executor": task.executor,
        "has_failure_callback": bool(task.has_on_failure_callback) or (emails and bool(task.email_on_failure)),
        "has_retry_callback": bool(task.has_on_retry_callback) or (emails and bool(task.email_on_retry)),
        "do_xcom_push": bool(_setting(task, "do_xcom_push", fallback=True)),
        "multiple_outputs": bool(_setting(task, "multiple_outputs", fallback=False)),
        "outlets": [_asset(outlet) for outlet in task.outlets],
        "inlets": [_asset(inlet) for inlet in task.inlets],
    }


def _setting(task: Any, name: str, *, fallback: Any) -> Any:
    """An argument of the task, which an unexpanded one keeps among what it will be made with."""
    if task.is_mapped:
        return task.partial_kwargs.get(name, fallback)
    return getattr(task, name, fallback)


def _retries(task: Any) -> Spec:
    backoff = task.retry_exponential_backoff
    return {
        "retries": int(task.retries or 0),
        "retry_delay": _seconds(task.retry_delay),
        # Airflow 2 knew on and off; on doubled the delay with each retry.
        "retry_exponential_backoff": 2.0 if backoff is True else float(backoff or 0),
        "max_retry_delay": _seconds(task.max_retry_delay),
    }


def _limits(task: Any) -> Spec:
    weight_rule = _weight_rule(task.weight_rule)
    return {
        "execution_timeout": _seconds(task.execution_timeout),
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "queue": task.queue,
        "priority_weight": task.priority_weight,
        "weight_rule": weight_rule if isinstance(weight_rule, str) else "custom",
        "weight_total": min(_HIGHEST, max(_LOWEST, int(_weight(task, weight_rule)))),
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
    }


def _looks(task: Any) -> Spec:
    return {
        "owner": str(task.owner),
        "template_fields": [str(name) for name in task.template_fields],
        "ui_color": task.ui_color,
        "ui_fgcolor": task.ui_fgcolor,
        "doc_md": task.doc_md,
        "extra_links": sorted(str(link.name) for link in task.operator_extra_links),
    }


def _inert(task: Any) -> bool:
    """Whether Airflow's scheduler calls the task a success without running it."""
    return bool(
        task.inherits_from_empty_operator
        and not task.has_on_execute_callback
        and not task.has_on_success_callback
        and not task.outlets
        and not task.inlets
    )


def _setup_and_teardown(task: Any) -> Spec:
    spec: Spec = {
        "is_setup": bool(task.is_setup),
        "is_teardown": bool(task.is_teardown),
        "on_failure_fail_dagrun": bool(task.on_failure_fail_dagrun),
    }
    if task.is_teardown:
        spec["teardown_scope"] = sorted(_teardown_scope(task))
    elif any(other.is_setup for other in task.get_dag().tasks):
        spec["setups"] = sorted({setup.task_id for setup in task.get_upstreams_only_setups()})
    return spec


def _teardown_scope(task: Any) -> set[str]:
    """Tasks that lie between the teardown and its setups without being its direct upstream."""
    indirect = task.get_flat_relative_ids(upstream=True) - task.upstream_task_ids
    scope: set[str] = set()
    for upstream in task.upstream_list:
        if upstream.is_setup:
            scope |= indirect & upstream.get_flat_relative_ids(upstream=False)
    return scope


def _asset(thing: Any) -> Spec:
    if isinstance(thing, BaseAsset):
        encoded: Spec = jsonable(encode_asset_like(thing))
        return encoded
    return {"__type": "other", "text": str(thing)}


# --- weights -----------------------------------------------------------------------------------------------------


@dataclass
class _FirstTry:
    """As much of a task instance as a custom weight strategy may ask for before there is one."""

    task: Any
    task_id: str
    dag_id: str
    pool: str
    queue: str
    max_tries: int
    run_id: str = ""
    map_index: int = -1
    try_number: int = 0


def _weight_rule(rule: Any) -> Any:
    """The name of one of Airflow's three rules, or a strategy object."""
    if isinstance(rule, PriorityWeightStrategy):
        return rule
    name = str(getattr(rule, "value", rule))
    if name in {"downstream", "upstream", "absolute"}:
        return name
    return import_string(name)()


def _weight(task: Any, rule: Any) -> int:
    """What the task weighs with those of its relatives that its rule counts in."""
    if rule == "absolute":
        return int(task.priority_weight)
    if isinstance(rule, str):
        relatives = task.get_flat_relatives(upstream=rule == "upstream")
        return int(task.priority_weight + sum(other.priority_weight for other in relatives))
    first = _FirstTry(
        task=task,
        task_id=task.task_id,
        dag_id=task.dag_id,
        pool=task.pool,
        queue=task.queue,
        max_tries=int(task.retries or 0),
    )
    return int(rule.get_weight(first))


# --- params and groups -------------------------------------------------------------------------------------------


def _params(params: Any) -> Spec:
    specs = {}
    for name in params:
        param = params.get_param(name)
        has_value = is_arg_set(param.value)
        specs[str(name)] = {
            "value": jsonable(param.value) if has_value else None,
            "schema": jsonable(param.schema),
            "description": param.description,
            "has_value": has_value,
        }
    return specs


def _groups(root: Any) -> Iterable[Any]:
    for child in root.children.values():
        if isinstance(child, TaskGroup):
            yield child
            yield from _groups(child)


def _group(group: Any) -> Spec:
    return {
        "group_id": group.group_id,
        "label": group.label or "",
        "tooltip": group.tooltip,
        "parent": group.parent_group.group_id if group.parent_group is not None else None,
        "children": list(group.children),
        "mapped": isinstance(group, MappedTaskGroup),
        "prefix_group_id": group.prefix_group_id,
    }
