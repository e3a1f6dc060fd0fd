"""The scheduler: from a run that was accepted to its end, and what may happen in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airgate.model.dag import TaskSpec
from airgate.model.run import XCom
from airgate.model.states import RunState, TaskState
from airgate.store import events, tasks, xcoms
from airgate.store.database import Database
from tests.contract.engine.shell import Shell, chained, dag, locked, slow_writer, turn, until
from tests.support.clock import Clock


async def test_run_goes_from_its_trigger_to_its_end(shell: Shell) -> None:
    await shell.record(dag(*chained("a", "b")))
    shell.slots.add(2)
    await shell.trigger("r")
    for task_id in ("a", "b"):
        slot = await shell.slot_with("r", task_id)
        assert (await shell.task("r", task_id)).state is TaskState.RUNNING
        await shell.succeed(slot)
    assert (await shell.until_run("r", RunState.SUCCESS)).end_date == shell.clock()


async def test_end_of_a_run_is_told_once_its_event_is_committed_and_nothing_before(shell: Shell) -> None:
    told: list[bool] = []
    ended = asyncio.Event()

    def tell() -> None:
        told.append(True)
        ended.set()

    shell.scheduler.watch.ended = tell
    await shell.record(dag())
    shell.slots.add()
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    assert told == []
    await shell.succeed(slot)
    await ended.wait()
    (event,) = await shell.database.read(events.waiting, 10)
    assert (event.kind, event.run_id) == ("dag_run.finished", "r")
    assert told == [True]


async def test_try_is_started_only_after_it_is_committed_as_running(shell: Shell) -> None:
    await shell.record(dag())
    (slot,) = shell.slots.add()
    run = await shell.store("r")
    async with slow_writer(shell.database):
        shell.scheduler.accepted(run)
        await until(lambda: shell.slots.given)
        await turn()
        assert slot.work is None
    await until(lambda: slot.work)


async def test_try_whose_process_died_before_it_began_is_started_elsewhere(shell: Shell) -> None:
    await shell.record(dag())
    dead, living = shell.slots.add(2)
    run = await shell.store("r")
    async with slow_writer(shell.database):
        shell.scheduler.accepted(run)
        await until(lambda: shell.slots.given)
        dead.alive = False
    slot = await shell.slot_with("r")
    assert slot is living
    await shell.succeed(slot)
    await shell.until_run("r", RunState.SUCCESS)
    found = await shell.database.read(tasks.tries, "d", "r", "t")
    assert [(one.try_number, one.state) for one in found] == [(1, TaskState.SUCCESS)]


async def test_tasks_that_found_no_slot_are_started_when_one_is_free(shell: Shell) -> None:
    await shell.record(dag())
    await shell.trigger("r")
    await until(lambda: shell.slots.wanted == {"dags.py@1": 1})
    shell.slots.add()
    shell.scheduler.slot_free("dags.py@1")
    await shell.succeed(await shell.slot_with("r"))
    await shell.until_run("r", RunState.SUCCESS)


async def test_waiting_task_is_started_by_the_newest_version_of_its_file(shell: Shell) -> None:
    await shell.record(dag())
    await shell.trigger("r")
    await until(lambda: shell.slots.wanted == {"dags.py@1": 1})
    await shell.record(dag(), key="dags.py@2")
    await until(lambda: shell.slots.wanted == {"dags.py@2": 1})
    shell.slots.add(key="dags.py@2")
    shell.scheduler.slot_free("dags.py@2")
    await shell.slot_with("r")


async def test_killed_try_calls_back_in_the_newest_version_of_its_file(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", has_failure_callback=True)))
    shell.slots.add()
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    slot.ends("killed by signal 9")
    await shell.until_run("r", RunState.FAILED)
    await until(lambda: shell.slots.wanted == {"dags.py@1": 1})
    await shell.record(dag(TaskSpec(task_id="t", has_failure_callback=True)), key="dags.py@2")
    shell.slots.add(key="dags.py@2")
    shell.scheduler.slot_free("dags.py@2")
    await shell.slot_calling("task_failure")


async def test_killed_try_that_was_marked_failed_before_does_not_call_back(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", has_failure_callback=True), TaskSpec(task_id="u")))
    shell.slots.add(3)
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    await shell.slot_with("r", "u")
    await shell.control.set_task_state([("d", "r")], frozenset({"t"}), TaskState.FAILED, anchor="t")
    await until(lambda: slot.stopped == 1.0)
    slot.ends("killed by signal 9")
    await shell.rest()
    assert len(shell.slots.given) == 2


async def test_try_whose_log_cannot_be_written_fails_and_says_why(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    await shell.record(dag())
    (slot,) = shell.slots.add()
    await shell.trigger("r")
    await shell.until_run("r", RunState.FAILED)
    assert "could not be started" in ((await shell.task("r")).end_reason or "")
    assert slot.released


async def test_run_that_waits_for_the_one_before_hears_of_its_progress_however_close_they_are(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", depends_on_past=True), TaskSpec(task_id="u")))
    shell.slots.add(4)
    await shell.trigger("first", logical_date=shell.clock())
    slot = await shell.slot_with("first")
    await shell.slot_with("first", "u")  # goes on, so that only its task has ended
    second = await shell.store("second", logical_date=shell.clock.pass_(60))
    async with slow_writer(shell.database):
        # The end of the first one's task is decided on and not committed, while the second reads what is.
        ending = asyncio.ensure_future(shell.succeed(slot))
        await turn()
        shell.scheduler.accepted(second)
        await turn()
        await asyncio.gather(*(shell.database.read(lambda tx: None) for _ in range(9)))
        await turn()
    await ending
    await shell.slot_with("second")


async def test_xcom_that_could_not_be_stored_is_stored_with_the_end_of_its_try(
    shell: Shell, store: Database, file: Path
) -> None:
    await shell.record(dag())
    shell.slots.add()
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    with locked(file):
        key = {"dag_id": "d", "run_id": "r", "task_id": "t", "key": "return_value"}
        await slot.says("SetXCom", **key, value=42, map_index=None)
        await until(lambda: not store.healthy)
        ending = asyncio.ensure_future(shell.succeed(slot))
        await turn()
    await ending
    await shell.until_run("r", RunState.SUCCESS)
    found: XCom = await store.read(xcoms.get, "d", "r", "t", "return_value")
    assert found.value == 42


async def test_request_of_a_try_waits_while_the_database_is_gone(shell: Shell, store: Database, file: Path) -> None:
    await shell.record(dag())
    shell.slots.add()
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    with locked(file):
        putting = asyncio.ensure_future(slot.says("PutVariable", key="k", value="v"))
        await until(lambda: not store.healthy)
        assert not putting.done()
    await putting
    assert await slot.says("GetVariable", key="k") == {"type": "VariableResult", "key": "k", "value": "v"}


async def test_end_of_a_try_is_kept_while_the_database_is_gone(shell: Shell, store: Database, file: Path) -> None:
    await shell.record(dag(*chained("a", "b")))
    shell.slots.add(2)
    await shell.trigger("r")
    slot = await shell.slot_with("r", "a")
    with locked(file):
        slot.ends("killed by signal 9")
        await until(lambda: not store.healthy)
        assert len(shell.slots.given) == 1
    await shell.until_run("r", RunState.FAILED)
    assert (await shell.task("r", "b")).state is TaskState.UPSTREAM_FAILED


async def test_stop_records_tries_that_end_and_starts_nothing_more(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", retries=1)), dag(dag_id="other"))
    shell.slots.add(3)
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    stopping = asyncio.ensure_future(shell.scheduler.stop())
    await until(lambda: slot.stopped)
    await shell.trigger("late", "other")
    slot.ends("killed by signal 15 (SIGTERM)")
    await stopping
    assert (await shell.task("r")).state is TaskState.UP_FOR_RETRY
    assert shell.slots.given == [slot]


async def test_stop_waits_for_the_callbacks_of_what_it_ended(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", has_failure_callback=True)))
    shell.slots.add(2)
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    stopping = asyncio.ensure_future(shell.scheduler.stop())
    await until(lambda: slot.stopped)
    slot.ends("killed by signal 15 (SIGTERM)")
    calling = await shell.slot_calling("task_failure")
    await shell.rest()
    assert not stopping.done()
    calling.ends()
    await stopping


async def test_try_that_was_about_to_begin_at_a_stop_waits_for_the_next_start(
    store: Database, tmp_path: Path, clock: Clock
) -> None:
    before = Shell(store, tmp_path, clock)
    await before.begin()
    await before.record(dag())
    (slot,) = before.slots.add()
    run = await before.store("r")
    async with slow_writer(store):
        before.scheduler.accepted(run)
        await until(lambda: before.slots.given)
        stopping = asyncio.ensure_future(before.scheduler.stop())
        await turn()
    await stopping
    assert slot.released
    after = Shell(store, tmp_path, clock)
    after.slots.add()
    await after.begin()
    await after.record(dag())
    await after.succeed(await after.slot_with("r"))
    await after.until_run("r", RunState.SUCCESS)
    await after.stop()


@pytest.mark.parametrize("early", [True, False])
async def test_run_accepted_before_recovery_starts_once(
    store: Database, tmp_path: Path, clock: Clock, early: bool
) -> None:
    shell = Shell(store, tmp_path, clock)
    await shell.record(dag())
    shell.slots.add(3)
    run = await shell.store("r")
    if early:
        shell.scheduler.accepted(run)
        await turn()
        assert shell.slots.given == []
    await shell.begin()
    await shell.succeed(await shell.slot_with("r"))
    await shell.until_run("r", RunState.SUCCESS)
    assert len(shell.slots.given) == 1
    await shell.stop()


async def test_try_that_ran_at_a_crash_is_counted_as_killed_and_calls_back(
    store: Database, tmp_path: Path, clock: Clock
) -> None:
    before = Shell(store, tmp_path, clock)
    await before.begin()
    spec = dag(
        TaskSpec(task_id="t", retries=1, retry_delay=0, has_retry_callback=True), TaskSpec(task_id="u"), fail_fast=False
    )
    await before.record(spec)
    before.slots.add(2)
    await before.trigger("r")
    await before.slot_with("r", "t")
    await before.slot_with("r", "u")
    after = Shell(store, tmp_path, clock)
    after.slots.add(3)
    await after.begin()
    await after.record(spec)
    await after.slot_calling("task_retry")
    await after.succeed(await after.slot_with("r", "t", 2))
    await after.until_run("r", RunState.FAILED)
    assert (await after.task("r", "u")).end_reason == "its process ended when Airgate's server stopped"
    await after.stop()
