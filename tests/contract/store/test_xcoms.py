"""XComs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace

from airgate.model.errors import NotFound
from airgate.model.query import Page
from airgate.store import runs, xcoms
from airgate.store.database import Database, Tx
from tests.contract.store.builders import at, make_run, make_xcom

ALL = Page(limit=1000)


@pytest.fixture
async def store(database: Database) -> Database:
    def fill(tx: Tx) -> None:
        runs.insert(tx, make_run("r1", logical_date=at(1)))
        runs.insert(tx, make_run("r2", logical_date=at(2)))
        runs.insert(tx, make_run("r3"))

    await database.write(fill)
    return database


@pytest.mark.parametrize("value", [None, 0, "", "null", [], {"a": [1, None, {"b": 2.5}]}, 2**70, "\ud800", "\0", -0.0])
async def test_value_comes_back_as_it_was_stored(store: Database, value: Any) -> None:
    await store.write(xcoms.put, make_xcom(value=value, mapped_length=3))

    kept = await store.read(xcoms.get, "d", "r1", "t1", "return_value")

    assert kept == make_xcom(value=value, mapped_length=3, logical_date=at(1))


async def test_numbers_that_json_has_no_word_for_survive(store: Database) -> None:
    await store.write(xcoms.put, make_xcom(value=[math.nan, math.inf, -math.inf, None]))

    nan, *others = (await store.read(xcoms.get, "d", "r1", "t1", "return_value")).value

    assert math.isnan(nan)
    assert others == [math.inf, -math.inf, None]


async def test_logical_date_is_that_of_the_run(store: Database) -> None:
    await store.write(xcoms.put_many, [make_xcom(logical_date=at(99)), make_xcom(run_id="r3", logical_date=at(99))])

    assert (await store.read(xcoms.get, "d", "r1", "t1", "return_value")).logical_date == at(1)
    assert (await store.read(xcoms.get, "d", "r3", "t1", "return_value")).logical_date is None


async def test_put_replaces_what_was_there(store: Database) -> None:
    await store.write(xcoms.put, make_xcom(value=1, mapped_length=1))
    await store.write(xcoms.put, make_xcom(value=2, timestamp=at(9)))

    assert await store.read(xcoms.get, "d", "r1", "t1", "return_value") == make_xcom(
        value=2, timestamp=at(9), logical_date=at(1)
    )


async def test_put_raises_not_found_when_the_run_does_not_exist(store: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await store.write(xcoms.put, make_xcom(run_id="nobody"))

    assert caught.value.code == "run_not_found"


async def test_put_many_of_nothing_does_nothing(store: Database) -> None:
    await store.write(xcoms.put_many, [])


async def test_get_raises_not_found_when_there_is_none(store: Database) -> None:
    await store.write(xcoms.put, make_xcom(map_index=0))

    with pytest.raises(NotFound) as caught:
        await store.read(xcoms.get, "d", "r1", "t1", "return_value")

    assert caught.value.code == "xcom_not_found"


@pytest.fixture
async def several(store: Database) -> Database:
    keys = [("r1", "t1", -1, "a"), ("r1", "t1", -1, "b"), ("r1", "t2", 0, "a"), ("r1", "t2", 1, "a")]
    keys.append(("r2", "t1", -1, "a"))
    entries = [make_xcom(k, str(i), run_id=r, task_id=t, map_index=m) for i, (r, t, m, k) in enumerate(keys)]
    await store.write(xcoms.put_many, entries[::-1])
    return store


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "01234"),
        ({"dag_ids": ("d",), "run_id": "r1"}, "0123"),
        ({"task_id": "t1"}, "014"),
        ({"map_index": 1}, "3"),
        ({"key": "b"}, "1"),
        ({"dag_ids": ("nobody",)}, ""),
    ],
)
async def test_list_gives_what_matches_in_natural_order(
    several: Database, which: dict[str, Any], expected: str
) -> None:
    listing = await several.read(xcoms.list_xcoms, **which, page=ALL)

    assert "".join(entry.value for entry in listing.items) == expected
    assert listing.total == len(expected)


async def test_page_is_a_window(several: Database) -> None:
    listing = await several.read(xcoms.list_xcoms, page=Page(limit=2, offset=1))

    assert ("".join(entry.value for entry in listing.items), listing.total) == ("12", 5)


async def test_keys_and_values_are_those_of_one_task(several: Database) -> None:
    assert await several.read(xcoms.keys, "d", "r1", "t1") == ("a", "b")
    assert await several.read(xcoms.keys, "d", "r1", "t2") == ()
    assert [entry.value for entry in await several.read(xcoms.values, "d", "r1", "t2", "a")] == ["2", "3"]


async def test_delete_says_whether_there_was_something(several: Database) -> None:
    assert await several.write(xcoms.delete, "d", "r1", "t1", "a")
    assert not await several.write(xcoms.delete, "d", "r1", "t1", "a")

    assert await several.read(xcoms.keys, "d", "r1", "t1") == ("b",)


async def test_clear_try_deletes_those_of_one_task_instance(several: Database) -> None:
    await several.write(xcoms.clear_try, "d", "r1", "t2", 0)

    listing = await several.read(xcoms.list_xcoms, page=ALL)
    assert "".join(entry.value for entry in listing.items) == "0134"


async def test_prior_is_the_newest_of_the_runs_before(store: Database) -> None:
    first, second = make_xcom(value=1), make_xcom(value=2, run_id="r2")
    await store.write(xcoms.put_many, [first, second, make_xcom(value=3, run_id="r3")])

    async def prior(hours: float, key: str = "return_value", map_index: int = -1) -> Any:
        return await store.read(xcoms.prior, "d", "t1", key, at(hours), map_index)

    assert await prior(3) == replace(second, logical_date=at(2))
    assert await prior(2) == replace(first, logical_date=at(1))
    assert await prior(1) is None
    assert await prior(3, key="other") is None
    assert await prior(3, map_index=0) is None
