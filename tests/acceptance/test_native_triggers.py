"""Triggers by the native API of a real server: one, many, waited for, watched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import pytest

from tests.acceptance.server import PASSWORD, USER, Server

PATH = "/airgate/v1/deployments/local"
GATED = """
import pathlib, time
import pendulum
from airflow.sdk import dag, task

@dag(dag_id="gated", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False)
def gated():
    @task
    def wait(params=None, dag_run=None):
        while not pathlib.Path(dag_run.conf["gate"]).exists():
            time.sleep(0.02)
    wait()

gated()
"""
IDLE = """
import pendulum
from airflow.sdk import DAG

idle = DAG(dag_id="idle", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False)
"""


@contextmanager
def native(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url + PATH, auth=(USER, PASSWORD), timeout=90) as client:
        yield client


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with native(server) as client:
        yield client


def post(client: httpx.Client, body: dict[str, Any], key: str | None = None, **query: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/triggers", json=body, headers=headers, params=query)


def runs_of(server: Server, dag_id: str) -> int:
    return int(server.get(f"/dags/{dag_id}/dagRuns", limit="1")["total_entries"])


def test_one_request_triggers_a_dag_and_answers_with_its_success(client: httpx.Client) -> None:
    answer = post(client, {"dag_id": "hello", "conf": {"name": "Ada"}}, wait=30)

    assert answer.status_code == 201, answer.text
    trigger = answer.json()
    assert (trigger["state"], trigger["run"]["state"]) == ("finished", "success")
    assert trigger["run"]["conf"] == {"name": "Ada"}
    assert trigger["identity"] == USER
    assert client.get(f"/triggers/{trigger['id']}").json() == trigger
    assert client.get("/triggers", params={"limit": 1, "dag_id": "hello"}).json()["items"][0]["id"] == trigger["id"]


def test_waiting_ends_with_the_run_or_with_the_time(start: Callable[..., Server], tmp_path: Any) -> None:
    server = start({"gated.py": GATED})
    server.wait_for_dag("gated")
    gate = tmp_path / "gate"
    with native(server) as client:
        trigger = post(client, {"dag_id": "gated", "conf": {"gate": str(gate)}}, wait=0.01).json()
        assert trigger["state"] in ("accepted", "running")
        assert client.get(f"/triggers/{trigger['id']}/wait", params={"timeout": 0.05}).json()["state"] != "finished"

        with ThreadPoolExecutor(20) as threads:
            waiting = [threads.submit(client.get, f"/triggers/{trigger['id']}/wait") for _ in range(20)]
            gate.touch()
            assert {one.result().json()["run"]["state"] for one in waiting} == {"success"}


def events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Name and data of each event, as they come."""
    name = ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_events_tell_of_the_run_from_its_queue_to_its_end(start: Callable[..., Server], tmp_path: Any) -> None:
    server = start({"gated.py": GATED})
    server.wait_for_dag("gated")
    server.pause("gated")
    gate = tmp_path / "gate"
    with native(server) as client:
        trigger = post(client, {"dag_id": "gated", "conf": {"gate": str(gate)}}).json()
        with client.stream("GET", f"/triggers/{trigger['id']}/events") as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            told = events(answer)
            seen = [next(told)]
            server.pause("gated", paused=False)
            seen.append(next(told))
            gate.touch()
            seen.extend(told)
        assert [(name, data["run"]["state"]) for name, data in seen] == [
            ("state", "queued"),
            ("state", "running"),
            ("state", "success"),
            ("end", "success"),
        ]
        assert [data["trigger"]["state"] for _, data in seen] == ["accepted", "running", "finished", "finished"]
        again = client.get(f"/triggers/{trigger['id']}/events", headers={"Last-Event-ID": "end"})
        assert again.status_code == 204


def test_streams_and_waiting_end_when_the_server_stops(start: Callable[..., Server]) -> None:
    server = start({"gated.py": GATED})
    server.wait_for_dag("gated")
    with native(server) as client, native(server) as other, ThreadPoolExecutor(1) as threads:
        trigger = post(client, {"dag_id": "gated", "conf": {"gate": "/nowhere/at/all"}}).json()
        server.until_run("gated", trigger["run_id"], "running")
        with client.stream("GET", f"/triggers/{trigger['id']}/events") as answer:
            told = events(answer)
            assert next(told)[1]["run"]["state"] == "running"
            waiting = threads.submit(other.get, f"/triggers/{trigger['id']}/wait")
            server.until(lambda: _connections(server) >= 3, "both are being served")
            assert server.stop() == 0
            assert list(told) == []
        assert waiting.result().json()["run"]["state"] == "running"


