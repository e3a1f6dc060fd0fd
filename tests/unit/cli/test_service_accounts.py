from __future__ import annotations

from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, problem

ACCOUNTS = "/airgate/v1/service-accounts"
ID = "01a1fca0-0000-7000-8000-000000000001"
KEY = "60f2f4f3fa006e3e135dbe99b1391d84"


def account(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "loader-1",
        "label": "Loader",
        "category": "default",
        "role": "editor",
        "deployment": "local",
        "workspace": None,
        "dags": None,
        "expires_at": None,
        "rate_limit": None,
        "networks": [],
        "active": True,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": None,
        **more,
    }


def made(**more: Any) -> Answer:
    return Answer(account(api_key=KEY, key={"id": ID}, **more), 201)


def page(*items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": following}


def test_create_prints_the_table_and_the_sentence_that_are_known(ask: Airgate, server: StandIn) -> None:
    server.on("POST", ACCOUNTS, made())

    said = ask("deployment", "service-account", "create", "--deployment-id", "local", "--label", "Loader").out

    lines = [line.split() for line in said.splitlines()]
    assert lines == [
        ["NAME", "CATEGORY", "ID", "APIKEY"],
        ["Loader", "default", ID, KEY],
        [],
        ["Service", "account", "successfully", "created."],
    ]


def test_create_gives_scripts_five_fields(ask: Airgate, server: StandIn) -> None:
    server.on("POST", ACCOUNTS, made())

    answer = ask("deployment", "sa", "create", "-d", "local", "-l", "Loader", "-r", "editor", "--json").json

    assert answer == {"id": ID, "label": "Loader", "category": "default", "role": "editor", "api_key": KEY}


def test_key_stays_on_one_line_on_a_narrow_terminal(
    ask: Airgate, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    server.on("POST", ACCOUNTS, made())
    assert f"{ID}     {KEY}\n" in ask("deployment", "sa", "cr", "-d", "local", "-l", "Loader").out


def test_create_asks_for_a_viewer_of_the_default_category_when_not_told(ask: Airgate, server: StandIn) -> None:
    server.on("POST", ACCOUNTS, made())
    ask("deployment", "sa", "cr", "-d", "local", "-l", "Loader")
    assert server.bodies("POST") == [
        {"label": "Loader", "category": "default", "role": "viewer", "deployment": "local", "batch": False}
    ]


@pytest.mark.parametrize("role", ["editor", "DEPLOYMENT_EDITOR"])
def test_create_sends_a_role_as_it_is_spelled_and_every_limit(ask: Airgate, server: StandIn, role: str) -> None:
    server.on("POST", ACCOUNTS, made())
    given = ("--dag", "etl_*=read,trigger", "--dag", "a=b=edit", "--expires", "2030-12-31", "--rate", "100/60")
    networks = ("--network", "10.0.0.0/8", "--network", "::1/128")

    ended = ask(
        "deployment", "sa", "create", "-d", "local", "-l", "L", "-r", role, "-c", "ci", "--batch", *given, *networks
    )

    assert ended.code == 0
    assert server.bodies("POST") == [
        {
            "label": "L",
            "category": "ci",
            "role": role,
            "deployment": "local",
            "batch": True,
            "dags": [
                {"pattern": "etl_*", "verbs": ["read", "trigger"]},
                {"pattern": "a=b", "verbs": ["edit"]},
            ],
            "expires_at": "2030-12-31T23:59:59Z",
            "rate_limit": {"requests": 100, "seconds": 60},
            "networks": ["10.0.0.0/8", "::1/128"],
        }
    ]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--dag", "etl_*"),
        ("--dag", "=read"),
        ("--dag", "etl_*="),
        ("--dag", "etl_*=fly"),
        ("--rate", "100"),
        ("--rate", "fast/60"),
        ("--rate", "1/x"),
        ("--expires", "soon"),
    ],
)
def test_create_says_what_a_limit_must_be_without_asking(
    ask: Airgate, server: StandIn, option: str, value: str
) -> None:
    ended = ask("deployment", "sa", "create", "-d", "local", "-l", "L", option, value)
    assert ended.code == ExitCode.USAGE
    assert option in ended.err
    assert server.asked == []


