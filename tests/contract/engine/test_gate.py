"""Block windows before the engine: what may not start waits, what may not go on ends, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from airgate.engine.active import LOCAL
from airgate.engine.gatekeeper import Gatekeeper
from airgate.model.job import dag_job_id
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType
from airgate.model.webhook import BlockWindow
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.block_windows import BlockWindows, DagGate
from airgate.store import events, runs, workspaces
from airgate.store import hooks as stored
from airgate.store.database import Database
from tests.contract.engine.shell import Shell, dag, slow_readers, turn, until
from tests.support.clock import Clock

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


class Guarded:
    """A shell with block windows before it. Its timer is the test's: `tick` is what the timer does."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.clock = shell.clock
        self.keeper = Gatekeeper(shell.scheduler, shell.control, clock=shell.clock)
        self.windows = BlockWindows(shell.database, clock=shell.clock, new_id=uuid7, changed=self.keeper.changed)
        self.keeper.guard(DagGate(self.windows, LOCAL, DEFAULT_WORKSPACE_ID))

    async def block(self, start: str, end: str, **more: Any) -> BlockWindow:
        values: dict[str, Any] = {"name": "night", "weekdays": tuple(range(7)), "workspace_id": DEFAULT_WORKSPACE_ID}
        window = BlockWindow(
            id=uuid7(),
            start=time.fromisoformat(start),
            end=time.fromisoformat(end),
            created_at=NOON,
            updated_at=NOON,
            **(values | more),
        )
        return await self.windows.create(window.workspace_id, window)

    async def at(self, moment: str) -> None:
        """Time goes on to this time of the day, and the timer does what it does."""
        self.clock.now = datetime.combine(self.clock.now.date(), time.fromisoformat(moment), self.clock.now.tzinfo)
        self.keeper.changed()
        await turn()

    async def state(self, run_id: str, dag_id: str = "d") -> RunState:
        return (await self.run(run_id, dag_id)).state

    async def run(self, run_id: str, dag_id: str = "d") -> DagRun:
        return await self.shell.database.read(runs.get, dag_id, run_id)


@asynccontextmanager
async def guarded(store: Database, folder: Path, clock: Clock) -> AsyncIterator[Guarded]:
    shell = Shell(store, folder, clock)
    await shell.begin()
    guard = Guarded(shell)
    await guard.windows.load()
    try:
        yield guard
    finally:
        guard.keeper.stop()
        await shell.stop()


@pytest.fixture
async def guard(store: Database, tmp_path: Path, clock: Clock) -> AsyncIterator[Guarded]:
    async with guarded(store, tmp_path, clock) as one:
        yield one


