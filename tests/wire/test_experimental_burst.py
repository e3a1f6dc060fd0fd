"""Triggers without a date, many within one second: 1.10 refuses all but one, here each gets a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from airgate.deployments.ports import Deployment
from airgate.engine.planning import Planner
from airgate.model.dag import Dag, DagSpec
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, TriggerRequest
from airgate.store import dags, runs
from airgate.store.database import Database
from airgate.triggers.accept import Triggers
from tests.support.stable_v1_world import SteppingClock, dag_of

SECOND = datetime(2026, 11, 21, 0, 4, 13, tzinfo=UTC)
NOW = SECOND + timedelta(microseconds=646354)
HELLO = DagSpec(dag_id="hello")
PORTS = ("dags", "runs", "tasks", "xcoms", "pools", "variables", "connections")
ASKED = TriggerRequest(dag_id="hello", whole_second=True)


class Process:
    """What each server process has for itself: a database connection, a planner, a way in."""

    def __init__(self, database: Database) -> None:
        self.triggers = Triggers(database, clock=SteppingClock(NOW), new_id=uuid7)
        known: dict[str, Dag] = {"hello": dag_of(HELLO)}
        self.planner = Planner(known.get, cast("Any", None), clock=lambda: NOW, new_id=uuid7)
        self.deployment = Deployment(**dict.fromkeys(PORTS, cast("Any", None)), name="local", starter=self)

    async def plan(self, request: TriggerRequest) -> DagRun:
        return await self.planner.plan(request)

    def started(self, run: DagRun) -> None:
        """Nothing runs here."""

    async def accept(self, request: TriggerRequest = ASKED) -> Accepted:
        return await self.triggers.accept(self.deployment, request)


@pytest_asyncio.fixture
async def processes(database_url: str, store_secret: bytes) -> AsyncIterator[tuple[Process, Process]]:
    first = await Database.open(database_url, secret=store_secret, lock_timeout=30)
    second = await Database.open(database_url, secret=store_secret, lock_timeout=30)
    await first.write(
        lambda tx: dags.record_file(
            tx, "hello.py", [HELLO], now=NOW, parse_seconds=0.1, paused_at_creation=False, new_id=uuid7
        )
    )
    yield Process(first), Process(second)
    await first.close()
    await second.close()


async def test_first_of_a_second_is_called_after_the_second(processes: tuple[Process, Process]) -> None:
    run = (await processes[0].accept()).run
    assert run.run_id == "manual__2026-11-21T00:04:13+00:00"
    assert run.logical_date == SECOND


async def test_next_of_a_second_gets_the_next_free_microsecond(processes: tuple[Process, Process]) -> None:
    await processes[0].accept()
    assert (await processes[0].accept()).run.run_id == "manual__2026-11-21T00:04:13.000001+00:00"


async def test_run_id_of_the_callers_own_keeps_its_name_when_the_second_is_taken(
    processes: tuple[Process, Process],
) -> None:
    await processes[0].accept()
    named = TriggerRequest(dag_id="hello", run_id="mine", whole_second=True)
    run = (await processes[1].accept(named)).run
    assert run.run_id == "mine"
    assert run.logical_date is not None
    assert SECOND < run.logical_date < SECOND + timedelta(seconds=1)


async def test_every_trigger_of_a_burst_to_two_processes_gets_a_run_of_that_second(
    processes: tuple[Process, Process],
) -> None:
    accepted = await asyncio.gather(*(processes[index % 2].accept() for index in range(200)))

    dates = {one.run.logical_date for one in accepted}
    assert len(dates) == len({one.run.run_id for one in accepted}) == 200
    assert all(date is not None and SECOND <= date < SECOND + timedelta(seconds=1) for date in dates)
    kept = await processes[0].triggers._database.read(runs.list_runs, RunFilter(), Order("seq"), Page(1000))
    assert {run.logical_date for run in kept.items} == dates


@pytest.mark.parametrize("taken", [SECOND, SECOND + timedelta(microseconds=1)])
async def test_date_that_somebody_asked_for_is_stepped_over(
    processes: tuple[Process, Process], taken: datetime
) -> None:
    asked = TriggerRequest(dag_id="hello", run_id="first", logical_date=taken, has_logical_date=True)
    await processes[0].accept(asked)
    dates = [(await processes[0].accept()).run.logical_date for _ in range(3)]
    assert len({*dates, taken}) == 4
