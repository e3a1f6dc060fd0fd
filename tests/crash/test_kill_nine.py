"""`kill -9` of anything, at any moment, under load: what was accepted ends exactly once."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import NotInTime, wait_for
from tests.crash.conftest import MakeServer
from tests.crash.server import ENDED, FINISHED, Api, Kind
from tests.crash.storm import DAG_IDS, Poster, Storm, Try, read_lines, unfinished

pytestmark = pytest.mark.crash


@pytest.fixture
def seed() -> int:
    """Where the randomness of a test comes from; shown when it fails. `CRASH_SEED` repeats one."""
    chosen = int(os.environ.get("CRASH_SEED") or SystemRandom().randrange(2**32))
    print(f"CRASH_SEED={chosen}")  # noqa: T201 - pytest shows it with a failure
    return chosen


@pytest.mark.timeout(240)
def test_every_trigger_ends_in_one_finished_run_when_processes_are_killed(
    make_server: MakeServer, witness_file: Path, seed: int
) -> None:
    Survivors(make_server(), witness_file, seed).survive(kills=20, within=120)


@pytest.mark.conformance
@pytest.mark.timeout(900)
def test_every_trigger_ends_in_one_finished_run_when_200_processes_are_killed(
    make_server: MakeServer, witness_file: Path, seed: int
) -> None:
    Survivors(make_server(), witness_file, seed).survive(kills=200, within=500)


class Survivors:
    """A server, the storm over it, those who post to it, and the reckoning."""

    def __init__(self, server: Airgate, witness_file: Path, seed: int) -> None:
        random = Random(seed)
        self.server = server
        self.api = Api(server)
        self.witness_file = witness_file
        self.stopped = threading.Event()
        self.storm = Storm(server, random)
        self.posters = [
            Poster("once", server, Random(random.random()), insists=False, stopped=self.stopped),
            Poster("until", server, Random(random.random()), insists=True, stopped=self.stopped),
        ]

    def survive(self, *, kills: int, within: float) -> None:
        """Let the storm pass, wait until it is quiet, and check the books."""
        self.server.start()
        self.server.wait_for_dags(set(DAG_IDS))
        threads = [threading.Thread(target=poster.run) for poster in self.posters]
        for thread in threads:
            thread.start()
        try:
            self.storm.rage(kills, within=within)
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join(60)
        try:
            wait_for(
                lambda: not any(unfinished(self.api).values()), within=120, every=0.2, what="all runs have finished"
            )
        except NotInTime as error:
            raise AssertionError(f"{error}: {self.storm.situation()}") from error
        self.check()
        self.server.stop()
        self.storm.wait_until_nothing_is_left(within=30)

    def check(self) -> None:
        """Every trigger, run, try and line is accounted for."""
        runs = [run for dag_id in DAG_IDS for run in self.api.pages(f"/dags/{dag_id}/dagRuns", "dag_runs")]
        problems = [*self.wrong_runs(runs), *self.wrong_tries(runs)]
        summary = f"{dict(self.storm.kills)}, {len(runs)} runs {Counter(run['state'] for run in runs)}"
        assert not problems, "\n".join([summary, *problems[:50]])
        assert set(self.storm.kills) == set(Kind), f"a kind of process was never killed: {summary}"
        assert len(runs) >= 2 * self.storm.kills.total(), f"too little happened: {summary}"
        assert sum(run["state"] == "success" for run in runs) >= len(runs) / 4, f"too little succeeded: {summary}"
        refused = sum((poster.refused for poster in self.posters), Counter[int]())
        assert set(refused) <= {503}, f"refused other than with 503: {refused}"

    def wrong_runs(self, runs: list[dict[str, Any]]) -> Iterator[str]:
        """Triggers without their one run, and runs that have not finished."""
        found = Counter(run["conf"]["trigger"] for run in runs)
        for poster in self.posters:
            for name in poster.answered:
                if found[name] != 1:
                    yield f"{name} was accepted and has {found[name]} runs"
            for name in poster.lost:
                if found[name] > 1:
                    yield f"{name} was not answered and has {found[name]} runs"
        known = {name for poster in self.posters for name in (*poster.answered, *poster.lost)}
        yield from (f"{name} was never sent" for name in found if name not in known)
        yield from (f"{run['dag_run_id']} is {run['state']}" for run in runs if run["state"] not in FINISHED)
        yield from (f"{run['dag_run_id']} has no end" for run in runs if run["end_date"] is None)

    def wrong_tries(self, runs: list[dict[str, Any]]) -> Iterator[str]:
        """Tries that ran twice, that nobody knows, or that never ended."""
        lines = read_lines(self.witness_file.read_text(encoding="ascii"))
        yield from (f"{one} ran {count} times" for one, count in lines.items() if count > 1)
        tries: dict[Try, str] = {}
        for run in runs:
            yield from self._tries_of(run, tries)
        yield from (f"{one} left a line and is not among the tries" for one in lines if one not in tries)
        for one, state in tries.items():
            if state not in ENDED:
                yield f"{one} is {state}"
            if state == "success" and one not in lines:
                yield f"{one} is a success that left no line"

    def _tries_of(self, run: Mapping[str, Any], tries: dict[Try, str]) -> Iterator[str]:
        key = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        for task in self.api.pages(key, "task_instances"):
            if task["state"] not in ENDED:
                yield f"{run['dag_run_id']} {task['task_id']} is {task['state']} in a run that is {run['state']}"
            numbers = []
            for one in self.api.pages(f"{key}/{task['task_id']}/tries", "task_instances"):
                numbers.append(one["try_number"])
                tries[Try(run["dag_id"], run["dag_run_id"], task["task_id"], one["try_number"])] = one["state"]
            if sorted(numbers) != list(range(1, task["try_number"] + 1)):
                yield f"{run['dag_run_id']} {task['task_id']} has tries {numbers}, the last is {task['try_number']}"
