"""Accounts by the command line, on a real server: as users of Astronomer's know it, and a way back in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.acceptance.server import Server

DAG = """
from airflow.sdk import DAG, task

for name in ("etl_sales", "finance"):
    with DAG(name):
        @task
        def work():
            pass
        work()
"""


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Airgate = Callable[..., Ended]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "dags").mkdir()
    (folder / "dags" / "dags.py").write_text(DAG)
    with Server(dags=folder / "dags", data=folder / "data") as started:
        started.wait_for_dag("etl_sales")
        started.wait_for_dag("finance")
        yield started


@pytest.fixture
def airgate(server: Server) -> Airgate:
    """Runs the command as on the server's machine: it finds address and token in the data folder."""

    def run(*arguments: str, token: str | None = None, stdin: str = "") -> Ended:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AIRGATE_")}
        env |= {"AIRGATE_DATA": str(server.data)} | ({"AIRGATE_TOKEN": token} if token else {})
        command = [str(Path(sys.executable).with_name("airgate")), *arguments]
        done = subprocess.run(command, check=False, env=env, input=stdin, capture_output=True, text=True, timeout=60)
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def trigger(server: Server, authorization: str, dag_id: str = "etl_sales") -> httpx.Response:
    """The POST of a deployment's own path."""
    return httpx.post(
        f"{server.url}/local/airflow/api/v1/dags/{dag_id}/dagRuns",
        headers={"Authorization": authorization, "Cache-Control": "no-cache"},
        json={},
        timeout=30,
    )


def test_walk_from_the_deployments_id_to_a_run_and_back(server: Server, airgate: Airgate) -> None:
    listed = airgate("deployment", "list").out
    assert "DEPLOYMENT ID" in listed
    assert "local" in listed
    account = airgate(
        *("deployment", "service-account", "create", "--deployment-id", "local"),
        *("--label", "Walker", "--role", "editor", "--json"),
    ).json
    assert list(account) == ["id", "label", "category", "role", "api_key"]
    key = account["api_key"]

    for authorization in (key, f"Bearer {key}"):
        answer = trigger(server, authorization)
        assert answer.status_code == 200, answer.text
        assert server.finished("etl_sales", answer.json()["dag_run_id"])["state"] == "success"

    assert account["id"] in airgate("deployment", "sa", "ls", "-d", "local").out
    assert airgate("deployment", "sa", "delete", account["id"], "-d", "local").code == 0
    assert trigger(server, key).status_code == 401
    assert trigger(server, f"Bearer {key}").status_code == 401
    assert account["id"] not in airgate("deployment", "sa", "ls", "-d", "local").out


@pytest.mark.parametrize("role", ["viewer", "DEPLOYMENT_VIEWER"])
def test_viewer_sees_and_starts_nothing(server: Server, airgate: Airgate, role: str) -> None:
    printed = airgate("deployment", "sa", "create", "-d", "local", "-l", "Watcher", "-r", role).out
    header, row = printed.splitlines()[:2]
    assert header.split() == ["NAME", "CATEGORY", "ID", "APIKEY"]
    assert printed.endswith("\n Service account successfully created.\n")
    key = row.split()[-1]

    assert trigger(server, key).status_code == 403
    seen = httpx.get(f"{server.url}/local/airflow/api/v1/dags", headers={"Authorization": key}, timeout=30)
    assert seen.json()["total_entries"] == 2


@pytest.mark.parametrize(
    ("place", "role"),
    [("local", "wizard"), ("local", "WORKSPACE_EDITOR"), ("elsewhere", "editor")],
)
def test_account_that_cannot_be_is_told_with_what_can(airgate: Airgate, place: str, role: str) -> None:
    ended = airgate("deployment", "sa", "create", "-d", place, "-l", "L", "-r", role)
    assert ended.code == 2
    assert ended.err.startswith("airgate: ")
    assert ("viewer, editor, admin" if role == "wizard" else "deployment") in ended.err


