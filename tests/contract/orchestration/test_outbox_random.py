"""Whatever happens in whatever order, and whoever is killed when: one delivery per event and webhook, none lost."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airgate.model.webhook import Operation, Rule, Webhook
from airgate.store import events
from airgate.store.database import Database
from tests.contract.orchestration.receivers import Receiver
from tests.contract.orchestration.world import World
from tests.support.clock import Clock

RULES = (
    (),
    (Rule(variable_name="ROWS", operation=Operation.GREATER_THAN, value="3"),),
    (Rule(variable_name="ROWS", operation=Operation.LESS_THAN, value="6"),),
)

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("ends"), st.integers(0, 9)),
        st.tuples(st.just("settles"), st.none()),
        st.tuples(st.just("killed while settling"), st.integers(0, 12)),
        st.tuples(st.just("killed while sending"), st.integers(0, 30)),
        st.tuples(st.just("something is changed"), st.none()),
        st.tuples(st.just("time passes"), st.integers(1, 400)),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS)
def test_no_event_is_lost_or_told_twice(
    actions: list[tuple[str, Any]], sqlite_template: Path, store_secret: bytes
) -> None:
    asyncio.run(_live(actions, sqlite_template, store_secret))


async def _live(actions: list[tuple[str, Any]], template: Path, secret: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = shutil.copy(template, Path(folder) / "airgate.db")
        database = await Database.open(f"sqlite:///{file}", secret=secret)
        try:
            async with Receiver() as receiver:
                await _scenario(World(database, Clock()), receiver, actions)
        finally:
            await database.close()


async def _scenario(world: World, receiver: Receiver, actions: list[tuple[str, Any]]) -> None:
    await world.allow("127.0.0.0/8")
    hooks = [await world.webhook(receiver.url, rules=rules, max_concurrency=2) for rules in RULES]
    rows: list[int] = []
    for action, number in actions:
        if action == "ends":
            rows.append(number)
            await world.ends(rows=number)
        elif action == "something is changed":
            await world.change(hooks[0], header={"x": str(len(rows))})
        elif action == "time passes":
            world.clock.pass_(number)
        else:
            await _work(world, action, number)
    await _until_all_is_sent(world)
    await _check(world, receiver, hooks, rows)
    await world.sender.close()


async def _work(world: World, action: str, steps: int | None) -> None:
    if action == "settles":
        await world.settle()
        return
    work = world.settle() if action == "killed while settling" else world.dispatcher.run()
    task = asyncio.create_task(work)
    for _ in range(steps or 0):
        await world.database.read(events.waiting, 1)  # as long as so many reads take
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    world.begin_anew()


async def _until_all_is_sent(world: World) -> None:
    await world.settle()
    world.clock.pass_(10_000)
    world.begin_anew()
    async with world.running():
        for delivery in await world.deliveries():
            await world.until(delivery, lambda one: one.next_attempt_at is None)


async def _check(world: World, receiver: Receiver, hooks: Sequence[Webhook], rows: list[int]) -> None:
    wanted = [rows, [n for n in rows if n > 3], [n for n in rows if n < 6]]
    for hook, expected in zip(hooks, wanted, strict=True):
        assert [one.rows for one in await world.executions(hook)] == expected
    made = await world.deliveries()
    sent = {request.header("webhook-id") for request in receiver.requests}
    assert sent == {str(delivery.id) for delivery in made}
