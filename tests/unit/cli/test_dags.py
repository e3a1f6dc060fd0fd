from __future__ import annotations

from typing import Any

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, listing


def dag(dag_id: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "is_paused": False,
        "is_active": True,
        "has_import_errors": False,
        "schedule_interval": {"__type": "CronExpression", "value": "@daily"},
        "next_dagrun_create_after": "2026-01-03T00:00:00+00:00",
        "tags": [{"name": "example"}],
        "owners": ["ada"],
        **more,
    }


def test_dags_are_listed_with_schedule_and_state(ask: Airgate, server: StandIn) -> None:
    dags = [
        dag(),
        dag("hourly", schedule_interval={"__type": "TimeDelta", "seconds": 3600}, timetable_description="every hour"),
        dag("manual", schedule_interval=None, has_import_errors=True),
    ]
    server.get("dags", listing("dags", dags))
    lines = ask("dags", "list").out.splitlines()
    assert "@daily" in lines[1]
    assert lines[1].rstrip().endswith(" ok")
    assert "every hour" in lines[2]
    assert "2026-01-03 00:00:00" in lines[1]
    assert lines[3].rstrip().endswith("import error")


def test_filters_are_handed_to_the_server(ask: Airgate, server: StandIn) -> None:
    server.get("dags", listing("dags", []))
    ask("dags", "list", "--pattern", "he", "--tag", "a", "--tag", "b", "--paused", "--all")
    query = server.asked[0].query
    assert {name: query[name] for name in ("dag_id_pattern", "tags", "paused", "only_active")} == {
        "dag_id_pattern": ["he"],
        "tags": ["a,b"],
        "paused": ["true"],
        "only_active": ["false"],
    }


def test_dag_is_shown_with_its_tasks(ask: Airgate, server: StandIn) -> None:
    server.get("dags/hello/details", dag(params={"name": {"value": "world"}}, description="says hello"))
    tasks = [
        {
            "task_id": "compose",
            "class_ref": {"class_name": "PythonOperator"},
            "trigger_rule": "all_success",
            "downstream_task_ids": ["greet"],
        }
    ]
    server.get("dags/hello/tasks", {"tasks": tasks, "total_entries": 1})
    shown = ask("dags", "show", "hello").out
    for fact in ("says hello", "@daily", "world", "compose", "PythonOperator", "greet"):
        assert fact in shown
    assert ask("dags", "show", "hello", "--json").json["tasks"] == tasks


def test_unknown_dag_is_not_found(ask: Airgate) -> None:
    assert ask("dags", "show", "nope").code == ExitCode.NOT_FOUND


def test_several_dags_are_paused_and_unpaused(ask: Airgate, server: StandIn) -> None:
    for dag_id in ("a", "b"):
        server.on("PATCH", f"dags/{dag_id}", Answer(dag(dag_id)))
    assert ask("dags", "pause", "a", "b").out == "Paused a, b.\n"
    assert ask("dags", "unpause", "a").out == "Unpaused a.\n"
    assert server.bodies("PATCH") == [{"is_paused": True}, {"is_paused": True}, {"is_paused": False}]


def test_import_errors_are_shown_with_their_trace(ask: Airgate, server: StandIn) -> None:
    failure = {"filename": "bad.py", "timestamp": "2026-01-02", "stack_trace": "Traceback [bold]\n  boom"}
    server.get("importErrors", listing("import_errors", [failure]))
    shown = ask("dags", "errors").out
    assert "bad.py" in shown
    assert "Traceback [bold]\n  boom" in shown
    assert ask("dags", "errors", "--json").json == [failure]


def test_no_import_errors_is_said_but_is_no_result(ask: Airgate, server: StandIn) -> None:
    server.get("importErrors", listing("import_errors", []))
    ended = ask("dags", "errors")
    assert (ended.code, ended.out) == (0, "")
