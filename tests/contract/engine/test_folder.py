"""The DAG folder: what is read of it is recorded, however long the store or the interpreter takes to be there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from uuid_utils.compat import uuid7

from airgate.engine.folder import DagFolder
from airgate.engine.ports import FileVersion
from airgate.engine.processes.tree import ProcessTree
from airgate.model.dag import Dag
from airgate.model.errors import NotFound, Unavailable
from airgate.model.query import Order, Page
from airgate.sdk import protocol
from airgate.store import dags
from airgate.store.database import Database
from tests.contract.engine.shell import dag, locked, until, until_read
from tests.support.clock import Clock


class Importer:
    """Imports files as they say: a DAG of that name per word, or an error."""

    def __init__(self) -> None:
        self.root = Path()
        self.loads: list[str] = []
        self.afresh: list[str] = []
        self.retired: list[str] = []
        self.up = asyncio.Event()
        self.up.set()

    async def load(self, version: FileVersion, *, again: bool = False) -> protocol.Parsed:
        (self.afresh if again else self.loads).append(version.file)
        if not self.up.is_set():
            raise Unavailable("The interpreter is not there.")
        words = (self.root / version.file).read_text().split("#")[1].split()
        if "error" in words:
            return protocol.Parsed(file_key=version.key, error="it is broken")
        return protocol.Parsed(file_key=version.key, dags=[msgspec.to_builtins(dag(dag_id=dag_id)) for dag_id in words])

    def retire(self, key: str) -> None:
        self.retired.append(key)

    async def usable(self) -> None:
        await self.up.wait()


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def dags_changed(self, version: FileVersion, dags: tuple[Dag, ...]) -> None:
        self.events.append(("changed", tuple(one.dag_id for one in dags)))

    def dags_broken(self, file: str) -> None:
        self.events.append(("broken", file))

    def dags_gone(self, dag_ids: tuple[str, ...]) -> None:
        self.events.append(("gone", dag_ids))


class Watched:
    """A folder that is being watched."""

    def __init__(self, root: Path, store: Database, clock: Clock) -> None:
        self.root = root
        self.importer = Importer()
        self.importer.root = root
        self.told = Told()
        self.folder = DagFolder(
            root,
            cast("ProcessTree", self.importer),
            store,
            self.told,
            clock=clock,
            new_id=uuid7,
            paused_at_creation=False,
        )
        self.running: asyncio.Task[None] | None = None

    def write(self, name: str, words: str) -> None:
        (self.root / name).write_text(f"import airflow # {words} # dag\n")

    def begin(self) -> None:
        self.running = asyncio.create_task(self.folder.run())

    async def end(self) -> None:
        self.folder.stop()
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def until_told(self, *event: Any) -> None:
        await until(lambda: event in self.told.events)


@pytest.fixture
async def watched(tmp_path: Path, store: Database, clock: Clock) -> AsyncIterator[Watched]:
    (tmp_path / "dags").mkdir()
    made = Watched(tmp_path / "dags", store, clock)
    yield made
    await made.end()


async def test_folder_tells_of_files_that_come_change_break_and_go(watched: Watched, store: Database) -> None:
    watched.write("a.py", "one two")
    watched.begin()
    await watched.until_told("changed", ("one", "two"))
    watched.write("a.py", "one three")
    await watched.until_told("changed", ("one", "three"))
    watched.write("a.py", "error")
    await watched.until_told("broken", "a.py")
    assert len(watched.folder.pinned) == 1
    (watched.root / "a.py").unlink()
    await watched.until_told("gone", ("one", "three"))
    assert watched.folder.pinned == frozenset()
    assert (await store.read(dags.list_failures, Order("id"), Page(10))).total == 0


async def test_file_that_vanished_before_the_start_is_noticed(watched: Watched, store: Database, clock: Clock) -> None:
    await store.write(
        dags.record_file,
        "old.py",
        (dag(dag_id="old"),),
        now=clock(),
        parse_seconds=0.1,
        paused_at_creation=False,
        new_id=uuid7,
    )
    watched.begin()
    await watched.until_told("gone", ("old",))


async def test_what_was_read_while_the_database_was_gone_is_recorded_afterwards(
    watched: Watched, store: Database, file: Path
) -> None:
    watched.write("goes.py", "goes")
    watched.begin()
    await watched.until_told("changed", ("goes",))
    with locked(file):
        (watched.root / "goes.py").unlink()
        watched.write("comes.py", "comes")
        watched.write("breaks.py", "error")
        await until(lambda: not store.healthy)
    await watched.until_told("gone", ("goes",))
    await watched.until_told("changed", ("comes",))
    await watched.until_told("broken", "breaks.py")


async def test_files_are_imported_once_the_interpreter_is_there(watched: Watched) -> None:
    watched.importer.up.clear()
    watched.write("a.py", "one")
    watched.begin()
    await until(lambda: watched.importer.loads)
    assert watched.importer.loads == ["a.py"]
    watched.importer.up.set()
    await watched.until_told("changed", ("one",))
    assert watched.importer.loads == ["a.py", "a.py"]


async def test_refused_file_has_its_turn_when_the_owner_lets_go(watched: Watched, store: Database) -> None:
    watched.write("a.py", "one shared")
    watched.begin()
    await watched.until_told("changed", ("one", "shared"))
    watched.write("b.py", "shared")
    await watched.until_told("broken", "b.py")
    watched.write("a.py", "one")
    await watched.until_told("changed", ("shared",))
    assert (await store.read(dags.get, "shared")).file == "b.py"
    assert (await store.read(dags.list_failures, Order("id"), Page(10))).total == 0


async def test_folder_that_is_replaced_is_watched_on(watched: Watched, store: Database) -> None:
    watched.write("a.py", "one")
    watched.begin()
    await watched.until_told("changed", ("one",))
    shutil.rmtree(watched.root)
    await watched.until_told("gone", ("one",))
    watched.root.mkdir()
    watched.write("b.py", "two")
    await watched.until_told("changed", ("two",))
    watched.write("c.py", "three")
    await watched.until_told("changed", ("three",))


async def test_file_that_is_to_be_parsed_is_imported_afresh_at_once(watched: Watched, store: Database) -> None:
    watched.write("a.py", "one")
    watched.begin()
    await watched.until_told("changed", ("one",))
    watched.told.events.clear()
    watched.folder.parse("nope.py")
    watched.folder.parse("a.py")
    await watched.until_told("changed", ("one",))
    assert watched.importer.afresh == ["a.py"]


async def test_file_that_is_to_be_read_again_is_with_the_next_reading(watched: Watched, store: Database) -> None:
    watched.write("a.py", "one")
    watched.begin()
    await watched.until_told("changed", ("one",))
    await store.write(dags.delete, "one")
    watched.folder.read_again("a.py")
    watched.write("b.py", "two")

    async def back() -> bool:
        try:
            return (await store.read(dags.get, "one")).is_active
        except NotFound:
            return False

    await until_read(back)
