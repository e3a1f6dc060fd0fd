"""A server under load whose processes are killed one after another, and the books that are kept meanwhile."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import NotInTime, pause, tree_of, wait_for
from benchmarks.wire import ConnectionLost
from tests.crash.server import Api, Kind, by_kind

DAG_IDS = ("one_task", "two_tasks", "three_tasks")
POSTS_PER_SECOND = 12.0
"""Per poster. Enough that something always runs, little enough that the rest is worked off in time."""
DECK = (Kind.SERVER, Kind.NURSERY, *[Kind.FILE] * 2, *[Kind.SPARE] * 2, *[Kind.TASK] * 6)
"""What is killed in a dozen kills, in an order that chance decides."""
APPEARS_WITHIN = 30.0
"""Seconds in which a process of the kind that is next should be there: a nursery imports for seconds."""


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
    dag_ids: Sequence[str] = DAG_IDS
    posts_per_second: float = POSTS_PER_SECOND
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
            self._trigger(f"{self.name}_{number}", self.random.choice(self.dag_ids))
            self.stopped.wait(self.random.expovariate(self.posts_per_second))

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
    deck: Sequence[Kind] = DECK
    moment: Callable[[Random], None] = lambda random: pause(random.uniform(0.0, 0.35))
    """Waits until the next kill."""
    dag_ids: Sequence[str] = DAG_IDS
    kills: Counter[Kind] = field(default_factory=Counter)
    seen: dict[int, psutil.Process] = field(default_factory=dict)
    """Every process that was ever seen in the tree, to find those that outlive their server."""
    slowest_restart: float = 0.0

    def rage(self, number: int, *, within: float) -> None:
        """Kill `number` processes. Raises AssertionError if `within` seconds do not suffice."""
        begin = monotonic()
        deck: list[Kind] = []
        while self.kills.total() < number:
            assert monotonic() - begin < within, f"only {dict(self.kills)} in {within:g} s"
            self.moment(self.random)
            if not deck:
                deck = self.random.sample(self.deck, len(self.deck))
            self._kill_one(deck.pop())

    def _kill_one(self, kind: Kind) -> None:
        if kind is Kind.SERVER:
            self._look()
            self.server.kill()
            self.slowest_restart = max(self.slowest_restart, self.server.start(within=30))
            self.kills[kind] += 1
            return
        try:
            wait_for(lambda: self._hit(kind), within=APPEARS_WITHIN, every=0.005, what=f"a {kind.name} to kill")
        except NotInTime as error:
            raise AssertionError(f"nothing works any more: {error}; {self.situation()}") from error
        self.kills[kind] += 1

    def situation(self) -> str:
        """What is killed, what lives, what waits, and what the server said last."""
        alive = {kind.name: len(processes) for kind, processes in self._look().items()}
        left = unfinished(Api(self.server), self.dag_ids)
        waiting = {f"{dag_id} {state}": number for (dag_id, state), number in left.items()}
        assert self.server.service is not None
        return f"killed {dict(self.kills)}, alive {alive}, waiting {waiting}\n{self.server.service.tail(15)}"

    def _hit(self, kind: Kind) -> bool:
        """Kill one of this kind, if there is one that has not died meanwhile."""
        victims = self._look().get(kind)
        if not victims:
            return False
        try:
            self.random.choice(victims).kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def _look(self) -> dict[Kind, list[psutil.Process]]:
        """The server's processes as they are now, by kind and in the order of pids.

        A process outlives its dead parent, and leaves the server's tree: those once seen are followed further.
        """
        server, *tree = self.server.tree()
        orphans = [process for process in self.seen.values() if process.is_running() and process != server]
        for process in [*tree, *(one for orphan in orphans for one in tree_of(orphan.pid))]:
            self.seen[process.pid] = process
        return by_kind(server, [process for process in self.seen.values() if process.is_running()])

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


def unfinished(api: Api, dag_ids: Sequence[str] = DAG_IDS) -> dict[tuple[str, str], int]:
    """How many runs of each DAG are queued, and how many are running."""
    return {
        (dag_id, state): api.get(f"/dags/{dag_id}/dagRuns?state={state}&limit=1")["total_entries"]
        for dag_id in dag_ids
        for state in ("queued", "running")
    }
