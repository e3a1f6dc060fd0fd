"""Webhooks that watch: one alert for each run that takes too long or does not start in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from airgate.model.dag import DagSpec, NextRun
from airgate.model.job import Execution, ExecutionStatus, Job, JobKind, dag_job_id
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.webhook import Delivery, Operation, Rule, Watch, WatchKind, Webhook
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.alerts import UNASKED, Alerts
from airgate.orchestration.executions import Home
from airgate.orchestration.targets import default_text, default_title
from airgate.store import dags, deliveries, jobs, runs, webhooks
from airgate.store.database import Database
from airgate.store.deliveries import DeliveryFilter
from tests.support.clock import Clock

HOME = Home("local", DEFAULT_WORKSPACE_ID, "http://airgate")
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = dag_job_id("local", "load")


class House:
    """Runs that a test makes, before what watches them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.told = 0
        self.alerts = self.again()

    def again(self) -> Alerts:
        """The server is started again."""
        self.alerts = Alerts(self.database, HOME, clock=self.clock, new_id=uuid7, queued=self._queued)
        return self.alerts

    def _queued(self) -> None:
        self.told += 1

    async def dag(self, *, paused: bool = False) -> None:
        await self.database.write(
            dags.record_file, "load.py", [DagSpec(dag_id="load")], now=BEGAN, parse_seconds=0.1,
            paused_at_creation=paused, new_id=uuid7,
        )  # fmt: skip

    async def due(self, at: datetime) -> None:
        await self.database.write(
            dags.set_next_run,
            "load",
            NextRun(run_after=at, logical_date=at, data_interval_start=at, data_interval_end=at),
        )

    async def run(self, run_id: str, **changes: Any) -> DagRun:
        dag = await self.database.read(dags.get, "load")
        given: dict[str, Any] = {
            "id": uuid7(),
            "dag_id": "load",
            "run_id": run_id,
            "state": RunState.RUNNING,
            "run_type": RunType.MANUAL,
            "triggered_by": TriggeredBy.REST_API,
            "run_after": self.clock(),
            "logical_date": self.clock(),
            "queued_at": self.clock(),
            "start_date": self.clock(),
            "dag_version_id": dag.version.id,
            "updated_at": self.clock(),
        }
        return await self.database.write(runs.insert, DagRun(**(given | changes)))

    async def watch(self, kind: WatchKind, seconds: int = 60, **changes: Any) -> Webhook:
        webhook = Webhook(
            id=uuid7(), workspace_id=DEFAULT_WORKSPACE_ID, description="w", is_active=True, url="https://x.test/",
            jobs=(JOB,), watch=Watch(kind=kind, seconds=seconds), created_at=BEGAN, updated_at=BEGAN,
        )  # fmt: skip
        return await self.database.write(webhooks.create, replace(webhook, **changes))

    async def after(self, seconds: float) -> list[Execution]:
        """Time goes by, the timer does what it does: what has been alerted of so far, oldest first."""
        self.clock.pass_(seconds)
        await self.alerts.step()
        return await self.alerted()

    async def alerted(self) -> list[Execution]:
        listed: tuple[Delivery, ...] = await self.database.read(
            deliveries.list_deliveries, DEFAULT_WORKSPACE_ID, DeliveryFilter(), 100
        )
        return [await self.database.read(jobs.get_execution, one.execution) for one in reversed(listed)]


@pytest.fixture
async def house(sqlite_database: Database) -> House:
    house = House(sqlite_database, Clock(BEGAN))
    await house.dag()
    return house


