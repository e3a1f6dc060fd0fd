"""The batch plugin's README, as printed, against a real server: but for host, secret and DAG id."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import Server

SECRET = "an-old-shared-secret"
HOURLY = """
from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, task


def dag(name, schedule):
    with DAG(name, schedule=schedule, start_date=datetime(2010, 1, 1), catchup=False, max_active_runs=64):

        @task
        def leave_a_line(run_id=None):
            with Path("WITNESS").open("a") as file:
                file.write(f"{run_id}\\n")

        leave_a_line()


dag("example_dag", "0 * * * *")
dag("by_delta", timedelta(minutes=90))
dag("by_hand", None)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batch")


@pytest.fixture(scope="module", params=["AIRFLOW__AIRFLOW__API__PLUGIN_AIRFLOW_API_AUTH"])
def server(home: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server started with the variable that the README names."""
    (home / "witness").touch()
    (home / "dags").mkdir()
    (home / "dags" / "hello.py").write_text(HOURLY.replace("WITNESS", str(home / "witness")))
    with Server(dags=home / "dags", data=home / "data", environment={request.param: SECRET}) as started:
        for dag_id in ("example_dag", "by_delta", "by_hand"):
            started.wait_for_dag(dag_id)
        yield started


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Run curl with the raw authorization header; give the status and what is in the envelope."""

    def curl(method: str, path: str, body: str | None = None, secret: str | None = SECRET) -> tuple[int, Any]:
        command = ["curl", "-sS", "--write-out", "\n%{http_code}", "-X", method, f"{server.url}{path}"]
        command += ["-H", f"authorization: {secret}"] if secret is not None else []
        command += ["-d", body] if body is not None else []
        text, _, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("\n")
        (envelope,) = json.loads(text).items()
        assert envelope[0] == "response"
        assert isinstance(envelope[1], dict)
        return int(status), envelope[1]

    return curl


def create(ask: Ask, **body: Any) -> list[str]:
    status, answer = ask("POST", "/api/v1/dag_runs", json.dumps(body))
    assert status == 200, answer
    return list(answer["dag_run_ids"])


def test_the_readmes_post_creates_a_run_that_runs(server: Server, ask: Ask, home: Path) -> None:
    status, answer = ask("POST", "/api/v1/dag_runs", '{"dag_id":"example_dag","prefix":"prefix_value"}')

    assert status == 200
    (run_id,) = answer["dag_run_ids"]
    assert re.fullmatch(r"prefix_value_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", run_id)
    assert server.finished("example_dag", run_id)["state"] == "success"
    assert (home / "witness").read_text().splitlines().count(run_id) == 1


def test_the_readmes_form_body_is_refused_with_a_reason(ask: Ask) -> None:
    status, answer = ask("POST", "/api/v1/dag_runs", "dag_id=example_dag&prefix=prefixvalue")

    assert status == 400
    assert "not form or multipart data" in answer["error"]


def test_the_readmes_list_of_dags_is_what_the_shared_secret_is_answered(server: Server, ask: Ask) -> None:
    status, answer = ask("GET", "/api/v1/dags")

    assert status == 200
    assert [dag["dag_id"] for dag in answer["dags"]] == ["by_delta", "by_hand", "example_dag"]
    assert answer["dags"][1] == {
        "dag_id": "by_hand",
        "full_path": "dags/hello.py",
        "is_active": True,
        "last_execution": "None",
    }
    assert "total_entries" in server.get("/dags"), "everybody else is answered by stable v1"


def test_runs_of_a_prefix_are_listed_and_looked_at(server: Server, ask: Ask) -> None:
    dates = {"start_date": "2017-09-01T12:00:00", "end_date": "2017-09-01T15:00:00"}
    run_ids = create(ask, dag_id="by_delta", prefix="grouped", **dates)
    assert run_ids == ["grouped_2017-09-01T12:00:00", "grouped_2017-09-01T13:30:00", "grouped_2017-09-01T15:00:00"]
    for run_id in run_ids:
        server.finished("by_delta", run_id)

    _, first = ask("GET", "/api/v1/dag_runs?prefix=grouped&state=success&external_trigger=true&limit=2")
    _, rest = ask("GET", f"/api/v1/dag_runs?prefix=grouped&start={first['dag_runs'][-1]['run_id']}")
    _, one = ask("GET", f"/api/v1/dag_runs/{run_ids[0]}")

    assert [run["run_id"] for run in first["dag_runs"] + rest["dag_runs"]] == run_ids
    assert one["dag_run"] == first["dag_runs"][0]
    assert one["dag_run"]["execution_date"] == "2017-09-01 12:00:00"


def test_a_run_that_is_not_there_is_said_to_be_not_there(ask: Ask) -> None:
    assert ask("GET", "/api/v1/dag_runs/nobody") == (404, {"error": "Dag run not found"})


@pytest.mark.parametrize("secret", [None, "a-secret-of-nobody-here"])
def test_another_secret_is_denied(ask: Ask, secret: str | None) -> None:
    refusal = (401, {"error": "You are not authorized to use this resource"})

    assert ask("GET", "/api/v1/dag_runs", secret=secret) == refusal


def test_five_hundred_runs_of_one_post_are_executed_once_each(server: Server, ask: Ask, home: Path) -> None:
    run_ids = create(
        ask,
        dag_id="example_dag",
        prefix="many",
        partial=True,
        conf={"from": "batch"},
        start_date="2020-01-01T00:00:00",
        end_date="2021-01-01T00:00:00",
    )
    assert len(run_ids) == 500

    def all_done() -> bool:
        return (home / "witness").read_text().count("many_") >= 500

    server.until(all_done, "500 runs have left their lines", within=100)
    last = server.finished("example_dag", run_ids[-1])

    lines = [line for line in (home / "witness").read_text().splitlines() if line.startswith("many_")]
    assert sorted(lines) == run_ids
    assert last["conf"] == {"from": "batch"}
    again = create(
        ask, dag_id="example_dag", prefix="many", start_date="2020-01-01T00:00:00", end_date="2020-01-05T00:00:00"
    )
    assert again == []
