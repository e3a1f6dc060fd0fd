"""From events to deliveries: reads what has ended, evaluates the rules, and queues what follows.

Rules are evaluated on a reading thread; the writer's turn is short. An event is settled in the very transaction that
keeps its deliveries, so that each is evaluated with effect exactly once, whatever is killed when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from airgate.model.errors import AirgateError, NotFound, Unavailable
from airgate.model.event import Event
from airgate.model.job import Execution, ExecutionStatus
from airgate.model.webhook import Delivery, DeliveryState, Webhook, WebhookWindow
from airgate.orchestration import windows
from airgate.orchestration.executions import TOLD, Home, executions_of
from airgate.orchestration.facts import Facts, facts_of, names_of
from airgate.orchestration.rules import Predicate, compile_rules
from airgate.orchestration.templates import Name, TemplateError, Unresolved, render_text
from airgate.store import deliveries, events, jobs, runs, tasks, webhooks, workspaces, xcoms
from airgate.store.database import Database, Tx

AT_ONCE: Final = 200
"""Events that are looked at together: the writer must not be kept for long."""
UNASKED: Final = 5.0
"""Seconds after which the outbox is read unasked: another process may have written to it."""

log = structlog.get_logger(__name__)


class Listener(NamedTuple):
    """A webhook that is switched on, ready to be asked."""

    webhook: Webhook
    holds: Predicate
    zone: tzinfo
    hears_cancelled: bool


class Book:
    """Every webhook that is switched on, by the jobs it listens to, as of one revision."""

    def __init__(self, active: Iterable[Webhook], revision: int) -> None:
        self.revision = revision
        self.webhooks: dict[UUID, Webhook] = {}
        self._by_job: dict[UUID, list[Listener]] = {}
        for webhook in active:
            self.webhooks[webhook.id] = webhook
            listener = _listener(webhook)
            for job_id in dict.fromkeys(webhook.jobs):
                self._by_job.setdefault(job_id, []).append(listener)

    def matching(self, execution: Execution) -> list[Webhook]:
        """The webhooks whose rules hold for an execution that has ended."""
        facts: dict[tzinfo, Facts] = {}
        found = []
        for listener in self._by_job.get(execution.job_id, ()):
            if execution.status is ExecutionStatus.CANCELLED and not listener.hears_cancelled:
                continue
            told = facts.get(listener.zone)
            if told is None:
                told = facts[listener.zone] = facts_of(execution, listener.zone)
            if listener.webhook.workspace_id == execution.workspace_id and listener.holds(told):
                found.append(listener.webhook)
        return found


def _listener(webhook: Webhook) -> Listener:
    rules = (*webhook.rules, *(rule for group in webhook.any_of for rule in group))
    return Listener(
        webhook,
        compile_rules(webhook.rules, webhook.any_of),
        UTC if webhook.time_zone == "UTC" else ZoneInfo(webhook.time_zone),
        any(rule.variable_name.upper() == "STATUS" for rule in rules),
    )


class Match(NamedTuple):
    """A webhook that fires for an execution, and the key of its window where it coalesces."""

    webhook: Webhook
    key: str


class Finding(NamedTuple):
    """What an event comes to."""

    event: Event
    matches: tuple[tuple[Execution, tuple[Match, ...]], ...]


class Outbox:
    """Draws the consequences of events.

    Obligations (each has a test):
      * for every event and every webhook whose rules hold there is exactly one delivery, or one count in a window;
      * after `kill -9` at any moment nothing is missing and nothing is there twice;
      * an event nobody can make sense of is logged, settled, and keeps no other from being settled.

    Args:
        database: where events are read and deliveries kept.
        home: where runs of the embedded deployment belong.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        queued: called when there are new deliveries.
    """

    def __init__(
        self,
        database: Database,
        home: Home,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        queued: Callable[[], None],
    ) -> None:
        self._database = database
        self._home = home
        self._clock = clock
        self._new_id = new_id
        self._queued = queued
        self._awake = asyncio.Event()
        self._book = Book((), -1)

    def wake(self) -> None:
        """Something has ended. Cheap; never raises."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                busy = await self.step()
                wait = await self._until_window()
            except Unavailable as error:
                log.warning("The outbox cannot be read now", detail=error.detail)
                busy, wait = False, error.retry_after
            if not busy:
                await self._sleep(wait)

    async def step(self) -> bool:
        """Settle some events and windows. Gives whether there may be more of them."""
        now = self._clock()
        found, book = await self._database.read(self._look, self._book)
        if book is not self._book:
            self._book = book
            await self._database.write(self._watch_absences, book, now)
        queued = await self._database.write(self._keep, found, now) if found else 0
        queued += await self._database.write(self._close_windows, book, now)
        if queued:
            self._queued()
        return len(found) == AT_ONCE

    async def _until_window(self) -> float:
        due = await self._database.read(webhooks.next_window)
        if due is None:
            return UNASKED
        return min(UNASKED, max(0.0, (due - self._clock()).total_seconds()))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass
        self._awake.clear()

    # ------------------------------------------------------------------------------------------ on a reading thread

    def _look(self, tx: Tx, book: Book) -> tuple[list[Finding], Book]:
        revision = workspaces.revision(tx)
        if revision != book.revision:
            book = Book(webhooks.active(tx), revision)
        return [self._finding(tx, event, book) for event in events.waiting(tx, AT_ONCE)], book

    def _finding(self, tx: Tx, event: Event, book: Book) -> Finding:
        matches = []
        for execution in self._executions(tx, event):
            firing = [hook for hook in book.matching(execution) if hook.created_at <= event.at]
            if firing:
                matches.append((execution, tuple(Match(hook, _window_key(hook, execution)) for hook in firing)))
        return Finding(event, tuple(matches))

    def _executions(self, tx: Tx, event: Event) -> Sequence[Execution]:
        try:
            if event.kind == "execution.finished":
                return (jobs.get_execution(tx, UUID(event.payload["execution"])),)
            if event.kind == "dag_run.finished" and event.dag_id is not None and event.run_id is not None:
                run = runs.get(tx, event.dag_id, event.run_id)
                told = xcoms.of_key(tx, run.dag_id, run.run_id, TOLD)
                instances = tasks.of_run(tx, run.dag_id, run.run_id)
                return executions_of(run, instances, told, self._home, event.seq)
        except NotFound:
            log.info("What an event tells of was deleted", kind=event.kind, dag_id=event.dag_id, run_id=event.run_id)
        except (AirgateError, ValueError, KeyError, TypeError) as error:
            log.warning("An event cannot be understood", kind=event.kind, seq=event.seq, error=repr(error))
        return ()

    # ------------------------------------------------------------------------------------------ on the writing thread

    def _keep(self, tx: Tx, found: Sequence[Finding], now: datetime) -> int:
        ours = events.settle(tx, [finding.event.seq for finding in found])
        queued: list[Delivery] = []
        for finding in found:
            if finding.event.seq not in ours:
                continue
            for execution, matches in finding.matches:
                jobs.keep(tx, [execution])
                for match in matches:
                    queued += self._fire(tx, match, execution, finding.event, now)
        return len(deliveries.enqueue(tx, queued))

    def _fire(self, tx: Tx, match: Match, execution: Execution, event: Event, now: datetime) -> list[Delivery]:
        webhook = match.webhook
        if webhook.absence is not None:
            window = webhooks.get_window(tx, webhook.id, windows.ABSENCE)
            if window is not None:
                webhooks.put_window(tx, windows.came(window, event.at))
            return []
        if webhook.gather is not None:
            open_one = webhooks.get_window(tx, webhook.id, windows.GATHERING)
            return self._stepped(
                tx,
                webhook,
                windows.GATHERING,
                windows.gathered(webhook, execution.job_id, open_one, execution.id, now),
                now,
            )
        if webhook.coalesce is not None:
            open_one = webhooks.get_window(tx, webhook.id, match.key)
            step = windows.coalesced(webhook, match.key, open_one, execution.id, now)
            return self._stepped(tx, webhook, match.key, step, now)
        return [self._delivery(webhook, execution.id, f"event:{event.seq}:{execution.id}", now)]

    def _stepped(self, tx: Tx, webhook: Webhook, key: str, step: windows.Step, now: datetime) -> list[Delivery]:
        if step.window is None:
            webhooks.close_window(tx, webhook.id, key)
        else:
            webhooks.put_window(tx, step.window)
        if step.fires is None:
            return []
        return [self._delivery(webhook, step.fires, f"window:{key}:{step.fires}", now, step.count)]

    def _close_windows(self, tx: Tx, book: Book, now: datetime) -> int:
        queued: list[Delivery] = []
        for window in webhooks.due_windows(tx, now, AT_ONCE):
            webhook = book.webhooks.get(window.webhook_id)
            webhooks.close_window(tx, window.webhook_id, window.key)
            if webhook is not None:
                queued += self._closed(tx, webhook, window, now)
        return len(deliveries.enqueue(tx, queued))

    def _closed(self, tx: Tx, webhook: Webhook, window: WebhookWindow, now: datetime) -> list[Delivery]:
        if window.key == windows.ABSENCE and webhook.absence is not None:
            webhooks.put_window(tx, windows.next_absence(webhook, now))
            if window.count > 0:
                return []
            execution = windows.missed(webhook, window, self._new_id())
            jobs.keep(tx, [execution])
            return [self._delivery(webhook, execution.id, f"absence:{window.due_at}", now)]
        if window.key == windows.GATHERING or window.execution is None:
            return []
        cause = f"window:{window.key}:{window.opened_at.isoformat()}"
        return [self._delivery(webhook, window.execution, cause, now, window.count)]

    def _watch_absences(self, tx: Tx, book: Book, now: datetime) -> None:
        for webhook in book.webhooks.values():
            if webhook.absence is None:
                continue
            wanted = windows.next_absence(webhook, now)
            present = webhooks.get_window(tx, webhook.id, windows.ABSENCE)
            if present is None:
                webhooks.put_window(tx, wanted)
            elif present.due_at is not None and present.due_at > now and present.due_at != wanted.due_at:
                webhooks.put_window(tx, wanted)  # it was changed; one that is over is closed before

    def _delivery(self, webhook: Webhook, execution: UUID, cause: str, now: datetime, count: int = 1) -> Delivery:
        return Delivery(
            id=self._new_id(),
            webhook_id=webhook.id,
            workspace_id=webhook.workspace_id,
            execution=execution,
            cause=cause,
            state=DeliveryState.PENDING,
            created_at=now,
            next_attempt_at=now,
            count=count,
        )


def _window_key(webhook: Webhook, execution: Execution) -> str:
    """The key under which a webhook that coalesces counts this execution."""
    if webhook.coalesce is None:
        return ""
    names = names_of(execution)

    def lookup(name: Name) -> object:
        found = names.get(name.kind, {}).get(name.path[0].lower())
        if found is None:
            raise Unresolved(name)
        return found

    try:
        return "coalesce:" + render_text(webhook.coalesce.key, lookup)
    except TemplateError:
        return "coalesce:"
