"""What the snapshot of a DAG holds, decoded strictly into the model that defines it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airgate.model.dag import DagSpec, ParamSpec, ScheduleSpec, TaskSpec
from airgate.model.states import TriggerRule, WeightRule
from tests.contract.sdk.fake_engine import FakeEngine, decode_spec

Snap = Callable[[str], dict[str, DagSpec]]

HEAD = """
from datetime import datetime, timedelta
import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, AssetAlias, Param, TaskGroup, TriggerRule, dag, setup, task, task_group, teardown
from dateutil.relativedelta import relativedelta
start = pendulum.datetime(2026, 1, 1)
"""


@pytest.fixture
def snap(engine: FakeEngine) -> Snap:
    def of(text: str) -> dict[str, DagSpec]:
        file = engine.fork_file(HEAD + text)
        body = file.parsed()
        file.connection.hang_up()
        assert body["error"] is None, body["error"]
        specs = [decode_spec(spec) for spec in body["dags"]]
        return {spec.dag_id: spec for spec in specs}

    return of


def tasks(spec: DagSpec) -> dict[str, TaskSpec]:
    return {task.task_id: task for task in spec.tasks}


def test_a_dag_with_nothing_said_has_airflow_s_defaults(snap: Snap, engine: FakeEngine) -> None:
    spec = snap("d = DAG('d', schedule=None)")["d"]

    assert Path(spec.fileloc).parent == engine.dags
    assert spec == DagSpec(
        dag_id="d",
        display_name="d",
        fileloc=spec.fileloc,
        schedule=ScheduleSpec(summary="None", description="Never, external triggers only"),
    )


def test_what_a_dag_says_of_itself_is_kept(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule="0 5 * * 1", start_date=datetime(2026, 1, 1, tzinfo=pendulum.timezone("Europe/Paris")),
         end_date=pendulum.datetime(2027, 1, 1), catchup=True, description="words", doc_md="# Title",
         dag_display_name="The D", tags=["b", "a"], max_active_runs=2, max_active_tasks=3, fail_fast=True,
         max_consecutive_failed_dag_runs=4, dagrun_timeout=timedelta(minutes=2), is_paused_upon_creation=True,
         render_template_as_native_obj=True, template_searchpath="/templates", owner_links={"ann": "https://ann"},
         default_args={"owner": "ann", "retries": 2, "retry_delay": timedelta(seconds=5), "start_date": start},
         on_success_callback=print, on_failure_callback=[print]):
    EmptyOperator(task_id="t")
    EmptyOperator(task_id="u", owner="bob")
"""
    )["d"]

    first = datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert (spec.start_date, spec.end_date) == (first, datetime(2027, 1, 1, tzinfo=UTC))
    assert (spec.earliest, spec.latest) == (first, datetime(2027, 1, 1, tzinfo=UTC))
    assert (spec.timezone, spec.catchup, spec.fail_fast) == ("Europe/Paris", True, True)
    assert (spec.description, spec.doc_md, spec.display_name) == ("words", "# Title", "The D")
    assert (spec.tags, spec.owners, spec.owner_links) == (("a", "b"), ("ann", "bob"), {"ann": "https://ann"})
    assert (spec.max_active_runs, spec.max_active_tasks, spec.max_consecutive_failed_dag_runs) == (2, 3, 4)
    assert (spec.dagrun_timeout, spec.is_paused_upon_creation) == (120.0, True)
    assert (spec.render_template_as_native_obj, spec.template_searchpath) == (True, ("/templates",))
    assert (spec.has_success_callback, spec.has_failure_callback) == (True, True)
    assert spec.default_args == {
        "owner": "ann", "retries": 2, "retry_delay": 5.0, "start_date": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    assert tasks(spec)["t"].retries == 2
    assert tasks(spec)["t"].retry_delay == 5.0


@pytest.mark.parametrize(
    ("schedule", "summary", "interval"),
    [
        ("None", "None", None),
        ("'@once'", "@once", {"__type": "CronExpression", "value": "@once"}),
        ("'@daily'", "0 0 * * *", {"__type": "CronExpression", "value": "@daily"}),
        ("'5 4 * * *'", "5 4 * * *", {"__type": "CronExpression", "value": "5 4 * * *"}),
        (
            "timedelta(days=1, seconds=2)",
            "1 day, 0:00:02",
            {"__type": "TimeDelta", "days": 1, "seconds": 2, "microseconds": 0},
        ),
        ("[Asset('a')]", "Asset", {"__type": "CronExpression", "value": "Dataset"}),
    ],
)
def test_a_schedule_is_told_in_both_forms(
    snap: Snap, schedule: str, summary: str, interval: dict[str, object] | None
) -> None:
    spec = snap(f"d = DAG('d', schedule={schedule}, start_date=start)")["d"].schedule

    assert (spec.summary, spec.interval) == (summary, interval)


def test_a_relative_delta_keeps_its_parts(snap: Snap) -> None:
    spec = snap("d = DAG('d', schedule=relativedelta(months=1, day=3), start_date=start)")["d"].schedule

    assert spec.interval is not None
    assert spec.interval["__type"] == "RelativeDelta"
    assert (spec.interval["months"], spec.interval["day"], spec.interval["hour"]) == (1, 3, None)


def test_only_timetables_that_surely_answer_so_have_exact_manual_intervals(snap: Snap) -> None:
    specs = snap(
        """
from airflow.sdk import CronDataIntervalTimetable
from airflow.timetables.simple import NullTimetable

class Mine(NullTimetable):
    pass

exact = [DAG("none", schedule=None), DAG("once", schedule="@once", start_date=start), DAG("cron", schedule="@daily")]
interval = DAG("interval", schedule=CronDataIntervalTimetable("@daily", timezone="UTC"))
mine = DAG("mine", schedule=Mine())
a, b, c = exact
"""
    )

    assert {dag_id for dag_id, spec in specs.items() if spec.schedule.manual_interval_is_exact} == {
        "none", "once", "cron",
    }  # fmt: skip


def test_an_asset_schedule_names_its_assets(snap: Snap) -> None:
    spec = snap("d = DAG('d', schedule=(Asset('a') | Asset('b')))")["d"].schedule

    assert spec.asset_expression is not None
    assert [entry["asset"]["name"] for entry in spec.asset_expression["any"]] == ["a", "b"]


def test_dates_of_tasks_bound_scheduled_runs_as_in_airflow(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None):
    EmptyOperator(task_id="early", start_date=pendulum.datetime(2025, 1, 1), end_date=pendulum.datetime(2026, 8, 1))
    EmptyOperator(task_id="late", end_date=pendulum.datetime(2026, 9, 1))
"""
    )["d"]

    assert (spec.start_date, spec.end_date) == (None, None)
    assert (spec.earliest, spec.latest) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC))


def test_what_a_task_says_of_itself_is_kept(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None, params={"p": 1}):
    BashOperator(task_id="t", bash_command="true", task_display_name="The T", trigger_rule="one_failed", retries=3,
        retry_delay=timedelta(seconds=7), retry_exponential_backoff=2.5, max_retry_delay=timedelta(minutes=1),
        execution_timeout=timedelta(seconds=9), pool="p", pool_slots=2, queue="q", depends_on_past=True,
        wait_for_downstream=True, max_active_tis_per_dag=4, max_active_tis_per_dagrun=5, doc_md="doc", owner="me",
        executor_config={"a": 1}, do_xcom_push=False, outlets=[Asset("out")], inlets=[Asset("in")],
        on_failure_callback=print, on_retry_callback=print, ignore_first_depends_on_past=True)
"""
    )["d"]

    task = tasks(spec)["t"]
    assert (task.display_name, task.operator, task.operator_class) == ("The T", "BashOperator", "BashOperator")
    assert task.operator_module == "airflow.providers.standard.operators.bash"
    assert (task.trigger_rule, task.retries, task.retry_delay) == (TriggerRule.ONE_FAILED, 3, 7.0)
    assert (task.retry_exponential_backoff, task.max_retry_delay, task.execution_timeout) == (2.5, 60.0, 9.0)
    assert (task.pool, task.pool_slots, task.queue) == ("p", 2, "q")
    assert (task.depends_on_past, task.wait_for_downstream, task.ignore_first_depends_on_past) == (True, True, True)
    assert (task.max_active_tis_per_dag, task.max_active_tis_per_dagrun) == (4, 5)
    assert (task.doc_md, task.owner, task.executor_config) == ("doc", "me", "{'a': 1}")
    assert (task.do_xcom_push, task.has_failure_callback, task.has_retry_callback) == (False, True, True)
    assert task.template_fields == ("bash_command", "env", "cwd")
    assert (task.ui_color, task.ui_fgcolor) == ("#f0ede4", "#000")
    assert ([a["name"] for a in task.outlets], [a["name"] for a in task.inlets]) == (["out"], ["in"])
    assert task.params["p"].value == 1


