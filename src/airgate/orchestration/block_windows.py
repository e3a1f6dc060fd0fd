"""Block windows, as whoever may keep them keeps them, and what they say of starting a job now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from airgate.model.errors import InvalidFields
from airgate.model.query import Listing, Order, Page
from airgate.model.webhook import BlockWindow
from airgate.orchestration import blocks
from airgate.store import hooks as stored
from airgate.store import workspaces
from airgate.store.database import Database


class BlockWindows:
    """Keeps block windows, and knows them all by heart: starting a run asks on every start.

    Args:
        database: where they are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        changed: called after every change, and after `load`.
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
        """Learn what is kept; again from time to time, where other processes may change it."""
        self._known = await self._database.read(stored.blocks)
        self._changed()

    def blocked_until(self, job_id: UUID, *, manual: bool) -> datetime | None:
        """When the job may start; None: now."""
        return blocks.blocked_until(self._known, job_id, self._clock(), manual=manual) if self._known else None

    def cancels(self, job_id: UUID) -> bool:
        """Whether what runs of the job now is to be ended."""
        return bool(self._known) and blocks.to_cancel(self._known, job_id, self._clock())

    def next_change(self) -> datetime | None:
        """The next moment at which an answer of this may change by itself."""
        return blocks.next_change(self._known, self._clock())

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
