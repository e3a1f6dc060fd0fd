"""The examples that Astronomer prints for its service accounts work as printed, but for host, key and DAG id.

Every curl line and every Python example, with a key that the command line made as that page says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.server import Server

DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("example_dag", schedule=None):
    EmptyOperator(task_id="nothing")
"""
RUN_KEYS = {
    "conf", "dag_id", "dag_run_id", "end_date", "execution_date", "external_trigger", "logical_date", "start_date",
    "state",
}  # fmt: skip
POOL = {
    "name": "default_pool", "occupied_slots": 0, "open_slots": 128, "queued_slots": 0, "running_slots": 0, "slots": 128,
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("astronomer")
    (folder / "dags").mkdir()
    (folder / "dags" / "example.py").write_text(DAG)
    with Server(dags=folder / "dags", data=folder / "data") as started:
        started.wait_for_dag("example_dag")
        yield started


@pytest.fixture(scope="module")
def base(server: Server) -> str:
    """What stands for ``https://deployments.<BASE-DOMAIN>/<DEPLOYMENT-RELEASE-NAME>``."""
    return f"{server.url}/local"


def issued(server: Server, role: str) -> str:
    command = [str(Path(sys.executable).with_name("airgate")), "deployment", "service-account", "create"]
    command += ["--deployment-id", "local", "--label", f"Example {role}", "--role", role, "--json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRGATE_")}
    done = subprocess.run(
        command, check=True, env=env | {"AIRGATE_DATA": str(server.data)}, capture_output=True, timeout=60
    )
    return str(json.loads(done.stdout)["api_key"])


@pytest.fixture(scope="module")
def editor(server: Server) -> str:
    return issued(server, "editor")


@pytest.fixture(scope="module")
def viewer(server: Server) -> str:
    return issued(server, "viewer")


@pytest.fixture(scope="module")
def admin(server: Server) -> str:
    return issued(server, "admin")


