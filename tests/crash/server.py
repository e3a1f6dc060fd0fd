"""What the crash tests know of a server: its API, and which of its processes is what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import wait_for

DAGS = Path(__file__).parent / "dags"
FINISHED = frozenset({"success", "failed"})
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class Kind(Enum):
    """What a process of the tree does. The value is how its title begins, below ``airgate: ``."""

    SERVER = ""
    NURSERY = "nursery"
    FILE = "dag file"
    TASK = "task"
    SPARE = "idle"


def kind_of(process: psutil.Process, server_pid: int) -> Kind | None:
    """What this process does; None for one that tells nothing, such as a program a task has started."""
    if process.pid == server_pid:
        return Kind.SERVER
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return None
    for kind in (Kind.NURSERY, Kind.FILE, Kind.TASK, Kind.SPARE):
        if title.startswith(f"airgate: {kind.value}"):
            return kind
    return None


class Api:
    """Stable v1 of a server that may come and go."""

    def __init__(self, server: Airgate) -> None:
        self.server = server

    def get(self, path: str) -> Any:
        """GET below v1. Raises for a status other than 200."""
        with self.server.wire() as wire:
            return wire.get(f"/api/v1{path}")

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """One request below v1: status and decoded answer. Raises OSError or ConnectionLost when there was none."""
        with self.server.wire() as wire:
            status, answer = wire.send(method, f"/api/v1{path}", None if body is None else json.dumps(body).encode())
        return status, json.loads(answer) if answer else {}

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> int:
        """POST a run; the status."""
        return self.send("POST", f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "conf": conf or {}})[0]

    def pages(self, path: str, plural: str) -> Iterator[dict[str, Any]]:
        """All items of a list."""
        joint = "&" if "?" in path else "?"
        offset = 0
        while True:
            page = self.get(f"{path}{joint}limit=100&offset={offset}")
            yield from page[plural]
            offset += len(page[plural])
            if not page[plural] or offset >= page["total_entries"]:
                return

    def state(self, dag_id: str, run_id: str) -> str:
        """The state of a run."""
        return str(self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait_for_run(self, dag_id: str, run_id: str, *, within: float) -> str:
        """Wait until a run has finished; its state. Raises NotInTime."""
        wait_for(
            lambda: self.state(dag_id, run_id) in FINISHED, within=within, every=0.05, what=f"{dag_id} {run_id} ends"
        )
        return self.state(dag_id, run_id)
