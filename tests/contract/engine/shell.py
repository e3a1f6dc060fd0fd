"""The engine's shell on a real store, with an executor that the test is: slots, tries and their ends are the test's."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from uuid_utils.compat import uuid7

from airgate.engine.answers import Answers
from airgate.engine.control import Control
from airgate.engine.ports import FileVersion, TryListener, Work
from airgate.engine.recovery import recover
from airgate.engine.registry import Registry
from airgate.engine.scheduler import Scheduler, Surroundings
from airgate.model.dag import Dag, DagSpec, TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.store import dags, runs, tasks
from airgate.store.database import Database
from tests.support.clock import Clock

T = TypeVar("T")
KEY = "dags.py@1"
BOUND = 20.0
"""Seconds; what is waited for ends the waiting."""


class Slot:
    """A process that is none."""

    def __init__(self, number: int) -> None:
        self.pid = 1000 + number
        self.hostname = "here"
        self.alive = True
        self.work: Work | None = None
        self.listener: TryListener | None = None
        self.released = False
        self.stopped: float | None = None

    def start(self, work: Work, listener: TryListener) -> bool:
        if not self.alive:
            return False
        self.work, self.listener = work, listener
        return True

    def release(self) -> None:
        self.released = True

    def stop(self, grace: float) -> None:
        self.stopped = grace

    @property
    def task(self) -> tuple[str, str, int]:
        """Run, task and number of the try that runs in it."""
        assert self.work is not None
        return self.work.run_id, self.work.task_id, self.work.try_number

    async def says(self, kind: str, **body: Any) -> dict[str, Any] | None:
        """The try says something, and gets its answer."""
        assert self.listener is not None
        return await self.listener.message({"type": kind, **body})

    def ends(self, reason: str | None = None) -> None:
        """Its process ends."""
        listener, self.listener = self.listener, None
        assert listener is not None
        listener.ended(reason)


class Slots:
    """An executor with as many slots as it was given."""

    def __init__(self) -> None:
        self.free: dict[str, list[Slot]] = {}
        self.given: list[Slot] = []
        self.wanted: Mapping[str, int] = {}

    def reserve(self, file_key: str) -> Slot | None:
        free = self.free.get(file_key)
        if not free:
            return None
        slot = free.pop(0)
        self.given.append(slot)
        return slot

    def demand(self, waiting: Mapping[str, int]) -> None:
        self.wanted = dict(waiting)

    def add(self, number: int = 1, key: str = KEY) -> list[Slot]:
        made = [Slot(len(self.given) + index) for index in range(number)]
        self.free.setdefault(key, []).extend(made)
        return made


class Shell:
    """The scheduler and what is around it. `dags` are recorded under one file, which counts as imported."""

    def __init__(self, database: Database, folder: Path, clock: Clock, *, parallelism: int = 32) -> None:
        self.database = database
        self.clock = clock
        self.slots = Slots()
        self.registry = Registry()
        self.answers = Answers(database, clock=clock)
        self.scheduler = Scheduler(
            database,
            self.slots,
            self.registry,
            self.answers,
            Surroundings(clock=clock, new_id=uuid7, logs=folder / "logs", parallelism=parallelism, kill_grace=1.0),
        )
        self.control = Control(database, self.scheduler, self.registry, clock=clock, new_id=uuid7)

    async def begin(self) -> None:
        """Take up what is in the store."""
        await recover(self.database, self.scheduler, self.registry, clock=self.clock)

    async def record(self, *specs: DagSpec, key: str = KEY) -> tuple[Dag, ...]:
        """A file was imported that defines these DAGs."""
        file, _, digest = key.rpartition("@")
        recorded = await self.database.write(
            dags.record_file,
            file,
            specs,
            now=self.clock(),
            parse_seconds=0.1,
            paused_at_creation=False,
            new_id=uuid7,
        )
        self.scheduler.file_imported(FileVersion(key=key, file=file, digest=digest), recorded)
        return recorded

    async def trigger(self, run_id: str, dag_id: str = "d", **more: Any) -> DagRun:
        """A run is stored and accepted."""
        stored = await self.store(run_id, dag_id, **more)
        self.scheduler.accepted(stored)
        return stored

    async def store(self, run_id: str, dag_id: str = "d", **more: Any) -> DagRun:
        """A run is stored, and nobody is told."""
        dag = await self.database.read(dags.get, dag_id)
        values: dict[str, Any] = {
            "id": uuid7(),
            "dag_id": dag_id,
            "run_id": run_id,
            "state": RunState.QUEUED,
            "run_type": RunType.MANUAL,
            "triggered_by": TriggeredBy.REST_API,
            "run_after": self.clock(),
            "queued_at": self.clock(),
            "dag_version_id": dag.version.id,
        }
        return await self.database.write(runs.insert, DagRun(**(values | more)))

    async def slot_with(self, run_id: str, task_id: str = "t", number: int = 1) -> Slot:
        """Wait until this try runs in some slot; give that."""

        def find() -> Slot | None:
            wanted = (run_id, task_id, number)
            found = [slot for slot in self.slots.given if slot.work is not None and slot.work.callback is None]
            return next((slot for slot in found if slot.task == wanted), None)

        return await until(find)

    async def slot_calling(self, callback: str) -> Slot:
        """Wait until a callback runs in some slot; give that."""

        def find() -> Slot | None:
            found = [slot for slot in self.slots.given if slot.work is not None and slot.work.callback == callback]
            return found[0] if found else None

        return await until(find)

    async def rest(self) -> None:
        """Let everything happen that needs nothing but the store."""
        for _ in range(4):
            await turn()
            await self.database.write(lambda tx: None)
            await self.database.read(lambda tx: None)
        await turn()

    async def stop(self) -> None:
        """Stop, with every try ending at once."""
        stopping = asyncio.ensure_future(self.scheduler.stop())
        while not stopping.done():
            for slot in self.slots.given:
                if slot.listener is not None:
                    slot.ends("killed by signal 15")
            await asyncio.sleep(0)
        await stopping

    async def succeed(self, slot: Slot) -> None:
        """The try in this slot succeeds, and its process ends."""
        await slot.says("SucceedTask", end_date=self.clock())
        slot.ends()

    async def run(self, run_id: str, dag_id: str = "d") -> DagRun:
        return await self.database.read(runs.get, dag_id, run_id)

    async def task(self, run_id: str, task_id: str = "t", dag_id: str = "d") -> TaskInstance:
        return await self.database.read(tasks.get, dag_id, run_id, task_id)

    async def until_run(self, run_id: str, state: RunState, dag_id: str = "d") -> DagRun:
        """Wait until the store has a run in this state."""

        async def there() -> DagRun | None:
            run = await self.run(run_id, dag_id)
            return run if run.state is state else None

        return await until_read(there)


async def until(probe: Callable[[], T | None]) -> T:
    """Let the loop turn until `probe` gives something."""

    async def ask() -> T | None:
        return probe()

    return await until_read(ask)


async def until_read(probe: Callable[[], Awaitable[T | None]]) -> T:
    """The same, for a probe that has to wait itself."""
    async with asyncio.timeout(BOUND):
        while not (found := await probe()):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.001)
        return found


async def turn(times: int = 50) -> None:
    """Let everything happen that can happen without the store."""
    for _ in range(times):
        await asyncio.sleep(0)


@asynccontextmanager
async def slow_writer(database: Database) -> AsyncIterator[None]:
    """Meanwhile nothing is committed; afterwards all that was submitted is, in order."""
    entered, release = threading.Event(), threading.Event()

    def wait(tx: object) -> None:
        entered.set()
        release.wait(BOUND)

    held = database.write(wait)
    await asyncio.to_thread(entered.wait, BOUND)
    try:
        yield
    finally:
        release.set()
        await held


@asynccontextmanager
async def slow_readers(database: Database, number: int = 3) -> AsyncIterator[None]:
    """Meanwhile nothing is read; what was asked for is read afterwards. `number`: how many readers the store has."""
    entered, release = threading.Barrier(number + 1), threading.Event()

    def wait(tx: object) -> None:
        entered.wait(BOUND)
        release.wait(BOUND)

    held = [asyncio.ensure_future(database.read(wait)) for _ in range(number)]
    await asyncio.to_thread(entered.wait, BOUND)
    try:
        yield
    finally:
        release.set()
        await asyncio.gather(*held)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Meanwhile the database is locked: nothing can be written."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def dag(*specs: TaskSpec, dag_id: str = "d", **more: Any) -> DagSpec:
    """A DAG; without tasks given, of one task `t`."""
    return DagSpec(dag_id=dag_id, tasks=specs or (TaskSpec(task_id="t"),), **more)


def chained(*task_ids: str, **more: Any) -> tuple[TaskSpec, ...]:
    """Tasks one after another."""
    ids = list(task_ids)
    return tuple(
        TaskSpec(
            task_id=one,
            upstream=tuple(ids[index - 1 : index] if index else ()),
            downstream=tuple(ids[index + 1 : index + 2]),
            **more,
        )
        for index, one in enumerate(ids)
    )
