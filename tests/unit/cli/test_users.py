from __future__ import annotations

from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, problem

USERS = "/airgate/v1/users"
ID = "01a1fca0-0000-7000-8000-00000000000a"
OTHER = "01a1fca0-0000-7000-8000-00000000000b"
LIMITS: dict[str, Any] = {"dags": None, "expires_at": "2030-01-01T00:00:00Z", "rate_limit": None, "networks": []}


def user(name: str = "ada", **more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": name,
        "roles": ["User"],
        "scope": {"kind": "everything", "name": None},
        "limits": LIMITS,
        "active": True,
        "first_name": "Ada",
        "last_name": "",
        "email": "",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": None,
        **more,
    }


@pytest.fixture(autouse=True)
def people(server: StandIn) -> None:
    server.get(USERS, {"items": [user("ada"), user("bob", id=OTHER)], "next": None})
    server.get(f"{USERS}/{ID}", user())
    server.on("POST", USERS, Answer(user(), 201))
    server.on("PATCH", f"{USERS}/{ID}", Answer(user()))


def test_list_shows_people_with_roles_and_limits(ask: Airgate) -> None:
    said = ask("users", "list").out
    for fact in ("ada", "bob", "User", "everything", "until 2030-01-01 00:00:00", "Ada"):
        assert fact in said


def test_create_reads_the_password_from_the_standard_input(ask: Airgate, server: StandIn) -> None:
    ended = ask(
        "users", "create", "ada", "-r", "User", "-r", "Op", "--email", "a@b", "--password-stdin", stdin="pa ss\n"
    )
    assert ended.code == 0
    assert server.bodies("POST") == [{"name": "ada", "roles": ["User", "Op"], "email": "a@b", "password": "pa ss"}]
    assert "pa ss" not in ended.out + ended.err


def test_create_asks_for_the_password_twice_and_does_not_show_it(ask: Airgate, server: StandIn) -> None:
    ended = ask("users", "create", "ada", "-r", "User", stdin="pa55\npa55\n")
    assert server.bodies("POST")[0]["password"] == "pa55"
    assert "pa55" not in ended.out + ended.err


def test_create_confines_roles_and_sets_limits(ask: Airgate, server: StandIn) -> None:
    ask("users", "create", "ada", "-r", "User", "--no-password", "-w", "default", "--rate", "5/1m")
    assert server.bodies("POST") == [
        {
            "name": "ada",
            "roles": ["User"],
            "scope": {"kind": "workspace", "name": "default"},
            "limits": {"rate_limit": {"requests": 5, "seconds": 60}},
        }
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "ada", "--no-password"),
        ("create", "ada", "-r", "User", "--no-password", "-d", "a", "-w", "b"),
        ("create", "ada", "-r", "User", "--password-stdin"),
        ("update", "ada"),
    ],
)
def test_what_cannot_be_is_a_usage_error_and_changes_nothing(
    ask: Airgate, server: StandIn, arguments: tuple[str, ...]
) -> None:
    assert ask("users", *arguments, stdin="").code == ExitCode.USAGE
    assert server.bodies("POST") == server.bodies("PATCH") == []


def test_no_command_takes_a_password_as_an_option(ask: Airgate) -> None:
    assert ask("users", "create", "ada", "-r", "User", "--password", "x").code == ExitCode.USAGE


def test_update_keeps_the_limits_that_are_not_given(ask: Airgate, server: StandIn) -> None:
    ask("users", "update", "ada", "--network", "10.0.0.0/8", "--inactive")
    assert server.bodies("PATCH") == [{"limits": LIMITS | {"networks": ["10.0.0.0/8"]}, "active": False}]


def test_update_takes_limits_and_scope_away_when_told_so(ask: Airgate, server: StandIn) -> None:
    ask("users", "update", "ada", "--unlimited", "--everywhere", "--name", "lovelace")
    assert server.bodies("PATCH") == [{"limits": {}, "scope": {"kind": "everything"}, "name": "lovelace"}]


