"""What is printed elsewhere about starting DAG runs by POST works here as printed, but for host, token and DAG id."""

from __future__ import annotations

import json
import subprocess
import uuid

import pytest
import requests

from tests.acceptance.server import Server


def post_as_printed(server: Server, dag_id: str, payload: dict[str, object]) -> requests.Response:
    """The request of the Python examples: a Bearer token, a JSON body made by json.dumps."""
    return requests.post(
        f"{server.url}/api/v1/dags/{dag_id}/dagRuns",
        headers={"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"},
        data=json.dumps(payload),
        timeout=10,
    )


def test_example_without_configuration_starts_a_run_that_succeeds(server: Server) -> None:
    response = post_as_printed(server, "my_example_dag", {})

    response.raise_for_status()
    assert server.finished("my_example_dag", response.json()["dag_run_id"])["state"] == "success"


def test_example_with_configuration_gives_the_run_its_conf(server: Server) -> None:
    config = {"start_date": "2024-02-29", "dataset_name": "monthly_sales", "file_type": "csv"}

    response = post_as_printed(server, "my_parameterized_dag", {"conf": config})

    response.raise_for_status()
    run = server.finished("my_parameterized_dag", response.json()["dag_run_id"])
    assert (run["state"], run["conf"]) == ("success", config)


def test_example_with_a_run_id_names_the_run(server: Server) -> None:
    run_id = f"my_run_{uuid.uuid4()}"

    response = post_as_printed(server, "my_custom_run_id_dag", {"run_id": run_id})

    response.raise_for_status()
    assert response.json()["dag_run_id"] == run_id
    assert server.finished("my_custom_run_id_dag", run_id)["state"] == "success"


def test_the_same_run_id_twice_is_refused_and_starts_nothing(server: Server) -> None:
    run_id = f"my_run_{uuid.uuid4()}"
    post_as_printed(server, "my_custom_run_id_dag", {"run_id": run_id}).raise_for_status()

    with pytest.raises(requests.HTTPError, match="409"):
        post_as_printed(server, "my_custom_run_id_dag", {"run_id": run_id}).raise_for_status()


def curl(*arguments: str) -> tuple[int, dict[str, object]]:
    """Run curl; give the status and the body."""
    command = ["curl", "--silent", "--write-out", "\n%{http_code}", *arguments]
    body, _, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("\n")
    return int(status), json.loads(body)


@pytest.mark.parametrize("base", ["/api/v1", "/local/airflow/api/v1"])
@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_curl_with_an_api_key_triggers_a_dag(server: Server, base: str, scheme: str) -> None:
    status, run = curl(
        *("-v", "-X", "POST", f"{server.url}{base}/dags/my_example_dag/dagRuns"),
        *("-H", f"Authorization: {scheme}{server.token}", "-H", "Cache-Control: no-cache"),
        *("-H", "Content-Type: application/json", "-d", "{}"),
    )

    assert status == 200
    assert run["external_trigger"] is True
    assert server.finished("my_example_dag", str(run["dag_run_id"]))["state"] == "success"


@pytest.mark.parametrize(
    ("body", "date"),
    [
        ('{"execution_date": "2021-11-16T11:34:00"}', "2021-11-16T11:34:00+00:00"),
        ('{"logical_date": "2019-11-16T11:34:00Z"}', "2019-11-16T11:34:00+00:00"),
    ],
)
def test_curl_with_a_date_sets_the_logical_date(server: Server, body: str, date: str) -> None:
    status, run = curl(
        *("-X", "POST", f"{server.url}/local/airflow/api/v1/dags/my_example_dag/dagRuns"),
        *("-H", f"Authorization: {server.token}", "-H", "Content-Type: application/json", "-d", body),
    )

    assert status == 200
    run_id = str(run["dag_run_id"])
    assert server.finished("my_example_dag", run_id)["logical_date"] == date


def test_curl_lists_pools(server: Server) -> None:
    status, listed = curl(
        "-X", "GET", f"{server.url}/local/airflow/api/v1/pools", "-H", f"Authorization: {server.token}"
    )

    assert status == 200
    assert [pool["name"] for pool in listed["pools"]] == ["default_pool"]  # type: ignore[attr-defined]
