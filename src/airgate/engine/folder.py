"""The DAG folder, watched: a changed file is imported, recorded, and counts from then on.

A broken file shows its import error and leaves its last good version running; a vanished one makes its DAGs inactive
and deletes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
import structlog
from watchfiles import DefaultFilter, awatch

from airgate.engine.discovery import discover
from airgate.engine.ports import FileVersion
from airgate.engine.processes.tree import ProcessTree
from airgate.model.dag import Dag, DagSpec
from airgate.model.errors import AirgateError, Conflict, Unavailable
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

    def dags_gone(self, dag_ids: tuple[str, ...]) -> None:
        """These DAGs are no longer defined by any file."""


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
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self.read_once = asyncio.Event()
        """Set when every file found at the start has been imported, or has failed."""
        self.last_read: datetime | None = None

    def version_of(self, file: str) -> FileVersion | None:
        """The newest good version of a file, as far as it was imported since the start."""
        return self._good.get(file)

    @property
    def pinned(self) -> frozenset[str]:
        """Versions that cannot be imported again, because their file has changed for the worse."""
        return frozenset(v.key for f, v in self._good.items() if self._seen.get(f, v).key != v.key)

    async def run(self) -> None:
        """Read the folder now, then whenever it changes, until `stop`."""
        known = await self._database.read(dags.files)
        await self._read(vanished=set(known))
        self.read_once.set()
        self._root.mkdir(parents=True, exist_ok=True)
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
            await self._read(vanished=set())

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    async def _read(self, vanished: set[str]) -> None:
        found = (await asyncio.to_thread(discover, self._root)).files
        self.last_read = self._clock()
        gone = (vanished | self._seen.keys()) - found.keys()
        changed = [version for file, version in found.items() if self._seen.get(file) != version]
        self._seen = dict(found)
        for file in sorted(gone):
            await self._gone(file)
        await asyncio.gather(*(self._import(version) for version in changed))

    async def _import(self, version: FileVersion) -> None:
        try:
            parsed = await self._tree.load(version)
        except Unavailable as error:
            log.warning("DAG file not imported", file=version.file, reason=error.detail)
            self._later(version)
            return
        if self._seen.get(version.file) != version:
            self._tree.retire(version.key)  # it changed again meanwhile
            return
        try:
            specs = tuple(msgspec.convert(dag, DagSpec) for dag in parsed.dags)
        except msgspec.ValidationError as error:
            await self._failed(version, f"DAG file {version.file}: its snapshot cannot be read: {error}")
            return
        await self._record(version, specs, parsed.error, parsed.seconds)

    async def _record(
        self, version: FileVersion, specs: tuple[DagSpec, ...], error: str | None, seconds: float
    ) -> None:
        if error is not None:
            await self._failed(version, error)
            return
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
            await self._failed(version, conflict.detail)
            return
        except Unavailable:
            self._later(version)
            return
        previous = self._good.get(version.file)
        self._good[version.file] = version
        if previous is not None and previous.key != version.key:
            self._tree.retire(previous.key)
        self._listener.dags_changed(version, recorded)

    async def _failed(self, version: FileVersion, trace: str) -> None:
        log.warning("DAG file has an import error", file=version.file, error=trace.strip().splitlines()[-1])
        if self._good.get(version.file) != version:
            self._tree.retire(version.key)
        with suppress(Unavailable):
            await self._database.write(dags.record_failure, version.file, trace, now=self._clock())

    async def _gone(self, file: str) -> None:
        version = self._good.pop(file, None)
        if version is not None:
            self._tree.retire(version.key)
        try:
            gone = await self._database.write(dags.file_gone, file)
        except AirgateError as error:
            log.warning("A vanished DAG file could not be recorded", file=file, reason=error.detail)
            return
        self._listener.dags_gone(gone)

    def _later(self, version: FileVersion) -> None:
        async def again() -> None:
            await asyncio.sleep(RETRY_SECONDS)
            if self._seen.get(version.file) == version:
                await self._import(version)

        task = asyncio.create_task(again(), name=f"import {version.file}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
