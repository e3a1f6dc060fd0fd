"""DAG runs by execution date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgate.model.query import RunSearch
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType
from airgate.store import dags, run_search, runs
from airgate.store.database import Database, Tx
from tests.contract.store.builders import START, at, make_run, make_spec


async def _insert(database: Database, *given: DagRun) -> None:
    for run in given:
        await database.write(runs.insert, run)


async def _ids(database: Database, limit: int = 100, **which: Any) -> list[str]:
    return [run.run_id for run in await database.read(run_search.search, RunSearch(**which), limit)]


async def test_search_gives_runs_of_all_dags_by_date_then_creation(database: Database) -> None:
    await _insert(
        database,
        make_run("late", logical_date=at(3)),
        make_run("early", logical_date=at(1)),
        make_run("between", dag_id="other", logical_date=at(2)),
        make_run("early too", dag_id="other", logical_date=at(1)),
        make_run("dateless", dag_id="third", run_after=at(2.5)),
    )

    assert await _ids(database) == ["early", "early too", "between", "dateless", "late"]
    assert await _ids(database, limit=3) == ["early", "early too", "between"]


async def test_search_goes_on_after_a_run(database: Database) -> None:
    await _insert(database, *(make_run(f"r{i}", dag_id=f"d{i % 3}", logical_date=at(i // 3)) for i in range(12)))
    everything = await database.read(run_search.search, RunSearch(), 100)

    seen: list[str] = []
    after = None
    while page := await database.read(run_search.search, RunSearch(after=after), 5):
        seen += [run.run_id for run in page]
        after = (page[-1].execution_date, page[-1].seq)

    assert seen == [run.run_id for run in everything]
    assert len(seen) == 12


async def test_search_is_narrowed_by_dag_state_and_origin(database: Database) -> None:
    await _insert(
        database,
        make_run("manual", state=RunState.SUCCESS, logical_date=at(1)),
        make_run("scheduled", state=RunState.FAILED, run_type=RunType.SCHEDULED, logical_date=at(2)),
        make_run("elsewhere", dag_id="other", state=RunState.SUCCESS, logical_date=at(3)),
    )

    assert await _ids(database, dag_ids=("d",)) == ["manual", "scheduled"]
    assert await _ids(database, dag_ids=("nobody", "other")) == ["elsewhere"]
    assert await _ids(database, dag_ids=()) == []
    assert await _ids(database, states=(RunState.SUCCESS,)) == ["manual", "elsewhere"]
    assert await _ids(database, states=()) == []
    assert await _ids(database, external_trigger=False) == ["scheduled"]
    assert await _ids(database, external_trigger=True) == ["manual", "elsewhere"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ZZ%", ["zz_1", "Zz_2"]),
        ("zz!_%", []),
        ("z__1%", ["zz_1"]),
        ("%2", ["Zz_2", "a\\2"]),
        ("a\\%", ["a\\2"]),
        ("zz_1", ["zz_1"]),
        ("%", ["zz_1", "Zz_2", "a\\2"]),
        ("", []),
    ],
)
async def test_search_by_pattern_knows_no_case_and_two_wildcards(
    database: Database, pattern: str, found: Sequence[str]
) -> None:
    await _insert(database, *(make_run(name, logical_date=at(i)) for i, name in enumerate(("zz_1", "Zz_2", "a\\2"))))

    assert await _ids(database, run_id_like=pattern) == found


_TEXT = st.text(st.sampled_from("aA_%\\.é"), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_TEXT.filter(bool), min_size=1, max_size=4, unique_by=str.lower), _TEXT)
async def test_search_finds_whatever_begins_with_a_prefix_without_wildcards(
    sqlite_database: Database, names: list[str], prefix: str
) -> None:
    prefix = prefix.replace("%", "").replace("_", "").replace("é", "")  # SQLite folds the case of ASCII alone
    await sqlite_database.write(runs.forget, "d")
    await _insert(sqlite_database, *(make_run(name, logical_date=at(i)) for i, name in enumerate(names)))

    found = await _ids(sqlite_database, run_id_like=f"{prefix}%")

    assert found == [name for name in names if name.lower().startswith(prefix.lower())]


async def test_holding_finds_runs_by_id_and_by_date_once_each(database: Database) -> None:
    await _insert(
        database,
        make_run("both", logical_date=at(1)),
        make_run("by date", logical_date=at(2)),
        make_run("by id", logical_date=at(3)),
        make_run("neither", logical_date=at(4)),
        make_run("both", dag_id="other", logical_date=at(1)),
    )

    found = await database.read(run_search.holding, "d", ["both", "by id", "nobody"], [at(1), at(2), at(9)])

    assert sorted(run.run_id for run in found) == ["both", "by date", "by id"]
    assert {run.dag_id for run in found} == {"d"}
    assert await database.read(run_search.holding, "d", [], []) == ()


async def test_holding_takes_more_ids_and_dates_than_fit_one_statement(database: Database) -> None:
    await _insert(database, make_run("r1999", logical_date=at(0)), make_run("x", logical_date=at(1999)))

    found = await database.read(
        run_search.holding, "d", [f"r{i}" for i in range(2000)], [at(i) for i in range(1, 2000)]
    )

    assert {run.run_id for run in found} == {"r1999", "x"}


async def test_newest_dates_tell_of_every_dag_that_has_runs(database: Database) -> None:
    def know(tx: Tx) -> None:
        specs = [make_spec(name) for name in ("d", "other", "idle")]
        dags.record_file(
            tx, "f.py", specs, now=START, parse_seconds=0.1, paused_at_creation=False, new_id=lambda: make_run().id
        )

    await database.write(know)
    await _insert(
        database,
        make_run("r1", logical_date=at(5)),
        make_run("r2", logical_date=at(2)),
        make_run("r3", dag_id="other", run_after=datetime(2030, 1, 1, tzinfo=UTC)),
    )

    assert await database.read(run_search.newest_dates) == {"d": at(5), "other": datetime(2030, 1, 1, tzinfo=UTC)}


async def test_latest_run_of_a_dag_is_the_newest_by_date_and_the_last_made_of_equals(database: Database) -> None:
    def know(tx: Tx) -> None:
        specs = [make_spec(name) for name in ("d", "other", "idle")]
        dags.record_file(
            tx, "f.py", specs, now=START, parse_seconds=0.1, paused_at_creation=False, new_id=lambda: make_run().id
        )

    await database.write(know)
    await _insert(
        database,
        make_run("late", dag_id="other", run_after=at(9)),
        make_run("later", dag_id="other", run_after=at(9)),
        make_run("r1", logical_date=at(5)),
        make_run("r2", logical_date=at(2)),
    )

    latest = await database.read(run_search.latest)
    assert [(run.dag_id, run.run_id) for run in latest] == [("d", "r1"), ("other", "later")]