def test_tasks_come_after_their_upstream(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None):
    a, b, c = (EmptyOperator(task_id=x) for x in "abc")
    c >> b >> a
"""
    )["d"]

    assert [task.task_id for task in spec.tasks] == ["c", "b", "a"]
    assert tasks(spec)["b"].upstream == ("c",)
    assert tasks(spec)["b"].downstream == ("a",)


def test_only_empty_operators_with_nothing_to_do_are_inert(snap: Snap) -> None:
    spec = snap(
        """
class Mine(EmptyOperator):
    pass
with DAG("d", schedule=None):
    EmptyOperator(task_id="plain")
    Mine(task_id="derived")
    EmptyOperator(task_id="failing_loudly", on_failure_callback=print)
    EmptyOperator(task_id="succeeding_loudly", on_success_callback=print)
    EmptyOperator(task_id="starting_loudly", on_execute_callback=print)
    EmptyOperator(task_id="outlet", outlets=[Asset("a")])
    EmptyOperator(task_id="inlet", inlets=[Asset("a")])
    BashOperator(task_id="bash", bash_command="true")
"""
    )["d"]

    assert {task.task_id for task in spec.tasks if task.inert} == {"plain", "derived", "failing_loudly"}


def test_weights_are_effective_under_every_rule(snap: Snap) -> None:
    spec = snap(
        """
