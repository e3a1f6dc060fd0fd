"""The calendar: scheduled runs are made when they are due, each once, whatever becomes of asking for the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from airgate.engine.calendar import Calendar
from airgate.engine.ports import RunDates
from airgate.model.dag import DagSpec, ScheduleSpec, TaskSpec
from airgate.model.errors import InvalidInput, Unavailable
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import dags, runs
from tests.contract.engine.shell import Shell, turn, until, until_read

HOUR = timedelta(hours=1)


class Hourly:
    """Every hour from a start on; without catching up, the newest. As a timetable of Airflow's would answer."""

    def __init__(self, start: datetime, now: datetime) -> None:
        self.start = start
        self.now = now
        self.asked = 0
        self.failure: Exception | None = None
        self.fails_from = 1

    async def next_run(
        self, dag_id: str, *, last: RunDates | None, earliest: datetime | None, latest: datetime | None, catchup: bool
    ) -> RunDates | None:
        self.asked += 1
        if self.failure is not None and self.asked >= self.fails_from:
            raise self.failure
        at = self.start if last is None else last.run_after + HOUR
        if not catchup:
            at = max(at, self.start + (self.now - self.start) // HOUR * HOUR)
        return None if latest is not None and at > latest else RunDates(run_after=at, data_interval=(at, at))

    async def manual_interval(self, dag_id: str, run_after: datetime) -> tuple[datetime, datetime]:
        return run_after, run_after


@pytest.fixture
def hourly(shell: Shell) -> Hourly:
    return Hourly(shell.clock() - 3 * HOUR, shell.clock())


@pytest.fixture
async def calendar(shell: Shell, hourly: Hourly) -> AsyncIterator[Calendar]:
    made = Calendar(shell.database, hourly, shell.scheduler, shell.registry, clock=shell.clock, new_id=uuid7)
    shell.scheduler.hooks.place_free = made.consider
    yield made
    made.stop()


def scheduled(**more: object) -> DagSpec:
    """A DAG with a schedule whose runs end at once."""
    schedule = ScheduleSpec(can_be_scheduled=True)
    return DagSpec(dag_id="d", tasks=(TaskSpec(task_id="t", inert=True),), schedule=schedule, **more)  # type: ignore[arg-type]


async def made(shell: Shell) -> list[DagRun]:
    listing = await shell.database.read(runs.list_runs, RunFilter(dag_ids=("d",)), Order("seq"), Page(100))
    return list(listing.items)


async def until_ended(shell: Shell, number: int) -> list[DagRun]:
    async def there() -> list[DagRun] | None:
        found = await made(shell)
        return found if len(found) == number and all(run.state is RunState.SUCCESS for run in found) else None

    return await until_read(there)


async def until_done(calendar: Calendar) -> None:
    """Wait until the calendar has done all it has to do now."""
    await turn()
    await until(lambda: not calendar._work)


async def test_calendar_catches_up_and_waits_for_the_next(shell: Shell, calendar: Calendar, hourly: Hourly) -> None:
    await shell.record(scheduled(catchup=True, max_active_runs=1))
    calendar.consider("d")
    found = await until_ended(shell, 4)
    assert [run.logical_date for run in found] == [hourly.start + n * HOUR for n in range(4)]

    async def known() -> bool:
        following = (await shell.database.read(dags.get, "d")).next_run
        return following is not None and following.run_after == hourly.start + 4 * HOUR

    await until_read(known)


async def test_calendar_makes_only_the_newest_run_without_catching_up(
    shell: Shell, calendar: Calendar, hourly: Hourly
) -> None:
    await shell.record(scheduled())
    calendar.consider("d")
    (run,) = await until_ended(shell, 1)
    assert run.logical_date == hourly.start + 3 * HOUR


@pytest.mark.parametrize("failure", [Unavailable("gone"), InvalidInput("it raised")])
async def test_run_that_was_made_starts_although_the_timetable_fails_afterwards(
    shell: Shell, calendar: Calendar, hourly: Hourly, failure: Exception
) -> None:
    hourly.failure, hourly.fails_from = failure, 2
    await shell.record(scheduled())
    calendar.consider("d")
    await until_ended(shell, 1)


async def test_date_that_a_manual_run_has_taken_is_passed_over(
    shell: Shell, calendar: Calendar, hourly: Hourly
) -> None:
    spec = scheduled(latest=hourly.start)  # one run only, and its date is taken
    await shell.record(spec)
    hourly.now = hourly.start
    await shell.trigger("by hand", logical_date=hourly.start)
    await until_ended(shell, 1)
    await until_done(calendar)
    calendar.consider("d")
    await until_done(calendar)
    asked = hourly.asked
    calendar.consider("d")
    await until_done(calendar)
    assert len(await made(shell)) == 1
    assert hourly.asked == asked + 1  # for what comes after the date that is taken, not for that date again


async def test_unpaused_dag_makes_the_newest_run_not_the_one_it_missed(
    shell: Shell, calendar: Calendar, hourly: Hourly
) -> None:
    await shell.record(scheduled())
    await shell.control.pause(["d"], paused=True)
    calendar.consider("d")
    await until_done(calendar)
    hourly.now = shell.clock.pass_(2 * 3600)
    await shell.control.pause(["d"], paused=False)
    calendar.consider("d")
    (run,) = await until_ended(shell, 1)
    assert run.logical_date == hourly.start + 5 * HOUR


async def test_deleted_run_makes_room_for_the_scheduled_one(shell: Shell, calendar: Calendar) -> None:
    spec = DagSpec(
        dag_id="d", tasks=(TaskSpec(task_id="t"),), schedule=ScheduleSpec(can_be_scheduled=True), max_active_runs=1
    )
    await shell.record(spec)
    await shell.trigger("in the way")
    calendar.consider("d")
    await until_done(calendar)
    assert len(await made(shell)) == 1
    await shell.control.delete_run("d", "in the way")
    await until(lambda: shell.scheduler.roster.running("d"))
    await turn()
    assert [run.run_id for run in await made(shell)] != ["in the way"]
