"""What the crash tests know of a server: its API, and which of its processes is what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import wait_for

DAGS = Path(__file__).parent / "dags"
FINISHED = frozenset({"success", "failed"})
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class Kind(Enum):
    """What a process of the tree does."""

    SERVER = auto()
    NURSERY = auto()
    FILE = auto()
    """Has imported a DAG file, and forks."""
    TASK = auto()
    """Runs a try."""
    SPARE = auto()
    """A fork that waits for a try."""


TITLES = {"nursery": Kind.NURSERY, "dag file": Kind.FILE, "task": Kind.TASK, "idle": Kind.SPARE}
"""How the title of a process begins, below ``airgate: ``."""


def by_kind(server: psutil.Process, below: Sequence[psutil.Process]) -> dict[Kind, list[psutil.Process]]:
    """A server and its processes, in the order of pids. Programs that tasks have started belong to no kind."""
    others = sorted(below, key=lambda process: int(process.pid))
    kinds = {process.pid: kind for process in others if (kind := _titled(process)) is not None}
    found: dict[Kind, list[psutil.Process]] = {Kind.SERVER: [server]}
    for process in others:
        kind = kinds.get(process.pid)
        if kind is Kind.FILE and kinds.get(_parent(process)) is Kind.FILE:
            kind = Kind.SPARE  # a fresh fork has its parent's title
        if kind is not None:
            found.setdefault(kind, []).append(process)
    return found


def _titled(process: psutil.Process) -> Kind | None:
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return None
    return next((kind for begin, kind in TITLES.items() if title.startswith(f"airgate: {begin}")), None)


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return 0


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
        try:
            return status, json.loads(answer) if answer else {}
        except ValueError:
            return status, {"not JSON": answer.decode(errors="replace")}

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
