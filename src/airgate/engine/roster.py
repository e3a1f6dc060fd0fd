"""The runs the engine works on: those that run, those that are about to, and those that wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from airgate.engine.active import Active, RunKey
from airgate.engine.runqueue import RunQueue
from airgate.model.errors import Unavailable
from airgate.model.states import TaskState

RECOVERY_WAIT = 15.0
"""Seconds a change by hand waits for recovery: processes of a server that was killed need a few to end."""


class Roster:
    """Bookkeeping over all unfinished runs, in memory."""

    def __init__(self) -> None:
        self.queue = RunQueue()
        self.open = asyncio.Event()
        """Set once what was unfinished at the start has been taken up; no run starts before."""
        self._active: dict[str, dict[str, Active]] = {}
        self._beginning: dict[RunKey, asyncio.Event] = {}
        self._begins: Counter[str] = Counter()

    def get(self, dag_id: str, run_id: str) -> Active | None:
        """A running run."""
        return self._active.get(dag_id, {}).get(run_id)

    def running(self, dag_id: str) -> tuple[Active, ...]:
        """The running runs of a DAG."""
        return tuple(self._active.get(dag_id, {}).values())

    def __iter__(self) -> Iterator[Active]:
        return iter([active for of_dag in self._active.values() for active in of_dag.values()])

    def put(self, active: Active) -> None:
        """A run is worked on from now on."""
        self._active.setdefault(active.run.dag_id, {})[active.run.run_id] = active

    def drop(self, active: Active) -> None:
        """A run is no longer worked on."""
        of_dag = self._active.get(active.run.dag_id, {})
        of_dag.pop(active.run.run_id, None)
        if not of_dag:
            self._active.pop(active.run.dag_id, None)

    @contextmanager
    def beginning(self, key: RunKey) -> Iterator[None]:
        """Meanwhile the run is neither queued nor running, but on its way from the one to the other."""
        event = self._beginning[key] = asyncio.Event()
        self._begins[key[0]] += 1
        try:
            yield
        finally:
            del self._beginning[key]
            self._begins -= Counter([key[0]])
            event.set()

    async def begun(self, dag_id: str, run_id: str) -> None:
        """Wait while a run is on its way from the queue to the running ones."""
        while (event := self._beginning.get((dag_id, run_id))) is not None:
            await event.wait()

    async def recovered(self) -> None:
        """Wait until what was unfinished at the start has been taken up.

        Raises:
            Unavailable: that takes long; processes of an earlier server may still be ending.
        """
        try:
            async with asyncio.timeout(RECOVERY_WAIT):
                await self.open.wait()
        except TimeoutError:
            raise Unavailable("Processes of an earlier server are still ending; try again in a moment.") from None

    def under_way(self, dag_id: str) -> int:
        """How many runs of a DAG run, or are about to."""
        return len(self._active.get(dag_id, ())) + self._begins[dag_id]

    def running_keys(self) -> list[RunKey]:
        """All runs that run, or are about to."""
        return [*self._beginning, *(active.key for active in self)]

    def unfinished(self, dag_id: str) -> int:
        """How many runs of a DAG are queued or running."""
        return self.under_way(dag_id) + self.queue.count(dag_id)

    def unfinished_of(self, dag_id: str) -> list[RunKey]:
        """The runs of a DAG that are queued or running."""
        begins = [key for key in self._beginning if key[0] == dag_id]
        run_ids = (*self._active.get(dag_id, ()), *self.queue.ids(dag_id))
        return [*begins, *((dag_id, run_id) for run_id in run_ids)]

    def has_tries(self, dag_id: str) -> bool:
        """Whether a try of a DAG runs."""
        found = (one for active in self.running(dag_id) for one in active.snapshot.instances.values())
        return any(one.state is TaskState.RUNNING for one in found)
