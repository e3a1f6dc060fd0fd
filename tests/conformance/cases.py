"""What is run: one case per DAG, with the runs that are started and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DATE = "2024-03-05T06:07:08+00:00"
"""The logical date of a run, where a case names no other."""


@dataclass(frozen=True)
class Start:
    """One run that is posted."""

    run_id: str = "r1"
    logical_date: str = DATE
    conf: Mapping[str, Any] = field(default_factory=dict)
    at_once: bool = False
    """Do not wait for the run before."""


@dataclass(frozen=True)
class Case:
    """One DAG, and what is done with it."""

    dag_id: str
    file: str
    """Below `dags/`, or ``core:`` or ``standard:`` and the name of a DAG file bundled with Airflow."""
    starts: tuple[Start, ...] = (Start(),)
    scheduled: int = 0
    """How many runs its timetable makes; none is posted then."""
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Runs of other DAGs that belong to the outcome."""
    after: tuple[str, ...] = ()
    """Cases that must have ended before."""
    varying: frozenset[str] = frozenset()
    """XComs (``task.key``) whose value differs from run to run."""
    settle: float = 0.0
    """Seconds until callbacks outside of tasks have run, at most."""
    later: str = ""
    """Why Airgate does not cover it yet; it is recorded, and reported as not compared."""


def day(number: int) -> str:
    """A logical date in January 2024."""
    return f"2024-01-{number:02}T00:00:00+00:00"


def several(dag_id: str, file: str, *confs: Mapping[str, Any], at_once: bool = False) -> Case:
    """One run a day, each with its conf."""
    starts = tuple(Start(f"r{n}", day(n), conf, at_once=at_once) for n, conf in enumerate(confs, 1))
    return Case(dag_id, file, starts)


def plain(file: str, *dag_ids: str) -> tuple[Case, ...]:
    """One run each, with a logical date and no conf."""
    return tuple(Case(dag_id, file) for dag_id in dag_ids)


TRIGGER_RULES = (
    "all_done", "all_done_min_one_success", "all_done_setup_success", "all_failed", "all_skipped", "all_success",
    "always", "none_failed", "none_failed_min_one_success", "none_skipped", "one_done", "one_failed", "one_success",
)  # fmt: skip

BRANCHES = (
    *plain(
        "branching.py", "branch_one", "branch_many", "branch_none", "branch_empty_list", "branch_unknown",
        "branch_not_a_name", "branch_not_direct", "branch_kept", "branch_nested", "branch_to_group",
        "branch_inside_group", "branch_skips_itself", "branch_labelled", "branch_always_below", "branch_taskflow",
    ),
    Case("branch_own_operator", "branching.py", (Start(conf={"way": "b"}), Start("r2", day(2), {"way": ["a", "b"]}))),
)  # fmt: skip

FLOW = (
    *(Case(f"rule_{rule}", "trigger_rules.py") for rule in TRIGGER_RULES),
    *(Case(f"rule_{rule}_skips_first", "trigger_rules.py") for rule in TRIGGER_RULES),
    *BRANCHES,
    *plain(
        "short_circuits.py", "circuit_closed", "circuit_open_ignores_rules", "circuit_open_respects_rules",
        "circuit_before_group", "circuit_without_downstream", "circuit_before_teardown", "circuit_taskflow",
    ),
    *plain(
        "skipping.py", "skip_chain", "skip_everything", "skip_with_retries", "skip_after_xcom", "latest_only_by_hand"
    ),
    *plain(
        "groups.py", "group_nested", "group_default_args", "group_failing", "group_chained", "group_chain_forms",
        "group_empty", "group_decorated",
    ),
    *plain(
        "setup_teardown.py", "teardown_all_good", "teardown_setup_fails", "teardown_work_fails", "teardown_fails",
        "teardown_fails_and_decides", "teardown_work_and_teardown_fail", "teardown_not_the_last",
        "teardown_skipped_setup", "teardown_two_setups", "teardown_two_setups_both_fail", "teardown_group",
        "teardown_context_manager", "teardown_nested", "teardown_branch_skips_work", "teardown_alone",
        "teardown_retries", "teardown_only_teardown_good", "teardown_decorated",
    ),
    *plain(
        "plain.py", "plain_no_tasks", "plain_one_empty", "plain_wide", "plain_long", "plain_empty_that_runs",
        "plain_described",
    ),
)  # fmt: skip

