"""A server under load whose processes are killed one after another, and the books that are kept meanwhile."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from time import monotonic

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import pause, wait_for
from benchmarks.wire import ConnectionLost
from tests.crash.server import Api, Kind, kind_of

DAG_IDS = ("one_task", "two_tasks", "three_tasks")
POSTS_PER_SECOND = 12.0
"""Per poster. Enough that something always runs, little enough that the rest is worked off in time."""
WEIGHTS = {Kind.SERVER: 1, Kind.NURSERY: 1, Kind.FILE: 2, Kind.TASK: 4, Kind.SPARE: 1}
"""How often each kind is the next to be killed."""


@dataclass
class Poster:
    """Posts runs until told to stop, and remembers what it was answered.

    With `insists`, a trigger without an answer is sent again under its idempotency key until it has one.
    """

    name: str
    server: Airgate
    random: Random
    insists: bool
    stopped: threading.Event
    answered: dict[str, str] = field(default_factory=dict)
    """Trigger to DAG, for those that were accepted."""
    lost: dict[str, str] = field(default_factory=dict)
    """Trigger to DAG, for those that were sent and never answered."""
    refused: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        """What its thread does."""
        number = 0
        while not self.stopped.is_set():
            number += 1
            self._trigger(f"{self.name}_{number}", self.random.choice(DAG_IDS))
            self.stopped.wait(self.random.expovariate(POSTS_PER_SECOND))

    def _trigger(self, name: str, dag_id: str) -> None:
        while True:
            status = self._send(name, dag_id)
            if status is not None and 200 <= status < 300:
                self.answered[name] = dag_id
                return
            if status is None and not self.insists:
                self.lost[name] = dag_id
                return
            if status is not None:
                self.refused[status] += 1
                if not self.insists:
                    return
            if self.stopped.wait(0.05):
                self.lost[name] = dag_id
                return

    def _send(self, name: str, dag_id: str) -> int | None:
        """The status of the answer, None if there was none."""
        # The one that insists leaves the run's id to the server: only the key says that it is the same trigger.
        body: dict[str, object] = {"conf": {"trigger": name}}
        if not self.insists:
            body["dag_run_id"] = name
        try:
            with self.server.wire() as wire:
                if self.insists:
                    wire.headers = {**wire.headers, "Idempotency-Key": name}
                return wire.send("POST", f"/api/v1/dags/{dag_id}/dagRuns", json.dumps(body).encode())[0]
        except (OSError, ConnectionLost):
            return None


@dataclass
class Storm:
    """The killing, bounded by a number of kills and by time."""

    server: Airgate
    random: Random
    kills: Counter[Kind] = field(default_factory=Counter)
    seen: dict[int, psutil.Process] = field(default_factory=dict)
    """Every process that was ever seen in the tree, to find those that outlive their server."""
    slowest_restart: float = 0.0

    def rage(self, number: int, *, within: float) -> None:
        """Kill `number` processes. Raises AssertionError if `within` seconds do not suffice."""
        begin = monotonic()
        while self.kills.total() < number:
            assert monotonic() - begin < within, f"only {dict(self.kills)} in {within:g} s"
            pause(self.random.uniform(0.0, 0.35))
            self._kill_one()

    def _kill_one(self) -> None:
        assert self.server.service is not None
        tree = self.server.tree()
        self.seen.update({process.pid: process for process in tree})
        by_kind: dict[Kind, list[psutil.Process]] = {}
        for process in tree:
            kind = kind_of(process, self.server.service.process.pid)
            if kind is not None:
                by_kind.setdefault(kind, []).append(process)
        kinds = sorted(by_kind, key=lambda kind: kind.name)
        if not kinds:
            return
        kind = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        if kind is Kind.SERVER:
            self.server.kill()
            self.restart()
        else:
            victim = self.random.choice(sorted(by_kind[kind], key=lambda process: process.pid))
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                return
        self.kills[kind] += 1

    def restart(self) -> None:
        """Start the server again on the same data folder."""
        self.slowest_restart = max(self.slowest_restart, self.server.start(within=30))

    def wait_until_nothing_is_left(self, *, within: float) -> None:
        """Wait until no process that was ever seen is still there. Raises NotInTime."""

        def gone() -> bool:
            return not [process for process in self.seen.values() if process.is_running() and not _zombie(process)]

        wait_for(gone, within=within, every=0.1, what="all processes of all servers have ended")


def _zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@dataclass(frozen=True)
class Try:
    """One try that left a line."""

    dag_id: str
    run_id: str
    task_id: str
    number: int


def read_lines(text: str) -> Counter[Try]:
    """How often each try left its line."""
    rows = (line.split() for line in text.splitlines())
    return Counter(Try(dag_id, run_id, task_id, int(number)) for dag_id, run_id, task_id, number in rows)


def quiet(api: Api) -> bool:
    """Whether no run is queued or running."""
    return all(
        api.get(f"/dags/{dag_id}/dagRuns?state={state}&limit=1")["total_entries"] == 0
        for dag_id in DAG_IDS
        for state in ("queued", "running")
    )