def test_user_may_be_named_by_id(ask: Airgate, server: StandIn) -> None:
    ask("users", "deactivate", ID)
    assert server.bodies("PATCH") == [{"active": False}]


def test_unknown_user_is_not_found(ask: Airgate) -> None:
    ended = ask("users", "set-password", "eve", "--password-stdin", stdin="x\n")
    assert ended.code == ExitCode.NOT_FOUND
    assert "'eve'" in ended.err


def test_set_password_sends_the_new_one(ask: Airgate, server: StandIn) -> None:
    assert ask("users", "set-password", "ada", "--password-stdin", stdin="new\r\n").code == 0
    assert server.bodies("PATCH") == [{"password": "new"}]


def test_delete_deletes_nobody_when_one_of_them_is_unknown(ask: Airgate, server: StandIn) -> None:
    server.on("DELETE", f"{USERS}/{ID}", Answer(None, 204))
    assert ask("users", "delete", "ada", "eve").code == ExitCode.NOT_FOUND
    assert [asked.method for asked in server.asked if asked.method == "DELETE"] == []
    assert ask("users", "delete", "ada").code == 0


def test_roles_are_listed_with_what_they_allow(ask: Airgate, server: StandIn) -> None:
    role = {"name": "Viewer", "permissions": ["dags.read", "runs.read"], "built_in": True}
    server.get("/airgate/v1/roles", {"items": [role], "next": None})
    assert "dags.read, runs.read" in ask("users", "roles").out


# ---------------------------------------------------------------------------------------------------------------- keys

SA = "01a1fca0-0000-7000-8000-00000000000c"
KEY = {
    "id": OTHER,
    "label": "",
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": None,
    "last_used_at": None,
    "batch": False,
}


@pytest.fixture
def keys(server: StandIn) -> StandIn:
    server.get("/airgate/v1/me", {"identity": {"id": ID}})
    server.get("/airgate/v1/service-accounts", {"items": [{"id": SA, "name": "loader-1"}], "next": None})
    for identity in (ID, SA, OTHER):
        server.get(f"/airgate/v1/identities/{identity}/keys", {"items": [KEY], "next": None})
        server.on("POST", f"/airgate/v1/identities/{identity}/keys", Answer({**KEY, "api_key": "5ecret"}, 201))
        server.on("DELETE", f"/airgate/v1/identities/{identity}/keys/{OTHER}", Answer(None, 204))
    return server


@pytest.mark.parametrize(
    ("named", "identity"), [((), ID), (("-i", "loader-1"), SA), (("-i", "bob"), OTHER), (("-i", SA), SA)]
)
def test_keys_are_ones_own_or_those_of_whom_is_named(
    ask: Airgate, keys: StandIn, named: tuple[str, ...], identity: str
) -> None:
    assert ask("keys", "list", *named, "--json").json == [KEY]
    assert ask("keys", "create", *named, "-l", "next", "--expires", "2030-12-31").code == 0
    assert ask("keys", "revoke", OTHER, *named).code == 0
    assert {asked.path.split("/")[4] for asked in keys.asked if "/identities/" in asked.path} == {identity}
    assert keys.bodies("POST") == [{"label": "next", "batch": False, "expires_at": "2030-12-31T23:59:59Z"}]


def test_key_is_shown_once_whole(ask: Airgate, keys: StandIn) -> None:
    assert ask("keys", "create").out.split() == ["LABEL", "ID", "APIKEY", "-", OTHER, "5ecret"]
    assert ask("keys", "create", "--json").json["api_key"] == "5ecret"


def test_identity_that_may_not_be_looked_for_is_a_refusal(ask: Airgate, keys: StandIn) -> None:
    keys.on("GET", USERS, problem(403, "users.read"))
    assert ask("keys", "list", "-i", "bob").code == ExitCode.REFUSED
    assert ask("keys", "list", "-i", "loader-1").code == 0


def test_identity_that_is_nobody_is_not_found(ask: Airgate, keys: StandIn) -> None:
    assert ask("keys", "list", "-i", "eve").code == ExitCode.NOT_FOUND