def curl(method: str, url: str, key: str, *more: str) -> tuple[int, str]:
    """The printed line: its method, its headers, and what else it has. Gives status and body."""
    command = ["curl", "-v", "--silent", "--max-time", "30", "--write-out", "\n%{http_code}", "-X", method, url]
    command += ["-H", f"Authorization: {key}", "-H", "Cache-Control: no-cache"]
    done = subprocess.run([*command, *more], check=True, capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


JSON = ("-H", "Content-Type: application/json")


def test_curl_triggers_a_dag(server: Server, base: str, editor: str) -> None:
    status, body = curl("POST", f"{base}/airflow/api/v1/dags/example_dag/dagRuns", editor, *JSON, "-d", "{}")

    run = json.loads(body)
    assert status == 200
    assert run.keys() >= RUN_KEYS
    assert (run["conf"], run["external_trigger"], run["state"]) == ({}, True, "queued")
    assert run["dag_run_id"].startswith("manual__")
    assert server.finished("example_dag", run["dag_run_id"])["state"] == "success"


@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_python_triggers_a_dag(server: Server, base: str, editor: str, scheme: str) -> None:
    token = f"{scheme}{editor}"

    resp = requests.post(
        url=f"{base}/airflow/api/v1/dags/example_dag/dagRuns",
        headers={"Authorization": token, "Content-Type": "application/json"},
        data="{}",
        timeout=30,
    )

    assert resp.status_code == 200
    assert resp.json().keys() >= RUN_KEYS
    assert server.finished("example_dag", resp.json()["dag_run_id"])["state"] == "success"


@pytest.mark.parametrize(
    ("body", "date"),
    [
        ('{"execution_date": "2021-11-16T11:34:00"}', "2021-11-16T11:34:00+00:00"),
        ('{"logical_date":"2019-11-16T11:34:00Z"}', "2019-11-16T11:34:00+00:00"),
    ],
)
def test_curl_chooses_the_date(server: Server, base: str, editor: str, body: str, date: str) -> None:
    status, answer = curl("POST", f"{base}/airflow/api/v1/dags/example_dag/dagRuns", editor, *JSON, "-d", body)

    run = json.loads(answer)
    assert status == 200
    assert run["execution_date"] == run["logical_date"] == date
    assert server.finished("example_dag", run["dag_run_id"])["state"] == "success"


def test_curl_lists_pools(base: str, editor: str) -> None:
    status, body = curl("GET", f"{base}/airflow/api/v1/pools", editor)

    listed = json.loads(body)
    assert (status, listed["total_entries"]) == (200, 1)
    assert POOL.items() <= listed["pools"][0].items()


def test_python_lists_pools(base: str, editor: str) -> None:
    resp = requests.get(
        url=f"{base}/airflow/api/v1/pools",
        headers={"Authorization": editor, "Content-Type": "application/json"},
        data="{}",
        timeout=30,
    )

    assert resp.status_code == 200
    assert POOL.items() <= resp.json()["pools"][0].items()


# --------------------------------------------------------------------------------------- Airflow 1.10: the experimental


@pytest.mark.parametrize("body", ["{}", '{"execution_date": "2021-11-17T11:34:00"}'])
def test_curl_triggers_a_dag_by_the_experimental_api(server: Server, base: str, editor: str, body: str) -> None:
    status, answer = curl(
        "POST", f"{base}/airflow/api/experimental/dags/example_dag/dag_runs", editor, *JSON, "-d", body
    )

    made = json.loads(answer)
    assert status == 200
    assert "2021-11-17T11:34:00" in made["execution_date"] or body == "{}"
    assert server.finished("example_dag", made["run_id"])["state"] == "success"


def test_curl_lists_pools_by_the_experimental_api(base: str, editor: str) -> None:
    status, body = curl("GET", f"{base}/airflow/api/experimental/pools", editor)

    assert status == 200
    assert json.loads(body) == [{"description": "Default pool", "id": 1, "pool": "default_pool", "slots": 128}]


# -------------------------------------------------------------------------------- the page's last two examples


def test_curl_gets_the_configuration_with_a_body(base: str, admin: str, editor: str) -> None:
    printed = (*JSON, "-d", "{}")

    status, body = curl("GET", f"{base}/airflow/api/v1/config", admin, *printed)

    assert status == 200
    assert "[core]" in body
    assert curl("GET", f"{base}/airflow/api/v1/config", editor, *printed)[0] == 403


@pytest.mark.parametrize("path", ["/api/v1/config", "/api/experimental/config", "/airflow/api/experimental/config"])
def test_configuration_is_found_at_every_address_that_the_page_prints(base: str, admin: str, path: str) -> None:
    """Two of them lack /airflow, and no Airflow's experimental API knows a configuration."""
    status, body = curl("GET", f"{base}{path}", admin, *JSON, "-d", "{}")

    assert status == 200
    assert "dags_folder" in body


# ---------------------------------------------------------------------------------- "the same permissions as the role"


@pytest.mark.parametrize(
    ("method", "path", "viewers", "strangers"),
    [
        ("POST", "/airflow/api/v1/dags/example_dag/dagRuns", 403, 401),
        ("GET", "/airflow/api/v1/pools", 200, 401),
        ("GET", "/airflow/api/v1/config", 403, 401),
        # Airflow 1.10 answers 403 to a credential that is wrong.
        ("POST", "/airflow/api/experimental/dags/example_dag/dag_runs", 403, 403),
        ("GET", "/airflow/api/experimental/pools", 200, 403),
    ],
)
def test_viewer_and_stranger_are_refused_what_is_not_theirs(
    base: str, viewer: str, method: str, path: str, viewers: int, strangers: int
) -> None:
    assert curl(method, base + path, viewer, *JSON, "-d", "{}")[0] == viewers
    assert curl(method, base + path, "0" * 32, *JSON, "-d", "{}")[0] == strangers
