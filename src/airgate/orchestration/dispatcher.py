"""From deliveries that are due to attempts, and from what became of them to what is next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import structlog

from airgate.model.errors import AirgateError, Unavailable
from airgate.model.event import Event
from airgate.model.job import Execution
from airgate.model.webhook import Attempt, Delivery, DeliveryState, Webhook
from airgate.orchestration.outcome import Outcome, masked, shown
from airgate.orchestration.pacing import Gap, Lanes, Line, Standing
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
KNOWN_FOR: Final = timedelta(minutes=1)
"""How long what is known of a webhook is good although nothing was changed: signing keys retire by the clock."""
GIVEN_UP_AFTER: Final = timedelta(days=5)
"""How long a target may fail before its webhook is switched off."""
_SWITCHED_OFF: Final = "its webhook was deleted or switched off"

log = structlog.get_logger(__name__)


class Known(NamedTuple):
    """What attempts of one webhook need to know. It is never printed: it holds secrets."""

    webhook: Webhook | None
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    keys: tuple[tuple[str, str], ...]
    allowed: tuple[str, ...]
    mask: Masker

    def __repr__(self) -> str:
        return f"Known({None if self.webhook is None else self.webhook.id})"


class Book(NamedTuple):
    """What is known, as of one revision and moment."""

    revision: int
    at: datetime
    known: dict[UUID, Known]


class View(NamedTuple):
    """What a read has found."""

    book: Book
    due: list[Standing]
    cut: bool
    next_due: datetime | None


class Dispatcher:
    """Sends what is due.

    It works in rounds. Each begins with a read, so that whoever changes, deletes or switches off a webhook is heeded by
    every attempt that begins after; then begins whatever stands in line and has room.

    Obligations (each has a test):
      * a delivery is attempted until it arrives, is refused for good, or the schedule is over; always under its id,
        and never twice at the same time;
      * after `kill -9` at any moment a delivery may be attempted again, and none is forgotten;
      * one target that hangs or fails slows no other;
      * nothing that is kept of an attempt holds a secret;
      * what was changed of a webhook, or of what it reads, counts for its next attempt; what one that was deleted or
        switched off had still to send is cancelled;
      * 410, and failing for `GIVEN_UP_AFTER`, switch the webhook off, and its owner is told.

    Args:
        database: where deliveries are.
        performer: makes one attempt.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        chance: numbers between 0 and 1.
        switched_off: told of a webhook that was switched off, after it was.
        steady: seconds by a clock that never goes back.
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
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._performer = performer
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._switched_off = switched_off
        self._steady = steady
        self._awake = asyncio.Event()
        self._asked = True
        self._look_at = 0.0
        self._lanes = Lanes(OPEN, steady)
        self._line = Line()
        self._open: dict[UUID, asyncio.Task[datetime | None]] = {}
        self._book = Book(-1, datetime.min.replace(tzinfo=UTC), {})
        self._failing: set[UUID] = set()

    def wake(self) -> None:
        """There are new deliveries. Cheap; never raises."""
        self._asked = True
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
                    self._asked, wait = True, error.retry_after
                await self._sleep(wait)
        finally:
            for task in self._open.values():
                task.cancel()
            await asyncio.gather(*self._open.values(), return_exceptions=True)

    async def step(self) -> float:
        """One round. Gives the seconds until there may be something to do unasked."""
        now = self._clock()
        gap = self._line.reading()
        looks = self._asked or self._line.hungry or self._steady() >= self._look_at
        self._asked = False
        view = await self._database.read(_view, now, self._book, self._line.webhooks(), gap if looks else None)
        self._book = view.book
        if looks:
            self._line.read(view.due, gap, cut=view.cut)
            self._look_by(UNASKED if view.next_due is None else (view.next_due - now).total_seconds(), afresh=True)
        await self._cancel_orphans(now)
        self._begin_some()
        if self._line.hungry:
            return 0.0
        paced = self._lanes.next_room(self._line.webhooks())
        wait = max(0.0, self._look_at - self._steady())
        return wait if paced is None else min(wait, paced)

    def _look_by(self, seconds: float, *, afresh: bool = False) -> None:
        """Look for due deliveries in so many seconds, or sooner."""
        at = self._steady() + min(UNASKED, max(0.0, seconds))
        self._look_at = at if afresh else min(at, self._look_at)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass

    async def _cancel_orphans(self, now: datetime) -> None:
        for webhook_id in self._line.webhooks():
            webhook = self._book.known[webhook_id].webhook
            if webhook is None or not webhook.is_active:
                await self._database.write(deliveries.cancel, webhook_id, _SWITCHED_OFF, now)
                self._line.drop(webhook_id)

    def _begin_some(self) -> None:
        for webhook_id in self._line.webhooks():
            known = self._book.known[webhook_id]
            while known.webhook is not None and self._line.has(webhook_id) and self._lanes.enter(known.webhook):
                self._begin(*self._line.take(webhook_id), known)

    def _begin(self, delivery: Delivery, execution: Execution, known: Known) -> None:
        task = asyncio.create_task(self._attempt(delivery, execution, known), name=f"delivery {delivery.id}")
        self._open[delivery.id] = task
        task.add_done_callback(lambda done: self._left(delivery, done))

    def _left(self, delivery: Delivery, done: asyncio.Task[datetime | None]) -> None:
        self._open.pop(delivery.id, None)
        self._lanes.leave(delivery.webhook_id)
        if done.cancelled():
            self._line.end(delivery.id)
        elif done.exception() is not None:
            # It stays known to the line, and is attempted no more before the next start: it might go on for ever.
            log.error(
                "A delivery is set aside by a mistake of ours", delivery=str(delivery.id), exc_info=done.exception()
            )
        else:
            self._line.end(delivery.id)
            self._expect(done.result())
        if self._line.webhooks() or self._line.hungry:
            self._awake.set()

    def _expect(self, due: datetime | None) -> None:
        """A delivery will be due then, or is again."""
        if due is None:
            return
        now = self._clock()
        if due <= now:
            self.wake()
        else:
            self._look_by((due - now).total_seconds())
            self._awake.set()  # the wait that is under way may be longer than that

    async def _attempt(self, delivery: Delivery, execution: Execution, known: Known) -> datetime | None:
        """One attempt. Gives when the next is due, if there is one."""
        assert known.webhook is not None
        began = self._clock()
        sources = Sources(variables=known.variables, secrets=known.secrets, execution=execution, count=delivery.count)
        work = Work(delivery=delivery, webhook=known.webhook, sources=sources, keys=known.keys, allowed=known.allowed)
        outcome = masked(await self._performer.perform(work, began), known.mask)
        ended = self._clock()
        after = self._after(delivery, outcome, ended)
        await self._write(after, self._kept(after, outcome, began, known.mask))
        await self._judge(known.webhook, outcome, ended)
        return after.next_attempt_at

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
            error=outcome.error,
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
            except AirgateError as error:
                if attempt is None:
                    raise
                log.warning("An attempt cannot be kept", delivery=str(delivery.id), detail=error.detail)
                attempt = None
            else:
                return

    async def _judge(self, webhook: Webhook, outcome: Outcome, now: datetime) -> None:
        """Note how a target fares, and switch off one that is gone or has failed for days."""
        if not outcome.sent:
            return
        since = webhook.failing_since
        failing = since is not None or webhook.id in self._failing
        if outcome.arrived != failing and not outcome.gone and (since is None or now - since < GIVEN_UP_AFTER):
            return
        (self._failing.discard if outcome.arrived else self._failing.add)(webhook.id)
        try:
            changed = await self._database.write(_judged, webhook, outcome.arrived, outcome.gone, now)
        except AirgateError as error:
            self._failing.discard(webhook.id)
            log.warning("How a webhook fares could not be noted", webhook=str(webhook.id), detail=error.detail)
            return
        if changed is None or not changed.is_active:
            self._failing.discard(webhook.id)
        if changed is not None and not changed.is_active:
            self._switched_off(changed)


