"""DAGs, versions, files and import failures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from airgate.model.dag import Dag, DagSpec, NextRun, ParamSpec, TaskSpec
from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.query import DagFilter, Order, Page, RunFilter
from airgate.store import dags, runs, tasks, triggers
from airgate.store.database import Database
from airgate.store.triggers import Draft
from tests.contract.store.builders import at, make_run, make_spec, make_task, make_trigger

ALL = Page(limit=1000)
BY_ID = Order("dag_id")


@pytest.fixture
def record(database: Database, new_id: Callable[[], UUID]) -> Callable[..., Any]:
    async def record(
        file: str, *specs: DagSpec, hours: float = 0, paused: bool = True, seconds: float = 0.5
    ) -> tuple[Dag, ...]:
        return await database.write(
            dags.record_file,
            file,
            specs,
            now=at(hours),
            parse_seconds=seconds,
            paused_at_creation=paused,
            new_id=new_id,
        )

    return record


Record = Callable[..., Any]


async def _ids(database: Database, **which: Any) -> list[str]:
    listing = await database.read(dags.list_dags, DagFilter(**which), BY_ID, ALL)
    assert listing.total == len(listing.items)
    return [dag.dag_id for dag in listing.items]


async def test_imported_file_gives_its_dags(database: Database, record: Record) -> None:
    spec = make_spec("a", tags=("x", "y", "x"), params={"n": ParamSpec(math.inf)}, start_date=at(0))

    found = await record("f.py", make_spec("b"), spec, hours=1)

    assert [dag.dag_id for dag in found] == ["a", "b"]
    dag = found[0]
    assert dag == await database.read(dags.get, "a")
    assert (dag.spec, dag.version.number, dag.version.created_at) == (spec, 1, at(1))
    assert (dag.file, dag.is_active, dag.is_paused, dag.has_import_errors) == ("f.py", True, True, False)
    assert (dag.last_parsed_at, dag.last_parse_duration, dag.next_run) == (at(1), 0.5, None)


async def test_snapshot_survives_a_restart_with_all_its_values(
    database: Database, record: Record, database_url: str, store_secret: bytes
) -> None:
    spec = make_spec(
        "a",
        params={"n": ParamSpec(math.inf, {"type": "number", "minimum": None})},
        default_args={"deep": [{"x": None}]},
        tasks=(TaskSpec(task_id="t", start_date=at(3), retry_delay=0.25),),
        dagrun_timeout=1.5,
    )
    await record("f.py", spec)

    again = await Database.open(database_url, secret=store_secret)
    assert (await again.read(dags.get, "a")).spec == spec
    await again.close()


async def test_same_structure_parsed_again_is_the_same_version(database: Database, record: Record) -> None:
    (first,) = await record("f.py", make_spec(), hours=1)
    (second,) = await record("f.py", make_spec(), hours=2)

    assert second.version == first.version
    assert second.last_parsed_at == at(2)


async def test_changed_structure_is_a_new_version(database: Database, record: Record) -> None:
    await record("f.py", make_spec(), hours=1)
    (dag,) = await record("f.py", make_spec(description="new", tags=("t",)), hours=2)

    versions = await database.read(dags.versions, "d")
    assert [(version.number, version.created_at, version.spec.description) for version in versions] == [
        (1, at(1), None),
        (2, at(2), "new"),
    ]
    assert dag.version == versions[1]


async def test_structure_that_returns_is_a_new_version_again(database: Database, record: Record) -> None:
    found = [await record("f.py", make_spec(description=description)) for description in ("a", "b", "a")]

    assert [dag.version.number for (dag,) in found] == [1, 2, 3]


@pytest.mark.parametrize(
    ("of_dag", "of_airgate", "expected"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
async def test_new_dag_is_paused_as_it_says_or_else_as_airgate_is_set(
    record: Record, of_dag: bool | None, of_airgate: bool, expected: bool
) -> None:
    (dag,) = await record("f.py", make_spec(is_paused_upon_creation=of_dag), paused=of_airgate)

    assert dag.is_paused is expected


async def test_known_dag_stays_paused_or_not_when_parsed_again(database: Database, record: Record) -> None:
    await record("f.py", make_spec(), paused=True)
    await database.write(dags.set_paused, ["d"], False)
    (dag,) = await record("f.py", make_spec(description="new"), paused=True)

    assert not dag.is_paused


async def test_dag_that_its_file_no_longer_defines_becomes_inactive(database: Database, record: Record) -> None:
    await record("f.py", make_spec("a"), make_spec("b"))
    await record("g.py", make_spec("c"))

    found = await record("f.py", make_spec("b"))

    assert [dag.dag_id for dag in found] == ["b"]
    assert not (await database.read(dags.get, "a")).is_active
    assert [dag.dag_id for dag in await database.read(dags.all_active)] == ["b", "c"]


async def test_dag_of_another_active_file_is_a_conflict_that_names_both(database: Database, record: Record) -> None:
    await record("f.py", make_spec("a"))

    with pytest.raises(Conflict, match=r"g\.py.*f\.py") as caught:
        await record("g.py", make_spec("b"), make_spec("a"))

    assert caught.value.code == "dag_owned"
    assert await _ids(database) == ["a"]


async def test_dag_defined_twice_in_a_file_is_a_conflict(record: Record) -> None:
    with pytest.raises(Conflict, match="more than once"):
        await record("f.py", make_spec("a"), make_spec("a", description="b"))


async def test_dag_moves_when_its_old_file_is_gone(database: Database, record: Record) -> None:
    (old,) = await record("f.py", make_spec())
    await database.write(dags.file_gone, "f.py")

    (new,) = await record("g.py", make_spec())

    assert (new.file, new.is_active, new.version) == ("g.py", True, old.version)


async def test_ids_are_those_of_all_dags_vanished_ones_too(database: Database, record: Record) -> None:
    await record("f.py", make_spec("b"), make_spec("a"))
    await record("g.py", make_spec("c"))
    await database.write(dags.file_gone, "f.py")

    assert await database.read(dags.ids) == ("a", "b", "c")


async def test_vanished_file_makes_its_dags_inactive_and_deletes_no_history(database: Database, record: Record) -> None:
    await record("f.py", make_spec("a"), make_spec("b"))
    await database.write(dags.set_next_run, "a", NextRun(at(1), None, None, None))
    await database.write(runs.insert, make_run(dag_id="a"))
    await database.write(dags.record_failure, "f.py", "boom", now=at(2))

    assert await database.write(dags.file_gone, "f.py") == ("a", "b")

    dag = await database.read(dags.get, "a")
    assert (dag.is_active, dag.has_import_errors, dag.next_run) == (False, False, None)
    assert (await database.read(runs.get, "a", "r1")).dag_id == "a"
    assert await database.read(dags.files) == ()
    assert await database.write(dags.file_gone, "f.py") == ()


async def test_failure_marks_the_dags_of_a_file_and_keeps_their_last_version(
    database: Database, record: Record
) -> None:
    (before,) = await record("f.py", make_spec())
    await record("g.py", make_spec("other"))

    failure = await database.write(dags.record_failure, "f.py", "boom", now=at(2))

    assert (failure.file, failure.timestamp, failure.stack_trace) == ("f.py", at(2), "boom")
    dag = await database.read(dags.get, "d")
    assert (dag.has_import_errors, dag.is_active, dag.version) == (True, True, before.version)
    assert not (await database.read(dags.get, "other")).has_import_errors


async def test_failure_of_the_same_file_keeps_its_id_and_ends_with_a_good_import(
    database: Database, record: Record
) -> None:
    first = await database.write(dags.record_failure, "f.py", "one", now=at(1))
    second = await database.write(dags.record_failure, "f.py", "two", now=at(2))
    assert (second.id, second.stack_trace) == (first.id, "two")
    assert await database.read(dags.get_failure, first.id) == second

    (dag,) = await record("f.py", make_spec())

    assert not dag.has_import_errors
    with pytest.raises(NotFound) as caught:
        await database.read(dags.get_failure, first.id)
    assert caught.value.code == "import_failure_not_found"


async def test_failures_are_listed_in_order_and_pages(database: Database) -> None:
    for number, file in enumerate(("c.py", "a.py", "b.py")):
        await database.write(dags.record_failure, file, "boom", now=at(number))

    async def files(order: Order, page: Page = ALL) -> list[str]:
        listing = await database.read(dags.list_failures, order, page)
        assert listing.total == 3
        return [failure.file for failure in listing.items]

    assert await files(Order("id")) == ["c.py", "a.py", "b.py"]
    assert await files(Order("file", descending=True)) == ["c.py", "b.py", "a.py"]
    assert await files(Order("timestamp"), Page(limit=1, offset=1)) == ["a.py"]
    with pytest.raises(InvalidInput):
        await files(Order("nonsense"))


async def test_files_are_those_with_active_dags_or_failures(database: Database, record: Record) -> None:
    await record("f.py", make_spec("a"))
    await record("gone.py", make_spec("b"))
    await database.write(dags.file_gone, "gone.py")
    await database.write(dags.record_failure, "broken.py", "boom", now=at(1))

    assert await database.read(dags.files) == ("broken.py", "f.py")


@pytest.fixture
async def three(database: Database, record: Record) -> Database:
    await record("f.py", make_spec("alpha", tags=("x",)), make_spec("Beta", tags=("x", "y")), paused=False)
    await record("g.py", make_spec("gamma"), hours=1)
    await record("h.py", make_spec("delta"))
    await database.write(dags.file_gone, "h.py")
    return database


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "Beta alpha gamma"),
        ({"only_active": False}, "Beta alpha delta gamma"),
        ({"dag_ids": ("alpha", "delta")}, "alpha"),
        ({"dag_ids": ()}, ""),
        ({"pattern": "ALPH"}, "alpha"),
        ({"pattern": "b%t"}, "Beta"),
        ({"tags": ("y", "z")}, "Beta"),
        ({"tags": ("x", "y")}, "Beta alpha"),
        ({"paused": True}, "gamma"),
        ({"paused": False}, "Beta alpha"),
        ({"file": "f.py"}, "Beta alpha"),
        ({"pattern": "a", "paused": True}, "gamma"),
    ],
)
async def test_list_gives_what_matches(three: Database, which: dict[str, Any], expected: str) -> None:
    assert await _ids(three, **which) == expected.split()


async def test_list_is_sorted_and_paged(three: Database) -> None:
    await three.write(dags.set_next_run, "alpha", NextRun(at(3), None, None, None))

    async def ids(order: Order, page: Page = ALL) -> list[str]:
        listing = await three.read(dags.list_dags, DagFilter(), order, page)
        assert listing.total == 3
        return [dag.dag_id for dag in listing.items]

    assert await ids(Order("dag_id", descending=True)) == ["gamma", "alpha", "Beta"]
    assert await ids(Order("last_parsed_at")) == ["Beta", "alpha", "gamma"]
    assert await ids(Order("next_run")) == ["Beta", "gamma", "alpha"]
    assert await ids(Order("dag_id"), Page(limit=1, offset=1)) == ["alpha"]
    for field in Dag.__struct_fields__:
        assert len(await ids(Order(field))) == 3
    with pytest.raises(InvalidInput):
        await ids(Order("nonsense"))


async def test_set_paused_changes_several_or_none(three: Database) -> None:
    await three.write(dags.set_paused, ["alpha", "Beta"], True)
    assert await _ids(three, paused=False) == []

    with pytest.raises(NotFound, match="nobody"):
        await three.write(dags.set_paused, ["alpha", "nobody"], False)
    assert await _ids(three, paused=False) == []
    await three.write(dags.set_paused, [], False)


async def test_next_run_comes_back_and_goes(three: Database) -> None:
    for next_run in (NextRun(at(1), at(2), at(3), at(4)), NextRun(at(1), None, None, None), None):
        await three.write(dags.set_next_run, "alpha", next_run)
        assert (await three.read(dags.get, "alpha")).next_run == next_run

    with pytest.raises(NotFound):
        await three.write(dags.set_next_run, "nobody", None)


async def test_delete_forgets_everything_about_a_dag_and_nothing_of_others(database: Database, record: Record) -> None:
    await record("f.py", make_spec("d", tags=("x",)), make_spec("e"))
    for dag_id in ("d", "e"):
        run = make_run(dag_id=dag_id)
        await database.write(triggers.accept, [Draft(make_trigger(run, dag_id), run)])
        await database.write(tasks.insert, [make_task(dag_id=dag_id)])

    await database.write(dags.delete, "d")

    assert await _ids(database, only_active=False) == ["e"]
    assert await database.read(runs.count, RunFilter()) == 1
    assert len(await database.read(tasks.of_run, "e", "r1")) == 1
    assert (await database.read(triggers.get, "local", "e")).dag_id == "e"
    for missing in (
        database.read(dags.get, "d"),
        database.read(dags.versions, "d"),
        database.read(runs.get, "d", "r1"),
        database.read(tasks.get, "d", "r1", "t1"),
        database.read(triggers.get, "local", "d"),
        database.write(dags.delete, "d"),
    ):
        with pytest.raises(NotFound):
            await missing
    (dag, _) = await record("f.py", make_spec("d"), make_spec("e"))
    assert dag.version.number == 1


async def test_get_and_versions_raise_not_found_when_there_is_no_such_dag(database: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await database.read(dags.get, "d")
    assert caught.value.code == "dag_not_found"
    with pytest.raises(NotFound):
        await database.read(dags.versions, "d")
