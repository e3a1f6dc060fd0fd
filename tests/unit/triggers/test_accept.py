from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerState
from airgate.store import runs
from airgate.store import triggers as stored
from airgate.store.database import Database
from airgate.triggers.drafts import MAX_KEY_LENGTH
from tests.unit.triggers.house import ENTRY, NOW, House, Planner, make


@pytest.fixture
async def house(database: Database) -> House:
    return await make(database)


async def test_accepted_trigger_is_kept_with_its_run_and_started(house: House) -> None:
    accepted = await house.accept(run_id="r1")
    assert accepted.created
    assert await house.kept() == ["r1"]
    assert [run.run_id for run in house.planner.started_runs] == ["r1"]
    assert house.planner.started_runs[0] == accepted.run
    trigger = await house.database.read(stored.get, "local", "run:hello:r1")
    assert (trigger.state, trigger.run_id, trigger.created_at) == (TriggerState.ACCEPTED, "r1", NOW)


async def test_run_is_started_only_once_it_can_be_read(house: House) -> None:
    seen: list[DagRun] = []
    reading: list[asyncio.Future[Any]] = []

    def started(run: DagRun) -> None:
        seen.append(run)
        reading.append(asyncio.ensure_future(house.database.read(runs.get, run.dag_id, run.run_id)))

    house.planner.started = started  # type: ignore[method-assign]
    await house.accept(run_id="r1")
    assert [await read for read in reading] == seen


async def test_same_run_id_twice_without_key_is_a_conflict(house: House) -> None:
    await house.accept(run_id="r1", logical_date=None, has_logical_date=True)
    for change in ({}, {"conf": {"n": 2}}):
        with pytest.raises(Conflict) as conflict:
            await house.accept(run_id="r1", logical_date=None, has_logical_date=True, **change)
        assert conflict.value.code == "run_exists"
    assert await house.kept() == ["r1"]
    assert len(house.planner.started_runs) == 1


async def test_same_date_and_run_id_twice_names_the_date_first(house: House) -> None:
    await house.accept(run_id="r1", logical_date=NOW, has_logical_date=True)
    for change in ({}, {"conf": {"n": 2}}, {"run_id": "r2"}):
        with pytest.raises(Conflict) as conflict:
            await house.accept(**{"run_id": "r1", "logical_date": NOW, "has_logical_date": True, **change})
        assert conflict.value.code == "logical_date_exists"


async def test_repeated_key_answers_with_the_same_run_though_the_server_chose_its_id(house: House) -> None:
    first = await house.accept(idempotency_key="k")
    second = await house.accept(idempotency_key="k")
    assert (first.created, second.created) == (True, False)
    assert second.run == first.run
    assert len(house.planner.started_runs) == 1
    assert await house.kept() == [first.run.run_id]


async def test_repeated_key_with_another_request_is_a_conflict(house: House) -> None:
    await house.accept(idempotency_key="k")
    for change in ({"conf": {"n": 2}}, {"dag_id": "other"}, {"run_id": "r9"}):
        with pytest.raises(Conflict) as conflict:
            await house.accept(idempotency_key="k", **change)
        assert conflict.value.code == "idempotency_key_reused"
    assert len(await house.kept()) == 1


async def test_same_key_sent_many_times_at_once_makes_one_run(house: House) -> None:
    answers = await asyncio.gather(*(house.accept(idempotency_key="k") for _ in range(20)))
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.run.run_id for answer in answers}) == 1
    assert len(await house.kept()) == 1


async def test_repeated_key_answers_with_its_run_when_the_dag_cannot_be_triggered_any_more(house: House) -> None:
    first = await house.accept(idempotency_key="k")
    house.planner.refusal = NotFound("gone", code="dag_not_found")
    second = await house.accept(idempotency_key="k")
    assert (second.run, second.created) == (first.run, False)
    with pytest.raises(NotFound):
        await house.accept(idempotency_key="another")
    with pytest.raises(Conflict):
        await house.accept(idempotency_key="k", conf={})


