"""Block windows, as whoever may keep them keeps them, and what they say of starting a job now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog

from airgate.model.errors import InvalidFields, Unavailable
from airgate.model.job import dag_job_id
from airgate.model.query import Listing, Order, Page
from airgate.model.webhook import BlockWindow
from airgate.orchestration import blocks
from airgate.store import hooks as stored
from airgate.store import workspaces
from airgate.store.database import Database

LEARNT_AFTER: Final = 60.0
"""Seconds after which a change made by another process counts here. One made here counts at once."""

log = structlog.get_logger(__name__)


class BlockWindows:
    """Keeps block windows, and knows them all by heart: starting a run asks on every start.

    Args:
        database: where they are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        changed: called after every change that was learnt of.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._changed = changed
        self._known: tuple[BlockWindow, ...] = ()

    async def load(self) -> None:
        """Learn what is kept."""
        known = await self._database.read(stored.blocks)
        if known != self._known:
            self._known = known
            self._changed()

    async def keep_up(self) -> None:
        """Learn what other processes change, until cancelled."""
        while True:
            await asyncio.sleep(LEARNT_AFTER)
            try:
                await self.load()
            except Unavailable as error:
                log.info("Block windows cannot be read now", detail=error.detail)

    def of(self, workspace_id: UUID) -> tuple[BlockWindow, ...]:
        """The windows of a workspace, as far as they are known."""
        return tuple(window for window in self._known if window.workspace_id == workspace_id)

    def blocked_until(self, workspace_id: UUID, job_id: UUID, *, manual: bool = True) -> datetime | None:
        """When a job of a workspace may start; None: now."""
        return blocks.blocked_until(self.of(workspace_id), job_id, self._clock(), manual=manual)

    async def list(self, workspace_id: UUID, order: Order, page: Page) -> Listing[BlockWindow]:
        """One page of a workspace's windows."""
        return await self._database.read(stored.list_blocks, workspace_id, order, page)

    async def get(self, workspace_id: UUID, window_id: UUID) -> BlockWindow:
        """One window. Raises NotFound."""
        return await self._database.read(stored.get_block, workspace_id, window_id)

    async def create(self, workspace_id: UUID, given: BlockWindow) -> BlockWindow:
        """Make a window of what was given. Raises InvalidFields."""
        now = self._clock()
        await self._database.read(workspaces.get, workspace_id)
        made = msgspec.structs.replace(
            given, id=self._new_id(), workspace_id=workspace_id, created_at=now, updated_at=now
        )
        _check(made)
        await self._database.write(stored.create_block, made)
        await self.load()
        return made

    async def update(self, workspace_id: UUID, window_id: UUID, **changes: Any) -> BlockWindow:
        """Change a window. Raises NotFound and InvalidFields."""
        before = await self.get(workspace_id, window_id)
        after = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        _check(after)
        await self._database.write(stored.update_block, after)
        await self.load()
        return after

    async def delete(self, workspace_id: UUID, window_id: UUID) -> None:
        """Delete a window. Raises NotFound."""
        await self._database.write(stored.delete_block, workspace_id, window_id)
        await self.load()


class DagGate:
    """Implements `airgate.engine.ports.Gate` for the DAGs of one deployment."""

    def __init__(self, windows: BlockWindows, deployment: str, workspace_id: UUID) -> None:
        self._windows = windows
        self._deployment = deployment
        self._workspace_id = workspace_id

    def blocks(self, dag_id: str, now: datetime, *, manual: bool) -> bool:
        """See the port."""
        windows = self._windows.of(self._workspace_id)
        return bool(windows) and blocks.is_blocked(windows, self._job(dag_id), now, manual=manual)

    def cancels(self, dag_id: str, now: datetime, *, manual: bool) -> str | None:
        """See the port."""
        windows = self._windows.of(self._workspace_id)
        window = blocks.canceller(windows, self._job(dag_id), now, manual=manual) if windows else None
        return None if window is None else f"Ended by the block window '{window.name}'."

    def next_change(self, now: datetime) -> datetime | None:
        """See the port."""
        return blocks.next_change(self._windows.of(self._workspace_id), now)

    def _job(self, dag_id: str) -> UUID:
        return dag_job_id(self._deployment, dag_id)


def _check(window: BlockWindow) -> None:
    faults = []
    if not window.name.strip() or len(window.name) > 255:
        faults.append(("/name", "A name has 1 to 255 characters."))
    if not window.weekdays or not all(0 <= day <= 6 for day in window.weekdays):
        faults.append(("/weekdays", "Name at least one day of the week: 0 is Sunday, 6 is Saturday."))
    try:
        ZoneInfo(window.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(("/time_zone", f"'{window.time_zone}' is no time zone; write one like America/Sao_Paulo."))
    if faults:
        raise InvalidFields(faults)