def _view(tx: Tx, now: datetime, book: Book, standing: Sequence[UUID], gap: Gap | None) -> View:
    """What is known of the webhooks that stand in line, and, where a gap is to be filled, what is due."""
    revision = workspaces.revision(tx)
    if revision != book.revision or not timedelta() <= now - book.at < KNOWN_FOR:
        book = Book(revision, now, {})
    due: list[Delivery] = []
    cut, next_due = False, None
    if gap is not None:
        limit = AT_ONCE + len(gap.deliveries)
        found = deliveries.due(tx, now, limit, but=gap.webhooks)
        due, cut = [one for one in found if one.id not in gap.deliveries], len(found) == limit
        next_due = deliveries.first_after(tx, now)
    unread = {*standing, *(one.webhook_id for one in due)} - book.known.keys()
    if unread:  # the present book is being read by the loop
        book = book._replace(known=book.known | {webhook_id: _read(tx, webhook_id, now) for webhook_id in unread})
    executions = jobs.get_executions(tx, list({delivery.execution for delivery in due}))
    return View(book, [(delivery, executions[delivery.execution]) for delivery in due], cut, next_due)


def _read(tx: Tx, webhook_id: UUID, now: datetime) -> Known:
    webhook = webhooks.find(tx, webhook_id)
    if webhook is None:
        return Known(None, {}, {}, (), (), Masker({}))
    home = workspaces.get(tx, webhook.workspace_id)
    secrets = workspaces.secrets_of(tx, home.id)
    return Known(
        webhook,
        workspaces.variables_of(tx, home.id),
        secrets,
        webhooks.signing_secrets(tx, webhook_id, now),
        home.private_targets,
        Masker(secrets),
    )


def _judged(tx: Tx, tried: Webhook, arrived: bool, gone: bool, now: datetime) -> Webhook | None:  # noqa: FBT001
    """The webhook as it is after an attempt, where that changed it. One that was edited meanwhile is another."""
    webhook = webhooks.find(tx, tried.id)
    if webhook is None or not webhook.is_active or webhook.updated_at != tried.updated_at:
        return None
    if arrived:
        return None if webhook.failing_since is None else _changed(tx, webhook, failing_since=None)
    since = webhook.failing_since or now
    reason = "its target answered 410 Gone" if gone else None
    if now - since >= GIVEN_UP_AFTER:
        reason = f"every attempt has failed since {since:%Y-%m-%d %H:%M} UTC"
    if reason is None:
        return _changed(tx, webhook, failing_since=since) if webhook.failing_since is None else None
    deliveries.cancel(tx, webhook.id, f"the webhook was switched off: {reason}", now)
    payload = {"webhook": str(webhook.id), "reason": reason}
    events.append(tx, [Event(kind="webhook.disabled", at=now, payload=payload)])
    return _changed(tx, webhook, is_active=False, failing_since=since, disabled_reason=reason, updated_at=now)


def _changed(tx: Tx, webhook: Webhook, **changes: object) -> Webhook:
    return webhooks.update(tx, msgspec.structs.replace(webhook, **changes))