async def test_run_waits_for_the_end_of_the_window_and_starts_then(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("11:00", "13:00")
    await guard.shell.trigger("r")
    await guard.at("12:59:59")
    assert await guard.state("r") is RunState.QUEUED
    await guard.at("13:00")
    await guard.shell.until_run("r", RunState.RUNNING)


async def test_timer_of_its_own_starts_what_has_waited(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("11:00", "13:00")
    await guard.shell.trigger("r")
    await turn()
    guard.clock.now = datetime.fromisoformat("2026-03-01T12:59:59.990000+00:00")
    guard.keeper.changed()  # the timer is set to the end of the window, ten milliseconds from here
    assert await guard.state("r") is RunState.QUEUED
    guard.clock.pass_(0.01)
    await guard.shell.until_run("r", RunState.RUNNING)


@pytest.mark.parametrize(
    ("run_type", "state"),
    [
        (RunType.MANUAL, RunState.RUNNING),
        (RunType.OPERATOR_TRIGGERED, RunState.RUNNING),
        (RunType.SCHEDULED, RunState.QUEUED),
        (RunType.BACKFILL, RunState.QUEUED),
        (RunType.ASSET_TRIGGERED, RunState.QUEUED),
    ],
)
async def test_runs_that_somebody_asked_for_start_where_the_window_lets_them(
    guard: Guarded, run_type: RunType, state: RunState
) -> None:
    await guard.shell.record(dag())
    await guard.block("11:00", "13:00", allow_manual=True)
    await guard.shell.trigger("r", run_type=run_type)
    await guard.shell.trigger("probe")  # by hand: once it runs, the other would run as well
    await guard.shell.until_run("probe", RunState.RUNNING)
    assert await guard.state("r") is state


async def test_window_of_one_job_keeps_no_other_from_starting(guard: Guarded) -> None:
    await guard.shell.record(dag(), dag(dag_id="other"))
    await guard.block("11:00", "13:00", jobs=(dag_job_id(LOCAL, "d"),))
    await guard.shell.trigger("r")
    await guard.shell.trigger("r", "other")
    await until(lambda: guard.shell.scheduler.roster.get("other", "r"))
    assert await guard.state("r") is RunState.QUEUED


async def test_window_of_another_workspace_concerns_nothing_here(guard: Guarded) -> None:
    await guard.shell.record(dag())
    home = await guard.shell.database.read(workspaces.get, DEFAULT_WORKSPACE_ID)
    other = type(home)(id=uuid7(), name="lab", created_at=NOON, updated_at=NOON)
    await guard.shell.database.write(workspaces.create, other)
    await guard.block("11:00", "13:00", workspace_id=other.id)
    await guard.shell.trigger("r")
    await guard.shell.until_run("r", RunState.RUNNING)


async def test_changed_and_deleted_window_counts_at_once(guard: Guarded) -> None:
    await guard.shell.record(dag(max_active_runs=16))
    window = await guard.block("11:00", "13:00")
    await guard.shell.trigger("first")
    await guard.windows.update(DEFAULT_WORKSPACE_ID, window.id, end=time(11, 30))
    await guard.shell.until_run("first", RunState.RUNNING)
    await guard.windows.update(DEFAULT_WORKSPACE_ID, window.id, end=time(14))
    await guard.shell.trigger("second")
    await turn()
    assert await guard.state("second") is RunState.QUEUED
    await guard.windows.delete(DEFAULT_WORKSPACE_ID, window.id)
    await guard.shell.until_run("second", RunState.RUNNING)


async def test_window_that_another_process_made_counts_once_it_is_read(guard: Guarded) -> None:
    await guard.shell.record(dag())
    window = BlockWindow(
        id=uuid7(), workspace_id=DEFAULT_WORKSPACE_ID, name="w", weekdays=tuple(range(7)), start=time(11),
        end=time(13), created_at=NOON, updated_at=NOON,
    )  # fmt: skip
    await guard.shell.database.write(stored.create_block, window)
    await guard.windows.load()
    await guard.shell.trigger("r")
    await turn()
    assert await guard.state("r") is RunState.QUEUED
    await guard.shell.database.write(stored.delete_block, DEFAULT_WORKSPACE_ID, window.id)
    await guard.windows.load()
    await guard.shell.until_run("r", RunState.RUNNING)


async def test_running_run_is_failed_with_its_reason_when_the_window_opens(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("13:00", "14:00", cancel_running=True)
    (slot,) = guard.shell.slots.add()
    await guard.shell.trigger("r")
    await guard.shell.slot_with("r")
    await guard.at("13:00")
    await guard.shell.until_run("r", RunState.FAILED)
    assert slot.stopped is not None
    assert (await guard.run("r")).note == "Ended by the block window 'night'."
    (event,) = [one for one in await guard.shell.database.read(events.waiting, 10) if one.run_id == "r"]
    assert (event.kind, event.payload["state"], event.payload["reason"]) == (
        "dag_run.finished", "failed", "block_window",
    )  # fmt: skip


async def test_running_run_goes_on_when_the_window_does_not_end_it(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("13:00", "14:00")
    await guard.block("13:00", "14:00", name="by hand", cancel_running=True, allow_manual=True)
    await guard.shell.trigger("r")
    await guard.shell.until_run("r", RunState.RUNNING)
    await guard.at("13:00")
    await guard.at("13:30")
    assert await guard.state("r") is RunState.RUNNING


async def test_run_that_was_running_when_the_server_stopped_is_ended_inside_a_window(
    store: Database, tmp_path: Path, clock: Clock
) -> None:
    async with guarded(store, tmp_path, clock) as before:
        await before.shell.record(dag())
        await before.block("13:00", "14:00", cancel_running=True)
        await before.shell.trigger("r")
        await before.shell.until_run("r", RunState.RUNNING)
    clock.now = NOON + timedelta(minutes=90)
    async with guarded(store, tmp_path, clock) as after:
        await after.shell.until_run("r", RunState.FAILED)


async def test_run_that_is_taken_up_while_the_window_opens_is_ended_too(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("13:00", "14:00", cancel_running=True)
    run = await guard.shell.store("r")
    async with slow_readers(guard.shell.database):
        guard.shell.scheduler.accepted(run, fresh=False)
        await turn()
        guard.clock.now = NOON + timedelta(minutes=60)
        guard.keeper.changed()
    await guard.shell.until_run("r", RunState.FAILED)


async def test_run_with_a_note_keeps_it_when_it_is_ended(guard: Guarded) -> None:
    await guard.shell.record(dag())
    await guard.block("13:00", "14:00", cancel_running=True)
    await guard.shell.trigger("r", note="mine")
    await guard.shell.until_run("r", RunState.RUNNING)
    await guard.at("13:00")
    await guard.shell.until_run("r", RunState.FAILED)
    assert (await guard.run("r")).note == "mine"


HOURS = st.integers(0, 23)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spans=st.lists(st.tuples(HOURS, HOURS, st.booleans()), min_size=1, max_size=3),
    asked=st.lists(st.tuples(st.integers(0, 23 * 60), st.booleans()), min_size=1, max_size=6),
)
async def test_no_run_ever_starts_inside_a_window_and_each_starts_after_it(
    spans: list[tuple[int, int, bool]], asked: list[tuple[int, bool]], tmp_path: Path, store_secret: bytes
) -> None:
    folder = tmp_path / str(uuid7())
    folder.mkdir()
    store = await Database.open(f"sqlite:///{folder / 'airgate.db'}", secret=store_secret)
    midnight = NOON.replace(hour=0)
    try:
        async with guarded(store, folder, Clock(midnight)) as guard:
            await guard.shell.record(dag(max_active_runs=100))
            for start, end, manual in spans:
                await guard.block(f"{start:02}:00", f"{end:02}:00", allow_manual=manual)
            gate = guard.shell.scheduler.gate
            started = await _day(guard, asked, midnight)
            for run in started:
                assert run.start_date is not None
                assert not gate.blocks("d", run.start_date, manual=run.run_type.manual)
            opened = [m for m in (True, False) if not gate.blocks("d", guard.clock.now, manual=m)]
            waiting = [run for run in await _all(guard) if run.state is RunState.QUEUED]
            assert not any(run.run_type.manual in opened for run in waiting)
    finally:
        await store.close()


async def _day(guard: Guarded, asked: list[tuple[int, bool]], midnight: datetime) -> list[DagRun]:
    """A day goes by, hour by hour and trigger by trigger; what has started by its end."""
    moments: dict[datetime, list[tuple[int, bool]]] = {
        midnight + timedelta(minutes=minutes): [] for minutes in range(0, 24 * 60, 60)
    }
    for number, (minutes, manual) in enumerate(asked):
        moments.setdefault(midnight + timedelta(minutes=minutes), []).append((number, manual))
    for moment in sorted(moments):
        guard.clock.now = moment
        guard.keeper.changed()
        for number, manual in moments[moment]:
            run_type = RunType.MANUAL if manual else RunType.SCHEDULED
            date = moment + timedelta(microseconds=number)
            await guard.shell.trigger(str(number), run_type=run_type, run_after=moment, logical_date=date)
    guard.clock.now = midnight + timedelta(hours=23, minutes=30)
    guard.keeper.changed()
    for _, run_id in guard.shell.scheduler.roster.running_keys():
        await guard.shell.until_run(run_id, RunState.RUNNING)
    return [run for run in await _all(guard) if run.state is not RunState.QUEUED]


async def _all(guard: Guarded) -> list[DagRun]:
    return [await guard.run(run.run_id) for run in await guard.shell.database.read(runs.unfinished)]
