"""Long lists of runs: the same pages and totals as a plain look at every run gives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgate.model.query import Listing, Order, Page, RunFilter, Span
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType
from airgate.store import _bits as bits
from airgate.store import _schema as schema
from airgate.store import runs
from airgate.store._types import to_json
from airgate.store.database import Database, Tx
from airgate.store.run_index import RunIndex, is_short
from tests.contract.store.builders import at, make_run

DAGS = ("a", "b", "ä", "a" * 60, "a" * 60 + "b")
FIELDS = ("seq", "state", "dag_id", "run_id", "execution_date", "start_date", "end_date", "updated_at",
          "external_trigger", "conf")  # fmt: skip
DATES = ("execution_date", "start_date", "end_date", "updated_at")
EDGES = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
LONG = "x" * 100

moments = st.one_of(
    st.integers(0, 5).map(at),
    st.integers(-3, 3).map(lambda n: at(0) + timedelta(microseconds=n)),
    st.sampled_from(EDGES),
)
maybe = st.none() | moments
confs = st.sampled_from([{}, {"a": 1}, {"a": "ü"}, {"a": LONG}, {"a": LONG + "y"}, {"B": None}])
contents = st.fixed_dictionaries(
    {
        "dag_id": st.sampled_from(DAGS),
        "state": st.sampled_from(RunState),
        "run_type": st.sampled_from([RunType.MANUAL, RunType.SCHEDULED]),
        "run_after": moments,
        "start_date": maybe,
        "end_date": maybe,
        "updated_at": maybe,
        "conf": confs,
    }
)
filters = st.builds(
    RunFilter,
    dag_ids=st.none() | st.none() | st.lists(st.sampled_from([*DAGS, "nobody"]), unique=True).map(tuple),
    states=st.none() | st.none() | st.lists(st.sampled_from(RunState), unique=True).map(tuple),
    **dict.fromkeys(DATES, st.just(Span()) | st.just(Span()) | st.builds(Span, maybe, maybe)),
)
orders = st.builds(Order, st.sampled_from(FIELDS), st.booleans())
pages = st.builds(Page, st.integers(0, 3), st.integers(0, 12))
asked = st.tuples(st.just("list"), st.lists(st.tuples(filters, orders, pages), min_size=4, max_size=8))
made = st.tuples(st.just("insert"), st.lists(contents, min_size=10, max_size=16))
changed = st.one_of(
    st.tuples(st.just("insert"), st.lists(contents, min_size=1, max_size=3)),
    st.tuples(st.just("save"), st.integers(0, 30), contents),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("jump"), st.sampled_from([1 << schema.RUN_BLOCK_BITS, bits.ROWS]), st.integers(1, 3)),
    st.tuples(st.just("forget"), st.sampled_from(DAGS)),
)
stories = st.tuples(made, asked, changed, asked, changed, made, asked, changed, asked)


def expected(kept: Sequence[DagRun], which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
    """A page and its total, found by looking at each run."""
    found = sorted(filter(lambda run: _matches(run, which), kept), key=lambda run: _rank(run, order.field))
    if order.descending:
        found.reverse()
    return Listing(tuple(found[page.offset : page.offset + page.limit]), len(found))


def _matches(run: DagRun, which: RunFilter) -> bool:
    if which.dag_ids is not None and run.dag_id not in which.dag_ids:
        return False
    if which.states is not None and run.state not in which.states:
        return False
    return all(_lies_in(getattr(run, name), getattr(which, name)) for name in DATES)


def _lies_in(moment: datetime | None, span: Span) -> bool:
    if span == Span():
        return True
    return moment is not None and (span.start or moment) <= moment <= (span.end or moment)


def _rank(run: DagRun, field: str) -> Any:
    value = to_json(run.conf) if field == "conf" else getattr(run, field)
    return (value is not None, value, run.seq) if value is not None else (False, run.seq)


class Story:
    """Runs that are kept in the database, and beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.index = RunIndex(few=0)
        self.kept: list[DagRun] = []
        self.number = 0

    async def clear(self) -> None:
        for dag_id in DAGS:
            await self.database.write(runs.forget, dag_id)
        self.kept = []

    async def insert(self, given: Sequence[dict[str, Any]]) -> None:
        made = []
        for content in given:
            self.number += 1
            made.append(make_run(f"r{self.number % 7}_{self.number}", **content))
        seqs = await self.database.write(runs.insert_many, made)
        self.kept += [msgspec.structs.replace(run, seq=seq) for run, seq in zip(made, seqs, strict=True)]

    async def save(self, number: int, content: dict[str, Any]) -> None:
        if self.kept:
            number %= len(self.kept)
            content = {key: value for key, value in content.items() if key != "dag_id"}
            self.kept[number] = msgspec.structs.replace(self.kept[number], **content)
            await self.database.write(runs.save, [self.kept[number]])

    async def delete(self, number: int) -> None:
        if self.kept:
            gone = self.kept.pop(number % len(self.kept))
            await self.database.write(runs.delete, gone.dag_id, gone.run_id)

    async def jump(self, size: int, before: int) -> None:
        """Let the next run be one of the last of its block or chunk."""
        newest = max((run.seq for run in self.kept), default=0) or await self.database.read(_newest_seq)
        await self.database.write(_next_seq, (newest // size + 2) * size - before)

    async def forget(self, dag_id: str) -> None:
        self.kept = [run for run in self.kept if run.dag_id != dag_id]
        await self.database.write(runs.forget, dag_id)

    async def list(self, asked: Sequence[tuple[RunFilter, Order, Page]]) -> None:
        for which, order, page in asked:
            want = expected(self.kept, which, order, page)
            assert await self.database.read_apart(self.index.list_runs, which, order, page) == want
            assert await self.database.read(runs.list_runs, which, order, page) == want


def _newest_seq(tx: Tx) -> int:
    blocks = runs.block_versions(tx)
    return (max(blocks) + 1) << schema.RUN_BLOCK_BITS if blocks else 0


def _next_seq(tx: Tx, seq: int) -> None:
    if tx.connection.dialect.name == "postgresql":
        tx.connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('dag_run', 'seq'), {seq}, false)")
        return
    tx.connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'dag_run'")
    tx.connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('dag_run', ?)", (seq - 1,))


async def _told(database: Database, story: Sequence[Any]) -> None:
    teller = Story(database)
    try:
        for word, *given in story:
            await getattr(teller, word)(*given)
    finally:
        await teller.clear()


async def test_index_gives_what_a_look_at_every_run_gives(database: Database) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(stories)
    def check(story: Sequence[Any]) -> None:
        asyncio.run_coroutine_threadsafe(_told(database, story), loop).result()

    await asyncio.to_thread(check)


async def test_index_is_read_part_by_part_where_there_are_many_runs(sqlite_database: Database) -> None:
    story, index = Story(sqlite_database), RunIndex(many=3)
    await story.insert([{}, {}, {}])
    assert not await sqlite_database.read_apart(index.prepare, "seq")
    await story.jump(bits.ROWS, 1)
    await story.insert([{}, {}])

    left = [await sqlite_database.read_apart(index.prepare, "conf") for _ in range(5)]

    assert left == [True, True, True, True, False]
    assert index.prepared("conf")
    assert not index.prepared("run_id")


@pytest.mark.parametrize(
    ("which", "order", "offset", "short"),
    [
        ({}, "seq", 0, True),
        ({}, "seq", 500, True),
        ({}, "seq", 501, False),
        ({}, "start_date", 0, False),
        ({"dag_ids": ("d",)}, "start_date", 0, True),
        ({"dag_ids": ("d",)}, "updated_at", 0, False),
        ({"dag_ids": ("d", "e")}, "seq", 0, False),
        ({"dag_ids": ("d",), "states": (RunState.SUCCESS,)}, "seq", 0, True),
        ({"dag_ids": ("d",), "states": (RunState.SUCCESS, RunState.FAILED)}, "seq", 0, False),
        ({"states": (RunState.SUCCESS,)}, "seq", 0, False),
        ({"end_date": Span(at(1))}, "seq", 0, False),
        ({"run_ids": ("r1",), "end_date": Span(at(1))}, "conf", 9999, True),
    ],
)
def test_short_lists_are_those_an_index_of_the_database_gives(
    which: dict[str, Any], order: str, offset: int, *, short: bool
) -> None:
    assert is_short(RunFilter(**which), Order(order), Page(50, offset)) is short
