"""Many triggers accepted together: each answered by itself, all kept or none, and each run started once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from airgate.model.errors import AirgateError, InvalidInput, NotFound, Unavailable
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, TriggerRequest
from airgate.store import triggers as stored
from airgate.store.database import Database
from tests.unit.triggers.house import ENTRY, NOW, House, Planner, make

LATER = NOW.replace(second=6)


@pytest.fixture
async def house(database: Database) -> House:
    return await make(database)


@pytest.fixture
async def sqlite_house(sqlite_database: Database) -> House:
    return await make(sqlite_database)


def told(answers: Sequence[Accepted | AirgateError]) -> list[Any]:
    """Run id and whether it is new, or the code of the refusal."""
    return [(one.run.run_id, one.created) if isinstance(one, Accepted) else one.code for one in answers]


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110 - what is waited for happens on this loop
            await asyncio.sleep(0)


def choosy(planner: Planner, refuse: Callable[[TriggerRequest], Exception | None]) -> None:
    """Have the planner refuse some requests."""
    plan = planner.plan

    async def choose(request: TriggerRequest) -> DagRun:
        if (refusal := refuse(request)) is not None:
            raise refusal
        return await plan(request)

    planner.plan = choose  # type: ignore[method-assign]


async def test_all_are_kept_in_order_and_each_is_started_once(house: House) -> None:
    answers = await house.accept_many(*({"run_id": f"r{i}"} for i in range(300)))

    assert told(answers) == [(f"r{i}", True) for i in range(300)]
    assert await house.kept() == [f"r{i}" for i in range(300)]
    await until(lambda: len(house.planner.started_runs) >= 300)
    assert house.planner.started_runs == [one.run for one in answers if isinstance(one, Accepted)]


async def test_nothing_asked_for_is_answered_with_nothing(house: House) -> None:
    assert await house.accept_many() == []


async def test_bad_ones_have_their_errors_and_keep_no_other_from_being_accepted(house: House) -> None:
    choosy(house.planner, lambda request: NotFound("no", code="dag_not_found") if request.dag_id == "none" else None)
    await house.accept(run_id="there")

    answers = await house.accept_many(
        {"run_id": "r1"},
        {"dag_id": "none"},
        {"run_id": "there"},
        {"idempotency_key": ""},
        {"run_id": "r1"},
        {"run_id": "r2", "logical_date": LATER, "has_logical_date": True},
        {"run_id": "r3", "logical_date": LATER, "has_logical_date": True},
        {"run_id": "r4"},
    )

    assert told(answers) == [
        ("r1", True),
        "dag_not_found",
        "run_exists",
        "idempotency_key_invalid",
        "run_exists",
        ("r2", True),
        "logical_date_exists",
        ("r4", True),
    ]
    assert await house.kept() == ["there", "r1", "r2", "r4"]
    await until(lambda: len(house.planner.started_runs) >= 4)
    assert [run.run_id for run in house.planner.started_runs] == ["there", "r1", "r2", "r4"]


async def test_deployment_that_cannot_plan_one_of_them_answers_that_one(house: House) -> None:
    choosy(house.planner, lambda request: Unavailable("later") if request.run_id == "r2" else None)
    assert told(await house.accept_many({"run_id": "r1"}, {"run_id": "r2"})) == [("r1", True), "unavailable"]


async def test_keys_count_as_if_one_came_after_the_other(house: House) -> None:
    earlier = await house.accept(idempotency_key="old")

    answers = await house.accept_many(
        {"idempotency_key": "new", "run_id": "r1"},
        {"idempotency_key": "new", "run_id": "r1"},
        {"idempotency_key": "new", "run_id": "r2"},
        {"idempotency_key": "old"},
        {"idempotency_key": "old", "conf": {}},
    )

    reused = "idempotency_key_reused"
    assert told(answers) == [("r1", True), ("r1", False), reused, (earlier.run.run_id, False), reused]


async def test_repeated_key_answers_though_the_dag_cannot_be_triggered_any_more(house: House) -> None:
    first = await house.accept(idempotency_key="k")
    house.planner.refusal = InvalidInput("no", code="dag_has_import_errors")

    answers = await house.accept_many(
        {"idempotency_key": "k"}, {"idempotency_key": "k", "conf": {}}, {"idempotency_key": "other"}, {}
    )

    assert told(answers) == [
        (first.run.run_id, False),
        "idempotency_key_reused",
        "dag_has_import_errors",
        "dag_has_import_errors",
    ]


async def test_key_accepted_earlier_in_the_list_counts_for_one_that_cannot_be_planned(house: House) -> None:
    plans = iter([None, InvalidInput("no", code="gone"), InvalidInput("no", code="gone")])
    choosy(house.planner, lambda request: next(plans))

    answers = await house.accept_many(
        {"idempotency_key": "k", "run_id": "r1"},
        {"idempotency_key": "k", "run_id": "r1"},
        {"idempotency_key": "k", "run_id": "r2"},
    )

    assert told(answers) == [("r1", True), ("r1", False), "idempotency_key_reused"]


async def test_moments_that_another_process_took_are_replaced_and_nothing_is_kept_twice(database: Database) -> None:
    later = [LATER.replace(microsecond=i) for i in range(4)]
    house = await make(database, Planner([NOW, later[0], NOW, later[1], later[2]]))
    await house.accept(run_id="r0")

    answers = await house.accept_many({"run_id": "r1"}, {"run_id": "r2"}, {"run_id": "r3"})

    assert told(answers) == [("r1", True), ("r2", True), ("r3", True)]
    dates = [one.run.logical_date for one in answers if isinstance(one, Accepted)]
    assert dates == [later[0], later[2], later[1]]
    assert sorted(await house.kept()) == ["r0", "r1", "r2", "r3"]
    await until(lambda: len(house.planner.started_runs) >= 4)
    assert len(house.planner.started_runs) == 4


async def test_audit_log_gets_one_entry_with_counts(house: House) -> None:
    choosy(house.planner, lambda request: NotFound("no") if request.run_id == "bad" else None)
    await house.accept_many(
        {"run_id": "r1"}, {"run_id": "bad"}, {"idempotency_key": "k"}, {"idempotency_key": "k"}, audit=ENTRY
    )
    extra = {"a": 1, "accepted": 2, "repeated": 1, "refused": 1}
    assert await house.entries() == [msgspec.structs.replace(ENTRY, dag_id="hello", extra=extra)]


async def test_audit_log_is_told_also_when_all_are_refused(house: House) -> None:
    house.planner.refusal = NotFound("no")
    await house.accept_many({}, {"dag_id": "other"}, audit=ENTRY)
    extra = {"a": 1, "accepted": 0, "repeated": 0, "refused": 2}
    assert await house.entries() == [msgspec.structs.replace(ENTRY, extra=extra)]


async def test_triggers_are_those_of_whom_the_audit_entry_names(house: House) -> None:
    (answer,) = await house.accept_many({}, audit=ENTRY)
    assert isinstance(answer, Accepted)
    assert answer.trigger is not None
    followed = await house.triggers.get("local", answer.trigger.id)
    assert (followed.trigger.actor, followed.trigger.actor_id) == ("ada", ENTRY.actor_id)


async def test_others_have_their_turn_while_many_are_planned(sqlite_house: House) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    planned: list[int] = []
    choosy(sqlite_house.planner, lambda request: planned.append(turns))
    waiting = asyncio.create_task(other())
    await sqlite_house.accept_many(*({} for _ in range(2000)))
    waiting.cancel()

    assert max(planned.count(turn) for turn in set(planned)) <= 256


class Submitting(Database):
    """Tells when a bulk has been handed to the writer."""

    submitted: asyncio.Event

    @classmethod
    def around(cls, database: Database) -> Submitting:
        told = cls.__new__(cls)
        vars(told).update(vars(database))
        told.submitted = asyncio.Event()
        return told

    def write(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if fn is stored.accept_many:
            self.submitted.set()
        return super().write(fn, *args, **kwargs)


async def test_runs_are_started_when_their_caller_goes_away_before_the_commit(database: Database) -> None:
    telling = Submitting.around(database)
    house = await make(telling)
    gate = threading.Event()
    held = telling.write(lambda tx: gate.wait(10))
    caller = asyncio.create_task(house.accept_many(*({"run_id": f"r{i}"} for i in range(200))))
    await telling.submitted.wait()

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert house.planner.started_runs == []
    gate.set()
    await held

    await until(lambda: len(house.planner.started_runs) >= 200)
    assert len({run.run_id for run in house.planner.started_runs}) == 200
    assert len(await house.kept()) == 200


async def test_nothing_is_kept_when_the_database_is_gone(sqlite_house: House) -> None:
    await sqlite_house.database.close()
    with pytest.raises(Unavailable):
        await sqlite_house.accept_many({"run_id": "r1"}, {"run_id": "r2"})
    assert sqlite_house.planner.started_runs == []
