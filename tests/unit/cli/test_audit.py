from __future__ import annotations

import json
from typing import Any

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import StandIn

AUDIT = "/airgate/v1/audit"


def entry(number: int, **more: Any) -> dict[str, Any]:
    about = {"deployment": "local", "dag_id": "hello", "run_id": "r1", "task_id": None}
    return {
        "id": number,
        "at": "2026-01-02T03:04:05Z",
        "event": "post_dag_run",
        "outcome": "done",
        "status": 200,
        "actor": "ada",
        "address": "10.0.0.1",
        "key_id": None,
        "count": 1,
        **about,
        **more,
    }


def test_entries_say_who_did_what_about_what_from_where(ask: Airgate, server: StandIn) -> None:
    server.get(AUDIT, {"items": [entry(2, outcome="refused", status=403, count=7), entry(1)], "next": None})
    first, second = ask("audit", "list").out.splitlines()[1:]
    assert first.split()[2:] == ["ada", "post_dag_run", "refused", "403", "local", "hello", "r1", "10.0.0.1", "-", "7"]
    assert second.split()[-1] == "-"


def test_filters_are_sent_as_the_server_knows_them(ask: Airgate, server: StandIn) -> None:
    server.get(AUDIT, {"items": [], "next": None})
    given = (
        "--actor",
        "ada",
        "--event",
        "post_key",
        "--outcome",
        "done",
        "-d",
        "local",
        "--dag",
        "hello",
        "--run",
        "r1",
    )
    assert ask("audit", "ls", *given, "--since", "2026-01-01", "--until", "2026-01-02T00:00:00+01:00").code == 0
    assert server.asked[0].query == {
        "actor": ["ada"],
        "event": ["post_key"],
        "outcome": ["done"],
        "deployment": ["local"],
        "dag_id": ["hello"],
        "run_id": ["r1"],
        "since": ["2026-01-01T00:00:00Z"],
        "until": ["2026-01-01T23:00:00Z"],
        "limit": ["100"],
    }


def test_json_is_one_entry_on_each_line(ask: Airgate, server: StandIn) -> None:
    server.get(AUDIT, {"items": [entry(2), entry(1)], "next": None})
    lines = ask("audit", "list", "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [2, 1]


def test_no_more_than_the_limit_is_shown_and_asked_for(ask: Airgate, server: StandIn) -> None:
    server.get(AUDIT, {"items": [entry(3), entry(2)], "next": "c1"}, {"items": [entry(1)], "next": None})
    lines = ask("audit", "list", "--json", "--limit", "2").out.splitlines()
    assert len(lines) == 2
    assert [asked.query["limit"] for asked in server.asked] == [["2"]]


def test_moment_that_is_none_is_a_usage_error(ask: Airgate, server: StandIn) -> None:
    assert ask("audit", "list", "--since", "yesterday").code == ExitCode.USAGE
    assert server.asked == []
