"""Triggers: accepted once, however often and in whichever company they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec
import pytest

from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Order, Page, RunFilter
from airgate.model.states import RunState
from airgate.model.trigger import Accepted, Followed, TriggerFilter, TriggerKey, TriggerState
from airgate.store import audit, runs, triggers
from airgate.store.database import Database
from airgate.store.triggers import Draft, Taken
from tests.contract.store.builders import at, make_run, make_trigger

Accept: TypeAlias = Callable[..., Awaitable[Sequence[Accepted | Exception]]]


async def together(database: Database, *drafts: Draft) -> Sequence[Accepted | Exception]:
    return await database.write(triggers.accept, drafts)


async def in_bulk(database: Database, *drafts: Draft) -> Sequence[Accepted | Exception]:
    return await database.write(
        triggers.accept_many, drafts, count=lambda answers: None, may_differ=lambda place, error: False
    )


@pytest.fixture(params=[together, in_bulk])
def accept(request: pytest.FixtureRequest) -> Accept:
    """Both ways in answer alike."""
    way: Accept = request.param
    return way


def item(run_id: str, key: str | None = None, fingerprint: str = "f", *, keyed: bool = True, **more: Any) -> Draft:
    run = make_run(run_id, **more)
    return Draft(make_trigger(run, key, fingerprint), run, keyed=keyed)


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


async def test_accepted_triggers_are_kept_with_their_runs(accept: Accept, database: Database) -> None:
    items = [item("r1", logical_date=at(1)), item("r2", conf={"a": 1})]

    answers = await accept(database, *items)

    assert told(answers) == [("r1", True), ("r2", True)]
    for answer, (trigger, run, *_) in zip(answers, items, strict=True):
        assert isinstance(answer, Accepted)
        assert answer.trigger == trigger
        assert answer.run == await database.read(runs.get, "d", run.run_id)
        assert answer.run.seq > 0
        assert await database.read(triggers.get, "local", trigger.idempotency_key) == trigger


async def test_no_items_have_no_answers(accept: Accept, database: Database) -> None:
    assert list(await accept(database)) == []


async def test_same_request_is_answered_with_the_same_run(accept: Accept, database: Database) -> None:
    await accept(database, item("r1", "k"))

    # What the repeat would have made does not matter: not even that its run id is another one.
    assert told(await accept(database, item("r2", "k"))) == [("r1", False)]
    assert await run_ids(database) == ["r1"]


async def test_other_request_under_a_used_key_is_a_conflict(accept: Accept, database: Database) -> None:
    await accept(database, item("r1", "k"))

    assert told(await accept(database, item("r2", "k", "other"))) == ["idempotency_key_reused"]
    assert await run_ids(database) == ["r1"]


async def test_same_key_of_another_deployment_is_another_key(accept: Accept, database: Database) -> None:
    run = make_run("r2")
    await accept(database, item("r1", "k"))

    assert told(await accept(database, Draft(make_trigger(run, "k", deployment="remote"), run))) == [("r2", True)]


@pytest.mark.parametrize(
    ("run_id", "hours", "code"),
    [("r1", 2, "run_exists"), ("r2", 1, "logical_date_exists"), ("r1", 1, "logical_date_exists")],
)
async def test_run_that_exists_is_a_conflict_and_its_trigger_is_not_kept(
    accept: Accept, database: Database, run_id: str, hours: float, code: str
) -> None:
    await database.write(runs.insert, make_run("r1", logical_date=at(1)))

    assert told(await accept(database, item(run_id, "k", logical_date=at(hours)))) == [code]

    with pytest.raises(NotFound):
        await database.read(triggers.get, "local", "k")
    assert told(await accept(database, item("r9", "k", logical_date=at(9)))) == [("r9", True)]


async def test_duplicates_inside_a_batch_are_settled_in_order(accept: Accept, database: Database) -> None:
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


async def test_key_is_free_for_the_next_in_a_batch_when_the_first_was_refused(
    accept: Accept, database: Database
) -> None:
    await database.write(runs.insert, make_run("r1"))

    answers = await accept(database, item("r1", "k"), item("r2", "k"), item("r3", "k"))

    assert told(answers) == ["run_exists", ("r2", True), ("r2", False)]
    assert await run_ids(database) == ["r1", "r2"]


async def test_large_batch_is_accepted_at_once(accept: Accept, database: Database) -> None:
    answers = await accept(database, *(item(f"r{i}", logical_date=at(i)) for i in range(1500)))

    assert told(answers) == [(f"r{i}", True) for i in range(1500)]
    assert await database.read(runs.count, RunFilter(dag_ids=("d",))) == 1500


async def test_seq_follows_the_order_of_the_batch(accept: Accept, database: Database) -> None:
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


async def test_run_that_exists_is_a_conflict_where_the_client_named_no_key(accept: Accept, database: Database) -> None:
    await accept(database, item("r1", "made of the run", logical_date=at(1), keyed=False))

    again = item("r1", "made of the run", logical_date=at(2), keyed=False)
    same_date = item("r1", "made of the run", "other", logical_date=at(1), keyed=False)
    assert told(await accept(database, again, same_date)) == ["run_exists", "logical_date_exists"]


async def test_item_of_a_bulk_that_cannot_be_stored_harms_no_other(database: Database) -> None:
    answers = await in_bulk(database, item("r1"), item("\ud800"), item("r3"))

    assert [getattr(answer, "code", None) for answer in answers] == [None, "value", None]
    assert await run_ids(database) == ["r1", "r3"]


async def test_bulk_of_several_chunks_settles_duplicates_across_them(database: Database) -> None:
    many = [item(f"r{i}", f"k{i % (triggers.CHUNK + 7)}") for i in range(2 * triggers.CHUNK + 14)]

    answers = await in_bulk(database, *many)

    half = triggers.CHUNK + 7
    assert told(answers) == [(f"r{i}", True) for i in range(half)] + [(f"r{i}", False) for i in range(half)]


async def test_bulk_keeps_nothing_when_something_the_server_chose_is_taken(database: Database) -> None:
    await database.write(runs.insert, make_run("r1", logical_date=at(1)))
    drafts = [item("r2"), item("r3", logical_date=at(1)), item("r1")]

    with pytest.raises(Taken) as taken:
        await database.write(triggers.accept_many, drafts, lambda answers: None, lambda place, error: place == 1)

    assert list(taken.value.places) == [1]
    assert await run_ids(database) == ["r1"]


ENTRY = AuditEntry(
    at=at(0),
    event="post_dag_run",
    outcome=Outcome.DONE,
    status=201,
    dialect="native",
    method="POST",
    path="/",
    extra={"a": 1},
)


async def entries(database: Database) -> list[AuditEntry]:
    newest = await database.read(audit.newest, AuditFilter(), 1000)
    return [msgspec.structs.replace(entry, seq=0) for entry in reversed(newest)]


async def test_accepted_triggers_keep_their_audit_entries_and_refused_ones_do_not(database: Database) -> None:
    drafts = [item("r1", "k1", logical_date=at(1)), item("r2", "k1"), item("r1", "k2"), item("r3", "k3")]
    drafts = [draft._replace(entry=ENTRY) for draft in drafts[:3]] + drafts[3:]

    await together(database, *drafts)

    made = msgspec.structs.replace(ENTRY, dag_id="d", run_id="r1", logical_date=at(1))
    again = msgspec.structs.replace(made, status=200, extra={"a": 1, "repeated": True})
    assert await entries(database) == [made, again]


async def test_bulk_keeps_one_entry_made_of_its_answers(database: Database) -> None:
    def count(answers: Sequence[Accepted | Exception]) -> AuditEntry:
        return msgspec.structs.replace(ENTRY, extra={"n": len(answers)})

    await database.write(triggers.accept_many, [item("r1"), item("r2")], count, lambda place, error: False)

    assert await entries(database) == [msgspec.structs.replace(ENTRY, extra={"n": 2})]


def ids(found: Sequence[Followed]) -> list[str]:
    return [one.run.run_id for one in found]


async def listed(
    database: Database, limit: int = 100, before: TriggerKey | None = None, **which: Any
) -> tuple[Followed, ...]:
    return await database.read(triggers.list_triggers, "local", TriggerFilter(**which), limit, before)


async def set_run(database: Database, run_id: str, state: RunState) -> None:
    run = await database.read(runs.get, "d", run_id)
    await database.write(runs.save, [msgspec.structs.replace(run, state=state)])


@pytest.fixture
async def four(database: Database) -> list[Draft]:
    """Four triggers, an hour between them, of runs that are queued, running, successful and failed."""
    made = []
    for number, state in enumerate(("queued", "running", "success", "failed")):
        run = make_run(state, state=RunState(state), dag_id="d" if number < 3 else "e")
        made.append(Draft(make_trigger(run, created_at=at(number)), run))
    await together(database, *made)
    return made


async def test_state_of_a_trigger_is_that_of_its_run(four: list[Draft], database: Database) -> None:
    states = {one.run.run_id: one.trigger.state.value for one in await listed(database)}
    assert states == {"queued": "accepted", "running": "running", "success": "finished", "failed": "finished"}


async def test_trigger_follows_its_run_through_its_states(database: Database) -> None:
    draft = item("r1")
    await together(database, draft)
    seen = []
    for state in (RunState.QUEUED, RunState.RUNNING, RunState.SUCCESS, RunState.QUEUED):
        await set_run(database, "r1", state)
        followed = await database.read(triggers.followed, "local", draft.trigger.id)
        assert followed.run.state is state
        seen.append(followed.trigger.state)
    accepted = TriggerState.ACCEPTED
    assert seen == [accepted, TriggerState.RUNNING, TriggerState.FINISHED, accepted]


async def test_trigger_is_found_by_its_id_in_its_own_deployment_only(four: list[Draft], database: Database) -> None:
    one = four[0].trigger
    assert (await database.read(triggers.followed, "local", one.id)).trigger == one
    for deployment, trigger_id in (("remote", one.id), ("local", four[0].run.id)):
        with pytest.raises(NotFound) as missing:
            await database.read(triggers.followed, deployment, trigger_id)
        assert missing.value.code == "trigger_not_found"


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ({}, ["failed", "success", "running", "queued"]),
        ({"dag_ids": ("d",)}, ["success", "running", "queued"]),
        ({"dag_ids": ("d", "e")}, ["failed", "success", "running", "queued"]),
        ({"dag_ids": ()}, []),
        ({"states": (TriggerState.ACCEPTED,)}, ["queued"]),
        ({"states": (TriggerState.RUNNING,)}, ["running"]),
        ({"states": (TriggerState.FINISHED,)}, ["failed", "success"]),
        ({"states": (TriggerState.FINISHED, TriggerState.ACCEPTED)}, ["failed", "success", "queued"]),
        ({"states": (TriggerState.REFUSED,)}, []),
        ({"since": at(1), "until": at(2)}, ["success", "running"]),
        ({"since": at(1.5)}, ["failed", "success"]),
        ({"dag_ids": ("d",), "states": (TriggerState.FINISHED,)}, ["success"]),
    ],
)
async def test_list_has_what_matches_newest_first(
    four: list[Draft], database: Database, which: dict[str, Any], found: list[str]
) -> None:
    assert ids(await listed(database, **which)) == found


async def test_pages_hold_every_trigger_once_though_new_ones_come(database: Database) -> None:
    await together(database, *(item(f"r{i}") for i in range(7)))  # all of the same moment
    seen: list[str] = []
    before: TriggerKey | None = None
    while page := await listed(database, 3, before):
        seen += ids(page)
        last = page[-1].trigger
        before = TriggerKey(last.created_at, last.id)
        run = make_run(f"new{len(seen)}")
        await together(database, Draft(make_trigger(run, created_at=at(1)), run))
    assert seen == [f"r{i}" for i in reversed(range(7))]


async def test_trigger_goes_with_its_run(four: list[Draft], database: Database) -> None:
    await database.write(runs.delete, "d", "running")
    assert ids(await listed(database, dag_ids=("d",))) == ["success", "queued"]
