"""What webhooks are told of a DAG run: by XCom, by conf, and as the Task SDK writes values down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from airgate.model.job import ExecutionStatus, dag_job_id
from airgate.model.states import RunState, RunType
from airgate.orchestration.executions import MOST_TABLES, Home, as_ended, executions_of, plain
from tests.contract.store.builders import START, make_run, make_xcom

HOME = Home("local", UUID(int=7), "http://airgate.test")


def wrapped(name: str, data: Any) -> dict[str, Any]:
    """A value as Airflow's serde writes what JSON has no type for."""
    return {"__classname__": name, "__version__": 1, "__data__": data}


def told(*values: Any, **run: Any) -> dict[str, Any]:
    xcoms = [
        make_xcom("airgate", value, task_id=f"t{n}", timestamp=START + timedelta(n)) for n, value in enumerate(values)
    ]
    (found,) = executions_of(make_run(state=RunState.SUCCESS, **run), (), xcoms, HOME, 1)
    names = ("schema_name", "table_name", "rows", "columns", "nested_table", "connection_name", "connection_id")
    default = {"nested_table": False}
    return {name: value for name in names if (value := getattr(found, name)) not in (None, default.get(name))}


@pytest.mark.parametrize(
    ("values", "conf", "expected"),
    [
        ((), {}, {}),
        (
            ({"table": "t", "schema": "s", "rows": 5, "columns": 2},),
            {},
            {"table_name": "t", "schema_name": "s", "rows": 5, "columns": 2},
        ),
        (({"table_name": "t", "nested_table": True},), {}, {"table_name": "t", "nested_table": True}),
        (
            ({"connection_id": str(UUID(int=3)), "connection_name": "shop"},),
            {},
            {"connection_id": UUID(int=3), "connection_name": "shop"},
        ),
        ((), {"airgate": {"rows": 1}, "table": "plain"}, {"rows": 1, "table_name": "plain"}),
        (({"rows": 2},), {"airgate": {"rows": 1}, "rows": 0}, {"rows": 2}),
        (({"rows": 2, "table": "a"}, {"rows": 3}), {}, {"rows": 3, "table_name": "a"}),
        (({"rows": "5"},), {}, {}),
        (({"rows": True},), {}, {}),
        (({"rows": 5.0, "table": None, "connection_id": "no uuid"},), {}, {}),
        (("text", 5, None, [1]), {}, {}),
        (({"rows": wrapped("numpy.int64", 5)},), {}, {"rows": 5}),
        (({"rows": wrapped("decimal.Decimal", 5)},), {}, {"rows": 5}),
        (({"connection_id": wrapped("uuid.UUID", str(UUID(int=3)))},), {}, {"connection_id": UUID(int=3)}),
        ((wrapped("my.Told", {"table": "t", "rows": wrapped("numpy.int32", 4)}),), {}, {"table_name": "t", "rows": 4}),
        (({"tables": wrapped("builtins.tuple", [{"table": "t"}])},), {}, {"table_name": "t"}),
        (({"tables": "t"}, {"tables": []}), {}, {}),
        (({"status": "FAILED", "job_id": "x", "id": "y"},), {}, {}),
    ],
)  # fmt: skip
def test_what_a_run_tells_of_itself(values: tuple[Any, ...], conf: dict[str, Any], expected: dict[str, Any]) -> None:
    assert told(*values, conf=conf) == expected


def test_value_that_wraps_itself_again_and_again_ends() -> None:
    value: Any = 5
    for _ in range(1000):
        value = wrapped("a.B", value)
    assert plain(value) is None


def test_tables_are_told_up_to_a_limit() -> None:
    tables = [{"table": str(number)} for number in range(MOST_TABLES + 10)]
    found = executions_of(make_run(state=RunState.SUCCESS, conf={"airgate": {"tables": tables}}), (), (), HOME, 1)
    assert len(found) == MOST_TABLES
    assert len({one.id for one in found}) == MOST_TABLES
    assert len({one.execution_id for one in found}) == 1


def test_execution_is_known_by_run_and_occasion() -> None:
    run = make_run(state=RunState.FAILED)
    (first,), (same,), (again,) = (executions_of(run, (), (), HOME, occasion) for occasion in (1, 1, 2))
    assert first == same
    assert (first.id != again.id, first.execution_id) == (True, run.id)
    assert (first.status, first.job_id) == (ExecutionStatus.FAILED, dag_job_id("local", "d"))


@pytest.mark.parametrize(
    ("run_type", "user", "by", "orchestrated"),
    [
        (RunType.SCHEDULED, None, "Erathos Schedule", False),
        (RunType.BACKFILL, "me", "Erathos Schedule", False),
        (RunType.MANUAL, "me@x.test", "me@x.test", True),
        (RunType.MANUAL, None, None, True),
    ],
)
def test_who_started_it(run_type: RunType, user: str | None, by: str | None, orchestrated: bool) -> None:
    run = make_run(state=RunState.SUCCESS, run_type=run_type, triggering_user=user)
    (found,) = executions_of(run, (), (), HOME, 1)
    assert (found.triggered_by, found.is_orchestration) == (by, orchestrated)


def test_run_is_taken_as_its_event_tells_and_not_as_it_is_now() -> None:
    run = make_run(state=RunState.RUNNING, clear_number=2)
    ended = as_ended(
        run, {"state": "failed", "start_date": None, "end_date": "2026-03-01T00:00:00Z", "clear_number": 1}
    )
    assert (ended.state, ended.start_date, ended.end_date, ended.clear_number) == (RunState.FAILED, None, START, 1)
    assert as_ended(run, {}) == run