from airflow.task.priority_strategy import PriorityWeightStrategy
class Doubled(PriorityWeightStrategy):
    def get_weight(self, ti):
        return ti.task.priority_weight * 2
with DAG("d", schedule=None):
    down = EmptyOperator(task_id="down", priority_weight=1)
    up = EmptyOperator(task_id="up", priority_weight=10, weight_rule="upstream")
    absolute = EmptyOperator(task_id="absolute", priority_weight=100, weight_rule="absolute")
    custom = EmptyOperator(task_id="custom", priority_weight=1000)
    custom.weight_rule = Doubled()
    down >> up >> absolute >> custom
"""
    )["d"]

    assert {task.task_id: task.weight_total for task in spec.tasks} == {
        "down": 1111, "up": 11, "absolute": 100, "custom": 2000,
    }  # fmt: skip
    assert tasks(spec)["custom"].weight_rule is WeightRule.CUSTOM
    assert tasks(spec)["up"].weight_rule is WeightRule.UPSTREAM


def test_setups_and_teardown_scope_are_what_airflow_s_dependency_check_uses(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None):
    s, a, b, c, t, outside = (EmptyOperator(task_id=x) for x in ("s", "a", "b", "c", "t", "outside"))
    s >> a >> b >> c >> t.as_teardown(setups=s, on_failure_fail_dagrun=True)
    outside >> b
"""
    )["d"]

    found = tasks(spec)
    assert (found["s"].is_setup, found["t"].is_teardown, found["t"].on_failure_fail_dagrun) == (True, True, True)
    assert found["t"].trigger_rule is TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert {name: task.setups for name, task in found.items() if task.setups} == {
        "a": ("s",), "b": ("s",), "c": ("s",),
    }  # fmt: skip
    assert found["t"].teardown_scope == ("a", "b")


def test_params_tell_a_missing_value_from_none(snap: Snap) -> None:
    spec = snap(
        """
d = DAG("d", schedule=None, params={
    "plain": 3, "none": Param(None, type=["null", "string"]), "needed": Param(type="integer", description="a number"),
    "enum": Param("x", enum=["x", "y"], title="T")})
"""
    )["d"]

    assert spec.params == {
        "plain": ParamSpec(value=3),
        "none": ParamSpec(value=None, schema={"type": ["null", "string"]}),
        "needed": ParamSpec(schema={"type": "integer"}, description="a number", has_value=False),
        "enum": ParamSpec(value="x", schema={"enum": ["x", "y"], "title": "T"}),
    }


def test_groups_are_listed_with_parent_and_children(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None):
    with TaskGroup("outer", tooltip="tip"):
        EmptyOperator(task_id="a")
        with TaskGroup("inner", prefix_group_id=False):
            EmptyOperator(task_id="b")
    EmptyOperator(task_id="c")
"""
    )["d"]

    outer, inner = spec.groups
    assert (outer.group_id, outer.label, outer.tooltip, outer.parent) == ("outer", "outer", "tip", None)
    assert outer.children == ("outer.a", inner.group_id)
    assert (inner.parent, inner.children, inner.prefix_group_id) == ("outer", ("b",), False)
    assert {task.task_id: task.group for task in spec.tasks} == {"outer.a": "outer", "b": inner.group_id, "c": None}


def test_mapped_tasks_and_tasks_of_mapped_groups_are_marked(snap: Snap) -> None:
    spec = snap(
        """
@dag(schedule=None)
def d():
    @task(retries=2)
    def one(x):
        return x
    @task_group
    def many(x):
        one.override(task_id="inside")(x)
    one.expand(x=[1, 2])
    many.expand(x=[3, 4])
    one.override(task_id="single")(5)
d()
"""
    )["d"]

    found = tasks(spec)
    assert {name for name, task in found.items() if task.mapped} == {"one", "many.inside"}
    assert found["one"].retries == 2
    assert [group.mapped for group in spec.groups] == [True]


def test_every_trigger_rule_of_airflow_has_a_name_in_the_model(snap: Snap) -> None:
    spec = snap(
        """
with DAG("d", schedule=None):
    for rule in TriggerRule:
        EmptyOperator(task_id=rule.value, trigger_rule=rule)
"""
    )["d"]

    assert {task.trigger_rule for task in spec.tasks} == set(TriggerRule)


def test_the_same_file_gives_the_same_snapshot_in_another_process(engine: FakeEngine) -> None:
    text = HEAD + "with DAG('d', schedule='@daily', tags=['x','y','z'], default_args={'s': {'c','b','a'}}) as d:\n"
    text += "    [EmptyOperator(task_id=f't{i}', owner=f'o{i}') for i in range(9)] >> EmptyOperator(task_id='end')\n"
    first = engine.fork_file(text)
    path = Path(str(first.parsed()["dags"][0]["fileloc"]))
    again = [engine.fork_file(path).parsed()["dags"] for _ in range(2)]

    assert again[0] == again[1]
