"""What is known of a DAG: the snapshot its file gave of itself, and the row that lists it.

A `DagSpec` is made beside DAG code (`airgate.sdk.snapshot`) and travels as MessagePack; this module is the only
definition of its shape, decoding is strict, and tests hold the maker against it. It is compact on purpose:
the engine decides on it thousands of times a second.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from airgate.model.states import TriggerRule, WeightRule


class ParamSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One DAG (or task) param: its default and its JSON Schema. `has_value` tells None from no default."""

    value: Any = None
    schema: dict[str, Any] = {}
    description: str | None = None
    has_value: bool = True


class TaskSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One task of a DAG, as far as scheduling and the APIs need it. Durations are seconds."""

    task_id: str
    display_name: str = ""
    operator: str = ""
    """Operator name as Airflow shows it, e.g. ``PythonOperator`` or ``@task``."""
    operator_module: str = ""
    operator_class: str = ""
    upstream: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
    retries: int = 0
    retry_delay: float = 300.0
    retry_exponential_backoff: float = 0.0
    """0 = constant delay; otherwise the factor by which each retry's delay grows (Airflow 3.3's float)."""
    max_retry_delay: float | None = None
    execution_timeout: float | None = None
    pool: str = "default_pool"
    pool_slots: int = 1
    queue: str = "default"
    priority_weight: int = 1
    weight_rule: WeightRule = WeightRule.DOWNSTREAM
    weight_total: int = 1
    """Effective priority under `weight_rule`, computed beside the DAG code (custom rules too)."""
    depends_on_past: bool = False
    ignore_first_depends_on_past: bool = False
    wait_for_downstream: bool = False
    wait_for_past_depends_before_skipping: bool = False
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    setups: tuple[str, ...] = ()
    """Setup tasks (direct and indirect) that must succeed before this task may run."""
    teardown_scope: tuple[str, ...] = ()
    """For a teardown: the tasks between its setups and itself that must be done before it runs."""
    inert: bool = False
    """An ``EmptyOperator`` with no callback, outlet or hook: Airflow's scheduler ends it without running it."""
    mapped: bool = False
    """Expanded at run time (``expand``): its instances are made by the engine, not listed here."""
    group: str | None = None
    owner: str = "airflow"
    params: dict[str, ParamSpec] = {}
    template_fields: tuple[str, ...] = ()
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    doc_md: str | None = None
    extra_links: tuple[str, ...] = ()
    executor_config: str = "{}"
    executor: str | None = None
    has_failure_callback: bool = False
    """A callback Airflow runs when a try dies without being able to speak for itself."""
    has_retry_callback: bool = False
    do_xcom_push: bool = True
    multiple_outputs: bool = False
    outlets: tuple[dict[str, Any], ...] = ()
    inlets: tuple[dict[str, Any], ...] = ()


class TaskGroupSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task group: its label, its direct children (task and group ids) and its parent."""

    group_id: str
    label: str = ""
    tooltip: str = ""
    parent: str | None = None
    children: tuple[str, ...] = ()
    mapped: bool = False
    prefix_group_id: bool = True


class ScheduleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the DAG's timetable says of itself. Dates are always computed by the timetable's own class."""

    summary: str | None = None
    """Airflow's ``timetable_summary``: the cron expression, ``1 day, 0:00:00``, ``None``, ``@once``, …"""
    description: str = ""
    periodic: bool = False
    can_be_scheduled: bool = False
    active_runs_limit: int | None = None
    partitioned: bool = False
    asset_expression: dict[str, Any] | None = None
    interval: dict[str, Any] | None = None
    """The older dialects' ``schedule_interval``: {"__type": "CronExpression"|"TimeDelta"|…, …} or None."""
    manual_interval_is_exact: bool = True
    """True where a manual run's data interval is [logical date, logical date] and nobody need be asked."""


class DagSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The compact snapshot of one DAG, as its file defined it. Durations are seconds, dates UTC."""

    dag_id: str
    display_name: str = ""
    description: str | None = None
    doc_md: str | None = None
    fileloc: str = ""
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    owner_links: dict[str, str] = {}
    schedule: ScheduleSpec = ScheduleSpec()
    timezone: str = "UTC"
    start_date: datetime | None = None
    end_date: datetime | None = None
    earliest: datetime | None = None
    """Earliest date a scheduled run may have: the DAG's start date, else its tasks' earliest."""
    latest: datetime | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    max_consecutive_failed_dag_runs: int = 0
    dagrun_timeout: float | None = None
    is_paused_upon_creation: bool | None = None
    fail_fast: bool = False
    render_template_as_native_obj: bool = False
    template_searchpath: tuple[str, ...] | None = None
    default_args: dict[str, Any] = {}
    """JSON form of default_args; what is not JSON is shown by its text."""
    orientation: str = "LR"
    default_view: str = "grid"
    params: dict[str, ParamSpec] = {}
    tasks: tuple[TaskSpec, ...] = ()
    """In topological order, ties broken as Airflow sorts them."""
    groups: tuple[TaskGroupSpec, ...] = ()
    has_success_callback: bool = False
    has_failure_callback: bool = False
    allowed_run_types: tuple[str, ...] | None = None


class DagVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One structure a DAG has had. `number` counts from 1 and rises whenever the snapshot changes."""

    id: UUID
    dag_id: str
    number: int
    created_at: datetime
    spec: DagSpec
    digest: str
    """Of the snapshot alone: the same structure parsed twice is one version."""


class Dag(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG as the APIs list it: its latest version and what changes without a new version."""

    dag_id: str
    version: DagVersion
    file: str
    """Path relative to the DAG folder."""
    is_paused: bool
    is_active: bool
    """False once its file is gone (Airflow 3: ``is_stale`` is the opposite). History stays."""
    has_import_errors: bool
    last_parsed_at: datetime
    last_parse_duration: float | None = None
    next_run: NextRun | None = None

    @property
    def spec(self) -> DagSpec:
        """The latest snapshot."""
        return self.version.spec


class NextRun(msgspec.Struct, frozen=True):
    """The next scheduled run: its dates, and when it may be created (`run_after`). None: no data interval."""

    run_after: datetime
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None


class ImportFailure(msgspec.Struct, frozen=True):
    """Why a DAG file cannot be used. `id` is a small integer, as the v1 dialect needs one."""

    id: int
    file: str
    timestamp: datetime
    stack_trace: str