def _connections(server: Server) -> int:
    assert server.process is not None
    found = psutil.Process(server.process.pid).net_connections()
    return sum(one.status == psutil.CONN_ESTABLISHED for one in found)


def test_bulk_of_good_bad_and_duplicate_answers_each_by_itself(server: Server, client: httpx.Client) -> None:
    def item(number: int) -> dict[str, Any]:
        match number % 5:
            case 0:
                return {"dag_id": "nobody_knows_it"}
            case 1:
                return {"dag_id": "hello", "conf": {"times": "many"}}
            case 2:
                return {"dag_id": "hello", "idempotency_key": f"bulk-{number // 10}"}
            case _:
                return {"dag_id": "hello", "run_id": f"bulk_{number // 10}"}

    before = runs_of(server, "hello")
    answer = client.post("/triggers/bulk", json={"triggers": [item(number) for number in range(1000)]})

    assert answer.status_code == 200, answer.text
    told = answer.json()
    results = told["results"]
    assert [one["index"] for one in results] == list(range(1000))
    problems = [one.get("problem", {}).get("code") for one in results]
    assert set(problems[0::5]) == {"dag_not_found"}
    assert None not in problems[1::5]
    assert problems[2::5] == [None] * 200
    assert [one["trigger"]["run_id"] for one in results[2::10]] == [one["trigger"]["run_id"] for one in results[7::10]]
    assert problems[3:10:5] == [None, "run_exists"]
    assert (told["accepted"], told["repeated"], told["refused"]) == (200, 100, 700)
    assert runs_of(server, "hello") == before + 200


def test_bulk_that_is_not_of_the_form_makes_nothing(server: Server, client: httpx.Client) -> None:
    before = runs_of(server, "hello")
    answer = client.post("/triggers/bulk", json={"triggers": [{"dag_id": "hello"}, {"dag_id": "hello", "conf": 3}]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/triggers/1/conf"
    assert runs_of(server, "hello") == before


def test_bulk_is_whole_or_not_there_when_the_server_is_killed(start: Callable[..., Server]) -> None:
    server = start({"idle.py": IDLE})
    server.wait_for_dag("idle")
    server.pause("idle")
    size, made = 4000, 0
    written = [-1, 1, 1_000_000]
    """Bytes of the write-ahead log after which the server is killed; with -1, at once."""
    for enough in written:
        body = {"triggers": [{"dag_id": "idle"} for _ in range(size)]}
        before = _log_size(server)
        with native(server) as client, ThreadPoolExecutor(1) as threads:
            posting = threads.submit(client.post, "/triggers/bulk", json=body)
            server.until(partial(_wrote, server, posting, before + enough), "it writes")
            server.kill()
            answered = posting.exception() is None
        server.start()
        there = runs_of(server, "idle")
        assert there - made in ((size,) if answered else (0, size))
        made = there


def _wrote(server: Server, posting: Future[httpx.Response], enough: int) -> bool:
    return posting.done() or _log_size(server) >= enough


def _log_size(server: Server) -> int:
    log = server.data / "airgate.db-wal"
    return log.stat().st_size if log.exists() else 0


def test_one_key_makes_one_run_whichever_dialect_it_comes_by(server: Server, client: httpx.Client) -> None:
    key = {"Idempotency-Key": "one for all"}
    body = {"conf": {"name": "Bea"}}
    v1 = server.client.post("/dags/hello/dagRuns", json=body, headers=key)
    own = post(client, {"dag_id": "hello", **body}, "one for all")
    path = f"{server.url}/api/experimental/dags/hello/dag_runs"
    experimental = httpx.post(path, json=body, headers=key, auth=(USER, PASSWORD))

    assert (v1.status_code, own.status_code, experimental.status_code) == (200, 200, 200), experimental.text
    run_ids = {v1.json()["dag_run_id"], own.json()["run_id"], experimental.json()["run_id"]}
    assert len(run_ids) == 1


def test_audit_log_has_the_trigger_and_its_run(server: Server, client: httpx.Client) -> None:
    run_id = post(client, {"dag_id": "hello", "run_id": "audited"}).json()["run_id"]
    found = httpx.get(f"{server.url}/airgate/v1/audit", params={"run_id": run_id}, auth=(USER, PASSWORD)).json()[
        "items"
    ]
    assert [(one["event"], one["actor"], one["dag_id"], one["outcome"]) for one in found] == [
        ("post_dag_run", USER, "hello", "done")
    ]
