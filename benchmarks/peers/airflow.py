"""Airflow 3.3.2 as its users run it: PostgreSQL, LocalExecutor, its default settings, and its four processes.

The environment is made once, from a hashed requirement file, under `.bench/`.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import httpx
import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers.postgres import Postgres
from benchmarks.processes import NotInTime, Service, clean_environment, free_port, wait_for
from benchmarks.wire import Wire

VERSION = "3.3.2"
ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name(f"airflow-{VERSION}.txt")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
}
"""What has to be said so that it runs at all; everything else stays at Airflow's defaults."""


def environment() -> Path:
    """The Python of an environment with this Airflow, made on first use.

    `AIRGATE_BENCH_HOME` moves it out of the working copy.
    """
    home = Path(os.environ.get("AIRGATE_BENCH_HOME", ROOT / ".bench")) / f"airflow-{VERSION}"
    python = home / "bin" / "python"
    done = home / ".complete"
    if done.exists() and done.read_bytes() == REQUIREMENTS.read_bytes():
        return python
    print(f"installing Airflow {VERSION} into {home} (once) ...", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    wanted = ["--require-hashes", "-r", str(REQUIREMENTS)]
    if uv is not None:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(home)])
        _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *wanted])
    else:
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", *wanted])
    done.write_bytes(REQUIREMENTS.read_bytes())
    return python


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@dataclass
class Airflow:
    """A running Airflow on a folder of DAG files."""

    name = f"Airflow {VERSION}"
    base = "/api/v2"
    poll = 0.05
    dags: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    """Settings beyond the defaults, and variables its tasks shall see."""
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="airflow-")))
    port: int = field(default_factory=free_port)
    services: list[Service] = field(default_factory=list)
    postgres: Postgres | None = None

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.api, timeout=60)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def api(self) -> str:
        """The base address of v2."""
        return f"http://127.0.0.1:{self.port}/api/v2"

    def prepare(self) -> None:
        """Make the environment and the migrated database: what a user does once, before the first start."""
        self.python = environment()
        self.postgres = Postgres.start()
        self.env = self._environment(self.postgres.url("airflow", "postgresql+psycopg2"))
        done = subprocess.run(
            [self._airflow, "db", "migrate"], env=self.env, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"airflow db migrate failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")

    @property
    def _airflow(self) -> str:
        return str(self.python.parent / "airflow")

    def _environment(self, database: str) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.port}"
        return {
            **clean_environment(),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": os.urandom(16).hex(),
            "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(32).hex(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            **SETTINGS,
            **self.extra,
        }

    def start(self) -> float:
        """Start the four processes; return the seconds until all of them report healthy."""
        begin, self.started_at = monotonic(), datetime.now(UTC)
        for component in COMPONENTS:
            log = self.home / f"{component}.log"
            self.services.append(Service.start(component, [self._airflow, component], env=self.env, log=log))
        wait_for(self._healthy, within=180, every=0.25, what="Airflow reports healthy")
        seconds = monotonic() - begin
        self.client.headers["Authorization"] = f"Bearer {self.token()}"
        return seconds

    def _healthy(self) -> bool:
        for service in self.services:
            if not service.alive:
                raise RuntimeError(f"{service.name} ended:\n{service.tail()}")
        try:
            answer = httpx.get(f"{self.api}/monitor/health", timeout=10)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and all(self._beats(part) for part in answer.json().values())

    def _beats(self, part: Mapping[str, Any]) -> bool:
        """Whether a component is healthy, and not only its predecessor was a moment ago."""
        beats = [value for name, value in part.items() if name.endswith("_heartbeat")]
        return part["status"] == "healthy" and all(
            beat is not None and datetime.fromisoformat(beat) > self.started_at for beat in beats
        )

    def token(self) -> str:
        """A bearer token of the administrator."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/auth/token", timeout=60).raise_for_status()
        return str(answer.json()["access_token"])

    def wait_for_dags(self, names: set[str], *, within: float = 180) -> None:
        """Wait until these DAGs are known."""
        try:
            wait_for(lambda: names <= set(self.dag_ids()), within=within, every=0.5, what="all DAGs are known")
        except NotInTime as error:
            broken = [
                (one["filename"], one["stack_trace"][-500:]) for one in self.get("/importErrors")["import_errors"]
            ]
            raise NotInTime(f"{error}; missing {sorted(names - set(self.dag_ids()))}, broken {broken}") from error

    def dag_ids(self) -> list[str]:
        """The DAGs known now."""
        found: list[str] = []
        while True:
            page = self.get(f"/dags?limit=100&offset={len(found)}")
            found += [dag["dag_id"] for dag in page["dags"]]
            if not page["dags"] or len(found) >= page["total_entries"]:
                return found

    def get(self, path: str) -> Any:
        """GET `path` below v2, decoded."""
        return self.client.get(path).raise_for_status().json()

    def trigger(self, dag_id: str, body: Mapping[str, Any]) -> httpx.Response:
        """POST a run."""
        return self.client.post(f"/dags/{dag_id}/dagRuns", json={"logical_date": None, **body})

    def wire(self) -> Wire:
        """A new connection with credentials."""
        return Wire(self.port, {"Authorization": f"Bearer {self.token()}"})

    def body(self, run_id: str | None = None) -> dict[str, Any]:
        """The body of a POST that starts a run."""
        return {"logical_date": None} if run_id is None else {"logical_date": None, "dag_run_id": run_id}

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let its runs start."""
        self.client.patch(f"/dags/{dag_id}", json={"is_paused": paused}).raise_for_status()

    def tree(self) -> list[psutil.Process]:
        """The four processes, PostgreSQL, and everything below them."""
        services = [*self.services, *([self.postgres.service] if self.postgres and self.postgres.service else [])]
        return [process for service in services for process in service.tree()]

    def stop(self) -> None:
        """End the four processes, keep database and home."""
        for service in reversed(self.services):
            service.stop()
        self.services.clear()

    def close(self) -> None:
        """End everything and remove what was made."""
        self.client.close()
        self.stop()
        if self.postgres is not None:
            self.postgres.stop()
            self.postgres = None
        if not os.environ.get("AIRGATE_BENCH_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)
