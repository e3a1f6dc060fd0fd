"""`airgate up` in a process, and a client for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import msgspec
import psutil  # type: ignore[import-untyped]  # the wheel has no type information

T = TypeVar("T")
USER = "admin"
PASSWORD = "correct horse"
STARTS_WITHIN = 45.0
RUNS_WITHIN = 45.0
STOPS_WITHIN = 45.0
"""Seconds. Generous: test machines are busy, and what is waited for ends the waiting."""


class Server:
    """A running server. `client` speaks stable v1 with the administrator's password."""

    def __init__(
        self,
        *,
        dags: Path,
        data: Path,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.dags = dags
        self.data = data
        self.environment = dict(environment or {})
        self.options = list(options)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = self._new_client()

    def _new_client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", auth=(USER, PASSWORD), timeout=30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait for its first answer."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).with_name("airgate")), "up", "--dags", str(self.dags)]
        command += ["--data", str(self.data), "--port", str(self.port), *self.options]
        if self.client.is_closed:
            self.client = self._new_client()
        env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRGATE_", "AIRFLOW"))}
        env |= {"AIRGATE_ADMIN_USER": USER, "AIRGATE_ADMIN_PASSWORD": PASSWORD, **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.until(self._answers, "the server answers", within=STARTS_WITHIN)

    def stop(self) -> int:
        """Tell it to stop, and give its exit code."""
        self.client.close()
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def tree(self) -> list[psutil.Process]:
        """The processes it has started, and those have, as of now."""
        assert self.process is not None
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def kill(self) -> None:
        """SIGKILL, to the server alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.data / "server.log"

    @property
    def token(self) -> str:
        """The token of the first start."""
        return str(msgspec.json.decode((self.data / "cli.json").read_bytes())["token"])

    def until(self, probe: Callable[[], T | None], what: str, *, within: float = 20.0) -> T:
        """Wait until `probe` gives something, and give that."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            found = probe()
            if found:
                return found
            time.sleep(0.01)
        raise AssertionError(f"not within {within:g} s: {what}\n{self.log.read_text()[-4000:]}")

    def wait_for_dag(self, dag_id: str) -> dict[str, Any]:
        """Wait until a DAG is known."""

        def known() -> dict[str, Any] | None:
            answer = self.client.get(f"/dags/{dag_id}")
            return answer.json() if answer.status_code == 200 else None

        return self.until(known, f"DAG {dag_id} is known", within=STARTS_WITHIN)

    def trigger(self, dag_id: str, **body: Any) -> str:
        """Trigger a run; give its id."""
        answer = self.client.post(f"/dags/{dag_id}/dagRuns", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run as v1 shows it."""
        return self.get(f"/dags/{dag_id}/dagRuns/{run_id}")

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET below v1; its body."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def send(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """A request below v1 that is answered with this status; its body."""
        answer = self.client.request(method, path, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def finished(self, dag_id: str, run_id: str, *, within: float = RUNS_WITHIN) -> dict[str, Any]:
        """Wait for the end of a run; give it."""

        def ended() -> dict[str, Any] | None:
            run = self.run(dag_id, run_id)
            return run if run.get("state") in ("success", "failed") else None

        return self.until(ended, f"run {run_id} of {dag_id} ends", within=within)

    def until_run(self, dag_id: str, run_id: str, state: str) -> dict[str, Any]:
        """Wait until a run is in this state; give it."""

        def there() -> dict[str, Any] | None:
            run = self.run(dag_id, run_id)
            return run if run["state"] == state else None

        return self.until(there, f"run {run_id} of {dag_id} is {state}", within=RUNS_WITHIN)

    def until_task(self, dag_id: str, run_id: str, task_id: str, state: str | None) -> dict[str, Any]:
        """Wait until a task instance is in this state; give it."""

        def there() -> dict[str, Any] | None:
            answer = self.client.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
            return answer.json() if answer.status_code == 200 and answer.json()["state"] == state else None

        return self.until(there, f"task {task_id} of run {run_id} of {dag_id} is {state}", within=RUNS_WITHIN)

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[tuple[int, str]]:
        """Number and state of each try of a task."""
        found = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/tries")["task_instances"]
        return [(one["try_number"], one["state"]) for one in found]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """The value of an XCom."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, stringify="false")["value"]

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause or unpause a DAG."""
        self.send("PATCH", f"/dags/{dag_id}", {"is_paused": paused})

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The states of a run's task instances."""
        listed = self.client.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
        return {one["task_id"]: one["state"] for one in listed}

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """A try's log as text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return self.client.get(path, headers={"Accept": "text/plain"}, params={"full_content": "true"}).text

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server has ended:\n{self.log.read_text()[-4000:]}")
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
