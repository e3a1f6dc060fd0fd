"""`Database.write` and `write_item`: order, group commit, isolation of failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from airgate.model.errors import Conflict, NotFound, Unavailable
from airgate.model.event import Event
from airgate.store import events, meta, pools
from airgate.store import runs as run_store
from airgate.store._writer import GROUP
from airgate.store.database import Database, Tx
from tests.contract.store.builders import START, make_run
from tests.support.clock import Clock


class Commits:
    """Counts the commits of all databases, and lets a test look while one is about to happen."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, connection: Connection) -> None:
        self.count += 1


@pytest.fixture
def commits() -> Iterator[Commits]:
    counter = Commits()
    event.listen(Engine, "commit", counter)
    yield counter
    event.remove(Engine, "commit", counter)


class Gate:
    """A write that stays in its function until the gate is opened, so that others gather behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, tx: Tx) -> None:
        self.entered.set()
        assert self._open.wait(30)

    def open(self) -> None:
        self._open.set()


async def _held(database: Database) -> tuple[Gate, asyncio.Future[None]]:
    gate = Gate()
    future = database.write(gate)
    await asyncio.to_thread(gate.entered.wait, 30)
    return gate, future


def _echo(tx: Tx, number: int) -> int:
    return number


def _append(tx: Tx, name: str) -> None:
    from_before = meta.get(tx, "names")
    meta.put(tx, "names", f"{from_before or ''}{name} ")


async def test_write_gives_the_result_of_its_function(database: Database) -> None:
    assert await database.write(lambda tx, word, times: word * times, "ab", times=2) == "abab"


async def test_writes_keep_submission_order_when_nobody_awaits_them(database: Database) -> None:
    names = [f"n{i}" for i in range(50)]

    futures = [database.write(_append, name) for name in names]
    await asyncio.gather(*futures)

    assert await database.read(meta.get, "names") == " ".join(names) + " "


async def test_write_is_visible_to_others_when_its_future_resolves(database: Database) -> None:
    seen = []
    for number in range(20):
        await database.write(meta.put, "n", str(number))
        seen.append(await database.read(meta.get, "n"))

    assert seen == [str(number) for number in range(20)]


async def test_future_is_not_done_before_the_commit_has_happened(database: Database) -> None:
    states: list[bool] = []

    def look(connection: Connection) -> None:
        states.append(future.done())

    gate, _ = await _held(database)
    future = database.write(meta.put, "n", "1")
    event.listen(Engine, "commit", look)
    try:
        gate.open()
        await future
    finally:
        event.remove(Engine, "commit", look)

    assert states == [False, False]


async def test_writes_that_gathered_during_a_commit_are_committed_together(
    database: Database, commits: Commits
) -> None:
    gate, first = await _held(database)
    gathered = [database.write(_append, f"n{i}") for i in range(200)]
    gate.open()

    await first
    await asyncio.gather(*gathered)

    assert commits.count == 2


async def test_no_write_is_forgotten_when_more_gathered_than_one_commit_takes(
    database: Database, commits: Commits
) -> None:
    gate, _ = await _held(database)
    gathered = [database.write(_echo, number) for number in range(2 * GROUP + 1)]
    gate.open()

    assert await asyncio.gather(*gathered) == list(range(2 * GROUP + 1))
    assert commits.count == 4


async def test_lone_write_is_not_kept_when_its_function_raises(database: Database) -> None:
    def fail(tx: Tx) -> None:
        meta.put(tx, "n", "1")
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        await database.write(fail)

    assert await database.read(meta.get, "n") is None
    assert database.healthy


async def test_function_that_raises_undoes_its_own_work_only(database: Database, commits: Commits) -> None:
    def fail(tx: Tx, name: str) -> None:
        _append(tx, name)
        raise LookupError(name)

    gate, first = await _held(database)
    futures = [database.write(fail if i % 3 == 1 else _append, f"n{i}") for i in range(9)]
    gate.open()
    results = await asyncio.gather(*futures, return_exceptions=True)
    await first

    assert [type(result) for result in results] == [type(None), LookupError, type(None)] * 3
    assert await database.read(meta.get, "names") == "n0 n2 n3 n5 n6 n8 "
    assert commits.count == 2


async def test_neighbours_commit_when_the_database_refuses_a_statement(database: Database) -> None:
    def break_a_rule(tx: Tx) -> None:
        tx.connection.exec_driver_sql("INSERT INTO pool (name) VALUES (NULL)")

    gate, _ = await _held(database)
    before = database.write(_append, "before")
    broken = database.write(break_a_rule)
    after = database.write(_append, "after")
    gate.open()

    with pytest.raises(Exception, match=r"(?i)null"):
        await broken
    await asyncio.gather(before, after)
    assert await database.read(meta.get, "names") == "before after "


@pytest.mark.parametrize("alone", [True, False])
async def test_write_fails_when_its_function_hides_that_the_database_refused(database: Database, alone: bool) -> None:
    """On PostgreSQL such a transaction is over, and its COMMIT rolls back without saying so."""

    def hide(tx: Tx) -> None:
        meta.put(tx, "n", "1")
        with pytest.raises(Exception, match=r"(?i)null"):
            tx.connection.exec_driver_sql("INSERT INTO pool (name) VALUES (NULL)")

    gate, _ = await _held(database)
    if alone:
        gate.open()
        await database.write(meta.put, "other", "1")
        future = database.write(hide)
    else:
        future = database.write(hide)
        neighbour = database.write(meta.put, "other", "1")
        gate.open()
        await neighbour
    (outcome,) = await asyncio.gather(future, return_exceptions=True)

    kept = await database.read(meta.get, "n")
    assert (outcome is None) == (kept == "1"), "a write whose future raised was not committed, and the other way round"
    assert await database.read(meta.get, "other") == "1"


async def test_write_stays_when_its_future_is_cancelled(database: Database) -> None:
    gate, _ = await _held(database)
    future = database.write(meta.put, "n", "1")
    future.cancel()
    gate.open()
    await database.write(meta.put, "later", "1")

    assert await database.read(meta.get, "n") == "1"


async def test_several_functions_make_one_atomic_write(database: Database, clock: Clock) -> None:
    def both(tx: Tx) -> None:
        run_store.insert(tx, make_run())
        pools.delete(tx, "no such pool")

    with pytest.raises(NotFound):
        await database.write(both)

    with pytest.raises(NotFound):
        await database.read(run_store.get, "d", "r1")


async def test_close_commits_what_was_submitted(database_url: str, store_secret: bytes) -> None:
    database = await Database.open(database_url, secret=store_secret)
    futures = [database.write(_append, f"n{i}") for i in range(20)]
    await database.close()

    assert all(future.done() and future.exception() is None for future in futures)
    again = await Database.open(database_url, secret=store_secret)
    assert (await again.read(meta.get, "names") or "").split() == [f"n{i}" for i in range(20)]
    await again.close()


async def test_write_is_refused_when_the_database_has_been_closed(database_url: str, store_secret: bytes) -> None:
    database = await Database.open(database_url, secret=store_secret)
    await database.close()

    with pytest.raises(Unavailable):
        await database.write(_append, "n")


async def test_no_thread_is_left_when_the_database_has_been_closed(database_url: str, store_secret: bytes) -> None:
    database = await Database.open(database_url, secret=store_secret)
    await database.read(meta.get, "n")
    await database.close()

    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("airgate-store")]


# ------------------------------------------------------------------------------------------------------------- items


class Numbers:
    """A function for `write_item` that remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        self.calls.append(list(items))
        for item in items:
            _append(tx, f"n{item}")
        if 13 in items:
            raise LookupError("thirteen")
        return [Conflict("seven") if item == 7 else item * 10 for item in items]


