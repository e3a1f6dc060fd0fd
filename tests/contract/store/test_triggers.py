"""Triggers: accepted once, however often and in whichever company they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Trigger, TriggerState
from airgate.store import runs, triggers
from airgate.store.database import Database
from tests.contract.store.builders import at, make_run, make_trigger

Item = tuple[Trigger, DagRun]


def item(run_id: str, key: str | None = None, fingerprint: str = "f", **more: Any) -> Item:
    run = make_run(run_id, **more)
    return make_trigger(run, key, fingerprint), run


async def accept(database: Database, *items: Item) -> Sequence[Accepted | Exception]:
    return await database.write(triggers.accept, items)


def told(answers: Sequence[Accepted | Exception]) -> list[tuple[str, bool] | str]:
    """Run id and whether it is new, or the code of the refusal."""
    said: list[tuple[str, bool] | str] = []
    for answer in answers:
        if isinstance(answer, Accepted):
            said.append((answer.run.run_id, answer.created))
        else:
            assert isinstance(answer, Conflict)
            said.append(answer.code)
    return said


async def run_ids(database: Database) -> list[str]:
    listing = await database.read(runs.list_runs, RunFilter(), Order("seq"), Page(limit=1000))
    assert listing.total == len(listing.items)
    return [run.run_id for run in listing.items]


async def test_accepted_triggers_are_kept_with_their_runs(database: Database) -> None:
    items = [item("r1", logical_date=at(1)), item("r2", conf={"a": 1})]

    answers = await accept(database, *items)

    assert told(answers) == [("r1", True), ("r2", True)]
    for answer, (trigger, run) in zip(answers, items, strict=True):
        assert isinstance(answer, Accepted)
        assert answer.run == await database.read(runs.get, "d", run.run_id)
        assert answer.run.seq > 0
        assert await database.read(triggers.get, "local", trigger.idempotency_key) == trigger


async def test_no_items_have_no_answers(database: Database) -> None:
    assert list(await accept(database)) == []


async def test_same_request_is_answered_with_the_same_run(database: Database) -> None:
    await accept(database, item("r1", "k"))

    # What the repeat would have made does not matter: not even that its run id is another one.
    assert told(await accept(database, item("r2", "k"))) == [("r1", False)]
    assert await run_ids(database) == ["r1"]


async def test_other_request_under_a_used_key_is_a_conflict(database: Database) -> None:
    await accept(database, item("r1", "k"))

    assert told(await accept(database, item("r2", "k", "other"))) == ["idempotency_key_reused"]
    assert await run_ids(database) == ["r1"]


async def test_same_key_of_another_deployment_is_another_key(database: Database) -> None:
    run = make_run("r2")
    await accept(database, item("r1", "k"))

    assert told(await accept(database, (make_trigger(run, "k", deployment="remote"), run))) == [("r2", True)]


@pytest.mark.parametrize(
    ("run_id", "hours", "code"),
    [("r1", 2, "run_exists"), ("r2", 1, "logical_date_exists"), ("r1", 1, "logical_date_exists")],
)
async def test_run_that_exists_is_a_conflict_and_its_trigger_is_not_kept(
    database: Database, run_id: str, hours: float, code: str
) -> None:
    await database.write(runs.insert, make_run("r1", logical_date=at(1)))

    assert told(await accept(database, item(run_id, "k", logical_date=at(hours)))) == [code]

    with pytest.raises(NotFound):
        await database.read(triggers.get, "local", "k")
    assert told(await accept(database, item("r9", "k", logical_date=at(9)))) == [("r9", True)]


async def test_duplicates_inside_a_batch_are_settled_in_order(database: Database) -> None:
    answers = await accept(
        database,
        item("r1", "k1", logical_date=at(1)),
        item("r2", "k1"),  # a repeat of the first
        item("r3", "k1", "other"),  # the first one's key for something else
        item("r1", "k2"),  # the first one's run id
        item("r4", "k3", logical_date=at(1)),  # the first one's date
        item("r5", "k4"),
    )

    assert told(answers) == [
        ("r1", True),
        ("r1", False),
        "idempotency_key_reused",
        "run_exists",
        "logical_date_exists",
        ("r5", True),
    ]
    assert await run_ids(database) == ["r1", "r5"]


async def test_key_is_free_for_the_next_in_a_batch_when_the_first_was_refused(database: Database) -> None:
    await database.write(runs.insert, make_run("r1"))

    answers = await accept(database, item("r1", "k"), item("r2", "k"), item("r3", "k"))

    assert told(answers) == ["run_exists", ("r2", True), ("r2", False)]
    assert await run_ids(database) == ["r1", "r2"]


async def test_large_batch_is_accepted_at_once(database: Database) -> None:
    answers = await accept(database, *(item(f"r{i}", logical_date=at(i)) for i in range(1500)))

    assert told(answers) == [(f"r{i}", True) for i in range(1500)]
    assert await database.read(runs.count, RunFilter(dag_ids=("d",))) == 1500


async def test_seq_follows_the_order_of_the_batch(database: Database) -> None:
    await accept(database, *(item(f"r{i}") for i in range(100)))

    assert await run_ids(database) == [f"r{i}" for i in range(100)]


async def test_item_that_cannot_be_stored_does_not_harm_its_neighbours(database: Database) -> None:
    entered = threading.Event()
    held = database.write(lambda _: entered.wait(30))
    futures = [database.write_item(triggers.accept, one) for one in (item("r1"), item("\ud800"), item("r3"))]
    entered.set()
    results = await asyncio.gather(held, *futures, return_exceptions=True)

    assert [isinstance(result, Exception) for result in results] == [False, False, True, False]
    assert await run_ids(database) == ["r1", "r3"]


async def test_set_state_changes_the_triggers_of_one_run(database: Database) -> None:
    await accept(database, item("r1", "k1"), item("r2", "k2"))

    await database.write(triggers.set_state, "local", "d", "r1", TriggerState.REFUSED, "no")
    await database.write(triggers.set_state, "local", "d", "nobody", TriggerState.FINISHED)

    one = await database.read(triggers.get, "local", "k1")
    assert (one.state, one.last_error) == (TriggerState.REFUSED, "no")
    assert (await database.read(triggers.get, "local", "k2")).state == TriggerState.ACCEPTED
