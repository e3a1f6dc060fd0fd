"""Task instances and their tries."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from airgate.model.admin import PoolUsage
from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.query import NumberSpan, Order, Page, Span, TaskFilter
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState
from airgate.store import runs, tasks
from airgate.store.database import Database, Tx
from tests.contract.store.builders import at, make_run, make_task

ALL = Page(limit=1000)
BY_ID = Order("task_id")


@pytest.fixture
async def store(database: Database) -> Database:
    """A database with two runs of DAG `d`."""

    def fill(tx: Tx) -> None:
        runs.insert(tx, make_run("r1", logical_date=at(1)))
        runs.insert(tx, make_run("r2", logical_date=at(2)))

    await database.write(fill)
    return database


def full_task(**more: Any) -> TaskInstance:
    values: dict[str, Any] = {
        "map_index": 3,
        "state": TaskState.DEFERRED,
        "try_number": 2,
        "max_tries": 4,
        "start_date": at(1),
        "end_date": at(2),
        "scheduled_at": at(0.1),
        "queued_at": at(0.2),
        "retry_at": at(3),
        "hostname": "h",
        "unixname": "u",
        "pid": 12,
        "operator": "PythonOperator",
        "task_display_name": "T",
        "pool": "p",
        "pool_slots": 2,
        "queue": "q",
        "priority_weight": -5,
        "executor": "e",
        "executor_config": "{'a': 1}",
        "note": "n",
        "rendered_fields": {"sql": "select 1", "deep": [{"x": None}]},
        "rendered_map_index": "m",
        "updated_at": at(4),
        "dag_version_id": uuid7(),
        "next_method": "resume",
        "next_kwargs": {"a": 1},
        "reschedule_count": 7,
        "end_reason": "killed by signal 9",
    }
    return make_task(**(values | more))


async def _insert(store: Database, *instances: TaskInstance) -> None:
    await store.write(tasks.insert, instances)


def _names(instances: tuple[TaskInstance, ...]) -> list[str]:
    return [f"{one.run_id}/{one.task_id}/{one.map_index}" for one in instances]


async def test_task_instance_comes_back_as_it_was_stored(store: Database) -> None:
    full, plain = full_task(), make_task()
    await _insert(store, full, plain)

    assert await store.read(tasks.get, "d", "r1", "t1", 3) == full
    assert await store.read(tasks.get, "d", "r1", "t1") == plain


async def test_get_raises_not_found_when_there_is_none(store: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await store.read(tasks.get, "d", "r1", "t1")

    assert caught.value.code == "task_instance_not_found"


async def test_insert_raises_conflict_when_one_exists_and_keeps_none(store: Database) -> None:
    await _insert(store, make_task("t1"))

    with pytest.raises(Conflict) as caught:
        await _insert(store, make_task("t0"), make_task("t1"))

    assert caught.value.code == "task_instance_exists"
    assert _names(await store.read(tasks.of_run, "d", "r1")) == ["r1/t1/-1"]


async def test_insert_raises_not_found_when_the_run_does_not_exist(store: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await _insert(store, make_task(run_id="nobody"))

    assert caught.value.code == "run_not_found"


async def test_insert_of_nothing_does_nothing(store: Database) -> None:
    await _insert(store)


async def test_save_overwrites_the_id_too(store: Database) -> None:
    await _insert(store, make_task("t1"), make_task("t2"))
    changed = full_task(map_index=-1)

    await store.write(tasks.save, [changed])

    assert await store.read(tasks.get, "d", "r1", "t1") == changed
    assert (await store.read(tasks.get, "d", "r1", "t2")).state is None


async def test_save_raises_not_found_and_changes_nothing_when_one_is_unknown(store: Database) -> None:
    await _insert(store, make_task("t1"))

    with pytest.raises(NotFound, match="t2"):
        await store.write(tasks.save, [make_task("t1", note="n"), make_task("t2")])

    assert (await store.read(tasks.get, "d", "r1", "t1")).note is None
    await store.write(tasks.save, [])


async def test_tries_give_history_and_then_the_present_one(store: Database) -> None:
    await _insert(store, make_task())
    assert await store.read(tasks.tries, "d", "r1", "t1") == ()

    first = make_task(try_number=1, state=TaskState.FAILED)
    await store.write(tasks.archive, [first])
    second = make_task(try_number=2, state=TaskState.RUNNING)
    await store.write(tasks.save, [second])
    assert await store.read(tasks.tries, "d", "r1", "t1") == (first, second)

    ended = replace(second, state=TaskState.SUCCESS)
    await store.write(tasks.archive, [ended])
    assert await store.read(tasks.tries, "d", "r1", "t1") == (first, ended)


async def test_archived_try_comes_back_as_it_was_stored(store: Database) -> None:
    full = full_task()
    await _insert(store, replace(full, try_number=3))
    await store.write(tasks.archive, [full])

    assert (await store.read(tasks.tries, "d", "r1", "t1", 3))[0] == full


async def test_archiving_a_try_again_replaces_it(store: Database) -> None:
    await _insert(store, make_task())
    await store.write(tasks.archive, [make_task(try_number=1, note="old"), make_task(try_number=2)])
    await store.write(tasks.archive, [make_task(try_number=1, note="new")])

    assert [(one.try_number, one.note) for one in await store.read(tasks.tries, "d", "r1", "t1")] == [
        (1, "new"),
        (2, None),
    ]


async def test_archive_raises_not_found_when_the_run_does_not_exist(store: Database) -> None:
    with pytest.raises(NotFound):
        await store.write(tasks.archive, [make_task(run_id="nobody", try_number=1)])


async def test_tries_raise_not_found_when_there_is_no_such_instance(store: Database) -> None:
    with pytest.raises(NotFound):
        await store.read(tasks.tries, "d", "r1", "t1")


async def test_of_run_gives_the_instances_of_one_run_in_natural_order(store: Database) -> None:
    await _insert(store, make_task("b"), make_task("a", map_index=1), make_task("a", map_index=0))
    await _insert(store, make_task("a", run_id="r2"))

    assert _names(await store.read(tasks.of_run, "d", "r1")) == ["r1/a/0", "r1/a/1", "r1/b/-1"]
    assert await store.read(tasks.of_run, "d", "nobody") == ()


async def test_of_runs_gives_the_instances_of_several_runs(store: Database) -> None:
    await store.write(runs.insert, make_run("r1", dag_id="e"))
    await _insert(store, make_task("a"), make_task("a", run_id="r2"), make_task("a", dag_id="e"))

    found = await store.read(tasks.of_runs, [("d", "r2"), ("e", "r1"), ("e", "r2")])
    assert [(one.dag_id, one.run_id) for one in found] == [("d", "r2"), ("e", "r1")]
    assert await store.read(tasks.of_runs, []) == ()


async def test_of_runs_takes_more_runs_than_a_statement_has_room_for(store: Database) -> None:
    def fill(tx: Tx) -> None:
        for number in range(1200):
            runs.insert(tx, make_run(f"n{number}"))
        tasks.insert(tx, [make_task("t", run_id=f"n{number}") for number in range(1200)])

    await store.write(fill)

    assert len(await store.read(tasks.of_runs, [("d", f"n{number}") for number in range(1200)])) == 1200


async def test_delete_deletes_by_the_id_of_the_present_try(store: Database) -> None:
    one, two = make_task("t1"), make_task("t2")
    await _insert(store, one, two)

    await store.write(tasks.delete, [one.id, uuid7()])
    await store.write(tasks.delete, [])

    assert _names(await store.read(tasks.of_run, "d", "r1")) == ["r1/t2/-1"]


# ------------------------------------------------------------------------------------------------------------- lists


@pytest.fixture
async def four(store: Database) -> Database:
    await _insert(
        store,
        make_task("a", state=TaskState.SUCCESS, start_date=at(1), end_date=at(1.5), updated_at=at(5), operator="X"),
        make_task("b", state=TaskState.RUNNING, start_date=at(2), pool="p", queue="q", updated_at=at(6)),
        make_task("c", map_index=0, executor="e", updated_at=at(7)),
        make_task("d", run_id="r2", state=TaskState.FAILED, start_date=at(3), end_date=at(5)),
    )
    return store


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "abcd"),
        ({"dag_ids": ("e",)}, ""),
        ({"dag_ids": ("d",), "run_ids": ("r1",)}, "abc"),
        ({"task_ids": ("a", "d", "x")}, "ad"),
        ({"task_ids": ()}, ""),
        ({"map_indexes": (0,)}, "c"),
        ({"states": (TaskState.SUCCESS,)}, "a"),
        ({"states": (None,)}, "c"),
        ({"states": (None, TaskState.FAILED)}, "cd"),
        ({"states": (TaskState.RUNNING, TaskState.QUEUED)}, "b"),
        ({"states": ()}, ""),
        ({"pools": ("p",)}, "b"),
        ({"queues": ("q",)}, "b"),
        ({"executors": ("e",)}, "c"),
        ({"execution_date": Span(at(2), at(2))}, "d"),
        ({"start_date": Span(at(2), None)}, "bd"),
        ({"end_date": Span(None, at(2))}, "a"),
        ({"updated_at": Span(at(6), at(7))}, "bc"),
        ({"duration": NumberSpan(1800, None)}, "ad"),
        ({"duration": NumberSpan(None, 1800.5)}, "a"),
    ],
)
async def test_list_gives_and_counts_what_matches(four: Database, which: dict[str, Any], expected: str) -> None:
    listing = await four.read(tasks.list_tasks, TaskFilter(**which), BY_ID, ALL)

    assert "".join(one.task_id for one in listing.items) == expected
    assert listing.total == len(listing.items)
    assert await four.read(tasks.count, TaskFilter(**which)) == listing.total


@pytest.mark.parametrize(
    ("field", "expected"),
    [("start_date", "cabd"), ("duration", "bcad"), ("state", "cdba"), ("execution_date", "abcd"), ("run_id", "abcd")],
)
async def test_list_is_sorted_with_empty_values_first(four: Database, field: str, expected: str) -> None:
    listing = await four.read(tasks.list_tasks, TaskFilter(), Order(field), ALL)
    assert "".join(one.task_id for one in listing.items) == expected

    listing = await four.read(tasks.list_tasks, TaskFilter(), Order(field, descending=True), ALL)
    assert "".join(one.task_id for one in listing.items) == expected[::-1]


async def test_every_field_of_a_task_instance_can_be_sorted_by(four: Database) -> None:
    for field in TaskInstance.__struct_fields__:
        assert (await four.read(tasks.list_tasks, TaskFilter(), Order(field), ALL)).total == 4


async def test_list_refuses_an_unknown_order(four: Database) -> None:
    with pytest.raises(InvalidInput):
        await four.read(tasks.list_tasks, TaskFilter(), Order("nonsense"), ALL)


async def test_page_is_a_window(four: Database) -> None:
    listing = await four.read(tasks.list_tasks, TaskFilter(), BY_ID, Page(limit=2, offset=1))

    assert ("".join(one.task_id for one in listing.items), listing.total) == ("bc", 4)


async def test_states_are_grouped_by_run_and_name_mapped_instances_by_index(four: Database) -> None:
    assert await four.read(tasks.states, TaskFilter(dag_ids=("d",))) == {
        "r1": {"a": TaskState.SUCCESS, "b": TaskState.RUNNING, "c_0": None},
        "r2": {"d": TaskState.FAILED},
    }


async def test_previous_is_the_same_task_in_the_run_before(store: Database) -> None:
    await store.write(runs.insert, make_run("r3", logical_date=at(3)))
    await store.write(runs.insert, make_run("undated"))
    await _insert(store, make_task("a", run_id="r1", state=TaskState.SUCCESS), make_task("a", run_id="undated"))
    await _insert(store, make_task("a", run_id="r2", state=TaskState.FAILED), make_task("b", run_id="r3"))

    async def previous(hours: float, **more: Any) -> str | None:
        found = await store.read(tasks.previous, "d", "a", at(hours), **more)
        return found.run_id if found else None

    assert await previous(9) == "r2"
    assert await previous(3, state=TaskState.SUCCESS) == "r1"
    assert await previous(2) == "r1"
    assert await previous(1) is None
    assert await previous(9, map_index=0) is None


async def test_pool_usage_adds_up_slots_by_state(store: Database) -> None:
    await _insert(
        store,
        make_task("a", state=TaskState.RUNNING, pool="p", pool_slots=2),
        make_task("b", state=TaskState.RESTARTING, pool="p"),
        make_task("c", state=TaskState.QUEUED, pool="p", pool_slots=3),
        make_task("d", state=TaskState.SCHEDULED, pool="p"),
        make_task("e", state=TaskState.DEFERRED, pool="other"),
        make_task("f", state=TaskState.SUCCESS, pool="p"),
        make_task("g", pool="p"),
    )

    assert await store.read(tasks.pool_usage) == {
        "p": PoolUsage(running=3, queued=3, scheduled=1),
        "other": PoolUsage(deferred=1),
    }
