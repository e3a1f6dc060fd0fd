"""Changes by hand: made on what a run is, whatever else happens to it at the same moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airgate.model.dag import TaskSpec
from airgate.model.errors import Conflict, NotFound, Unavailable
from airgate.model.states import RunState, TaskState
from airgate.store import dags
from airgate.store.database import Database
from tests.contract.engine.shell import Shell, chained, dag, locked, slow_readers, slow_writer, turn, until
from tests.support.clock import Clock

INERT = TaskSpec(task_id="t", inert=True)


async def test_run_deleted_while_its_try_begins_leaves_nothing_running(shell: Shell) -> None:
    await shell.record(dag())
    (slot,) = shell.slots.add()
    run = await shell.store("r")
    async with slow_writer(shell.database):
        shell.scheduler.accepted(run)
        await until(lambda: shell.slots.given)
        deleting = asyncio.ensure_future(shell.control.delete_run("d", "r"))
        await turn()
    await deleting
    await turn()
    assert slot.released or slot.stopped is not None
    assert shell.scheduler.roster.unfinished("d") == 0


async def test_slot_promised_to_a_run_while_it_is_deleted_goes_back(
    store: Database, tmp_path: Path, clock: Clock
) -> None:
    shell = Shell(store, tmp_path, clock, parallelism=1)
    await shell.begin()
    await shell.record(dag())
    shell.slots.add(2)
    await shell.trigger("first")
    slot = await shell.slot_with("first")
    await shell.trigger("second")
    await shell.until_run("second", RunState.RUNNING)
    async with slow_writer(store):
        deleting = asyncio.ensure_future(shell.control.delete_run("d", "second"))
        await turn()
        slot.ends("killed by signal 9")  # the place it frees is given to the one that is being deleted
        promised = await until(lambda: shell.slots.given[1:])
    await deleting
    assert promised[0].released
    assert promised[0].work is None
    await shell.stop()


async def test_run_deleted_while_it_is_taken_up_again_is_not_worked_on(shell: Shell) -> None:
    await shell.record(dag())
    shell.slots.add()
    run = await shell.store("r")
    async with slow_readers(shell.database):
        shell.scheduler.accepted(run, fresh=False)
        deleting = asyncio.ensure_future(shell.control.delete_run("d", "r"))
        await turn()
        await shell.database.write(lambda tx: None)
        await turn()
    await deleting
    await shell.rest()
    assert shell.scheduler.roster.unfinished("d") == 0
    with pytest.raises(NotFound):
        await shell.run("r")


async def test_deleted_run_gives_its_place_to_another(store: Database, tmp_path: Path, clock: Clock) -> None:
    shell = Shell(store, tmp_path, clock, parallelism=1)
    await shell.begin()
    await shell.record(dag())
    shell.slots.add(2)
    await shell.trigger("first")
    await shell.slot_with("first")
    await shell.trigger("second")
    await shell.control.delete_run("d", "first")
    await shell.slot_with("second")
    await shell.stop()


async def test_deleted_run_answers_whoever_waits_for_it(shell: Shell) -> None:
    await shell.record(dag())
    shell.slots.add()
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    async with slow_writer(shell.database):
        deleting = asyncio.ensure_future(shell.control.delete_run("d", "r"))
        await turn()
        ending = asyncio.ensure_future(slot.says("SucceedTask", end_date=shell.clock()))
        await turn()
    await deleting
    with pytest.raises(NotFound):
        await asyncio.wait_for(ending, 20)


async def test_run_that_cannot_be_deleted_goes_on(shell: Shell, file: Path) -> None:
    await shell.record(dag(*chained("a", "b")))
    shell.slots.add(2)
    await shell.trigger("r")
    slot = await shell.slot_with("r", "a")
    with locked(file), pytest.raises(Unavailable):
        await shell.control.delete_run("d", "r")
    await shell.succeed(slot)
    await shell.succeed(await shell.slot_with("r", "b"))
    await shell.until_run("r", RunState.SUCCESS)


async def test_note_on_a_run_that_is_about_to_begin_does_not_undo_its_beginning(shell: Shell) -> None:
    (known,) = await shell.record(dag(INERT))
    await shell.control.pause(["d"], paused=True)
    await shell.trigger("r")
    async with slow_readers(shell.database):
        noting = asyncio.ensure_future(shell.control.set_run_note("d", "r", "look"))
        await turn()
        shell.scheduler.dag_changed(known)  # unpaused: the run could begin, and end, at once
        await turn()
    await noting
    run = await shell.until_run("r", RunState.SUCCESS)
    assert run.note == "look"
    assert shell.scheduler.roster.unfinished("d") == 0


async def test_clearing_and_a_note_at_the_same_moment_both_count(shell: Shell) -> None:
    (known,) = await shell.record(dag())
    shell.slots.add(2)
    await shell.trigger("r")
    await shell.succeed(await shell.slot_with("r"))
    await shell.until_run("r", RunState.SUCCESS)
    await shell.control.pause(["d"], paused=True)  # so that the cleared run stays queued
    async with slow_readers(shell.database):
        clearing = asyncio.ensure_future(shell.control.clear_run("d", "r"))
        noting = asyncio.ensure_future(shell.control.set_run_note("d", "r", "look"))
        await turn()
    await asyncio.gather(clearing, noting)
    run = await shell.run("r")
    assert (run.state, run.note) == (RunState.QUEUED, "look")
    shell.scheduler.dag_changed(known)
    await shell.succeed(await shell.slot_with("r", "t", 2))
    await shell.until_run("r", RunState.SUCCESS)


async def test_run_cleared_in_the_moment_of_its_end_runs_again(shell: Shell) -> None:
    await shell.record(dag())
    shell.slots.add(2)
    await shell.trigger("r")
    slot = await shell.slot_with("r")
    async with slow_writer(shell.database):
        ending = asyncio.ensure_future(shell.succeed(slot))
        await turn()
        clearing = asyncio.ensure_future(shell.control.clear_run("d", "r"))
        await turn()
    await asyncio.gather(ending, clearing)
    await shell.succeed(await shell.slot_with("r", "t", 2))
    await shell.until_run("r", RunState.SUCCESS)


async def test_change_by_hand_waits_until_earlier_work_was_taken_up(
    store: Database, tmp_path: Path, clock: Clock
) -> None:
    shell = Shell(store, tmp_path, clock)
    await shell.record(dag())
    await shell.store("r")
    marking = asyncio.ensure_future(shell.control.set_run_state("d", "r", RunState.FAILED))
    await shell.rest()
    assert not marking.done()
    await shell.begin()
    assert (await marking).state is RunState.FAILED
    await shell.stop()


async def test_marking_the_run_before_lets_those_that_wait_for_it_go_on(shell: Shell) -> None:
    await shell.record(dag(TaskSpec(task_id="t", depends_on_past=True)))
    shell.slots.add(2)
    await shell.trigger("first", logical_date=shell.clock())
    (await shell.slot_with("first")).ends("killed by signal 9")
    await shell.until_run("first", RunState.FAILED)
    await shell.trigger("second", logical_date=shell.clock.pass_(60))
    await shell.until_run("second", RunState.RUNNING)
    await turn()
    await shell.control.set_task_state([("d", "first")], frozenset({"t"}), TaskState.SUCCESS, anchor="t")
    await shell.succeed(await shell.slot_with("second"))


async def test_place_of_a_queued_run_that_was_marked_is_free(shell: Shell) -> None:
    told: list[str] = []
    shell.scheduler.hooks.place_free = told.append
    await shell.record(dag())
    await shell.control.pause(["d"], paused=True)
    await shell.trigger("marked")
    await shell.trigger("deleted")
    await shell.control.set_run_state("d", "marked", RunState.FAILED)
    await shell.control.delete_run("d", "deleted")
    assert told == ["d", "d"]


async def test_cleared_try_waits_for_its_own_process_not_for_one_before_it(shell: Shell) -> None:
    await shell.record(dag())
    shell.slots.add(3)
    await shell.trigger("r")
    first = await shell.slot_with("r")
    await shell.control.set_run_state("d", "r", RunState.FAILED)  # its process ignores SIGTERM for a while
    await shell.control.clear_run("d", "r")
    second = await shell.slot_with("r", "t", 2)
    await shell.control.clear_run("d", "r")
    first.ends("killed by signal 9")
    await shell.rest()
    assert (await shell.task("r")).state is TaskState.RESTARTING
    assert len(shell.slots.given) == 2
    second.ends("killed by signal 15")
    await shell.succeed(await shell.slot_with("r", "t", 3))
    await shell.until_run("r", RunState.SUCCESS)


async def test_dag_is_deleted_with_its_queued_runs_and_not_while_a_try_runs(shell: Shell) -> None:
    await shell.record(dag(max_active_runs=1))
    shell.slots.add()
    await shell.trigger("running")
    slot = await shell.slot_with("running")
    await shell.trigger("queued")
    with pytest.raises(Conflict):
        await shell.control.delete_dag("d")
    await shell.control.set_run_state("d", "running", RunState.FAILED)
    slot.ends("killed by signal 15")
    await shell.control.pause(["d"], paused=True)
    await shell.trigger("waits")
    await shell.control.delete_dag("d")
    assert shell.scheduler.roster.unfinished("d") == 0
    with pytest.raises(NotFound):
        await shell.database.read(dags.get, "d")


async def test_dag_that_cannot_be_deleted_goes_on(shell: Shell, file: Path) -> None:
    await shell.record(dag(INERT))
    await shell.control.pause(["d"], paused=True)
    await shell.trigger("r")
    with locked(file), pytest.raises(Unavailable):
        await shell.control.delete_dag("d")
    await shell.control.pause(["d"], paused=False)
    await shell.until_run("r", RunState.SUCCESS)
