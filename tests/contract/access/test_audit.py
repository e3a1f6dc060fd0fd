"""The audit log's obligations, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from airgate.access.audit import MOST_KINDS, MOST_NAMES, WINDOW, AuditLog
from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.model.errors import NotFound, Unavailable
from airgate.model.query import Order, Page
from airgate.store import audit as stored
from airgate.store.database import Database
from tests.support.clock import Clock

ALL = AuditFilter()


@pytest.fixture
def audit(database: Database, clock: Clock) -> AuditLog:
    return AuditLog(database, clock=clock, days=30)


def refusal(clock: Clock, **more: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "at": clock(),
        "event": "post_dag_run",
        "outcome": Outcome.REFUSED,
        "status": 401,
        "dialect": "stable-v1",
        "method": "POST",
        "path": "/api/v1/dags/d/dagRuns",
        "actor": "eve",
        "address": "203.0.113.7",
        "deployment": "local",
    }
    return AuditEntry(**(values | more))


async def counts(audit: AuditLog) -> list[int]:
    return [entry.count for entry in reversed(await audit.newest(ALL, 10_000))]


async def test_a_recorded_entry_is_there_when_record_returns(audit: AuditLog, clock: Clock) -> None:
    await audit.record(refusal(clock, outcome=Outcome.DONE, status=200))
    (entry,) = await audit.newest(ALL, 10)
    assert entry.outcome is Outcome.DONE
    assert await audit.get(entry.seq, ALL) == entry
    assert (await audit.list_entries(ALL, Order("seq"), Page())).items == (entry,)
    with pytest.raises(NotFound):
        await audit.get(entry.seq, AuditFilter(deployments=()))


async def test_a_refusal_is_there_after_a_flush(audit: AuditLog, clock: Clock) -> None:
    audit.refused(refusal(clock))
    assert await counts(audit) == []
    await audit.flush()
    assert await counts(audit) == [1]
    await audit.flush()
    assert await counts(audit) == [1]


async def test_like_refusals_of_a_minute_are_one_entry_though_it_is_stored_meanwhile(
    audit: AuditLog, clock: Clock
) -> None:
    first = refusal(clock)
    for _ in range(3):
        for _ in range(5):
            audit.refused(refusal(clock, path="/another"))
        await audit.flush()
        clock.pass_(10)
    (entry,) = await audit.newest(ALL, 10)
    assert (entry.count, entry.at) == (15, first.at)


async def test_after_a_minute_a_new_entry_begins(audit: AuditLog, clock: Clock) -> None:
    audit.refused(refusal(clock))
    await audit.flush()
    clock.pass_(WINDOW.total_seconds())
    audit.refused(refusal(clock))
    audit.refused(refusal(clock))
    await audit.flush()
    assert await counts(audit) == [1, 2]


async def test_a_window_that_is_over_but_not_stored_goes_on(audit: AuditLog, clock: Clock) -> None:
    audit.refused(refusal(clock))
    clock.pass_(WINDOW.total_seconds())
    audit.refused(refusal(clock))
    await audit.flush()
    assert await counts(audit) == [2]


@pytest.mark.parametrize(
    "other",
    [
        {"actor": "mallory"},
        {"key_id": uuid7()},
        {"address": "203.0.113.8"},
        {"event": "delete_dag"},
        {"dialect": "native"},
        {"status": 429},
        {"deployment": "other"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_refusals_that_differ_are_entries_of_their_own(
    audit: AuditLog, clock: Clock, other: dict[str, Any]
) -> None:
    audit.refused(refusal(clock))
    audit.refused(refusal(clock, **other))
    await audit.flush()
    assert await counts(audit) == [1, 1]


async def test_a_flood_of_names_from_one_address_becomes_one_entry_of_that_address(
    audit: AuditLog, clock: Clock
) -> None:
    for number in range(500):
        audit.refused(refusal(clock, actor=f"guess {number}", extra={"guess": number}))
    await audit.flush()
    found = await audit.newest(ALL, 1000)
    assert len(found) == MOST_NAMES + 1
    (rest,) = [entry for entry in found if entry.actor is None]
    assert (rest.count, rest.address, rest.extra) == (500 - MOST_NAMES, "203.0.113.7", {})


async def test_a_flood_from_everywhere_ends_in_one_entry(audit: AuditLog, clock: Clock) -> None:
    for number in range(3000):
        audit.refused(refusal(clock, actor=f"guess {number}", address=f"2001:db8::{number:x}"))
    await audit.flush()
    found = await audit.newest(ALL, 10_000)
    assert len(found) <= MOST_KINDS + 1
    assert sum(entry.count for entry in found) == 3000
    (rest,) = [entry for entry in found if entry.address is None]
    assert (rest.actor, rest.path, rest.count) == (None, "", 3000 - MOST_KINDS)


async def test_known_callers_are_told_apart_behind_one_address(audit: AuditLog, clock: Clock) -> None:
    for number in range(MOST_NAMES * 2):
        audit.refused(refusal(clock, actor=f"someone {number}", actor_id=uuid7(), status=403))
    await audit.flush()
    assert await counts(audit) == [1] * MOST_NAMES * 2


async def test_there_is_room_again_when_windows_are_over(audit: AuditLog, clock: Clock) -> None:
    for number in range(MOST_NAMES + 5):
        audit.refused(refusal(clock, actor=f"guess {number}"))
    clock.pass_(WINDOW.total_seconds())
    await audit.flush()
    audit.refused(refusal(clock, actor="later"))
    await audit.flush()
    assert (await audit.newest(ALL, 1))[0].actor == "later"


async def test_what_cannot_be_stored_now_is_stored_later(sqlite_database: Database, clock: Clock) -> None:
    class Failing:
        broken = True

        def write(self, *arguments: Any) -> Any:
            if self.broken:
                raise Unavailable("not now")
            return sqlite_database.write(*arguments)

        async def read(self, *arguments: Any) -> Any:
            return await sqlite_database.read(*arguments)

    failing = Failing()
    audit = AuditLog(failing, clock=clock, days=30)  # type: ignore[arg-type]  # all that the log needs of one
    audit.refused(refusal(clock))
    clock.pass_(WINDOW.total_seconds())
    with pytest.raises(Unavailable):
        await audit.flush()
    audit.refused(refusal(clock))
    failing.broken = False
    await audit.flush()
    assert await counts(audit) == [2]


async def test_flushes_at_the_same_time_store_nothing_twice(audit: AuditLog, clock: Clock) -> None:
    for _ in range(3):
        audit.refused(refusal(clock))
        audit.refused(refusal(clock, actor="mallory"))
        await asyncio.gather(audit.flush(), audit.flush(), audit.flush())
    assert await counts(audit) == [3, 3]


async def test_a_refusal_during_a_flush_is_not_lost(audit: AuditLog, clock: Clock) -> None:
    audit.refused(refusal(clock))
    flushing = asyncio.create_task(audit.flush())
    await asyncio.sleep(0)
    audit.refused(refusal(clock))
    await flushing
    await audit.flush()
    assert await counts(audit) == [2]


@pytest.mark.parametrize(("days", "left"), [(30, 3), (1, 2), (0, 703)])
async def test_what_is_too_old_is_deleted(database: Database, clock: Clock, days: int, left: int) -> None:
    audit = AuditLog(database, clock=clock, days=days)
    ages = [31.0] * 700 + [29.0] + [0.5] * 2
    await database.write(stored.append, [refusal(clock, at=clock() - timedelta(days=age)) for age in ages])
    await audit.prune()
    assert len(await audit.newest(ALL, 1000)) == left


@asynccontextmanager
async def working(audit: AuditLog) -> AsyncIterator[None]:
    task = asyncio.create_task(audit.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_refusals_are_stored_by_themselves_and_old_entries_go(sqlite_database: Database, clock: Clock) -> None:
    audit = AuditLog(sqlite_database, clock=clock, days=1, gather_seconds=0)
    await audit.record(refusal(clock, at=clock() - timedelta(days=2), event="old"))
    async with working(audit), asyncio.timeout(10):
        audit.refused(refusal(clock, event="new"))
        while [entry.event for entry in await audit.newest(ALL, 10)] != ["new"]:
            pass  # until both have happened