ENDS = (
    *plain(
        "retrying.py", "retry_until_third", "retry_exhausted", "retry_backoff", "retry_from_default_args",
        "retry_forbidden", "retry_sees_xcoms_cleared", "retry_policy", "timeout_of_try", "timeout_then_retry",
        "ends_without_exception", "odd_exceptions", "retry_delays_as_numbers",
    ),
    *plain(
        "failing.py", "fail_fast", "fail_fast_with_teardown", "fail_fast_with_retries", "run_timeout",
        "failure_forgiven", "failure_at_a_leaf", "failure_watched", "all_upstream_failed",
    ),
    Case("callback_tasks", "callbacks.py", settle=10),
    Case("callback_lists", "callbacks.py", settle=10),
    Case("callback_notifier", "callbacks.py", settle=10),
    Case("callback_dag_success", "callbacks.py", settle=20),
    Case("callback_dag_failure", "callbacks.py", settle=20),
    Case("callback_dag_timeout", "callbacks.py", settle=20),
)  # fmt: skip

LIMITS = (
    *plain("limits.py", "limit_pool_of_one", "limit_pool_slots", "limit_max_active_tasks", "limit_task_in_run"),
    *plain("limits.py", "limit_too_many_slots", "limit_priority"),
    several("limit_task_over_runs", "limits.py", {}, {}, {}, {}, at_once=True),
    several("limit_runs", "limits.py", {}, {}, {}, at_once=True),
    Case("limit_measured", "limits.py", after=("limit_task_over_runs", "limit_runs")),
    several("past_good", "past.py", {}, {}, {}),
    several("past_failed", "past.py", {"code": 1}, {}),
    several("past_skipped", "past.py", {"code": 5}, {}),
    several("past_wait_for_downstream", "past.py", {}, {}),
    several("past_xcoms", "past.py", {"value": 1, "maybe": "kept"}, {"value": 2}),
)

DATA = (
    *plain(
        "xcoms.py", "xcom_taskflow", "xcom_keys", "xcom_values", "xcom_unserialisable",
        "xcom_multiple_outputs_errors", "xcom_templates", "xcom_of_failed_task", "xcom_operations",
    ),
    # How dates and the like look in an answer is the dialect's business; what a task reads back is compared.
    Case("xcom_rich_values", "xcoms.py", varying=frozenset({"give.return_value", "days.return_value"})),
    Case("starts_without_date", "templating.py", children={"template_without_date": ("r1",)}),
    Case("template_with_date", "templating.py", (Start(conf={"answer": 42, "who": "conf"}),)),
    *plain(
        "templating.py", "template_interval_of_manual_run", "template_files", "template_native", "template_errors",
        "template_python",
    ),
    Case(
        "params_and_conf", "templating.py", (Start(), Start("r2", day(2), {"who": "conf", "count": None, "more": [1]}))
    ),
    *plain("configuration.py", "variables", "connections"),
)  # fmt: skip

WORK = (
    *plain("shell.py", "bash_operator", "bash_exit_codes", "bash_decorated", "signals"),
    *plain("pythons.py", "python_operator", "python_taskflow"),
    *plain("styles.py", "style_of_two", "style_of_two_taskflow"),
    *plain(
        "sensing.py", "sensor_python", "sensor_times_out", "sensor_times_out_with_retries", "sensor_raises",
        "sensor_kinds", "sensor_own_class", "sensor_decorated",
    ),
    Case("trigger_and_forget", "triggering.py", children={"child_good": ("from_forget",)}),
    Case("trigger_and_wait", "triggering.py", children={"child_good": ("from_wait",)}),
    Case(
        "trigger_and_wait_for_failure", "triggering.py", children={"child_bad": ("from_strict", "from_content")}
    ),
    Case("trigger_twice", "triggering.py", children={"child_good": ("same",)}),
    *plain("triggering.py", "trigger_unknown", "trigger_unserialisable_conf", "awaited"),
    Case("awaits", "triggering.py", after=("awaited",)),
)  # fmt: skip

SCHEDULED = (
    Case("schedule_cron", "scheduled.py", scheduled=3),
    Case("schedule_preset", "scheduled.py", scheduled=2),
    Case("schedule_monthly", "scheduled.py", scheduled=3),
    Case("schedule_timedelta", "scheduled.py", scheduled=3),
    Case("schedule_once", "scheduled.py", scheduled=1),
    Case("schedule_cron_trigger", "scheduled.py", scheduled=2),
    Case("schedule_cron_trigger_interval", "scheduled.py", scheduled=3),
    Case("schedule_delta_trigger", "scheduled.py", scheduled=3),
    Case("schedule_multiple_cron", "scheduled.py", scheduled=3),
    Case("schedule_summer_time", "scheduled.py", scheduled=3),
    Case("schedule_one_run_at_a_time", "scheduled.py", scheduled=3),
    Case("schedule_depends_on_past", "scheduled.py", scheduled=3),
    Case("schedule_latest_only", "scheduled.py", scheduled=2),
    Case("schedule_task_dates", "scheduled.py", scheduled=3),
)