async def _gathered(database: Database, fn: Numbers, items: Sequence[int]) -> list[Any]:
    gate, _ = await _held(database)
    futures = [database.write_item(fn, item) for item in items]
    gate.open()
    return await asyncio.gather(*futures, return_exceptions=True)


async def test_items_that_gathered_are_passed_to_one_call(database: Database, commits: Commits) -> None:
    numbers = Numbers()

    results = await _gathered(database, numbers, [1, 2, 3])

    assert results == [10, 20, 30]
    assert numbers.calls == [[1, 2, 3]]
    assert commits.count == 2


async def test_items_are_gathered_when_other_writes_stand_between_them(database: Database) -> None:
    numbers = Numbers()
    gate, _ = await _held(database)
    futures: list[asyncio.Future[Any]] = [database.write_item(numbers, 1), database.write(_append, "between")]
    futures.append(database.write_item(numbers, 2))
    gate.open()
    await asyncio.gather(*futures)

    assert numbers.calls == [[1, 2]]


async def test_exception_among_the_results_is_raised_to_its_own_caller(database: Database) -> None:
    results = await _gathered(database, Numbers(), [6, 7, 8])

    assert results[0] == 60
    assert isinstance(results[1], Conflict)
    assert results[2] == 80


async def test_each_item_gets_its_own_call_when_the_common_one_raises(database: Database) -> None:
    numbers = Numbers()

    results = await _gathered(database, numbers, [12, 13, 14])

    assert numbers.calls == [[12, 13, 14], [12], [13], [14]]
    assert [results[0], results[2]] == [120, 140]
    assert isinstance(results[1], LookupError)
    assert await database.read(meta.get, "names") == "n12 n14 "


async def test_lone_item_is_not_kept_when_its_call_raises(database: Database) -> None:
    with pytest.raises(LookupError):
        await database.write_item(Numbers(), 13)

    assert await database.read(meta.get, "names") is None


async def test_item_fails_when_its_function_gives_too_few_results(database: Database) -> None:
    def nothing(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        _append(tx, "n")
        return []

    with pytest.raises(TypeError, match="0 results for 1 items"):
        await database.write_item(nothing, 1)

    assert await database.read(meta.get, "names") is None


# ------------------------------------------------------------------------------------------------------------- reads


async def test_read_sees_one_snapshot_when_somebody_writes_meanwhile(database: Database) -> None:
    await database.write(meta.put, "n", "old")
    began, written = threading.Event(), threading.Event()

    def look_twice(tx: Tx) -> tuple[str | None, str | None]:
        first = meta.get(tx, "n")
        began.set()
        assert written.wait(30)
        return first, meta.get(tx, "n")

    reading = asyncio.ensure_future(database.read(look_twice))
    await asyncio.to_thread(began.wait, 30)
    await database.write(meta.put, "n", "new")
    written.set()

    assert await reading == ("old", "old")
    assert await database.read(meta.get, "n") == "new"


async def test_read_raises_what_its_function_raises(database: Database) -> None:
    with pytest.raises(NotFound):
        await database.read(run_store.get, "d", "nobody")

    assert await database.read(meta.get, "n") is None


async def test_events_are_kept_with_the_change_they_tell_of_or_not_at_all(database: Database) -> None:
    def change(tx: Tx, fail: bool) -> None:
        events.append(tx, [Event(kind="k", at=START)])
        if fail:
            raise LookupError

    with pytest.raises(LookupError):
        await database.write(change, True)
    assert await database.read(events.after, 0, 10) == ()
    await database.write(change, False)
    assert len(await database.read(events.after, 0, 10)) == 1
