"""DAG runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.query import Order, Page, RunFilter, Span
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.store import runs, tasks, triggers, xcoms
from airgate.store.database import Database, Tx
from airgate.store.triggers import Draft
from tests.contract.store.builders import START, at, make_run, make_task, make_trigger, make_xcom

ALL = Page(limit=1000)
OLDEST_FIRST = Order("seq")


async def _insert(database: Database, *given: DagRun) -> list[DagRun]:
    return [await database.write(runs.insert, run) for run in given]


async def _ids(database: Database, order: Order = OLDEST_FIRST, page: Page = ALL, **which: Any) -> list[str]:
    listing = await database.read(runs.list_runs, RunFilter(**which), order, page)
    return [run.run_id for run in listing.items]


async def _counts(database: Database, dag_id: str = "d") -> dict[str, int]:
    counts = {
        state.value: await database.read(runs.count, RunFilter(dag_ids=(dag_id,), states=(state,)))
        for state in RunState
    }
    return {state: n for state, n in counts.items() if n}


async def test_run_comes_back_as_it_was_stored(database: Database) -> None:
    run = make_run(
        state=RunState.RUNNING,
        run_type=RunType.SCHEDULED,
        triggered_by=TriggeredBy.TIMETABLE,
        logical_date=at(1) + timedelta(microseconds=1),
        data_interval_start=at(0),
        data_interval_end=at(1),
        start_date=at(2),
        end_date=at(3),
        conf={"a": [1, None, "ü"]},
        note="n",
        triggering_user="u",
        last_scheduling_decision=at(4),
        updated_at=at(5),
        dag_version_id=make_run().id,
        clear_number=2,
        partition_key="p",
    )

    (kept,) = await _insert(database, run)

    assert kept == msgspec.structs.replace(run, seq=kept.seq)
    assert await database.read(runs.get, "d", "r1") == kept


async def test_seq_rises_in_the_order_of_creation(database: Database) -> None:
    kept = await _insert(database, *(make_run(f"r{i}") for i in range(3)))

    assert kept[0].seq < kept[1].seq < kept[2].seq


async def test_seq_is_not_given_again_when_the_newest_run_was_deleted(database: Database) -> None:
    (first,) = await _insert(database, make_run("r1"))
    await database.write(runs.delete, "d", "r1")
    (second,) = await _insert(database, make_run("r2"))

    assert second.seq > first.seq


async def test_get_raises_not_found_when_there_is_no_such_run(database: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await database.read(runs.get, "d", "r1")

    assert caught.value.code == "run_not_found"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (make_run("r1"), "run_exists"),
        (make_run("r1", logical_date=at(2)), "run_exists"),
        (make_run("r2", logical_date=at(1)), "logical_date_exists"),
        (make_run("r1", logical_date=at(1)), "logical_date_exists"),
    ],
)
async def test_insert_raises_conflict_when_the_run_exists(database: Database, other: DagRun, code: str) -> None:
    await _insert(database, make_run("r1", logical_date=at(1)))

    with pytest.raises(Conflict) as caught:
        await database.write(runs.insert, other)

    assert caught.value.code == code
    assert await _counts(database) == {"queued": 1}


async def test_runs_without_logical_date_or_of_other_dags_do_not_clash(database: Database) -> None:
    await _insert(database, make_run("r1"), make_run("r2"), make_run("r1", dag_id="e"))

    assert await _ids(database) == ["r1", "r2", "r1"]


async def test_save_overwrites_all_but_id_and_seq(database: Database) -> None:
    (kept,) = await _insert(database, make_run())
    changed = msgspec.structs.replace(
        kept, id=make_run().id, seq=0, state=RunState.SUCCESS, conf={"b": 2}, note="n", logical_date=at(7)
    )

    await database.write(runs.save, [changed])

    assert await database.read(runs.get, "d", "r1") == msgspec.structs.replace(changed, id=kept.id, seq=kept.seq)


async def test_save_raises_not_found_and_changes_nothing_when_one_is_unknown(database: Database) -> None:
    (kept,) = await _insert(database, make_run())

    with pytest.raises(NotFound):
        await database.write(runs.save, [msgspec.structs.replace(kept, state=RunState.FAILED), make_run("r2")])

    assert await database.read(runs.get, "d", "r1") == kept
    assert await _counts(database) == {"queued": 1}


async def test_save_of_nothing_does_nothing(database: Database) -> None:
    await database.write(runs.save, [])


async def test_counters_stay_true_when_runs_are_made_saved_and_deleted(database: Database) -> None:
    one, two, _ = await _insert(database, *(make_run(f"r{i}") for i in range(3)))
    await _insert(database, make_run("other", dag_id="e"))

    await database.write(
        runs.save,
        [
            msgspec.structs.replace(one, state=RunState.RUNNING),
            msgspec.structs.replace(two, state=RunState.RUNNING),
            msgspec.structs.replace(one, state=RunState.SUCCESS),  # the same run twice in one save
        ],
    )
    assert await _counts(database) == {"queued": 1, "running": 1, "success": 1}

    await database.write(runs.delete, "d", two.run_id)
    assert await _counts(database) == {"queued": 1, "success": 1}
    assert await _counts(database, "e") == {"queued": 1}
    assert await database.read(runs.count, RunFilter()) == 3


async def test_delete_takes_everything_of_the_run_along(database: Database) -> None:
    run = make_run()

    def fill(tx: Tx) -> None:
        triggers.accept(tx, [Draft(make_trigger(run), run)])
        tasks.insert(tx, [make_task()])
        tasks.archive(tx, [make_task(try_number=1)])
        xcoms.put(tx, make_xcom())

    await database.write(fill)
    await database.write(runs.delete, "d", "r1")
    await database.write(runs.insert, make_run())

    assert await database.read(tasks.of_run, "d", "r1") == ()
    assert await database.read(xcoms.list_xcoms, page=ALL) == await database.read(
        xcoms.list_xcoms, dag_ids=("nobody",), page=ALL
    )
    with pytest.raises(NotFound):
        await database.read(triggers.get, "local", "d/r1")
    await database.write(tasks.insert, [make_task()])
    assert await database.read(tasks.tries, "d", "r1", "t1") == ()


async def test_delete_raises_not_found_when_there_is_no_such_run(database: Database) -> None:
    with pytest.raises(NotFound):
        await database.write(runs.delete, "d", "r1")


# ------------------------------------------------------------------------------------------------------------- lists


@pytest.fixture
async def five(database: Database) -> Database:
    states = (RunState.SUCCESS, RunState.FAILED, RunState.QUEUED, RunState.RUNNING, RunState.SUCCESS)
    for number, state in enumerate(states):
        await _insert(
            database,
            make_run(
                f"r{number}",
                dag_id="d" if number < 3 else "e",
                state=state,
                logical_date=None if number == 1 else at(10 - number),
                run_after=at(number),
                start_date=None if number == 2 else at(number),
                end_date=at(number) if state.finished else None,
                updated_at=at(number),
                run_type=RunType.SCHEDULED if number == 0 else RunType.MANUAL,
            ),
        )
    return database


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "r0 r1 r2 r3 r4"),
        ({"dag_ids": ("e",)}, "r3 r4"),
        ({"dag_ids": ("d", "e")}, "r0 r1 r2 r3 r4"),
        ({"dag_ids": ()}, ""),
        ({"run_ids": ("r1", "r4", "r9")}, "r1 r4"),
        ({"states": (RunState.SUCCESS,)}, "r0 r4"),
        ({"states": (RunState.QUEUED, RunState.RUNNING)}, "r2 r3"),
        ({"states": (RunState.FAILED,)}, "r1"),
        ({"states": ()}, ""),
        ({"dag_ids": ("d",), "states": (RunState.SUCCESS, RunState.FAILED)}, "r0 r1"),
        ({"execution_date": Span(at(7), at(8))}, "r2 r3"),
        ({"execution_date": Span(None, at(1))}, "r1"),
        ({"start_date": Span(at(3), None)}, "r3 r4"),
        ({"end_date": Span(at(0), at(1))}, "r0 r1"),
        ({"updated_at": Span(at(2), at(3))}, "r2 r3"),
        ({"dag_ids": ("d",), "updated_at": Span(at(2), at(3))}, "r2"),
    ],
)
async def test_list_gives_and_counts_what_matches(five: Database, which: dict[str, Any], expected: str) -> None:
    listing = await five.read(runs.list_runs, RunFilter(**which), OLDEST_FIRST, ALL)

    assert " ".join(run.run_id for run in listing.items) == expected
    assert listing.total == len(listing.items)
    assert await five.read(runs.count, RunFilter(**which)) == listing.total


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("seq", "r0 r1 r2 r3 r4"),
        ("run_id", "r0 r1 r2 r3 r4"),
        ("logical_date", "r1 r4 r3 r2 r0"),
        ("execution_date", "r1 r4 r3 r2 r0"),
        ("start_date", "r2 r0 r1 r3 r4"),
        ("end_date", "r2 r3 r0 r1 r4"),
        ("state", "r1 r2 r3 r0 r4"),
        ("external_trigger", "r0 r1 r2 r3 r4"),
        ("dag_id", "r0 r1 r2 r3 r4"),
    ],
)
async def test_list_is_sorted_with_empty_values_first_and_backwards_when_descending(
    five: Database, field: str, expected: str
) -> None:
    assert await _ids(five, Order(field)) == expected.split()
    assert await _ids(five, Order(field, descending=True)) == expected.split()[::-1]


async def test_every_field_of_a_run_can_be_sorted_by(five: Database) -> None:
    for field in (*DagRun.__struct_fields__, "execution_date", "external_trigger"):
        assert sorted(await _ids(five, Order(field))) == ["r0", "r1", "r2", "r3", "r4"]


@pytest.mark.parametrize("field", ["nonsense", "", "seq; DROP TABLE dag_run", "__class__"])
async def test_list_refuses_an_unknown_order(database: Database, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await database.read(runs.list_runs, RunFilter(), Order(field), ALL)

    assert caught.value.code == "order_field"


async def test_page_is_a_window_and_the_total_is_of_all(five: Database) -> None:
    listing = await five.read(runs.list_runs, RunFilter(), OLDEST_FIRST, Page(limit=2, offset=1))

    assert [run.run_id for run in listing.items] == ["r1", "r2"]
    assert listing.total == 5
    assert await _ids(five, page=Page(limit=2, offset=9)) == []
    assert await _ids(five, page=Page(limit=0)) == []


async def test_texts_are_sorted_by_code_point_on_every_database(database: Database) -> None:
    names = ["a", "B", "_", "ä", "Z", "10", "9"]
    await _insert(database, *(make_run(name) for name in names))

    assert await _ids(database, Order("run_id")) == sorted(names)


async def test_unfinished_gives_queued_and_running_runs_oldest_first(five: Database) -> None:
    assert [run.run_id for run in await five.read(runs.unfinished)] == ["r2", "r3"]


# ----------------------------------------------------------------------------------------------------- dates and states


async def test_newest_scheduled_counts_scheduled_and_backfill_runs_only(database: Database) -> None:
    assert await database.read(runs.newest_scheduled, "d") is None
    await _insert(
        database,
        make_run("s", run_type=RunType.SCHEDULED, logical_date=at(5)),
        make_run("old", run_type=RunType.SCHEDULED, logical_date=at(4)),
        make_run("manual", logical_date=at(9)),
        make_run("other", dag_id="e", run_type=RunType.SCHEDULED, logical_date=at(9)),
    )
    assert (await database.read(runs.newest_scheduled, "d") or make_run("none")).run_id == "s"

    await _insert(database, make_run("b", run_type=RunType.BACKFILL, run_after=at(6)))
    assert (await database.read(runs.newest_scheduled, "d") or make_run("none")).run_id == "b"


async def test_previous_is_the_newest_run_before_a_date(database: Database) -> None:
    await _insert(
        database,
        make_run("r1", logical_date=at(1), state=RunState.SUCCESS),
        make_run("r2", logical_date=at(2), state=RunState.FAILED),
        make_run("r3", logical_date=at(3), state=RunState.SUCCESS),
        make_run("undated", run_after=at(2), state=RunState.SUCCESS),
        make_run("other", dag_id="e", logical_date=at(2), state=RunState.SUCCESS),
    )

    async def previous(hours: float, state: RunState | None = None) -> str | None:
        run = await database.read(runs.previous, "d", at(hours), state)
        return run.run_id if run else None

    assert await previous(3) == "r2"
    assert await previous(3, RunState.SUCCESS) == "r1"
    assert await previous(9) == "r3"
    assert await previous(1) is None
    successful = await database.read(runs.previous_successful, "d", at(3))
    assert successful is not None
    assert successful.run_id == "r1"


async def test_count_of_logical_dates_counts_runs_that_have_one_of_them(database: Database) -> None:
    await _insert(database, *(make_run(f"r{i}", logical_date=at(i)) for i in range(4)))

    assert await database.read(runs.count, RunFilter(dag_ids=("d",)), [at(1), at(2), at(9)]) == 2
    assert await database.read(runs.count, RunFilter(dag_ids=("d",)), []) == 0


async def test_recent_states_are_those_of_finished_runs_newest_first(database: Database) -> None:
    await _insert(
        database,
        make_run("r1", logical_date=at(1), state=RunState.FAILED),
        make_run("r3", logical_date=at(3), state=RunState.RUNNING),
        make_run("r2", logical_date=at(2), state=RunState.SUCCESS),
        make_run("other", dag_id="e", logical_date=at(9), state=RunState.FAILED),
    )

    assert await database.read(runs.recent_states, "d", 5) == (RunState.SUCCESS, RunState.FAILED)
    assert await database.read(runs.recent_states, "d", 1) == (RunState.SUCCESS,)


async def test_naive_dates_are_refused(database: Database) -> None:
    with pytest.raises(Exception, match="naive"):
        await database.write(runs.insert, make_run(start_date=START.replace(tzinfo=None)))
