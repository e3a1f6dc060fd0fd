from __future__ import annotations

from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import StandIn, problem

LIMITS: dict[str, Any] = {"dags": None, "expires_at": None, "rate_limit": None, "networks": []}
ME: dict[str, Any] = {
    "identity": {
        "id": "01a1fca0-0000-7000-8000-000000000001",
        "name": "loader-1",
        "kind": "service_account",
        "roles": ["User"],
        "scope": {"kind": "deployment", "name": "local"},
        "limits": LIMITS | {"dags": [{"pattern": "sales_*", "verbs": ["read", "trigger"]}]},
        "label": "Sales loader",
    },
    "key_id": "01a1fca0-0000-7000-8000-000000000002",
    "permissions": ["dags.read", "runs.create"],
    "deployments": ["local"],
}


@pytest.fixture(autouse=True)
def version(server: StandIn) -> None:
    server.get("version", {"version": "2.11.2"})


def test_whoami_says_who_may_do_what_where_by_which_key(ask: Airgate, server: StandIn) -> None:
    server.get("/airgate/v1/me", ME)

    said = ask("whoami").out

    for fact in ("loader-1", "Sales loader", "service account", "User", "deployment local", "sales_*=read,trigger"):
        assert fact in said
    assert ME["key_id"] in said
    assert "dags.read, runs.create" in said


def test_whoami_gives_scripts_the_answer_of_the_server_and_more(ask: Airgate, server: StandIn) -> None:
    server.get("/airgate/v1/me", ME)

    answer = ask("whoami", "--json").json

    assert answer == {"server": server.url, "airflow_version": "2.11.2", "authenticated": True, **ME}


@pytest.mark.parametrize(("status", "words"), [(401, "does not know this token"), (403, "may not do that")])
def test_whoami_fails_when_the_token_does_not_count(ask: Airgate, server: StandIn, status: int, words: str) -> None:
    server.on("GET", "/airgate/v1/me", problem(status, "why"))

    refused = ask("whoami")

    assert refused.code == ExitCode.REFUSED
    assert words in refused.out
    assert ask("whoami", "--json").json == {
        "server": server.url, "airflow_version": "2.11.2", "authenticated": False,
    }  # fmt: skip
