"""Whatever a struct can hold comes back as it was stored."""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from airgate.model.errors import Conflict, NotFound
from airgate.model.event import Event
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, RunType, TaskState, TriggeredBy
from airgate.store import events, runs, tasks, xcoms
from airgate.store.database import Database, Tx
from tests.contract.store.builders import at, make_run

# One database serves all examples of a test; every example makes rows of its own. Examples are few because each is a
# commit, and no run depends on what another has found: a failure prints what to repeat.
QUICK = settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# PostgreSQL's texts hold everything but NUL and lone surrogates; JSON holds those too.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
numbers = st.integers(-(2**31), 2**31 - 1)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=offsets)  # noqa: DTZ001 - hypothesis asks so
maybe_moments = st.none() | moments
json_texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | json_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(json_texts, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(json_texts, json_values, max_size=4)
names = itertools.count()


def structs(kind: type[Any], **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **fields)


run_values = structs(
    DagRun,
    id=st.builds(uuid7),
    dag_id=texts,
    run_id=st.builds(lambda text: f"{next(names)} {text}", texts),
    state=st.sampled_from(RunState),
    run_type=st.sampled_from(RunType),
    triggered_by=st.sampled_from(TriggeredBy),
    run_after=moments,
    queued_at=moments,
    logical_date=st.none(),
    data_interval_start=maybe_moments,
    data_interval_end=maybe_moments,
    start_date=maybe_moments,
    end_date=maybe_moments,
    conf=json_objects,
    note=st.none() | texts,
    triggering_user=st.none() | texts,
    last_scheduling_decision=maybe_moments,
    updated_at=maybe_moments,
    dag_version_id=st.none() | st.uuids(),
    clear_number=numbers,
    partition_key=st.none() | texts,
)

task_values = structs(
    TaskInstance,
    id=st.builds(uuid7),
    dag_id=st.just("d"),
    run_id=st.just("r1"),
    task_id=st.builds(lambda text: f"{next(names)} {text}", texts),
    map_index=numbers,
    state=st.none() | st.sampled_from(TaskState),
    try_number=numbers,
    max_tries=numbers,
    **dict.fromkeys(("start_date", "end_date", "scheduled_at", "queued_at", "retry_at", "updated_at"), maybe_moments),
    **dict.fromkeys(("hostname", "unixname", "operator", "task_display_name", "pool", "queue"), texts),
    **{name: st.none() | texts for name in ("executor", "note", "rendered_map_index", "next_method", "end_reason")},
    pid=st.none() | numbers,
    pool_slots=numbers,
    priority_weight=numbers,
    executor_config=texts,
    rendered_fields=json_objects,
    dag_version_id=st.none() | st.uuids(),
    next_kwargs=st.none() | json_objects,
    reschedule_count=numbers,
)


@pytest.fixture
async def store(database: Database) -> Database:
    await database.write(runs.insert, make_run())
    return database


@QUICK
@given(run=run_values)
async def test_any_run_comes_back(store: Database, run: DagRun) -> None:
    kept = await store.write(runs.insert, run)

    found = await store.read(runs.get, run.dag_id, run.run_id)

    assert found == replace(run, seq=kept.seq)
    for value in (found.run_after, found.queued_at, found.start_date):
        assert value is None or value.tzinfo is UTC


@QUICK
@given(instance=task_values)
async def test_any_task_instance_comes_back(store: Database, instance: TaskInstance) -> None:
    await store.write(tasks.insert, [instance])
    assert await store.read(tasks.get, "d", "r1", instance.task_id, instance.map_index) == instance

    await store.write(tasks.archive, [instance])
    history = await store.read(tasks.tries, "d", "r1", instance.task_id, instance.map_index)
    assert history == (instance,)


@QUICK
@given(value=json_values)
async def test_any_xcom_value_comes_back(store: Database, value: Any) -> None:
    xcom = XCom(dag_id="d", run_id="r1", task_id="t", map_index=-1, key="k", value=value, timestamp=at(0))
    await store.write(xcoms.put, xcom)

    assert (await store.read(xcoms.get, "d", "r1", "t", "k")).value == value


@QUICK
@given(payload=json_objects, moment=moments)
async def test_any_event_comes_back(store: Database, payload: dict[str, Any], moment: datetime) -> None:
    last = await store.read(events.after, 0, 1000)
    seq = last[-1].seq if last else 0
    await store.write(events.append, [Event(kind="k", at=moment, payload=payload)])

    (found,) = await store.read(events.after, seq, 10)
    assert (found.payload, found.at) == (payload, moment)


steps = st.tuples(
    st.sampled_from(["insert", "save", "delete"]),
    st.integers(0, 4),
    st.none() | st.integers(0, 3),
    st.sampled_from(RunState),
)


@QUICK
@given(changes=st.lists(steps, max_size=25))
async def test_counters_are_what_lists_hold_after_any_changes(store: Database, changes: list[Any]) -> None:
    """Refused changes among them: runs that exist, dates that are taken, runs that do not exist."""
    dag_id = f"dag {next(names)}"
    for what, number, hours, state in changes:
        date = None if hours is None else at(hours)
        run = make_run(f"r{number}", dag_id=dag_id, state=state, logical_date=date)
        change = {"insert": (runs.insert, run), "save": (runs.save, [replace(run, logical_date=None)])}
        with suppress(Conflict, NotFound):
            await store.write(*change.get(what, (runs.delete, dag_id, run.run_id)))

    listing = await store.read(runs.list_runs, RunFilter(dag_ids=(dag_id,)), Order("seq"), Page())
    assert listing.total == len(listing.items)
    for state in RunState:
        counted = await store.read(runs.count, RunFilter(dag_ids=(dag_id,), states=(state,)))
        assert counted == sum(run.state is state for run in listing.items)


@QUICK
@given(dates=st.lists(moments, min_size=2, max_size=6, unique=True))
async def test_dates_are_sorted_as_moments_whatever_their_offset(store: Database, dates: list[datetime]) -> None:
    run_ids = [f"s{next(names)}" for _ in dates]

    def fill(tx: Tx) -> list[str]:
        for run_id, date in zip(run_ids, dates, strict=True):
            runs.insert(tx, make_run(run_id, run_after=date))
        found = runs.list_runs(tx, RunFilter(run_ids=tuple(run_ids)), Order("run_after"), Page())
        return [run.run_id for run in found.items]

    expected = [run_id for _, run_id in sorted(zip(dates, run_ids, strict=True))]
    assert await store.write(fill) == expected