def test_create_ends_with_the_words_of_the_server_when_there_is_no_such_role(ask: Airgate, server: StandIn) -> None:
    server.on("POST", ACCOUNTS, problem(400, "please use one of: viewer, editor, admin"))
    ended = ask("deployment", "sa", "create", "-d", "local", "-l", "L", "-r", "wizard")
    assert ended.code == ExitCode.USAGE
    assert "viewer, editor, admin" in ended.err


@pytest.mark.parametrize(("level", "short"), [("deployment", "-d"), ("workspace", "-w")])
def test_create_without_a_place_or_a_label_is_a_usage_error(ask: Airgate, level: str, short: str) -> None:
    assert ask(level, "service-account", "create", "-l", "L").code == ExitCode.USAGE
    assert ask(level, "service-account", "create", short, "x").code == ExitCode.USAGE


def test_workspace_has_the_same_commands(ask: Airgate, server: StandIn) -> None:
    server.on("POST", ACCOUNTS, made())
    ask("workspace", "service-account", "create", "-w", "default", "-l", "L", "-r", "WORKSPACE_ADMIN")
    body = server.bodies("POST")[0]
    assert (body["workspace"], body["role"], "deployment" in body) == ("default", "WORKSPACE_ADMIN", False)


@pytest.mark.parametrize("word", ["list", "ls"])
def test_list_shows_where_and_within_which_limits_but_no_key(ask: Airgate, server: StandIn, word: str) -> None:
    limited = account(dags=[{"pattern": "etl_*", "verbs": ["read"]}], networks=["10.0.0.0/8"], active=False)
    server.get(ACCOUNTS, page(limited))

    said = ask("deployment", "sa", word, "-d", "local").out

    assert server.asked[0].query["deployment"] == ["local"]
    assert "deployment local" in said
    assert "inactive etl_*=read 10.0.0.0/8" in said


def test_list_is_read_by_its_cursor_to_the_end(ask: Airgate, server: StandIn) -> None:
    server.get(ACCOUNTS, page(account(label="a"), following="c1"), page(account(label="b")))
    assert [one["label"] for one in ask("deployment", "sa", "ls", "--json").json] == ["a", "b"]
    assert [asked.query.get("after") for asked in server.asked] == [None, ["c1"]]


@pytest.mark.parametrize("word", ["delete", "de"])
def test_delete_says_what_is_gone(ask: Airgate, server: StandIn, word: str) -> None:
    server.get(f"{ACCOUNTS}/{ID}", account())
    server.on("DELETE", f"{ACCOUNTS}/{ID}", Answer(None, 204))
    ended = ask("deployment", "sa", word, ID, "-d", "local")
    assert ended.out.strip() == f"Service Account Loader ({ID}) successfully deleted"


def test_delete_spares_an_account_of_another_place(ask: Airgate, server: StandIn) -> None:
    server.get(f"{ACCOUNTS}/{ID}", account())
    ended = ask("deployment", "sa", "delete", ID, "-d", "other")
    assert ended.code == ExitCode.NOT_FOUND
    assert "deployment local" in ended.err
    assert [asked.method for asked in server.asked] == ["GET"]


def test_deployments_are_listed_with_what_does_not_work(ask: Airgate, server: StandIn) -> None:
    health = {"store": True, "scheduler": False, "scheduler_heartbeat": None, "dag_processor": None, "triggerer": None}
    deployment = {"name": "local", "workspace": "default", "kind": "embedded", "default": True, "health": health}
    server.get("/airgate/v1/deployments", page(deployment))
    said = ask("deployment", "list").out
    assert "DEPLOYMENT ID" in said
    assert "no scheduler" in said