def bundled(file: str, dag_id: str | None = None, **more: Any) -> Case:
    """A DAG that comes with Airflow."""
    return Case(dag_id or file.partition(":")[2].removesuffix(".py"), file, **more)


FOLDER_FACTS = frozenset(
    {
        "describe_dag_folder.return_value",
        "describe_dag_folder.dag_folder",
        "show_dag_folder_stats.return_value",
    }
)

BUNDLED = (
    bundled("core:example_branch_labels.py"),
    bundled("core:example_complex.py"),
    bundled("core:example_display_name.py"),
    bundled("core:example_failed_dag.py"),
    bundled("core:example_latest_only_with_trigger.py", "latest_only_with_trigger"),
    bundled("core:example_nested_branch_dag.py"),
    bundled("core:example_params_ui_tutorial.py", starts=(Start(conf={"required_field": "long enough to be taken"}),)),
    bundled("core:example_passing_params_via_test_command.py"),
    bundled("core:example_setup_teardown.py"),
    bundled("core:example_setup_teardown_taskflow.py"),
    bundled("core:example_simplest_dag.py"),
    bundled("core:example_skip_dag.py"),
    bundled("core:example_task_group.py"),
    bundled("core:example_task_group_decorator.py"),
    bundled("core:example_trigger_target_dag.py", starts=(Start(conf={"message": "hello"}),)),
    bundled("core:example_xcom.py"),
    bundled("core:example_xcomargs.py", "example_xcom_args"),
    bundled("core:example_xcomargs.py", "example_xcom_args_with_operators"),
    bundled("core:tutorial.py", varying=frozenset({"print_date.return_value"})),
    bundled("core:tutorial_dag.py"),
    bundled("core:tutorial_taskflow_api.py"),
    bundled("core:tutorial_taskflow_templates.py"),
    bundled("standard:example_bash_decorator.py", varying=FOLDER_FACTS | {"get_file_stats.return_value"}),
    bundled("standard:example_bash_operator.py", varying=FOLDER_FACTS),
    bundled("standard:example_branch_datetime_operator.py"),
    bundled("standard:example_branch_datetime_operator.py", "example_branch_datetime_operator_3"),
    bundled("standard:example_latest_only.py", "latest_only"),
    bundled("standard:example_short_circuit_decorator.py"),
    bundled("standard:example_short_circuit_operator.py"),
)

MAPPING, RESCHEDULE, DEFERRAL, ASSETS = "mapping", "reschedule mode", "deferral", "assets"

LATER = (
    Case("mapped_tasks", "later.py", later=MAPPING),
    Case("mapped_groups", "later.py", later=MAPPING),
    Case("sensor_reschedule", "later.py", later=RESCHEDULE),
    Case("deferred", "later.py", later=DEFERRAL),
    Case("asset_producer", "later.py", later=ASSETS),
    bundled("core:example_dynamic_task_mapping.py", later=MAPPING),
    bundled("core:example_dynamic_task_mapping.py", "example_task_mapping_second_order", later=MAPPING),
    bundled("core:example_dynamic_task_mapping.py", "example_task_group_mapping", later=MAPPING),
    bundled("core:example_dynamic_task_mapping_with_no_taskflow_operators.py", later=MAPPING),
    bundled("core:example_params_trigger_ui.py", later=MAPPING),
    bundled("core:example_task_state_store.py", later="the store of task states"),
)

NOT_COMPARED = {
    "core:example_branch_python_dop_operator_3.py": "takes the branch of the minute it runs in",
    "core:example_custom_weight.py": "needs a plugin of its own",
    "core:example_workday_timetable.py": "needs a plugin of its own",
    "core:example_dag_decorator.py": "asks a server on the internet",
    "core:example_retry_policy.py": "a policy of retries that asks a server on the internet",
    "core:example_kubernetes_executor.py": "needs Kubernetes",
    "core:example_local_kubernetes_executor.py": "needs Kubernetes",
    "core:tutorial_objectstorage.py": "needs an object store",
    "core:tutorial_taskflow_api_virtualenv.py": "installs packages",
    "standard:example_branch_operator.py": "branches at random",
    "standard:example_branch_operator_decorator.py": "branches at random",
    "standard:example_branch_day_of_week_operator.py": "takes the branch of the day it runs on",
    "standard:example_python_decorator.py": "installs packages",
    "standard:example_python_operator.py": "installs packages",
}
"""Bundled DAG files whose outcome cannot be fixed, and why. Those of assets, deferral and human input are later's."""

CASES = (*FLOW, *ENDS, *LIMITS, *DATA, *WORK, *SCHEDULED, *BUNDLED, *LATER)
