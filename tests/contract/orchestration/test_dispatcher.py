"""The obligations of `airgate.orchestration.dispatcher.Dispatcher`, on every database, against real receivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from airgate.model.errors import InvalidInput, Unavailable
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import Delivery, DeliveryState, Method, SigningKey, Target, TargetKind
from airgate.orchestration.dispatcher import GIVEN_UP_AFTER
from airgate.orchestration.schedule import MOST_ATTEMPTS, WAITS
from airgate.store import deliveries, events, webhooks, workspaces
from airgate.store.database import Database
from tests.contract.orchestration.receivers import OK, Receiver, Request, hangs, resets, status
from tests.contract.orchestration.world import HOME, World
from tests.contract.store.builders import make_run
from tests.support.clock import Clock

PENDING, DELIVERED, DEAD = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD
STOPPED, CANCELLED = DeliveryState.STOPPED, DeliveryState.CANCELLED


@pytest.fixture
async def world(database: Database, clock: Clock) -> AsyncIterator[World]:
    made = World(database, clock)
    await made.allow("127.0.0.0/8")
    yield made
    await made.sender.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as found:
        yield found


def ended(delivery: Delivery) -> bool:
    return delivery.state is not PENDING


def tried(times: int) -> Any:
    return lambda delivery: delivery.attempts == times


# ----------------------------------------------------------------------------------------------- until it has arrived


async def test_delivery_arrives_under_its_id_and_its_attempt_is_kept(world: World, receiver: Receiver) -> None:
    webhook = await world.webhook(receiver.url, body={"table": "${{erathos.table_name}}"}, header={"x-a": "b"})
    execution = await world.ends(table_name="orders")
    await world.settle()
    async with world.running():
        (request,) = await receiver.arrived(1)
        (delivery,) = await world.deliveries(webhook)
        found = await world.until(delivery, ended)
    assert (request.line, request.body) == ("POST /hook HTTP/1.1", b'{"table":"orders"}')
    assert request.header("webhook-id") == str(delivery.id)
    assert request.header("webhook-timestamp") == str(int(world.clock().timestamp()))
    assert (found.state, found.attempts, found.last_status, found.reason) == (DELIVERED, 1, 200, None)
    assert (found.execution, found.finished_at, found.next_attempt_at) == (execution.id, world.clock(), None)
    (attempt,) = await world.attempts(found)
    assert (attempt.number, attempt.status, attempt.error) == (1, 200, None)
    assert attempt.request["body"] == '{"table":"orders"}'
    assert attempt.response == {"status": 200, "headers": {"content-length": "2"}, "body": "ok"}


async def test_failing_target_is_tried_by_the_schedule_and_then_never_again(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    webhook = await world.webhook(receiver.url)
    (delivery,) = await world.queue(webhook)
    async with world.running():
        for number, wait in enumerate(WAITS, 1):
            found = await world.until(delivery, tried(number))
            assert (found.state, found.last_status) == (PENDING, 500)
            assert found.next_attempt_at == world.clock() + wait
            world.clock.pass_(wait.total_seconds())
            world.dispatcher.wake()
        found = await world.until(delivery, ended)
    assert (found.state, found.attempts, found.reason) == (DEAD, MOST_ATTEMPTS, "the target answered 500")
    assert [attempt.number for attempt in await world.attempts(found)] == list(range(1, MOST_ATTEMPTS + 1))
    assert {request.header("webhook-id") for request in receiver.requests} == {str(delivery.id)}


async def test_delivery_is_not_tried_before_its_time(world: World, receiver: Receiver) -> None:
    webhook = await world.webhook(receiver.url)
    (later,) = await world.queue(webhook, next_attempt_at=world.clock() + timedelta(seconds=1))
    (now,) = await world.queue(webhook)
    async with world.running():
        await world.until(now, ended)
        assert (await world.delivery(later)).state is PENDING
        world.clock.pass_(1)
        world.dispatcher.wake()
        await world.until(later, ended)


@pytest.mark.parametrize("number", [429, 503])
async def test_target_that_asks_for_time_has_it(world: World, receiver: Receiver, number: int) -> None:
    date = format_datetime(world.clock() + timedelta(hours=1), usegmt=True)
    for wish, wait in (("7200", 7200), (date, 3600), ("1", 5), ("999999999", 86400), ("soon", 5), ("-1", 5)):
        receiver.answer = status(number, f"retry-after: {wish}")
        (delivery,) = await world.queue(await world.webhook(receiver.url))
        async with world.running():
            found = await world.until(delivery, tried(1))
        assert found.next_attempt_at == world.clock() + timedelta(seconds=wait), wish


@pytest.mark.parametrize("answer", [resets, status(302, "location: http://x.test/"), status(404), status(101)])
async def test_whatever_is_no_success_is_tried_again(world: World, receiver: Receiver, answer: Any) -> None:
    receiver.answer = answer
    (delivery,) = await world.queue(await world.webhook(receiver.url))
    async with world.running():
        found = await world.until(delivery, tried(1))
        receiver.answer = status(204)
        world.clock.pass_(10)
        world.dispatcher.wake()
        assert (await world.until(delivery, ended)).state is DELIVERED
    assert found.reason


async def test_delivery_that_cannot_be_rendered_stops_and_says_why(world: World, receiver: Receiver) -> None:
    webhook = await world.webhook(receiver.url, body={"a": "${{variables.missing}}"})
    (delivery,) = await world.queue(webhook)
    async with world.running():
        found = await world.until(delivery, ended)
    assert (found.state, found.attempts, await world.attempts(found)) == (STOPPED, 0, ())
    assert found.reason == "body: ${{variables.missing}} cannot be resolved: there is none of that name"
    assert receiver.requests == []


async def test_delivery_to_where_its_workspace_may_not_go_stops(world: World, receiver: Receiver) -> None:
    await world.allow()
    (delivery,) = await world.queue(await world.webhook(receiver.url))
    async with world.running():
        found = await world.until(delivery, ended)
    assert found.state is STOPPED
    assert "not public" in (found.reason or "")
    assert receiver.requests == []


# ----------------------------------------------------------------------------------------- never twice, never forgotten


async def test_delivery_is_never_attempted_twice_at_the_same_time(world: World, receiver: Receiver) -> None:
    release = asyncio.Event()

    async def waits(_: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    receiver.answer = waits
    made = await world.queue(await world.webhook(receiver.url, max_concurrency=4), 12)
    async with world.running():
        await receiver.arrived(4)
        for _ in range(20):  # looks again and again while they are under way
            world.dispatcher.wake()
            await world.deliveries()
        assert len(receiver.requests) == 4
        release.set()
        for delivery in made:
            assert (await world.until(delivery, ended)).attempts == 1
    assert sorted(request.header("webhook-id") for request in receiver.requests) == sorted(str(d.id) for d in made)
    assert receiver.most_open == 4


async def test_attempt_that_was_killed_is_made_again_after_the_restart(world: World, receiver: Receiver) -> None:
    receiver.answer = hangs
    (delivery,) = await world.queue(await world.webhook(receiver.url))
    async with world.running():
        await receiver.arrived(1)
    assert (await world.delivery(delivery)).attempts == 0
    world.begin_anew()
    receiver.answer = status(200)
    async with world.running():
        assert (await world.until(delivery, ended)).state is DELIVERED
    assert [request.header("webhook-id") for request in receiver.requests] == [str(delivery.id)] * 2


# ----------------------------------------------------------------------------------------------- one slows no other


async def test_flood_for_a_dead_target_does_not_delay_another(world: World, receiver: Receiver) -> None:
    async with Receiver(hangs) as dead:
        flood = await world.queue(await world.webhook(dead.url, max_concurrency=8), 5000)
        world.clock.pass_(1)
        others = await world.queue(await world.webhook(receiver.url), 20)
        async with world.running():
            await receiver.arrived(20)  # while the dead target has not given anything back
            for delivery in others:
                await world.until(delivery, ended)
            assert len(dead.requests) == 8
            (late,) = await world.queue(await world.webhook(receiver.url))
            await world.until(late, ended)
            assert len(dead.requests) == 8
        states = [delivery.state for delivery in await world.deliveries() if delivery.webhook_id == flood[0].webhook_id]
        assert states == [PENDING] * 5000


async def test_flood_is_worked_off_in_the_end(world: World, receiver: Receiver) -> None:
    made = await world.queue(await world.webhook(receiver.url, max_concurrency=50), 1500)
    async with world.running():
        await receiver.arrived(1500)
        for delivery in made:
            await world.until(delivery, ended)
    assert {request.header("webhook-id") for request in receiver.requests} == {str(delivery.id) for delivery in made}
    assert len(receiver.requests) == 1500


async def test_dispatcher_rests_while_a_target_hangs(world: World, receiver: Receiver) -> None:
    receiver.answer = hangs
    await world.queue(await world.webhook(receiver.url, max_concurrency=1), 3)
    await world.dispatcher.step()
    await receiver.arrived(1)
    assert await world.dispatcher.step() > 1


# --------------------------------------------------------------------------------------------------- what was changed


async def test_what_was_changed_counts_for_the_next_attempt(world: World, receiver: Receiver) -> None:
    old = await world.secret("token", "old-value")
    await world.variable("path", "old")
    webhook = await world.webhook("", max_concurrency=1)
    webhook = await world.change(
        webhook, url=receiver.url + "/${{variables.path}}", header={"x-token": "${{secrets.token}}"}
    )
    release = asyncio.Event()

    async def waits(_: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    receiver.answer = waits
    await world.queue(webhook, 3)
    async with world.running():
        await receiver.arrived(1)
        await world.database.write(workspaces.update_secret, old, "new-value")
        await world.change(webhook, method=Method.PUT)
        release.set()
        first, *others = await receiver.arrived(3)
    assert (first.line, first.header("x-token")) == ("POST /hook/old HTTP/1.1", "old-value")
    assert [(one.line, one.header("x-token")) for one in others] == [("PUT /hook/old HTTP/1.1", "new-value")] * 2


@pytest.mark.parametrize("how", ["deleted", "switched off"])
async def test_webhook_that_is_gone_sends_no_more(world: World, receiver: Receiver, how: str) -> None:
    release = asyncio.Event()

    async def waits(_: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    receiver.answer = waits
    webhook = await world.webhook(receiver.url, max_concurrency=1)
    under_way, *rest = await world.queue(webhook, 50)
    async with world.running():
        (request,) = await receiver.arrived(1)
        assert request.header("webhook-id") == str(under_way.id)
        if how == "deleted":
            await world.database.write(webhooks.delete, HOME, webhook.id)
        else:
            await world.change(webhook, is_active=False)
        release.set()
        for delivery in rest:
            found = await world.until(delivery, ended)
            assert (found.state, found.reason) == (CANCELLED, "its webhook was deleted or switched off")
        assert (await world.until(under_way, lambda one: one.state is DELIVERED)).attempts == 1
    assert len(receiver.requests) == 1


async def test_signing_key_that_has_retired_signs_no_more(world: World, receiver: Receiver) -> None:
    webhook = await world.webhook(receiver.url)
    secret = "whsec_" + "QUJD" * 8
    for number in range(2):
        key = SigningKey(
            id=uuid7(), webhook_id=webhook.id, scheme="v1", created_at=world.clock(),
            expires_at=None if number else world.clock() + timedelta(hours=1),
        )  # fmt: skip
        await world.database.write(webhooks.add_key, key, secret)
    async with world.running():
        await world.queue(webhook)
        await receiver.arrived(1)
        world.clock.pass_(3600)
        await world.queue(webhook)
        both, one = await receiver.arrived(2)
    assert [len(request.header("webhook-signature").split()) for request in (both, one)] == [2, 1]


# -------------------------------------------------------------------------------------------------------- switched off


async def test_target_that_is_gone_switches_its_webhook_off(world: World, receiver: Receiver) -> None:
    receiver.answer = status(410)
    webhook = await world.webhook(receiver.url, max_concurrency=1)
    first, second = await world.queue(webhook, 2)
    async with world.running():
        assert (await world.until(first, ended)).state is DEAD
        found = await world.until(second, ended)
    assert (found.state, found.reason) == (CANCELLED, "the webhook was switched off: its target answered 410 Gone")
    off = await world.find(webhook)
    assert (off.is_active, off.disabled_reason) == (False, "its target answered 410 Gone")
    assert [one.id for one in world.switched_off] == [webhook.id]
    (event,) = await world.database.read(events.waiting, 10)
    assert (event.kind, event.payload["webhook"]) == ("webhook.disabled", str(webhook.id))


async def test_webhook_edited_while_its_old_target_said_gone_stays_on(world: World, receiver: Receiver) -> None:
    release = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await status(410)(request, writer)

    receiver.answer = waits
    webhook = await world.webhook(receiver.url)
    (delivery,) = await world.queue(webhook)
    async with world.running():
        await receiver.arrived(1)
        await world.change(webhook, url="https://new.test/", updated_at=world.clock.pass_(1))
        release.set()
        await world.until(delivery, ended)
    assert (await world.find(webhook)).is_active


async def test_target_that_fails_for_days_switches_its_webhook_off(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    webhook = await world.webhook(receiver.url)
    async with world.running():
        (first,) = await world.queue(webhook)
        await world.until(first, tried(1))
        began = world.clock()
        while (await world.find(webhook)).failing_since is None:  # noqa: ASYNC110 - as `World.until`
            await asyncio.sleep(0)
        world.clock.pass_(GIVEN_UP_AFTER.total_seconds())
        (second,) = await world.queue(webhook)
        await world.until(second, ended)
    off = await world.find(webhook)
    assert not off.is_active
    assert off.disabled_reason == f"every attempt has failed since {began:%Y-%m-%d %H:%M} UTC"
    assert [one.id for one in world.switched_off] == [webhook.id]


async def test_one_arrival_among_failures_ends_the_count(world: World, receiver: Receiver) -> None:
    webhook = await world.webhook(receiver.url)
    async with world.running():
        for number in (500, 200, 500):
            receiver.answer = status(number)
            (delivery,) = await world.queue(webhook)
            await world.until(delivery, lambda one: one.attempts > 0 or one.state is not PENDING)
            wanted = None if number == 200 else world.clock()
            while (await world.find(webhook)).failing_since != wanted:  # noqa: ASYNC110 - as `World.until`
                await asyncio.sleep(0)
            world.clock.pass_(3)
        world.clock.pass_((GIVEN_UP_AFTER - timedelta(days=1)).total_seconds())
        (delivery,) = await world.queue(webhook)
        await world.until(delivery, tried(1))
    assert (await world.find(webhook)).is_active


# ------------------------------------------------------------------------------------------------------- other targets


class Starts:
    """Starts runs, as often as not."""

    def __init__(self, *errors: Exception) -> None:
        self.requests: list[tuple[str, TriggerRequest]] = []
        self._errors = list(errors)

    async def __call__(self, deployment: str, request: TriggerRequest) -> DagRun:
        self.requests.append((deployment, request))
        if self._errors:
            raise self._errors.pop(0)
        return make_run("started")


async def test_run_of_a_dag_is_started_under_one_key_however_often_tried(database: Database, clock: Clock) -> None:
    starts = Starts(Unavailable("not now"))
    world = World(database, clock, start_run=starts)
    webhook = await world.webhook(
        target=Target(kind=TargetKind.DAG, deployment="local", dag_id="next"), body={"from": "${{erathos.status}}"}
    )
    (delivery,) = await world.queue(webhook)
    async with world.running():
        assert (await world.until(delivery, tried(1))).reason == "not now"
        clock.pass_(10)
        world.dispatcher.wake()
        assert (await world.until(delivery, ended)).state is DELIVERED
    assert [request.idempotency_key for _, request in starts.requests] == [f"webhook:{delivery.id}"] * 2
    assert {deployment for deployment, _ in starts.requests} == {"local"}
    assert starts.requests[0][1].conf == {"from": "FINISHED"}


async def test_run_that_will_never_be_accepted_is_dead_at_once(database: Database, clock: Clock) -> None:
    world = World(database, clock, start_run=Starts(InvalidInput("that conf is wrong")))
    (delivery,) = await world.queue(await world.webhook(target=Target(kind=TargetKind.DAG, deployment="l", dag_id="n")))
    async with world.running():
        found = await world.until(delivery, ended)
    assert (found.state, found.reason) == (DEAD, "that conf is wrong")


async def test_mistake_of_ours_is_a_failed_attempt_and_no_endless_loop(database: Database, clock: Clock) -> None:
    starts = Starts(ZeroDivisionError("secret words"))
    world = World(database, clock, start_run=starts)
    (delivery,) = await world.queue(await world.webhook(target=Target(kind=TargetKind.DAG, deployment="l", dag_id="n")))
    async with world.running():
        found = await world.until(delivery, tried(1))
    assert (found.state, found.reason) == (PENDING, "a mistake of Airgate's: ZeroDivisionError")
    assert len(starts.requests) == 1


# -------------------------------------------------------------------------------------------------------------- pacing


async def test_webhook_with_a_rate_is_begun_by_its_own_clock(database: Database, clock: Clock) -> None:
    starts = Starts()
    world = World(database, clock, start_run=starts)
    target = Target(kind=TargetKind.DAG, deployment="l", dag_id="n")
    made = await world.queue(await world.webhook(target=target, max_per_second=200.0), 5)
    async with world.running():
        for delivery in made:
            await world.until(delivery, ended)
    assert len(starts.requests) == 5


async def test_answer_that_no_database_likes_is_kept_all_the_same(world: World, receiver: Receiver) -> None:
    nasty = "\x00\ud7ff\U0001f600".encode() + b"\xff\xfe"
    receiver.answer = _answering(b"HTTP/1.1 500 X\r\nx-a: \xff\xe4\r\ncontent-length: %d\r\n\r\n" % len(nasty) + nasty)
    (delivery,) = await world.queue(await world.webhook(receiver.url))
    async with world.running():
        await world.until(delivery, tried(1))
    (attempt,) = await world.attempts(delivery)
    assert attempt.response["body"].startswith("\x00")
    assert attempt.response["headers"]["x-a"] == "ÿä"


def _answering(raw: bytes) -> Any:
    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


async def test_store_that_is_gone_for_a_while_loses_no_attempt(world: World, receiver: Receiver) -> None:
    (delivery,) = await world.queue(await world.webhook(receiver.url))
    refused = [Unavailable("gone", retry_after=0.0) for _ in range(3)]
    keep = world.database.write_item

    def write_item(fn: Any, item: Any) -> Any:
        if fn is deliveries.record and refused:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(refused.pop())
            return future
        return keep(fn, item)

    world.database.write_item = write_item  # type: ignore[method-assign]
    async with world.running():
        assert (await world.until(delivery, ended)).state is DELIVERED
    assert (len(receiver.requests), refused) == (1, [])
