"""Views against the shapes that Airflow 2.11 was recorded with, and the values of interest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airgate.deployments.ports import Health
from airgate.http.stable_v1.admin_views import connection_view, health_view, masked_extra, pool_view, variable_view
from airgate.http.stable_v1.dag_views import (
    DAG_FIELDS,
    DETAIL_FIELDS,
    dag_view,
    details_view,
    import_error_view,
    seconds_view,
    task_view,
)
from airgate.http.stable_v1.views import RUN_FIELDS, instance_view, reference_view, run_view, try_view, xcom_value_view
from airgate.model.admin import Connection, Pool, PoolUsage, Variable
from airgate.model.dag import ImportFailure, TaskSpec
from airgate.model.run import XCom
from airgate.model.states import RunType, TaskState
from tests.support.stable_v1_world import HELLO, START, dag_of, instance_of, run_of

RECORDINGS = Path(__file__).parents[2] / "golden" / "stable_v1" / "exchanges.jsonl"


def recorded(method: str, path: str, body: str | None = None) -> Any:
    """The first whole successful answer to a request."""
    for line in RECORDINGS.read_bytes().splitlines():
        exchange = msgspec.json.decode(line)
        if (exchange["method"], exchange["path"], exchange.get("body")) == (method, path, body) and exchange["answer"]:
            return exchange["answer"]
    raise AssertionError(f"{method} {path} was not recorded")


RUN = run_of("hello", "r1", start_date=START)


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (run_view(RUN), recorded("GET", "/dags/nosched/dagRuns/r1")),
        (dag_view(dag_of(HELLO), str), recorded("GET", "/dags/hello")),
        (details_view(dag_of(HELLO), str), recorded("GET", "/dags/hello/details")),
        (task_view(HELLO.tasks[0]), recorded("GET", "/dags/hello/tasks")["tasks"][0]),
        (
            instance_view(instance_of(RUN, "a"), START),
            recorded("GET", "/dags/nosched/dagRuns/r1/taskInstances")["task_instances"][0],
        ),
        (
            try_view(instance_of(RUN, "a")),
            recorded("GET", "/dags/nosched/dagRuns/r1/taskInstances/px/tries")["task_instances"][0],
        ),
        (
            reference_view(instance_of(RUN, "a"), START),
            recorded("POST", "/dags/failing/dagRuns/f1/clear", "{}")["task_instances"][0],
        ),
        (pool_view(Pool(name="p", slots=1), PoolUsage()), recorded("GET", "/pools/p1")),
        (variable_view(Variable(key="k", value="v")), recorded("GET", "/variables/k")),
        (connection_view(Connection(connection_id="c", conn_type="http")), recorded("GET", "/connections/c1")),
        (health_view(Health(store=True, scheduler=True)), recorded("GET", "/health")),
    ],
    ids=["run", "dag", "details", "task", "instance", "try", "reference", "pool", "variable", "connection", "health"],
)
def test_view_has_the_keys_that_airflow_has(view: dict[str, Any], shape: dict[str, Any]) -> None:
    assert set(view) == set(shape)


def test_names_of_selectable_fields_are_those_of_the_views() -> None:
    assert set(run_view(RUN)) == RUN_FIELDS
    assert set(dag_view(dag_of(HELLO), str)) == DAG_FIELDS
    assert set(details_view(dag_of(HELLO), str)) == DETAIL_FIELDS


def test_run_without_logical_date_shows_when_it_may_run() -> None:
    view = run_view(replace(RUN, logical_date=None, run_after=START))
    assert view["execution_date"] == view["logical_date"] == START.isoformat()


def test_run_of_an_asset_is_dataset_triggered() -> None:
    assert run_view(replace(RUN, run_type=RunType.ASSET_TRIGGERED))["run_type"] == "dataset_triggered"


def test_run_repeats_the_offset_it_was_asked_for_with() -> None:
    zone = timezone(timedelta(hours=2))
    date = datetime(2021, 11, 17, 9, 34, tzinfo=UTC)
    run = replace(RUN, logical_date=date, data_interval_start=date, data_interval_end=date + timedelta(days=1))
    view = run_view(run, zone)
    assert view["logical_date"] == view["execution_date"] == "2021-11-17T11:34:00+02:00"
    assert view["data_interval_start"] == "2021-11-17T11:34:00+02:00"
    assert view["data_interval_end"] == "2021-11-18T09:34:00+00:00"


def test_a_state_v1_has_no_word_for_is_shown_as_the_nearest() -> None:
    assert try_view(instance_of(RUN, "a", TaskState.AWAITING_INPUT))["state"] == "deferred"


@pytest.mark.parametrize("state", [state for state in TaskState if state is not TaskState.AWAITING_INPUT])
def test_every_other_state_is_shown_by_its_own_word(state: TaskState) -> None:
    assert try_view(instance_of(RUN, "a", state))["state"] == state.value


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": 1}, "{'a': 1}"), ([1, None], "[1, None]"), (True, "True"), ("text", "text"), (None, None)],
)
def test_xcom_value_is_text_as_python_prints_it(value: Any, text: str | None) -> None:
    xcom = XCom(dag_id="d", run_id="r", task_id="t", map_index=-1, key="k", value=value, timestamp=START)
    assert xcom_value_view(xcom, START, stringify=True)["value"] == text
    assert xcom_value_view(xcom, START, stringify=False)["value"] == value


@pytest.mark.parametrize(
    ("seconds", "parts"),
    [(300.0, (0, 300, 0)), (86_401.5, (1, 1, 500_000)), (0.0, (0, 0, 0))],
)
def test_durations_are_split_as_timedelta_splits_them(seconds: float, parts: tuple[int, int, int]) -> None:
    view = seconds_view(seconds)
    assert view == {"__type": "TimeDelta", "days": parts[0], "seconds": parts[1], "microseconds": parts[2]}


def test_no_duration_is_null() -> None:
    assert seconds_view(None) is None


def test_numbers_of_a_task_are_written_with_a_decimal_point() -> None:
    view = task_view(TaskSpec(task_id="t", retries=3, pool_slots=2))
    assert all(isinstance(view[name], float) for name in ("retries", "pool_slots", "priority_weight"))


def test_a_limit_on_one_task_is_told_of_its_dag() -> None:
    limited = replace(HELLO, tasks=(TaskSpec(task_id="t", max_active_tis_per_dagrun=1),))
    assert dag_view(dag_of(limited), str)["has_task_concurrency_limits"] is True
    assert dag_view(dag_of(HELLO), str)["has_task_concurrency_limits"] is False


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        (None, None),
        ('{"a": 1, "token": "x"}', '{"a": 1, "token": "***"}'),
        ('{"deep": [{"My_Password": {"x": 1}, "b": null}]}', '{"deep": [{"My_Password": "***", "b": null}]}'),
        ('{"secret": null}', '{"secret": null}'),
        ("not json", "not json"),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=["none", "flat", "deep", "null", "text", "bottomless"],
)
def test_secrets_in_an_extra_are_masked(extra: str | None, shown: str | None) -> None:
    assert masked_extra(extra) == shown


def test_a_connection_never_shows_its_password() -> None:
    view = connection_view(Connection(connection_id="c", conn_type="http", password="hunter2"))
    assert "hunter2" not in str(view)


def test_open_slots_may_be_fewer_than_none() -> None:
    view = pool_view(Pool(name="p", slots=5), PoolUsage(running=3, queued=8, scheduled=2, deferred=1))
    assert (view["occupied_slots"], view["open_slots"], view["scheduled_slots"]) == (11, -6, 2)


def test_an_import_error_is_known_by_its_number() -> None:
    assert import_error_view(ImportFailure(7, "a.py", START, "boom"))["import_error_id"] == 7
