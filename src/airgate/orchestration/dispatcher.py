"""From deliveries that are due to attempts, and from what became of them to what is next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import structlog

from airgate.model.errors import AirgateError, NotFound, Unavailable
from airgate.model.event import Event
from airgate.model.job import Execution
from airgate.model.webhook import Attempt, Delivery, DeliveryState, Webhook
from airgate.orchestration.outcome import Outcome, shown
from airgate.orchestration.pacing import Lanes, Line
from airgate.orchestration.performer import Performer, Work
from airgate.orchestration.requests import Masker, Sources
from airgate.orchestration.schedule import next_attempt
from airgate.store import deliveries, events, jobs, webhooks, workspaces
from airgate.store.database import Database, Tx

AT_ONCE: Final = 500
"""Deliveries that are read together."""
OPEN: Final = 256
"""Attempts under way at the same time, over all targets."""
UNASKED: Final = 5.0
"""Seconds after which due deliveries are looked for unasked: another process may have queued some."""
GIVEN_UP_AFTER: Final = timedelta(days=5)
"""How long a target may fail before its webhook is switched off."""

log = structlog.get_logger(__name__)


class Known(NamedTuple):
    """What attempts of one webhook need to know, as of one revision."""

    webhook: Webhook | None
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    keys: tuple[tuple[str, str], ...]
    allowed: tuple[str, ...]


class Dispatcher:
    """Sends what is due.

    Obligations (each has a test):
      * a delivery is attempted until it arrives, is refused for good, or the schedule is over; always under its id;
      * after `kill -9` at any moment a delivery may be attempted again, and none is forgotten;
      * one target that hangs or fails slows no other;
      * nothing that is kept of an attempt holds a secret;
      * 410, and failing for `GIVEN_UP_AFTER`, switch the webhook off, and its owner is told.

    Args:
        database: where deliveries are.
        performer: makes one attempt.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        chance: numbers between 0 and 1.
        switched_off: told of a webhook that was switched off, after it was.
    """

    def __init__(
        self,
        database: Database,
        performer: Performer,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        chance: Callable[[], float],
        switched_off: Callable[[Webhook], None],
    ) -> None:
        self._database = database
        self._performer = performer
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._switched_off = switched_off
        self._awake = asyncio.Event()
        self._lanes = Lanes(OPEN, time.monotonic)
        self._line = Line()
        self._paced = False
        self._open: dict[UUID, asyncio.Task[None]] = {}
        self._known: dict[UUID, Known] = {}
        self._revision = -1

    def wake(self) -> None:
        """There are new deliveries. Cheap; never raises."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled; attempts under way are given up then, and made again after the next start."""
        try:
            while True:
                self._awake.clear()
                try:
                    wait = await self.step()
                except Unavailable as error:
                    log.warning("Deliveries cannot be read now", detail=error.detail)
                    wait = error.retry_after
                await self._sleep(wait)
        finally:
            for task in self._open.values():
                task.cancel()
            await asyncio.gather(*self._open.values(), return_exceptions=True)

    async def step(self) -> float:
        """Read what is due, and begin what has room. Gives the seconds until there may be more to read unasked."""
        now = self._clock()
        self._line.reading(self._lanes.full())
        found, next_due = await self._database.read(self._due, now)
        self._line.read(found)
        self._begin_some()
        if self._line.wants_more:
            return 0.0
        return UNASKED if next_due is None else min(UNASKED, max(0.0, (next_due - self._clock()).total_seconds()))

    def _due(self, tx: Tx, now: datetime) -> tuple[list[tuple[Delivery, Execution]], datetime | None]:
        revision = workspaces.revision(tx)
        if revision != self._revision:
            self._revision, self._known = revision, {}
        apart, taken = self._line.left_out, self._line.taken
        due = [one for one in deliveries.due(tx, now, AT_ONCE + len(taken), but=apart) if one.id not in taken]
        for webhook_id in {delivery.webhook_id for delivery in due} - self._known.keys():
            self._known[webhook_id] = _read(tx, webhook_id, now)
        executions = jobs.get_executions(tx, list({delivery.execution for delivery in due}))
        return [(delivery, executions[delivery.execution]) for delivery in due], deliveries.first_after(tx, now)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _begin_some(self) -> None:
        """Begin whatever stands in line and has room."""
        for webhook_id in self._line.webhooks():
            known = self._known.get(webhook_id)
            if known is None:  # something was changed since it was read
                self._line.dissolve(webhook_id)
            else:
                self._begin_of(webhook_id, known)
        paced = self._lanes.next_room()
        if paced is not None and not self._paced:
            self._paced = True
            asyncio.get_running_loop().call_later(paced, self._go_on)

    def _go_on(self) -> None:
        self._paced = False
        self._begin_some()

    def _begin_of(self, webhook_id: UUID, known: Known) -> None:
        while self._line.has(webhook_id) and self._lanes.room > 0:
            if known.webhook is not None and not self._lanes.enter(known.webhook):
                return
            self._begin(*self._line.take(webhook_id), known)

    def _begin(self, delivery: Delivery, execution: Execution, known: Known) -> None:
        task = asyncio.create_task(self._attempt(delivery, execution, known), name=f"delivery {delivery.id}")
        self._open[delivery.id] = task
        task.add_done_callback(lambda done: self._left(delivery, known.webhook, done))

    def _left(self, delivery: Delivery, webhook: Webhook | None, done: asyncio.Task[None]) -> None:
        self._open.pop(delivery.id, None)
        self._line.end(delivery.id)
        if webhook is not None:
            self._lanes.leave(webhook.id)
        if done.cancelled():
            return
        if done.exception() is not None:
            log.error("An attempt failed by a mistake of ours", delivery=str(delivery.id), exc_info=done.exception())
        self._begin_some()
        if self._line.wants_more:
            self.wake()

    async def _attempt(self, delivery: Delivery, execution: Execution, known: Known) -> None:
        began = self._clock()
        if known.webhook is None or not known.webhook.is_active:
            await self._write(_cancelled(delivery, began), None)
            return
        sources = Sources(variables=known.variables, secrets=known.secrets, execution=execution, count=delivery.count)
        work = Work(delivery=delivery, webhook=known.webhook, sources=sources, keys=known.keys, allowed=known.allowed)
        outcome = await self._performer.perform(work, began)
        ended = self._clock()
        after = self._after(delivery, outcome, ended)
        await self._write(after, self._kept(after, outcome, began, Masker(known.secrets)))
        await self._judge(known.webhook, outcome, ended)

    def _after(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Delivery:
        tried = delivery.attempts + outcome.sent
        changed = {"attempts": tried, "last_status": outcome.status, "reason": outcome.error, "finished_at": now}
        state = DeliveryState.DELIVERED
        due: datetime | None = None
        if not outcome.arrived:
            state = DeliveryState.DEAD if outcome.sent else DeliveryState.STOPPED
            if not outcome.final:
                due = next_attempt(max(tried, 1), now, outcome.retry_after, self._chance())
        if due is not None:
            return msgspec.structs.replace(
                delivery, **(changed | {"finished_at": None}), state=DeliveryState.PENDING, next_attempt_at=due
            )
        return msgspec.structs.replace(delivery, **changed, state=state, next_attempt_at=None)

    def _kept(self, delivery: Delivery, outcome: Outcome, at: datetime, mask: Masker) -> Attempt | None:
        if not outcome.sent:
            return None
        request, response = shown(outcome, mask)
        return Attempt(
            id=self._new_id(),
            delivery_id=delivery.id,
            number=delivery.attempts,
            at=at,
            latency=outcome.latency,
            status=outcome.status,
            error=None if outcome.error is None else mask(outcome.error),
            request=request,
            response=response,
        )

    async def _write(self, delivery: Delivery, attempt: Attempt | None) -> None:
        """Keep what became of it, however long the store takes: an attempt that is forgotten is made again."""
        while True:
            try:
                await self._database.write_item(deliveries.record, (delivery, attempt))
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
            except NotFound:
                return
            else:
                return

    async def _judge(self, webhook: Webhook, outcome: Outcome, now: datetime) -> None:
        """Note how a target fares, and switch off one that is gone or has failed for days."""
        failing = webhook.failing_since
        if (
            outcome.arrived == (failing is None)
            and not outcome.gone
            and (failing is None or now - failing < GIVEN_UP_AFTER)
        ):
            return
        if not outcome.sent:
            return
        try:
            changed = await self._database.write(_judged, webhook.id, outcome.arrived, outcome.gone, now)
        except AirgateError as error:
            log.warning("How a webhook fares could not be noted", webhook=str(webhook.id), detail=error.detail)
            return
        if changed is not None and not changed.is_active:
            self._switched_off(changed)


def _read(tx: Tx, webhook_id: UUID, now: datetime) -> Known:
    webhook = webhooks.find(tx, webhook_id)
    if webhook is None:
        return Known(None, {}, {}, (), ())
    home = workspaces.get(tx, webhook.workspace_id)
    return Known(
        webhook,
        workspaces.variables_of(tx, home.id),
        workspaces.secrets_of(tx, home.id),
        webhooks.signing_secrets(tx, webhook_id, now),
        home.private_targets,
    )


def _cancelled(delivery: Delivery, now: datetime) -> Delivery:
    reason = "its webhook was deleted or switched off"
    return msgspec.structs.replace(
        delivery, state=DeliveryState.CANCELLED, reason=reason, next_attempt_at=None, finished_at=now
    )


def _judged(tx: Tx, webhook_id: UUID, arrived: bool, gone: bool, now: datetime) -> Webhook | None:  # noqa: FBT001
    """The webhook as it is after an attempt, where that changed it."""
    webhook = webhooks.find(tx, webhook_id)
    if webhook is None or not webhook.is_active:
        return None
    if arrived:
        return None if webhook.failing_since is None else _changed(tx, webhook, failing_since=None)
    since = webhook.failing_since or now
    reason = "its target answered 410 Gone" if gone else None
    if now - since >= GIVEN_UP_AFTER:
        reason = f"every attempt has failed since {since:%Y-%m-%d %H:%M} UTC"
    if reason is None:
        return _changed(tx, webhook, failing_since=since) if webhook.failing_since is None else None
    deliveries.cancel(tx, webhook_id, f"the webhook was switched off: {reason}", now)
    payload = {"webhook": str(webhook_id), "reason": reason}
    events.append(tx, [Event(kind="webhook.disabled", at=now, payload=payload)])
    return _changed(tx, webhook, is_active=False, failing_since=since, disabled_reason=reason, updated_at=now)


def _changed(tx: Tx, webhook: Webhook, **changes: object) -> Webhook:
    return webhooks.update(tx, msgspec.structs.replace(webhook, **changes))
