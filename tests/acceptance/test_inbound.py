"""Hooks and block windows of a real server, made by its workspace API."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from airgate.model.job import dag_job_id
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from tests.acceptance.server import Server

IDLE = """
import pendulum
from airflow.sdk import DAG

idle = DAG(dag_id="idle", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False)
"""
LONG = """
import time
import pendulum
from airflow.sdk import dag, task

@dag(dag_id="long", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False)
def long():
    @task
    def wait():
        time.sleep(600)
    wait()

long()
"""
SECRET = "a secret of the tests"
POSTS = 50


def ask(server: Server, method: str, path: str, body: Any = None, *, expect: int) -> Any:
    """A request of the default workspace's API."""
    headers = {"Authorization": f"Api-Key {server.token}"}
    url = f"{server.url}/developers/workspaces/{DEFAULT_WORKSPACE_ID}/{path}"
    answer = httpx.request(method, url, json=body, headers=headers, timeout=30)
    assert answer.status_code == expect, answer.text
    return answer.json() if answer.content else None


def deliver(server: Server, delivery: str, body: bytes) -> httpx.Response:
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": delivery}
    return httpx.post(f"{server.url}/hooks/pushes", content=body, headers=headers, timeout=60)


def all_day(**more: Any) -> dict[str, Any]:
    """A block window that covers now, whenever that is."""
    return {"name": "always", "days": list(range(7)), "start_time": "00:00", "end_time": "00:00", **more}


def test_delivery_that_comes_many_times_at_once_starts_one_run(start: Callable[..., Server]) -> None:
    server = start({"idle.py": IDLE})
    server.wait_for_dag("idle")
    hook = {
        "name": "pushes", "scheme": "github", "deployment": "local", "dag_id": "idle", "secret": SECRET,
        "conf": {"branch": "${{payload.ref}}"},
    }  # fmt: skip
    made = ask(server, "POST", "orchestration/hooks/", hook, expect=201)
    with ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(partial(deliver, server, body=b'{"ref": "main"}'), ["d-1"] * POSTS))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert sum(answer.json()["created"] for answer in answers) == 1
    (run,) = server.get("/dags/idle/dagRuns")["dag_runs"]
    assert run["conf"] == {"branch": "main"}
    assert deliver(server, "d-1", b'{"ref": "other"}').status_code == 409
    assert deliver(server, "d-2", b'{"ref": "other"}').json()["created"]
    assert SECRET not in str(ask(server, "GET", f"orchestration/hooks/{made['_id']}/", expect=200))
    assert SECRET not in server.log.read_text()


def test_run_is_kept_back_while_its_dag_is_blocked_and_starts_afterwards(start: Callable[..., Server]) -> None:
    server = start({"idle.py": IDLE})
    server.wait_for_dag("idle")
    window = ask(server, "POST", "block-windows/", all_day(), expect=201)
    ran = ask(server, "POST", f"jobs/{dag_job_id('local', 'idle')}/run/", {}, expect=201)
    assert datetime.fromisoformat(ran["blocked_until"]) > datetime.now(UTC) + timedelta(days=7)
    run_id = ran["run"]["run_id"]
    assert server.run("idle", run_id)["state"] == "queued"
    ask(server, "DELETE", f"block-windows/{window['_id']}/", expect=204)
    assert server.finished("idle", run_id)["state"] == "success"


def test_blocked_run_still_waits_after_the_server_was_killed(start: Callable[..., Server]) -> None:
    server = start({"idle.py": IDLE})
    server.wait_for_dag("idle")
    window = ask(server, "POST", "block-windows/", all_day(), expect=201)
    run_id = server.trigger("idle")
    server.kill()
    server.start()
    server.wait_for_dag("idle")
    free = ask(server, "PATCH", f"block-windows/{window['_id']}/", {"allow_manual_executions": True}, expect=200)
    assert free["allow_manual_executions"]
    assert server.finished("idle", run_id)["state"] == "success"


def test_running_run_is_ended_when_its_window_opens(start: Callable[..., Server]) -> None:
    server = start({"long.py": LONG}, AIRGATE_ENGINE_KILL_GRACE="1")
    server.wait_for_dag("long")
    run_id = server.trigger("long")
    server.until_task("long", run_id, "wait", "running")
    ask(server, "POST", "block-windows/", all_day(cancel_running_executions=True), expect=201)
    ended = server.finished("long", run_id)
    assert (ended["state"], ended["note"]) == ("failed", "Ended by the block window 'always'.")


def test_run_that_takes_long_is_told_of_once_while_it_runs(start: Callable[..., Server]) -> None:
    server = start({"idle.py": IDLE, "long.py": LONG}, AIRGATE_ENGINE_KILL_GRACE="1")
    for dag_id in ("idle", "long"):
        server.wait_for_dag(dag_id)
    webhook = {
        "description": "takes long", "is_active": True, "method": "POST", "rules": [],
        "jobs": [str(dag_job_id("local", "long"))], "watch": {"kind": "duration", "seconds": 1},
        "target": {"kind": "dag", "deployment": "local", "dag_id": "idle"},
        "body": {"about": "${{run.run_id}}", "status": "${{erathos.status}}"},
    }  # fmt: skip
    ask(server, "POST", "orchestration/webhooks/", webhook, expect=201)
    run_id = server.trigger("long")
    (told,) = server.until(lambda: server.get("/dags/idle/dagRuns")["dag_runs"], "somebody is told")
    assert told["conf"] == {"about": run_id, "status": "RUNNING"}
    assert server.run("long", run_id)["state"] == "running"
    server.stop()
    server.start()
    server.wait_for_dag("long")
    server.send("PATCH", f"/dags/long/dagRuns/{run_id}", {"state": "failed"})
    server.finished("long", run_id)
    assert server.get("/dags/idle/dagRuns")["total_entries"] == 1
