"""What is forgotten, and what is not, on every database."""

from __future__ import annotations

import pytest

from airgate.model.webhook import Coalesce, DeliveryState
from airgate.orchestration.retention import AT_ONCE, prune
from airgate.store import jobs
from airgate.store.database import Database
from tests.contract.orchestration.receivers import Receiver, status
from tests.contract.orchestration.world import World
from tests.support.clock import Clock


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(database, clock)


async def test_what_ended_long_ago_is_forgotten_with_its_attempts_and_execution(world: World) -> None:
    await world.allow("127.0.0.0/8")
    async with Receiver() as receiver, world.running():
        webhook = await world.webhook(receiver.url)
        await world.ends()
        await world.settle()
        (old,) = await world.deliveries(webhook)
        await world.until(old, lambda one: one.state is DeliveryState.DELIVERED)
        world.clock.pass_(3600)
        receiver.answer = status(500)
        execution = await world.ends()
        await world.settle()
        _, pending = await world.deliveries(webhook)
        await world.until(pending, lambda one: one.attempts == 1)
    await world.sender.close()
    assert await prune(world.database, world.clock.pass_(1)) == 2
    assert [one.id for one in await world.deliveries(webhook)] == [pending.id]
    assert await world.attempts(old) == ()
    assert len(await world.attempts(pending)) == 1
    assert [one.id for one in await world.executions(webhook)] == [execution.id]
    assert set(await world.database.read(jobs.get_executions, [old.execution, execution.id])) == {execution.id}


async def test_execution_stays_until_its_event_was_heard(world: World) -> None:
    webhook = await world.webhook()
    await world.ends()
    assert await prune(world.database, world.clock.pass_(1)) == 0
    await world.settle()
    assert len(await world.executions(webhook)) == 1


async def test_execution_stays_while_a_window_counts_on_it(world: World) -> None:
    webhook = await world.webhook(coalesce=Coalesce(seconds=60))
    await world.ends()
    await world.settle()
    assert await prune(world.database, world.clock.pass_(60)) == 0
    await world.settle()
    assert len(await world.executions(webhook)) == 1


async def test_much_is_forgotten_in_portions(world: World) -> None:
    webhook = await world.webhook(is_active=False)
    made = await world.queue(webhook, AT_ONCE + 5)
    async with world.running():
        for delivery in made:
            await world.until(delivery, lambda one: one.state is DeliveryState.CANCELLED)
    assert await prune(world.database, world.clock.pass_(1)) == AT_ONCE + 6
    assert await world.deliveries() == []