def test_limits_of_the_options_hold(server: Server, airgate: Airgate) -> None:
    limits = ("--dag", "etl_*=trigger", "--expires", "90d", "--rate", "100/60", "--network", "127.0.0.0/8")
    key = airgate(
        "workspace", "service-account", "create", "-w", "default", "-l", "L", "-r", "editor", *limits, "--json"
    )

    allowed = trigger(server, key.json["api_key"])
    assert allowed.status_code == 200
    assert allowed.headers["ratelimit-policy"] == '"default";q=100;w=60'
    assert trigger(server, key.json["api_key"], "finance").status_code == 403
    said = airgate("whoami", token=key.json["api_key"]).out
    assert "workspace default" in said
    assert "etl_*=trigger until " in said


def test_key_is_replaced_without_a_gap(server: Server, airgate: Airgate) -> None:
    account = airgate("deployment", "sa", "create", "-d", "local", "-l", "Rotated", "-r", "editor", "--json").json
    (old,) = airgate("keys", "list", "-i", account["id"], "--json").json
    new = airgate("keys", "create", "-i", account["id"], "-l", "next", "--json").json

    assert trigger(server, account["api_key"]).status_code == trigger(server, new["api_key"]).status_code == 200
    assert airgate("keys", "revoke", old["id"], "-i", account["id"]).code == 0
    assert trigger(server, account["api_key"]).status_code == 401
    assert trigger(server, new["api_key"]).status_code == 200


def test_person_is_made_changed_and_let_in_no_more(server: Server, airgate: Airgate) -> None:
    def status(password: str) -> int:
        return httpx.get(f"{server.url}/api/v1/dags", auth=("ada", password), timeout=30).status_code

    made = airgate("users", "create", "ada", "--role", "Viewer", "--password-stdin", stdin="first\n")
    assert made.code == 0, made.err
    assert status("first") == 200
    assert airgate("users", "update", "ada", "--role", "User", "--email", "ada@example.com").code == 0
    assert airgate("users", "set-password", "ada", "--password-stdin", stdin="second\n").code == 0
    assert (status("first"), status("second")) == (401, 200)
    (ada,) = [user for user in airgate("users", "list", "--json").json if user["name"] == "ada"]
    assert (ada["roles"], ada["email"]) == (["User"], "ada@example.com")
    assert airgate("users", "deactivate", "ada").code == 0
    assert status("second") == 401
    assert airgate("users", "delete", "ada").code == 0
    assert airgate("users", "delete", "ada").code == 3


def test_last_administrator_cannot_be_deleted(airgate: Airgate) -> None:
    ended = airgate("users", "delete", "admin")
    assert ended.code == 4
    assert airgate("whoami").code == 0


def test_audit_log_tells_of_a_refusal(server: Server, airgate: Airgate) -> None:
    key = airgate("deployment", "sa", "create", "-d", "local", "-l", "Curious", "--json").json["api_key"]
    trigger(server, key, "finance")

    def told() -> list[dict[str, Any]]:
        out = airgate("audit", "list", "--since", "1h", "--outcome", "refused", "--dag", "finance", "--json").out
        return [json.loads(line) for line in out.splitlines()]

    entries = server.until(told, "the refusal is in the log")
    assert {(entry["event"], entry["status"]) for entry in entries} == {("post_dag_run", 403)}
    assert key not in airgate("audit", "list", "--json").out


def test_unknown_token_is_nobodys(airgate: Airgate) -> None:
    assert airgate("whoami", token="0" * 32).code == 5
    assert airgate("users", "list", token="0" * 32).code == 5


def test_administrator_who_lost_everything_is_let_in_again(server: Server, airgate: Airgate) -> None:
    (server.data / "cli.json").unlink()
    assert airgate("whoami", "--server", server.url).code == 5

    recovered = airgate("recover", "--json")

    assert recovered.code == 0, recovered.err
    assert airgate("whoami", "--server", server.url, token=recovered.json["token"]).code == 0
    left = json.loads((server.data / "cli.json").read_text())
    assert left["token"] == recovered.json["token"]
    assert "recover" in airgate("audit", "list", "--server", server.url, token=recovered.json["token"]).out


def test_recovery_of_no_installation_makes_none(airgate: Airgate, tmp_path: Path) -> None:
    ended = airgate("recover", "--data", str(tmp_path / "mistyped"))
    assert ended.code == 2
    assert "mistyped" in ended.err
    assert not (tmp_path / "mistyped").exists()
