"""Commands about workspaces, secrets, jobs, webhooks, deliveries, hooks and block windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, problem

ROOT = "/airgate/v1/workspaces"
WS = f"{ROOT}/default"
AT = "2026-03-01T12:00:00Z"
SECRET = {"id": "s1", "name": "token", "description": "", "created_at": AT, "updated_at": AT}
JOB = {"id": "j1", "kind": "dag", "name": "load", "deployment": "local", "dag_id": "load", "is_active": True}
OUTSIDE = JOB | {"id": "j2", "kind": "external", "name": "dbt", "deployment": None, "dag_id": None}
EXECUTION = {
    "id": "e1", "execution_id": "e1", "job_id": "j1", "status": "RUNNING", "started_at": AT, "ended_at": None,
    "table_name": "orders", "rows": 5, "run": {"dag_id": "load"},
}  # fmt: skip
WEBHOOK = {
    "id": "w1", "description": "tell them", "is_active": True, "method": "POST", "url": "https://x.test/",
    "target": {"kind": "http"}, "failing_since": None,
}  # fmt: skip
DELIVERY = {
    "id": "d1", "state": "dead", "attempts": 2, "last_status": 500, "created_at": AT, "next_attempt_at": None,
    "reason": "all attempts failed",
}  # fmt: skip
HOOK = {
    "id": "h1", "name": "in", "path": "/hooks/in", "scheme": "token", "deployment": "local", "dag_id": "load",
    "is_active": True, "last_used_at": None,
}  # fmt: skip
WINDOW = {
    "id": "b1", "name": "night", "weekdays": [0, 6], "start": "22:00", "end": "06:00", "time_zone": "UTC", "jobs": [],
    "is_active": True,
}  # fmt: skip


def page(*items: Any, following: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": following}


@pytest.fixture(autouse=True)
def furnished(server: StandIn) -> None:
    for kind, items in (
        ("secrets", [SECRET]),
        ("jobs", [JOB, OUTSIDE]),
        ("webhooks", [WEBHOOK]),
        ("deliveries", [DELIVERY]),
        ("executions", [EXECUTION]),
        ("hooks", [HOOK]),
        ("block-windows", [WINDOW]),
    ):
        server.get(f"{WS}/{kind}", page(*items))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["secrets", "list"], ["token"]),
        (["jobs", "list"], ["load", "dag", "dbt", "external"]),
        (["jobs", "executions"], ["e1", "RUNNING", "orders"]),
        (["webhooks", "list"], ["tell them", "POST https://x.test/"]),
        (["deliveries", "list"], ["d1", "dead", "500", "all attempts failed"]),
        (["hooks", "list"], ["in", "/hooks/in", "local/load"]),
        (["block-windows", "list"], ["night", "sun sat", "22:00", "06:00", "all"]),
    ],
)
def test_lists_are_tables_for_people_and_the_items_for_scripts(
    ask: Airgate, server: StandIn, command: list[str], shown: list[str]
) -> None:
    told = ask(*command).out
    assert [word for word in shown if word not in told] == []
    assert ask(*command, "--json").json == server.answers["GET", server.asked[-1].path][0].body["items"]


@pytest.mark.parametrize("kind", ["secrets", "jobs", "webhooks", "deliveries", "hooks", "block-windows"])
def test_other_workspace_is_asked_when_it_is_named(ask: Airgate, server: StandIn, kind: str) -> None:
    server.get(f"{ROOT}/lab/{kind}", page())
    ended = ask(kind, "list", "--workspace", "lab")
    assert (ended.code, ended.out) == (0, "")
    assert "There are no" in ended.err


def test_list_that_is_longer_than_a_page_is_read_to_its_end(ask: Airgate, server: StandIn) -> None:
    server.get(f"{WS}/jobs", page(JOB, following="more"), page(OUTSIDE))
    assert ask("jobs", "list", "--json").json == [JOB, OUTSIDE]
    assert server.asked[-1].query["after"] == ["more"]


def test_limited_list_asks_for_no_more(ask: Airgate, server: StandIn) -> None:
    server.get(f"{WS}/deliveries", page(DELIVERY, following="more"))
    assert ask("deliveries", "list", "--limit", "1", "--json").json == [DELIVERY]
    assert [asked.query["limit"] for asked in server.asked] == [["1"]]


def test_workspaces_are_kept(ask: Airgate, server: StandIn) -> None:
    workspace = {"name": "lab", "private_targets": ["10.0.0.0/8"], "created_at": AT}
    server.get(ROOT, page(workspace))
    server.on("POST", ROOT, Answer(workspace, 201))
    server.on("PATCH", f"{ROOT}/lab", Answer(workspace))
    server.on("DELETE", f"{ROOT}/lab", Answer(status=204))
    assert "10.0.0.0/8" in ask("workspaces", "list").out
    assert ask("workspaces", "create", "lab", "--private-target", "10.0.0.0/8").code == 0
    assert server.bodies("POST") == [{"name": "lab", "private_targets": ["10.0.0.0/8"]}]
    assert ask("workspaces", "update", "lab", "--no-private-targets").code == 0
    assert server.bodies("PATCH") == [{"private_targets": []}]
    assert ask("workspaces", "update", "lab").code == ExitCode.USAGE
    assert ask("workspaces", "delete", "lab").code == 0


def test_variable_that_exists_is_changed(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/variables", problem(409, "exists"))
    server.on("PATCH", f"{WS}/variables/host", Answer({"name": "host"}))
    assert ask("workspace-variables", "set", "host", "x.test").code == 0
    assert server.bodies("PATCH") == [{"name": "host", "value": "x.test"}]


def test_secret_is_read_from_the_standard_input_and_never_printed(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/secrets", Answer(SECRET, 201))
    ended = ask("secrets", "set", "token", "--value-stdin", stdin="line one\nline two\n")
    assert server.bodies("POST") == [{"name": "token", "value": "line one\nline two"}]
    assert "line" not in ended.out + ended.err


def test_secret_is_asked_for_twice(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/secrets", Answer(SECRET, 201))
    ended = ask("secrets", "set", "token", stdin="pssst\npssst\n")
    assert server.bodies("POST") == [{"name": "token", "value": "pssst"}]
    assert "pssst" not in ended.out


def test_secret_is_no_argument(ask: Airgate, server: StandIn) -> None:
    assert ask("secrets", "set", "token", "value").code == ExitCode.USAGE
    assert ask("secrets", "set", "token", "--value-stdin", stdin="").code == ExitCode.USAGE
    assert server.asked == []


def test_job_is_started_by_name_with_one_key_for_one_command(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/jobs/j1/run", Answer(EXECUTION, 201))
    assert "e1" in ask("jobs", "run", "load", "--conf", '{"n": 1}').out
    assert server.asked[-1].body == {"conf": {"n": 1}}
    assert server.asked[-1].headers["idempotency-key"].startswith("cli-")


@pytest.mark.parametrize(("status", "code"), [("FINISHED", ExitCode.OK), ("FAILED", ExitCode.FAILED)])
def test_waiting_for_a_job_ends_with_how_it_ended(ask: Airgate, server: StandIn, status: str, code: ExitCode) -> None:
    server.on("POST", f"{WS}/jobs/j1/run", Answer(EXECUTION, 201))
    ended = EXECUTION | {"status": status}
    server.on("GET", f"{WS}/jobs/j1/executions/e1", problem(404, "not yet"), Answer(ended))
    told = ask("jobs", "run", "load", "--wait", "--json")
    assert (told.code, told.json) == (code, ended)


def test_execution_is_reported_with_what_is_given(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/jobs/j2/executions", Answer(EXECUTION | {"status": "FAILED"}))
    assert ask("jobs", "report", "dbt", "--status", "failed", "--rows", "3", "--error", "disk full").code == 0
    assert server.bodies("POST") == [{"status": "FAILED", "rows": 3, "error": "disk full"}]


def test_job_is_registered(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/jobs", Answer(OUTSIDE, 201))
    assert "j2" in ask("jobs", "register", "dbt", "--table", "orders").out
    assert server.bodies("POST") == [{"name": "dbt", "table_name": "orders"}]


def test_thing_that_is_not_there_is_told(ask: Airgate, server: StandIn) -> None:
    for command in (["jobs", "run", "x"], ["webhooks", "show", "x"], ["hooks", "disable", "x"]):
        ended = ask(*command)
        assert (ended.code, "'x'" in ended.err) == (ExitCode.NOT_FOUND, True)
    assert {asked.method for asked in server.asked} == {"GET"}


def test_webhooks_with_one_description_must_be_named_by_id(ask: Airgate, server: StandIn) -> None:
    server.get(f"{WS}/webhooks", page(WEBHOOK, WEBHOOK | {"id": "w2"}))
    ended = ask("webhooks", "show", "tell them")
    assert (ended.code, "w1, w2" in ended.err) == (ExitCode.USAGE, True)
    assert ask("webhooks", "show", "w2", "--json").json["id"] == "w2"


def test_webhook_is_made_of_a_file_and_changed_by_one(ask: Airgate, server: StandIn, folder: Path) -> None:
    server.on("POST", f"{WS}/webhooks", Answer(WEBHOOK, 201))
    server.on("PATCH", f"{WS}/webhooks/w1", Answer(WEBHOOK))
    (folder / "hook.json").write_text(json.dumps({"description": "tell them", "jobs": ["j1"]}))
    assert "w1" in ask("webhooks", "create", "-f", "hook.json").out
    assert server.bodies("POST") == [{"description": "tell them", "jobs": ["j1"]}]
    assert ask("webhooks", "update", "tell them", "-f", "-", stdin='{"url": "https://y.test/"}').code == 0
    assert server.bodies("PATCH") == [{"url": "https://y.test/"}]


def test_what_the_server_finds_wrong_with_a_webhook_is_told(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/webhooks", problem(400, "/url: Enter a valid URL; /jobs: This list may not be empty"))
    ended = ask("webhooks", "create", "-f", "-", stdin="{}")
    assert ended.code == ExitCode.USAGE
    assert "/url" in ended.err
    assert "/jobs" in ended.err


@pytest.mark.parametrize(("word", "on"), [("enable", True), ("disable", False)])
@pytest.mark.parametrize(
    ("kind", "name", "key"), [("webhooks", "tell them", "w1"), ("hooks", "in", "h1"), ("block-windows", "night", "b1")]
)
def test_things_are_switched_on_and_off(
    ask: Airgate, server: StandIn, kind: str, name: str, key: str, word: str, on: bool
) -> None:
    server.on("PATCH", f"{WS}/{kind}/{key}", Answer({"id": key, "name": name, "description": name}))
    assert ask(kind, word, name).code == 0
    assert server.bodies("PATCH") == [{"is_active": on}]


def test_one_unknown_name_keeps_all_from_being_deleted(ask: Airgate, server: StandIn) -> None:
    assert ask("webhooks", "delete", "tell them", "x").code == ExitCode.NOT_FOUND
    assert "DELETE" not in {asked.method for asked in server.asked}
    server.on("DELETE", f"{WS}/webhooks/w1", Answer(status=204))
    assert ask("webhooks", "delete", "tell them", "--json").json == {"deleted": ["w1"]}


def test_webhook_is_tried_out_and_sent_only_when_asked_to(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/webhooks/w1/test", Answer({"fires": True, "sent": False, "request": {"url": "u"}}))
    assert ask("webhooks", "test", "w1").code == 0
    assert ask("webhooks", "test", "w1", "--send", "--execution", "e1").code == 0
    assert server.bodies("POST") == [
        {"execution_id": None, "send": False},
        {"execution_id": "e1", "send": True},
    ]


def test_made_up_signing_secret_is_all_that_is_printed(ask: Airgate, server: StandIn) -> None:
    key = {"id": "k1", "scheme": "v1", "public_key": None, "secret": "whsec_x"}
    server.on("POST", f"{WS}/webhooks/w1/signing-keys", Answer(key, 201))
    assert ask("webhooks", "rotate-key", "w1").out == "whsec_x\n"
    given = ask("webhooks", "rotate-key", "w1", "--secret-stdin", stdin="whsec_x\n")
    assert "whsec_x" not in given.out + given.err
    assert server.bodies("POST") == [{"scheme": "v1"}, {"scheme": "v1", "secret": "whsec_x"}]


def test_delivery_is_shown_with_its_attempts(ask: Airgate, server: StandIn) -> None:
    attempt = {"number": 1, "at": AT, "latency": 0.25, "status": 500, "error": None, "request": {}, "response": {}}
    server.get(f"{WS}/deliveries/d1", DELIVERY | {"attempted": [attempt]})
    shown = ask("deliveries", "show", "d1").out
    assert "0.25s" in shown
    assert "all attempts failed" in shown


def test_deliveries_are_replayed_one_by_one_or_since(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/deliveries/d1/replay", Answer({"id": "d2"}, 201))
    server.on("POST", f"{WS}/webhooks/w1/replay", Answer({"replayed": 3}))
    assert "d2" in ask("deliveries", "replay", "d1").out
    assert "3" in ask("deliveries", "replay", "--webhook", "tell them", "--since", "2026-03-01").out
    assert server.bodies("POST")[-1] == {"since": "2026-03-01T00:00:00Z"}
    for wrong in ([], ["--webhook", "w1"], ["d1", "--webhook", "w1", "--since", "1h"]):
        assert ask("deliveries", "replay", *wrong).code == ExitCode.USAGE


def test_hook_is_made_and_its_secret_printed_once(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/hooks", Answer(HOOK | {"secret": "made up"}, 201))
    made = ask("hooks", "create", "in", "--dag", "load", "--scheme", "github", "--conf", '{"a": "${{payload.a}}"}')
    assert made.out == "made up\n"
    assert server.bodies("POST") == [
        {"name": "in", "scheme": "github", "deployment": "local", "dag_id": "load", "conf": {"a": "${{payload.a}}"}}
    ]
    server.on("PATCH", f"{WS}/hooks/h1", Answer(HOOK))
    assert ask("hooks", "set-secret", "in", "--value-stdin", "--at-once", stdin="n3w secret").code == 0
    assert server.bodies("PATCH") == [{"secret": "n3w secret", "at_once": True}]


def test_block_window_is_made_of_days_and_jobs(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/block-windows", Answer(WINDOW, 201))
    line = ["create", "night", "--from", "22:00", "--to", "06:00", "--day", "Saturday", "--day", "sun", "--job", "load"]
    assert ask("block-windows", *line).code == 0
    (body,) = server.bodies("POST")
    assert (body["weekdays"], body["jobs"], body["start"], body["end"]) == ([0, 6], ["j1"], "22:00", "06:00")
    assert ask("block-windows", "create", "n", "--from", "1:00", "--to", "2:00", "--day", "x").code == ExitCode.USAGE


def test_block_window_is_for_every_day_and_job_unless_said(ask: Airgate, server: StandIn) -> None:
    server.on("POST", f"{WS}/block-windows", Answer(WINDOW, 201))
    assert ask("block-windows", "create", "night", "--from", "22:00", "--to", "06:00").code == 0
    (body,) = server.bodies("POST")
    assert (body["weekdays"], body["jobs"]) == ([0, 1, 2, 3, 4, 5, 6], [])
