"""The DAG folder, watched: a changed file is imported, recorded, and counts from then on.

A broken file shows its import error and leaves its last good version running; a vanished one makes its DAGs inactive
and deletes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from watchfiles import DefaultFilter, awatch

from airgate.engine.discovery import discover
from airgate.engine.ports import FileVersion
from airgate.engine.processes.tree import ProcessTree
from airgate.model.dag import Dag, DagSpec
from airgate.model.errors import Conflict, Unavailable
from airgate.store import dags
from airgate.store.database import Database

log = structlog.get_logger(__name__)

DEBOUNCE_MS = 100
"""How long a burst of changes (a checkout, an editor's save) is gathered before the folder is read."""
STEP_MS = 100
"""How often the watcher looks whether something was heard. It costs a wake-up each time."""
RETRY_SECONDS = 2.0
RESCAN_SECONDS = 30.0
"""The folder is read again this often even if nothing was heard: some file systems do not tell."""


class FolderListener(Protocol):
    """Who is told what the folder's files define."""

    def dags_changed(self, version: FileVersion, dags: tuple[Dag, ...]) -> None:
        """The file was imported; these are its DAGs now."""

    def dags_broken(self, file: str) -> None:
        """The file cannot be imported as it is now; its last good version goes on."""

    def dags_gone(self, dag_ids: tuple[str, ...]) -> None:
        """These DAGs are no longer defined by any file."""


class Refused(msgspec.Struct, frozen=True):
    """A file that was imported, and whose DAGs belong to another one."""

    version: FileVersion
    specs: tuple[DagSpec, ...]
    seconds: float
    reason: str


class DagFolder:
    """Keeps the store and the process tree true to a folder of DAG files."""

    def __init__(
        self,
        root: Path,
        tree: ProcessTree,
        database: Database,
        listener: FolderListener,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        paused_at_creation: bool,
    ) -> None:
        self._root = root
        self._tree = tree
        self._database = database
        self._listener = listener
        self._clock = clock
        self._new_id = new_id
        self._paused_at_creation = paused_at_creation
        self._good: dict[str, FileVersion] = {}
        self._seen: dict[str, FileVersion] = {}
        self._refused: dict[str, Refused] = {}
        self._again: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self.last_read: datetime | None = None

    def version_of(self, file: str) -> FileVersion | None:
        """The newest good version of a file, as far as it was imported since the start."""
        return self._good.get(file)

    @property
    def pinned(self) -> frozenset[str]:
        """Versions that cannot be imported again, because their file has changed for the worse."""
        return frozenset(v.key for f, v in self._good.items() if self._seen.get(f, v).key != v.key)

    async def run(self) -> None:
        """Read the folder now, then whenever it changes, until `stop`. Raises Unavailable."""
        vanished = set(await self._database.read(dags.files))
        self._root.mkdir(parents=True, exist_ok=True)
        while not self._stop.is_set():
            await self._read(vanished)
            if self._root.is_dir():
                await self._watch()
            else:
                await asyncio.sleep(RETRY_SECONDS)
            vanished = set()

    async def _watch(self) -> None:
        """Read the folder whenever it changes, for as long as it is the same folder."""
        watched = self._root.stat().st_ino
        changes = awatch(
            self._root,
            watch_filter=DefaultFilter(),
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=int(RESCAN_SECONDS * 1000),
            yield_on_timeout=True,
            stop_event=self._stop,
        )
        async for _ in changes:
            if not self._root.is_dir() or self._root.stat().st_ino != watched:
                return
            await self._read(set())

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()
        for task in self._tasks:
            task.cancel()

    def read_again(self, file: str) -> None:
        """Import a file with the next reading of the folder, even if it has not changed."""
        self._again.add(file)

    def parse(self, file: str) -> None:
        """Import a file now, even if it has not changed. Nothing happens if it is not in the folder."""
        version = self._seen.get(file)
        if version is not None:
            self._spawn(self._import(version, again=True))

    async def _read(self, vanished: set[str]) -> None:
        again, self._again = self._again, set()
        found = (await asyncio.to_thread(discover, self._root)).files
        self.last_read = self._clock()
        gone = (vanished | self._seen.keys()) - found.keys()
        changed = [version for file, version in found.items() if file in again or self._seen.get(file) != version]
        self._seen = dict(found)
        for file in sorted(gone):
            await self._gone(file)
        for version in changed:
            self._spawn(self._import(version))

    async def _import(self, version: FileVersion, *, again: bool = False) -> None:
        try:
            parsed = await self._tree.load(version, again=again)
        except Unavailable as error:
            log.warning("DAG file not imported", file=version.file, reason=error.detail)
            await self._tree.usable()
            await self._import_again(version)
            return
        if self._seen.get(version.file) != version:
            self._tree.retire(version.key)  # it changed again meanwhile
            return
        if parsed.error is not None:
            await self._failed(version, parsed.error)
            return
        try:
            specs = tuple(msgspec.convert(dag, DagSpec) for dag in parsed.dags)
        except msgspec.ValidationError as error:
            await self._failed(version, f"DAG file {version.file}: its snapshot cannot be read: {error}")
            return
        await self._record(version, specs, parsed.seconds)

    async def _record(self, version: FileVersion, specs: tuple[DagSpec, ...], seconds: float) -> None:
        try:
            recorded = await self._database.write(
                dags.record_file,
                version.file,
                specs,
                now=self._clock(),
                parse_seconds=seconds,
                paused_at_creation=self._paused_at_creation,
                new_id=self._new_id,
            )
        except Conflict as conflict:
            await self._refuse(Refused(version, specs, seconds, conflict.detail))
            return
        except Unavailable as error:
            await self._waited(error)
            await self._import_again(version)
            return
        previous = self._good.get(version.file)
        self._good[version.file] = version
        if previous is not None and previous.key != version.key:
            self._tree.retire(previous.key)
        self._refused.pop(version.file, None)
        self._listener.dags_changed(version, recorded)
        self._reconsider()

    async def _refuse(self, refused: Refused) -> None:
        """The file defines a DAG that another file defines."""
        if self._refused.get(refused.version.file) == refused:
            return  # as was said before
        await self._failed(refused.version, refused.reason)
        self._refused[refused.version.file] = refused

    def _reconsider(self) -> None:
        """Some file may have let go of a DAG that another one was refused for."""
        for file, refused in list(self._refused.items()):
            if self._seen.get(file) == refused.version:
                self._spawn(self._record(refused.version, refused.specs, refused.seconds))
            else:
                del self._refused[file]

    async def _failed(self, version: FileVersion, trace: str) -> None:
        log.warning("DAG file has an import error", file=version.file, error=trace.strip().splitlines()[-1])
        if self._good.get(version.file) != version:
            self._tree.retire(version.key)
        try:
            await self._database.write(dags.record_failure, version.file, trace, now=self._clock())
        except Unavailable as error:
            await self._waited(error)
            await self._import_again(version)
            return
        self._listener.dags_broken(version.file)

    async def _gone(self, file: str) -> None:
        version = self._good.pop(file, None)
        if version is not None:
            self._tree.retire(version.key)
        while True:
            try:
                gone = await self._database.write(dags.file_gone, file)
            except Unavailable as error:
                await self._waited(error)
                continue
            self._listener.dags_gone(gone)
            self._reconsider()
            return

    async def _waited(self, error: Unavailable) -> None:
        log.warning("The DAG folder waits for the database", reason=error.detail)
        await asyncio.sleep(RETRY_SECONDS)

    async def _import_again(self, version: FileVersion) -> None:
        if self._seen.get(version.file) == version:
            await self._import(version)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="DAG file")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The engine made a mistake with a DAG file", error=repr(error), exc_info=error)
