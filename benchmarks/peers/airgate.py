"""Airgate as its users run it: `airgate up` on a folder of DAG files, by default with SQLite in its data folder."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.processes import NotInTime, Service, clean_environment, free_port, wait_for
from benchmarks.wire import ConnectionLost, Wire

USER, PASSWORD = "admin", "bench-password"


@dataclass
class Airgate:
    """A server on a folder of DAG files. Stopping keeps the data folder, so that it can be started again."""

    name = "Airgate"
    base = "/api/v1"
    poll = 0.002
    dags: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    """Settings by environment, and variables its tasks shall see."""
    arguments: Sequence[str] = ()
    database: str | None = None
    data: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="airgate-")))
    log: Path | None = None
    """Where its output goes; by default into the data folder."""
    port: int = field(default_factory=free_port)
    service: Service | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self, *, within: float = 30.0) -> float:
        """Start the server; return the seconds until it first answered `GET /health`.

        Raises:
            NotInTime: it does not answer, or has ended.
        """
        begin = monotonic()
        self.spawn()
        self.wait_until_serving(within=within)
        return monotonic() - begin

    def spawn(self) -> None:
        """Start the server without waiting for it. `AIRGATE_BENCH_COMMAND` names another build of it."""
        command = [
            os.environ.get("AIRGATE_BENCH_COMMAND", str(Path(sys.executable).with_name("airgate"))),
            *("up", "--dags", str(self.dags), "--data", str(self.data)),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *(("--database", self.database) if self.database else ()),
            *self.arguments,
        ]
        env = {
            **clean_environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRGATE_ADMIN_USER": USER,
            "AIRGATE_ADMIN_PASSWORD": PASSWORD,
            **self.extra,
        }
        self.service = Service.start("airgate", command, env=env, log=self.log or self.data / "server.log")

    def wait_until_serving(self, *, within: float) -> None:
        """Wait for the first answer."""
        service = self.service
        assert service is not None

        def answers() -> bool:
            if not service.alive:
                raise NotInTime(f"airgate ended with {service.process.returncode}:\n{service.tail()}")
            try:
                with Wire(self.port, {}, timeout=5) as wire:
                    return wire.send("GET", "/health")[0] == 200
            except (OSError, ConnectionLost):
                return False

        wait_for(answers, within=within, every=0.002, what=f"airgate answers; {service.log}")

    def stop(self, *, grace: float = 20.0) -> None:
        """End the server as a service manager would; whatever outlives it is killed."""
        if self.service is not None:
            self.service.stop(grace=grace, first=signal.SIGTERM)
            self.service = None

    def kill(self) -> None:
        """SIGKILL to the server alone, now."""
        assert self.service is not None
        self.service.process.kill()
        self.service.process.wait(10)

    def close(self) -> None:
        """Stop, and remove the data folder."""
        self.stop()
        if not os.environ.get("AIRGATE_BENCH_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)

    def tree(self) -> list[psutil.Process]:
        """The server and everything below it."""
        return [] if self.service is None else self.service.tree()

    def wire(self) -> Wire:
        """A new connection with credentials."""
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return Wire(self.port, {"Authorization": f"Basic {credentials}"})

    def body(self, run_id: str | None = None) -> dict[str, Any]:
        """The body of a POST that starts a run."""
        return {} if run_id is None else {"dag_run_id": run_id}

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let its runs start."""
        with self.wire() as wire:
            body = json.dumps({"is_paused": paused}).encode()
            status, answer = wire.send("PATCH", f"{self.base}/dags/{dag_id}", body)
        if status != 200:
            raise RuntimeError(f"PATCH {dag_id}: {status} {answer!r}")

    def wait_for_dags(self, names: set[str], *, within: float = 60.0) -> None:
        """Wait until these DAGs are known."""
        try:
            wait_for(lambda: names <= set(self.dag_ids()), within=within, every=0.05, what="all DAGs are known")
        except NotInTime as error:
            with self.wire() as wire:
                broken = wire.get(f"{self.base}/importErrors")["import_errors"]
            raise NotInTime(f"{error}; missing {sorted(names - set(self.dag_ids()))}, broken {broken}") from error

    def dag_ids(self) -> list[str]:
        """The DAGs known now."""
        found: list[str] = []
        with self.wire() as wire:
            while True:
                page = wire.get(f"{self.base}/dags?limit=100&offset={len(found)}")
                found += [dag["dag_id"] for dag in page["dags"]]
                if not page["dags"] or len(found) >= page["total_entries"]:
                    return found
