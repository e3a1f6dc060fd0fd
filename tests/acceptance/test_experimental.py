"""The experimental API as people of Airflow 1.10's time use it: curl, Airflow's client, many triggers at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.acceptance.server import PASSWORD, USER, Server

DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("hello", schedule=None):
    BashOperator(task_id="echo", bash_command="echo {{ dag_run.conf.get('name', 'nobody') }}")

with DAG("quick", schedule=None):
    EmptyOperator(task_id="nothing")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("experimental")
    dags = folder / "dags"
    dags.mkdir()
    (dags / "hello.py").write_text(DAG)
    with Server(dags=dags, data=folder / "data") as started:
        started.wait_for_dag("hello")
        started.wait_for_dag("quick")
        yield started


def curl(server: Server, *arguments: str) -> Any:
    """What curl prints, decoded. The last argument is a path."""
    *options, path = arguments
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "-u", f"{USER}:{PASSWORD}", *options]
    done = subprocess.run([*command, server.url + path], check=True, capture_output=True)
    return json.loads(done.stdout)


def state_of(server: Server, date: str) -> str:
    return str(curl(server, f"/api/experimental/dags/hello/dag_runs/{date}")["state"])


def test_lines_of_the_documentation_trigger_a_run_and_follow_it_to_its_end(server: Server) -> None:
    answer = curl(
        server, "-X", "POST", "-H", "Cache-Control: no-cache", "-H", "Content-Type: application/json",
        "-d", '{"conf":"{\\"name\\":\\"Ada\\"}"}', "/api/experimental/dags/hello/dag_runs",
    )  # fmt: skip

    date = answer["execution_date"]
    assert answer["run_id"] == f"manual__{date}"
    assert datetime.fromisoformat(date).microsecond == 0
    server.until(lambda: state_of(server, date) == "success", "the run has ended", within=45)
    task = curl(server, f"/api/experimental/dags/hello/dag_runs/{date.replace('+', '%2B')}/tasks/echo")
    assert (task["state"], task["execution_date"]) == ("success", date.replace("T", " "))
    assert "Ada" in server.task_log("hello", answer["run_id"], "echo")


def test_date_without_a_zone_and_a_form_of_curl_make_a_run(server: Server) -> None:
    answer = curl(
        server, "-d", '{"execution_date":"2021-11-16T11:34:00"}', "/local/airflow/api/experimental/dags/hello/dag_runs"
    )
    assert answer["run_id"] == "manual__2021-11-16T11:34:00+00:00"
    server.until(lambda: state_of(server, "2021-11-16T11:34:00") == "success", "the run has ended", within=45)


def test_dag_that_is_paused_by_a_get_takes_triggers_and_runs_them_later(server: Server) -> None:
    assert curl(server, "/api/experimental/dags/hello/paused/true") == {"response": "ok"}
    assert curl(server, "/api/experimental/dags/hello/paused") == {"is_paused": True}
    date = curl(
        server, "-X", "POST", "-d", '{"replace_microseconds":"false"}', "/api/experimental/dags/hello/dag_runs"
    )["execution_date"]
    assert state_of(server, date) == "running"

    curl(server, "/api/experimental/dags/hello/paused/false")

    server.until(lambda: state_of(server, date) == "success", "the run has ended", within=45)


class AirflowClient:
    """What the command line of Airflow 1.10 sends when it is told to use the API, and what it reads of the answers."""

    def __init__(self, base: str, auth: tuple[str, str]) -> None:
        self.base = base
        self.auth = auth

    def ask(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        more = {} if body is None else {"json": body}
        ask = getattr(requests, method.lower())
        answer = ask(url=urljoin(self.base, "/api/experimental" + path), auth=self.auth, timeout=30, **more)
        if not answer.ok:
            try:
                told = answer.json()
            except ValueError:
                told = {}
            raise OSError(told.get("error", "Server error"))
        return answer.json()

    def trigger(
        self, dag_id: str, run_id: str | None = None, conf: Any = None, execution_date: str | None = None
    ) -> str:
        body = {"run_id": run_id, "conf": conf, "execution_date": execution_date}
        return str(self.ask(f"/dags/{dag_id}/dag_runs", "POST", body)["message"])

    def delete_dag(self, dag_id: str) -> str:
        return str(self.ask(f"/dags/{dag_id}", "DELETE")["message"])

    def pool(self, name: str) -> tuple[Any, ...]:
        return self._pool(self.ask(f"/pools/{name}"))

    def pools(self) -> list[tuple[Any, ...]]:
        return [self._pool(one) for one in self.ask("/pools")]

    def create_pool(self, name: str, slots: Any, description: str) -> tuple[Any, ...]:
        body = {"name": name, "slots": slots, "description": description}
        return self._pool(self.ask("/pools", "POST", body))

    def delete_pool(self, name: str) -> tuple[Any, ...]:
        return self._pool(self.ask(f"/pools/{name}", "DELETE"))

    @staticmethod
    def _pool(told: dict[str, Any]) -> tuple[Any, ...]:
        return told["pool"], told["slots"], told["description"]


@pytest.fixture
def client(server: Server) -> AirflowClient:
    return AirflowClient(server.url, (USER, PASSWORD))


def test_airflows_client_triggers_and_prints_the_message(client: AirflowClient) -> None:
    message = client.trigger("quick", "from-the-client", '{"n": 1}', "2021-11-20T11:34:00+00:00")
    run = "quick @ 2021-11-20T11:34:00+00:00: from-the-client"
    assert message == f"Created <DagRun {run}, externally triggered: True>"
    assert client.trigger("quick").startswith("Created <DagRun quick @ 20")


def test_airflows_client_manages_pools(client: AirflowClient) -> None:
    made = ("narrow", 3, "few")
    assert client.create_pool("narrow", "3", "few") == made
    assert client.pool("narrow") == made
    assert made in client.pools()
    assert client.delete_pool("narrow") == made


@pytest.mark.parametrize(
    ("path", "method", "body", "error"),
    [
        ("/dags/nope/dag_runs", "POST", {}, "Dag id nope not found in DagModel"),
        ("/pools/nope", "GET", None, "Pool 'nope' doesn't exist"),
        ("/pools", "POST", {"name": ""}, "A pool needs name, slots and description; missing: slots, description"),
        ("/nowhere", "GET", None, "There is no such URL in the experimental API"),
    ],
)
def test_airflows_client_raises_what_the_server_says(
    client: AirflowClient, path: str, method: str, body: dict[str, Any] | None, error: str
) -> None:
    with pytest.raises(OSError, match=f"^{error}$"):
        client.ask(path, method, body)


def test_airflows_client_is_refused_with_a_wrong_password(server: Server) -> None:
    with pytest.raises(OSError, match="Forbidden"):
        AirflowClient(server.url, (USER, "not it")).trigger("quick")


def test_two_hundred_triggers_at_once_make_two_hundred_runs(server: Server) -> None:
    def trigger(_: int) -> dict[str, Any]:
        answer = requests.post(
            f"{server.url}/api/experimental/dags/quick/dag_runs", data="{}", auth=(USER, PASSWORD), timeout=60
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(trigger, range(200)))

    run_ids = {answer["run_id"] for answer in answers}
    assert len(run_ids) == len({answer["execution_date"] for answer in answers}) == 200
    listed = curl(server, "/api/experimental/dags/quick/dag_runs")
    assert run_ids <= {run["run_id"] for run in listed}
    assert [run["execution_date"] for run in listed] == sorted(run["execution_date"] for run in listed)

    def all_ended() -> bool:
        ended = curl(server, "/api/experimental/dags/quick/dag_runs?state=success")
        return run_ids <= {run["run_id"] for run in ended}

    server.until(all_ended, "every run has succeeded", within=60)


def test_airflows_client_deletes_a_dag(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start({"hello.py": DAG})
    server.wait_for_dag("quick")
    client = AirflowClient(server.url, (USER, PASSWORD))
    run_id = server.trigger("quick")
    server.finished("quick", run_id)
    (tmp_path / "dags" / "hello.py").unlink()

    def gone() -> bool:
        return not server.get("/dags", only_active="true")["dags"]

    server.until(gone, "the file is forgotten")
    assert client.delete_dag("quick") == "Removed 3 record(s)"
    with pytest.raises(OSError, match="Dag id quick not found"):
        client.delete_dag("quick")
