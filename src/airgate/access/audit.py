"""The audit log: writes are kept before they are answered, refusals soon after, and the oldest go in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from airgate.model.audit import AuditEntry, AuditFilter
from airgate.model.query import Listing, Order, Page
from airgate.store import audit as stored
from airgate.store.database import Database

_log = structlog.get_logger(__name__)

WINDOW: Final = timedelta(minutes=1)
"""How long like refusals are one entry."""
MOST_KINDS: Final = 1000
"""Kinds of refusals told apart at a time. Those beyond are counted together, without caller and address."""
MOST_NAMES: Final = 20
"""Names told apart at a time from one address. Who tries more of them is told apart by address alone."""
_PRUNE_SECONDS: Final = 3600.0
_PRUNED_AT_ONCE: Final = 500

_Kind = tuple[object, ...]


class _Counted:
    """Like refusals of one window: the first of them, how many they are, and how much of that is stored where."""

    __slots__ = ("count", "entry", "seq", "stored")

    def __init__(self, entry: AuditEntry) -> None:
        self.entry = entry
        self.count = 0
        self.stored = 0
        self.seq: int | None = None


class AuditLog:
    """The audit log of every dialect.

    Obligations (each has a test):
      * `record` returns when the entry is durable;
      * `refused` never raises and never waits; what it was given is stored by the next `flush`;
      * like refusals (caller, key, address, event, dialect, status) within a minute are one entry with a count, also
        where they are stored in between;
      * however many refusals there are, and however they differ, only so many are told apart: neither memory nor the
        log grows with a flood, and the counts of all entries are right;
      * what cannot be stored now is stored by a later `flush`.

    Args:
        database: where it is kept.
        clock: the present time, aware.
        days: how long entries are kept; 0: for ever.
        gather_seconds: how long refusals gather before they are stored together.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        days: int,
        gather_seconds: float = 1.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._days = days
        self._gather_seconds = gather_seconds
        self._kinds: dict[_Kind, _Counted] = {}
        self._names: Counter[str | None] = Counter()
        self._waiting = asyncio.Event()
        self._flushing = asyncio.Lock()

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry; returns when it is durable. Raises Unavailable."""
        await self._database.write_item(stored.append_each, entry)

    def refused(self, entry: AuditEntry) -> None:
        """Keep an entry soon; the next `flush` stores it. Like ones become one entry with a count. Never raises."""
        counted = self._counted(entry)
        counted.count += entry.count
        self._waiting.set()

    async def newest(self, which: AuditFilter, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """The newest `limit` entries that match, newest first; with `before`, of those older than that `seq`."""
        return await self._database.read(stored.newest, which, limit, before)

    async def list_entries(self, which: AuditFilter, order: Order, page: Page) -> Listing[AuditEntry]:
        """One page of the entries that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
        return await self._database.read(stored.list_entries, which, order, page)

    async def get(self, seq: int, which: AuditFilter) -> AuditEntry:
        """One entry that matches. Raises NotFound (code ``audit_entry_not_found``)."""
        return await self._database.read(stored.get, seq, which)

    async def run(self) -> None:
        """Store refusals as they come, and delete what is too old, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_flushing(), name="audit: refusals")
            if self._days:
                group.create_task(self._keep_pruning(), name="audit: retention")

    async def flush(self) -> None:
        """Store all refusals there have been. Raises Unavailable; then they wait for the next time."""
        async with self._flushing:
            changed = {kind: it for kind, it in self._kinds.items() if it.count > it.stored}
            counts = {kind: it.count for kind, it in changed.items()}
            try:
                if changed:
                    await self._store(changed, counts)
            finally:
                self._forget_old()

    async def prune(self) -> int:
        """Delete what is too old, a little at a time. Gives how many entries there were. Raises Unavailable."""
        before = self._clock() - timedelta(days=self._days)
        deleted = 0
        while self._days:
            batch = await self._database.write(stored.prune, before, _PRUNED_AT_ONCE)
            deleted += batch
            if batch < _PRUNED_AT_ONCE:
                break
        return deleted

    def _counted(self, entry: AuditEntry) -> _Counted:
        """The window an entry belongs to, opened where there is none yet."""
        shape = (entry.event, entry.dialect, entry.status, entry.deployment)
        for like in _ever_less(entry):
            kind = (like.actor, like.key_id, like.address, *shape)
            known = self._kinds.get(kind)
            if known is not None and entry.at - known.entry.at < WINDOW:
                return known
            if known is None and not self._room_for(like):
                continue
            if known is not None and not self._retire(kind, known):
                return known
            self._kinds[kind] = counted = _Counted(like)
            if _is_claimed(like):
                self._names[like.address] += 1
            return counted
        raise AssertionError("the last is always kept")

    def _room_for(self, entry: AuditEntry) -> bool:
        if entry.actor is None and entry.key_id is None and entry.address is None:
            return True  # there are only so many operations
        if len(self._kinds) >= MOST_KINDS:
            return False
        return not _is_claimed(entry) or self._names[entry.address] < MOST_NAMES

    def _retire(self, kind: _Kind, counted: _Counted) -> bool:
        """Let go of a window that is over. One that is not stored yet goes on."""
        if counted.count > counted.stored:
            return False
        del self._kinds[kind]
        if _is_claimed(counted.entry):
            self._names -= Counter([counted.entry.address])  # what has come to nothing is gone from it
        return True

    def _forget_old(self) -> None:
        now = self._clock()
        for kind, counted in list(self._kinds.items()):
            if now - counted.entry.at >= WINDOW:
                self._retire(kind, counted)

    async def _store(self, changed: dict[_Kind, _Counted], counts: dict[_Kind, int]) -> None:
        new = [kind for kind, it in changed.items() if it.seq is None]
        entries = [msgspec.structs.replace(changed[kind].entry, count=counts[kind]) for kind in new]
        more = {it.seq: counts[kind] for kind, it in changed.items() if it.seq is not None}
        numbers = await self._database.write(stored.keep_counted, entries, more)
        for kind, seq in zip(new, numbers, strict=True):
            changed[kind].seq = seq
        for kind, it in changed.items():
            it.stored = counts[kind]

    async def _keep_flushing(self) -> None:
        while True:
            await self._waiting.wait()
            await asyncio.sleep(self._gather_seconds)
            self._waiting.clear()
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - whatever it is, later refusals must still be kept
                self._waiting.set()
                _log.warning("refusals cannot be written to the audit log now", reason=str(error))

    async def _keep_pruning(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as error:  # noqa: BLE001 - there is a next time
                _log.warning("the audit log cannot be pruned now", reason=str(error))
            await asyncio.sleep(_PRUNE_SECONDS)


def _is_claimed(entry: AuditEntry) -> bool:
    """Whether its caller is a name that somebody claimed, and did not prove."""
    return entry.actor is not None and entry.actor_id is None


def _ever_less(entry: AuditEntry) -> tuple[AuditEntry, AuditEntry, AuditEntry]:
    """An entry as it is, without the name it claimed, and with nothing that tells callers apart."""
    replace = msgspec.structs.replace
    unnamed = replace(entry, actor=None, actor_id=None, key_id=None, extra={})
    anonymous = replace(unnamed, address=None, path="", dag_id=None, run_id=None, task_id=None, map_index=None)
    return entry, unnamed, anonymous