async def test_run_that_takes_too_long_is_told_of_once_while_it_runs(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    await house.run("r")
    assert await house.after(59.9) == []
    (alert,) = await house.after(0.1)
    assert (alert.status, alert.run and alert.run["run_id"]) == (ExecutionStatus.RUNNING, "r")
    assert default_title(alert) == "DAG load is taking long"
    assert "Reason: It has been running for more than 60 s." in default_text(alert)
    assert len(await house.after(600)) == 1
    assert house.told == 1


async def test_run_that_ends_in_time_is_not_told_of(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    run = await house.run("r")
    await house.after(30)
    await house.database.write(runs.save, [replace(run, state=RunState.SUCCESS, end_date=house.clock())])
    assert await house.after(60) == []


async def test_queued_run_does_not_take_long(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    await house.run("r", state=RunState.QUEUED, start_date=None)
    assert await house.after(600) == []


async def test_nothing_is_told_twice_when_the_server_is_started_again(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    await house.run("r")
    await house.after(60)
    house.again()
    assert len(await house.after(1)) == 1


async def test_run_that_came_to_take_long_while_the_server_was_away_is_told_of(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    await house.run("r")
    await house.after(1)
    house.clock.pass_(600)
    house.again()
    assert len(await house.after(0)) == 1


async def test_run_that_runs_anew_may_be_told_of_anew(house: House) -> None:
    await house.watch(WatchKind.DURATION)
    run = await house.run("r")
    await house.after(60)
    await house.database.write(runs.save, [replace(run, clear_number=1, start_date=house.clock())])
    assert len(await house.after(60)) == 2


async def test_alerts_step_says_when_to_look_again(house: House) -> None:
    assert await house.alerts.step() == UNASKED
    await house.watch(WatchKind.DURATION, seconds=3)
    assert 2.9 < await house.alerts.step() < 3.1
    await house.run("r")
    house.clock.pass_(2)
    assert 0.9 < await house.alerts.step() < 1.1


async def test_rules_of_a_webhook_that_watches_have_to_hold(house: House) -> None:
    scheduled = Rule(variable_name="IS_ORCHESTRATION", operation=Operation.EQUAL, value="false")
    await house.watch(WatchKind.DURATION, rules=(scheduled,))
    await house.run("by-hand")
    later = house.clock() + timedelta(seconds=1)
    await house.run("scheduled", run_type=RunType.SCHEDULED, logical_date=later)
    assert [one.run and one.run["run_id"] for one in await house.after(60)] == ["scheduled"]


@pytest.mark.parametrize(
    "changes", [{"is_active": False}, {"jobs": (UUID(int=5),)}, {"watch": None}], ids=["off", "other job", "no watch"]
)
async def test_webhook_that_does_not_watch_the_job_is_quiet(house: House, changes: dict[str, Any]) -> None:
    await house.watch(WatchKind.DURATION, **changes)
    await house.run("r")
    assert await house.after(600) == []


async def test_execution_of_an_external_job_that_takes_too_long_is_told_of(house: House) -> None:
    job = Job(
        id=uuid7(), workspace_id=DEFAULT_WORKSPACE_ID, kind=JobKind.EXTERNAL, name="sync", created_at=BEGAN,
        updated_at=BEGAN,
    )  # fmt: skip
    await house.database.write(jobs.create, job)
    await house.watch(WatchKind.DURATION, jobs=(job.id,))
    key = uuid7()
    running = Execution(
        id=key, execution_id=key, job_id=job.id, workspace_id=DEFAULT_WORKSPACE_ID, status=ExecutionStatus.RUNNING,
        started_at=BEGAN, ended_at=None, table_name="orders",
    )  # fmt: skip
    await house.database.write(jobs.report, running, BEGAN)
    (alert,) = await house.after(60)
    assert (alert.table_name, alert.status) == ("orders", ExecutionStatus.RUNNING)


async def test_scheduled_run_that_was_not_made_in_time_is_told_of_once(house: House) -> None:
    await house.watch(WatchKind.LATE)
    await house.due(BEGAN + timedelta(seconds=100))
    assert await house.after(159) == []
    (alert,) = await house.after(1)
    assert alert.status is ExecutionStatus.MISSED
    assert default_title(alert) == "DAG load did not start in time"
    assert "2026-03-01 12:01:40 UTC" in default_text(alert)
    await house.run("r", run_type=RunType.SCHEDULED, run_after=BEGAN + timedelta(seconds=100), start_date=house.clock())
    await house.due(BEGAN + timedelta(days=1))
    assert len(await house.after(60)) == 1


async def test_scheduled_run_that_waits_in_the_queue_too_long_is_told_of(house: House) -> None:
    await house.watch(WatchKind.LATE)
    await house.run("r", run_type=RunType.SCHEDULED, state=RunState.QUEUED, start_date=None)
    assert await house.after(59) == []
    (alert,) = await house.after(1)
    assert alert.run is not None
    assert alert.run["run_id"] == "r"


@pytest.mark.parametrize(
    "changes",
    [
        {"run_type": RunType.SCHEDULED},
        {"run_type": RunType.MANUAL, "state": RunState.QUEUED, "start_date": None},
        {"run_type": RunType.SCHEDULED, "state": RunState.QUEUED, "run_after": BEGAN - timedelta(days=3)},
        {"run_type": RunType.SCHEDULED, "state": RunState.QUEUED, "clear_number": 1},
    ],
    ids=["started in time", "by hand", "due before it was watched", "cleared"],
)
async def test_run_that_is_not_late_is_not_told_of(house: House, changes: dict[str, Any]) -> None:
    await house.watch(WatchKind.LATE)
    await house.run("r", **changes)
    assert await house.after(600) == []


async def test_paused_dag_is_not_late(house: House) -> None:
    await house.watch(WatchKind.LATE)
    await house.due(BEGAN + timedelta(seconds=10))
    await house.database.write(dags.set_paused, ("load",), True)
    assert await house.after(600) == []
