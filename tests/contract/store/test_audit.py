"""The audit log, on every database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.model.errors import InvalidInput, NotFound
from airgate.model.query import Order, Page
from airgate.store import audit
from airgate.store.database import Database
from tests.contract.store.builders import at


def entry(hour: float = 0, **more: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "at": at(hour),
        "event": "post_dag_run",
        "outcome": Outcome.DONE,
        "status": 200,
        "dialect": "stable-v1",
        "method": "POST",
        "path": "/api/v1/dags/d/dagRuns",
    }
    return AuditEntry(**(values | more))


FULL = entry(
    actor="ann", actor_id=uuid7(), key_id=uuid7(), address="2001:db8::1", deployment="local", dag_id="d", run_id="r",
    task_id="t", map_index=0, logical_date=at(5), extra={"a": [None, "ü"]}, count=3,
)  # fmt: skip


async def kept(database: Database, *entries: AuditEntry) -> tuple[int, ...]:
    return await database.write(audit.append_numbered, entries)


async def events(database: Database, which: AuditFilter) -> list[str]:
    return [found.event for found in await database.read(audit.newest, which, 100)]


async def test_an_entry_comes_back_as_it_was_kept(database: Database) -> None:
    await database.write(audit.append, [FULL])
    (found,) = await database.read(audit.newest, AuditFilter(), 10)
    assert found.seq > 0
    assert {**as_dict(found), "seq": 0} == as_dict(FULL)
    assert await database.read(audit.get, found.seq) == found


def as_dict(it: AuditEntry) -> dict[str, Any]:
    return {field: getattr(it, field) for field in it.__struct_fields__}


async def test_numbers_are_given_in_the_order_of_the_entries(database: Database) -> None:
    first = await kept(database, *(entry(event=str(n)) for n in range(50)))
    await database.write(audit.append, [])
    assert list(first) == sorted(first)
    assert [(await database.read(audit.get, seq)).event for seq in first[:3]] == ["0", "1", "2"]
    assert await kept(database) == ()
    (later,) = await kept(database, entry())
    assert later > max(first)


async def test_many_small_writes_are_one(database: Database) -> None:
    writing = [database.write_item(audit.append_each, entry(event=str(n))) for n in range(20)]
    for each in writing:
        await each
    assert sorted(await events(database, AuditFilter()), key=int) == [str(n) for n in range(20)]


async def test_pages_follow_each_other_from_the_newest(database: Database) -> None:
    await kept(database, *(entry(event=str(n)) for n in range(5)))
    first = await database.read(audit.newest, AuditFilter(), 2)
    await kept(database, entry(event="meanwhile"))
    second = await database.read(audit.newest, AuditFilter(), 2, first[-1].seq)
    third = await database.read(audit.newest, AuditFilter(), 2, second[-1].seq)
    assert [it.event for it in (*first, *second, *third)] == ["4", "3", "2", "1", "0"]
    assert await database.read(audit.newest, AuditFilter(), 2, third[-1].seq) == ()


KEY = uuid7()


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (AuditFilter(), "cba"),
        (AuditFilter(deployments=("local",)), "ba"),
        (AuditFilter(deployments=()), ""),
        (AuditFilter(dag_ids=("d", "nope")), "a"),
        (AuditFilter(run_id="r1"), "a"),
        (AuditFilter(task_id="t"), "b"),
        (AuditFilter(map_index=0), "b"),
        (AuditFilter(events=("a", "c")), "ca"),
        (AuditFilter(excluded_events=("a", "b")), "c"),
        (AuditFilter(actor="ann"), "a"),
        (AuditFilter(key_id=KEY), "b"),
        (AuditFilter(outcome=Outcome.REFUSED), "c"),
        (AuditFilter(since=at(2)), "cb"),
        (AuditFilter(until=at(2)), "a"),
        (AuditFilter(since=at(1), until=at(3), outcome=Outcome.DONE), "ba"),
    ],
)
async def test_a_filter_lets_through_what_it_says(database: Database, which: AuditFilter, found: str) -> None:
    await kept(
        database,
        entry(1, event="a", deployment="local", dag_id="d", run_id="r1", actor="ann"),
        entry(2, event="b", deployment="local", task_id="t", map_index=0, key_id=KEY),
        entry(3, event="c", outcome=Outcome.REFUSED, status=401),
    )
    assert "".join(await events(database, which)) == found
    listing = await database.read(audit.list_entries, which, Order("seq"), Page(1))
    assert listing.total == len(found)
    assert len(listing.items) == min(1, len(found))


async def test_an_entry_outside_the_restriction_is_not_found(database: Database) -> None:
    (seq,) = await kept(database, entry(deployment="other"))
    with pytest.raises(NotFound, match=str(seq)):
        await database.read(audit.get, seq, AuditFilter(deployments=("local",)))
    with pytest.raises(NotFound):
        await database.read(audit.get, seq + 1)


async def test_lists_sort_by_any_field_and_refuse_others(database: Database) -> None:
    await kept(database, entry(2, event="x", actor="b"), entry(1, event="y"), entry(3, event="z", actor="a"))

    async def by(field: str, *, descending: bool = False) -> str:
        listing = await database.read(audit.list_entries, AuditFilter(), Order(field, descending), Page())
        return "".join(it.event for it in listing.items)

    assert await by("at") == "yxz"
    assert await by("actor") == "yzx"
    assert await by("seq", descending=True) == "zyx"
    for field in AuditEntry.__struct_fields__:
        await by(field)
    with pytest.raises(InvalidInput):
        await by("nothing")


async def test_counts_are_replaced(database: Database) -> None:
    one, other = await kept(database, entry(event="a"), entry(event="b"))
    (new,) = await database.write(audit.keep_counted, [entry(event="c", count=3)], {one: 7, other + 100: 9})
    await database.write(audit.keep_counted, [], {})
    assert [it.count for it in await database.read(audit.newest, AuditFilter(), 10)] == [3, 1, 7]
    assert new > other


async def test_the_oldest_go_first_and_only_so_many_at_once(database: Database) -> None:
    await kept(database, entry(3, event="c"), entry(1, event="a"), entry(2, event="b"), entry(4, event="d"))
    assert await database.write(audit.prune, at(4), 2) == 2
    assert await events(database, AuditFilter()) == ["d", "c"]
    assert await database.write(audit.prune, at(4), 2) == 1
    assert await database.write(audit.prune, at(4), 2) == 0
    assert await events(database, AuditFilter()) == ["d"]


async def test_a_number_is_never_given_twice(database: Database) -> None:
    (first,) = await kept(database, entry())
    await database.write(audit.prune, at(0) + timedelta(days=1), 10)
    (second,) = await kept(database, entry())
    assert second > first
