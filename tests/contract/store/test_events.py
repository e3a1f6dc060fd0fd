"""The outbox, and the small facts of an installation."""

from __future__ import annotations

import pytest

from airgate.model.event import Event
from airgate.store import events, meta
from airgate.store.database import Database
from tests.contract.store.builders import at


async def test_events_come_back_in_their_order(database: Database) -> None:
    full = Event(kind="dag_run.finished", at=at(1), dag_id="d", run_id="r", payload={"a": [None, 1]})
    await database.write(events.append, [full, Event(kind="b", at=at(0))])
    await database.write(events.append, [])
    await database.write(events.append, [Event(kind="c", at=at(0))])

    found = await database.read(events.after, 0, 10)

    assert [event.kind for event in found] == ["dag_run.finished", "b", "c"]
    assert found[0] == Event(kind=full.kind, at=at(1), dag_id="d", run_id="r", payload=full.payload, seq=found[0].seq)
    assert found[0].seq < found[1].seq < found[2].seq


async def test_after_goes_on_behind_what_was_read(database: Database) -> None:
    await database.write(events.append, [Event(kind=str(number), at=at(0)) for number in range(5)])

    first = await database.read(events.after, 0, 2)
    second = await database.read(events.after, first[-1].seq, 2)
    third = await database.read(events.after, second[-1].seq, 2)

    assert [event.kind for event in (*first, *second, *third)] == ["0", "1", "2", "3", "4"]
    assert await database.read(events.after, third[-1].seq, 2) == ()


@pytest.mark.parametrize("value", ["", "v", "ü" * 10_000])
async def test_fact_is_kept_and_replaced(database: Database, value: str) -> None:
    assert await database.read(meta.get, "k") is None
    await database.write(meta.put, "k", "old")
    await database.write(meta.put, "k", value)

    assert await database.read(meta.get, "k") == value
