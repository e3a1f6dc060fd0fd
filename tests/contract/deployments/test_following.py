"""Following a run: every change of its state is seen, whoever made it, and nothing is left behind afterwards."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar
from weakref import ref

import msgspec
import pytest

from airgate.deployments.local.following import Following
from airgate.model.errors import NotFound, Unavailable
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import runs
from airgate.store.database import Database
from tests.contract.engine.shell import Shell, dag, turn, until
from tests.contract.store.builders import make_run
from tests.support.clock import Clock
from tests.support.memory_deployment import Runs, World

T = TypeVar("T")
BOUND = 20.0
NEVER = 3600.0
"""Seconds. Whoever looks so seldom hears of nothing but what the engine says."""


@pytest.fixture
async def shell(database: Database, tmp_path: Path, clock: Clock) -> AsyncIterator[Shell]:
    """An engine with one DAG of one task."""
    shell = Shell(database, tmp_path, clock)
    await shell.begin()
    await shell.record(dag())
    yield shell
    await shell.stop()


@pytest.fixture
def following(shell: Shell) -> Following:
    return Following(shell.database, shell.scheduler.watch, patience=NEVER)


async def soon(what: Awaitable[T]) -> T:
    async with asyncio.timeout(BOUND):
        return await what


async def all_states(followed: AsyncGenerator[DagRun, None]) -> list[RunState]:
    return [run.state async for run in followed]


async def marked(database: Database, run_id: str, state: RunState) -> None:
    """Another process changes a run: nobody here is told."""
    run = await database.read(runs.get, "d", run_id)
    await database.write(runs.save, [msgspec.structs.replace(run, state=state)])


async def test_run_is_seen_from_its_queue_to_its_end(shell: Shell, following: Following) -> None:
    stored = await shell.store("r")
    async with aclosing(following.follow("d", "r")) as followed:
        assert (await soon(anext(followed))).state is RunState.QUEUED

        shell.scheduler.accepted(stored)
        assert (await soon(anext(followed))).state is RunState.RUNNING

        shell.slots.add()
        shell.scheduler.slot_free("dags.py@1")
        await shell.succeed(await shell.slot_with("r"))
        ended = await soon(anext(followed))
        assert ended == await shell.run("r")
        assert ended.state is RunState.SUCCESS
        with pytest.raises(StopAsyncIteration):
            await soon(anext(followed))


async def test_run_that_has_ended_is_seen_once(shell: Shell, following: Following) -> None:
    await shell.store("r", state=RunState.FAILED)
    assert await soon(all_states(following.follow("d", "r"))) == [RunState.FAILED]


async def test_change_between_two_looks_is_not_missed(shell: Shell, following: Following) -> None:
    shell.slots.add()
    async with aclosing(following.follow("d", "r")) as followed:
        await shell.trigger("r")
        await soon(anext(followed))
        await shell.succeed(await shell.slot_with("r"))
        await shell.until_run("r", RunState.SUCCESS)  # all of it before anybody looks again
        assert (await soon(all_states(followed)))[-1] is RunState.SUCCESS


@pytest.mark.parametrize("state", [RunState.SUCCESS, RunState.FAILED])
async def test_run_marked_by_hand_is_seen(shell: Shell, following: Following, state: RunState) -> None:
    for run_id, begun in (("running", True), ("queued", False)):
        stored = await shell.store(run_id)
        if begun:
            shell.scheduler.accepted(stored)
            await shell.until_run(run_id, RunState.RUNNING)
        async with aclosing(following.follow("d", run_id)) as followed:
            await soon(anext(followed))
            await shell.control.set_run_state("d", run_id, state)
            assert (await soon(anext(followed))).state is state


async def test_run_deleted_while_it_is_followed_is_not_found(shell: Shell, following: Following) -> None:
    await shell.trigger("running")
    await shell.until_run("running", RunState.RUNNING)
    await shell.store("queued")
    for run_id in ("running", "queued"):
        async with aclosing(following.follow("d", run_id)) as followed:
            await soon(anext(followed))
            await shell.control.delete_run("d", run_id)
            with pytest.raises(NotFound):
                await soon(anext(followed))


async def test_run_that_nobody_knows_is_not_found(following: Following) -> None:
    with pytest.raises(NotFound):
        await soon(anext(following.follow("d", "nobody")))


async def test_changes_that_another_process_makes_are_found_by_looking(shell: Shell) -> None:
    looking = Following(shell.database, shell.scheduler.watch, patience=0.01)
    await shell.store("r")
    await shell.store("gone")
    async with aclosing(looking.follow("d", "r")) as one, aclosing(looking.follow("d", "gone")) as other:
        await soon(anext(one))
        await soon(anext(other))
        await marked(shell.database, "r", RunState.RUNNING)
        assert (await soon(anext(one))).state is RunState.RUNNING
        await shell.database.write(runs.delete, "d", "gone")
        with pytest.raises(NotFound):
            await soon(anext(other))
        await marked(shell.database, "r", RunState.SUCCESS)
        assert await soon(all_states(one)) == [RunState.SUCCESS]


async def test_what_one_follower_finds_out_the_others_hear(shell: Shell, following: Following) -> None:
    await shell.store("r")
    async with aclosing(following.follow("d", "r")) as first:
        await soon(anext(first))
        waiting = asyncio.ensure_future(anext(first))
        await turn()
        await marked(shell.database, "r", RunState.RUNNING)
        async with aclosing(following.follow("d", "r")) as second:
            assert (await soon(anext(second))).state is RunState.RUNNING
        assert (await soon(waiting)).state is RunState.RUNNING


async def test_many_followers_of_one_run_all_see_its_end(shell: Shell, following: Following) -> None:
    await shell.trigger("r")
    await shell.until_run("r", RunState.RUNNING)
    many = [asyncio.ensure_future(all_states(following.follow("d", "r"))) for _ in range(50)]
    await turn()
    await shell.control.set_run_state("d", "r", RunState.SUCCESS)
    seen = await soon(asyncio.gather(*many))
    assert all(states[-1] is RunState.SUCCESS for states in seen)


async def test_one_that_stops_following_leaves_the_others_waiting(shell: Shell, following: Following) -> None:
    await shell.store("r")
    one, other = (asyncio.ensure_future(all_states(following.follow("d", "r"))) for _ in range(2))
    await shell.rest()
    one.cancel()
    await turn()
    assert not other.done()
    await shell.control.set_run_state("d", "r", RunState.FAILED)
    assert await soon(other) == [RunState.QUEUED, RunState.FAILED]


async def test_nothing_is_left_when_nobody_follows_any_more(shell: Shell, following: Following) -> None:
    await shell.store("r")
    before = asyncio.all_tasks()
    waiting = asyncio.ensure_future(all_states(following.follow("d", "r")))
    await until(lambda: shell.scheduler.watch.topics() or None)
    topic = ref(shell.scheduler.watch.topic("d", "r"))
    await shell.rest()
    waiting.cancel()
    await asyncio.wait([waiting])
    del waiting  # it remembers where it was cancelled
    await turn()
    gc.collect()
    assert topic() is None
    assert shell.scheduler.watch.topics() == []
    assert asyncio.all_tasks() == before


async def test_following_ends_when_the_server_stops(shell: Shell, following: Following) -> None:
    await shell.store("r")
    await shell.store("ended", state=RunState.SUCCESS)
    async with aclosing(following.follow("d", "r")) as followed:
        await soon(anext(followed))
        waiting = asyncio.ensure_future(anext(followed))
        await turn()
        shell.scheduler.watch.close()
        with pytest.raises(Unavailable) as stopping:
            await soon(waiting)
        assert stopping.value.code == "stopping"
    assert await soon(all_states(following.follow("d", "ended"))) == [RunState.SUCCESS]


async def test_run_kept_in_memory_is_followed_alike(clock: Clock) -> None:
    world = World(clock)
    memory = Runs(world)
    queued = world.put_run(make("r", clock))
    async with aclosing(memory.follow("d", "r")) as followed:
        assert (await soon(anext(followed))).state is RunState.QUEUED
        world.change_run(queued, state=RunState.RUNNING)
        assert (await soon(anext(followed))).state is RunState.RUNNING
        await memory.set_state("d", "r", RunState.FAILED)
        assert await soon(all_states(followed)) == [RunState.FAILED]
    world.put_run(make("gone", clock))
    async with aclosing(memory.follow("d", "gone")) as followed:
        await soon(anext(followed))
        await memory.delete("d", "gone")
        with pytest.raises(NotFound):
            await soon(anext(followed))


def make(run_id: str, clock: Clock) -> DagRun:
    return make_run(run_id, run_after=clock(), queued_at=clock())