async def test_key_of_a_client_cannot_be_mistaken_for_a_run(house: House) -> None:
    await house.accept(run_id="r1")
    accepted = await house.accept(idempotency_key="run:hello:r1")
    assert accepted.created
    assert accepted.run.run_id != "r1"


async def test_refusal_of_the_deployment_keeps_nothing(house: House) -> None:
    house.planner.refusal = InvalidInput("no", code="conf_invalid")
    with pytest.raises(InvalidInput):
        await house.accept()
    assert await house.kept() == []


async def test_audit_entry_is_kept_with_the_trigger_and_tells_of_its_run(house: House) -> None:
    accepted = await house.accept(run_id="r1", audit=ENTRY)
    told = {"dag_id": "hello", "run_id": "r1", "logical_date": accepted.run.logical_date}
    assert await house.entries() == [msgspec.structs.replace(ENTRY, **told)]
    assert (accepted.trigger.actor, accepted.trigger.actor_id) == ("ada", ENTRY.actor_id)


async def test_repeat_is_in_the_audit_log_too_also_of_a_dag_that_is_gone(house: House) -> None:
    await house.accept(idempotency_key="k", audit=ENTRY)
    await house.accept(idempotency_key="k", audit=ENTRY)
    house.planner.refusal = NotFound("gone", code="dag_not_found")
    await house.accept(idempotency_key="k", audit=ENTRY)
    first, *repeats = await house.entries()
    assert first.extra == {"a": 1}
    assert repeats == [msgspec.structs.replace(first, extra={"a": 1, "repeated": True})] * 2


async def test_refusal_leaves_the_audit_log_to_its_caller(house: House) -> None:
    await house.accept(run_id="r1")
    with pytest.raises(Conflict):
        await house.accept(run_id="r1", audit=ENTRY)
    with pytest.raises(Conflict):
        await house.accept(run_id="r1", idempotency_key="k", audit=ENTRY)
    assert await house.entries() == []


async def test_trigger_without_audit_entry_names_the_user_it_was_asked_for(house: House) -> None:
    accepted = await house.accept(triggering_user="bea")
    assert (accepted.trigger.actor, accepted.trigger.actor_id) == ("bea", None)


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_LENGTH + 1)])
async def test_unusable_key_is_refused(house: House, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await house.accept(idempotency_key=key)
    assert refusal.value.code == "idempotency_key_invalid"


async def test_moment_that_another_process_took_is_replaced_by_the_next(database: Database) -> None:
    later = NOW.replace(second=6)
    house = await make(database, Planner([NOW, NOW, NOW, later]))
    first = await house.accept()
    second = await house.accept()
    assert (first.run.logical_date, second.run.logical_date) == (NOW, later)
    assert second.created


async def test_moment_is_replaced_also_where_the_caller_chose_the_run_id(database: Database) -> None:
    later = NOW.replace(second=6)
    house = await make(database, Planner([NOW, NOW, later]))
    await house.accept(run_id="r1")
    second = await house.accept(run_id="r2")
    assert second.run.logical_date == later


async def test_burst_without_ids_makes_as_many_runs(house: House) -> None:
    answers = await asyncio.gather(*(house.accept() for _ in range(50)))
    assert all(answer.created for answer in answers)
    assert len(set(await house.kept())) == 50


class Submitting(Database):
    """Tells when a trigger has been handed to the writer."""

    @classmethod
    def around(cls, database: Database) -> Submitting:
        told = cls.__new__(cls)
        vars(told).update(vars(database))
        told.submitted = asyncio.Event()
        return told

    submitted: asyncio.Event

    def write_item(self, fn: Any, item: Any) -> Any:
        self.submitted.set()
        return super().write_item(fn, item)


async def test_run_is_started_when_its_caller_goes_away_before_the_commit(database: Database) -> None:
    told = Submitting.around(database)
    house = await make(told)
    started = asyncio.Event()
    house.planner.started = lambda run: started.set()  # type: ignore[method-assign]
    gate = threading.Event()
    held = told.write(lambda tx: gate.wait(10))
    caller = asyncio.create_task(house.accept(run_id="r1"))
    await told.submitted.wait()

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not started.is_set()
    gate.set()
    await held

    await started.wait()
    assert await house.kept() == ["r1"]
