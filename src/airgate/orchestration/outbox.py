"""From events to deliveries: reads what has ended, evaluates the rules, and queues what follows.

Rules are evaluated on a reading thread; the writer's turn is short. An event is settled in the very transaction that
keeps its deliveries, so that each is evaluated with effect exactly once, whatever is killed when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import structlog

from airgate.model.errors import AirgateError, NotFound, Unavailable
from airgate.model.event import Event
from airgate.model.job import Execution, ExecutionStatus, dag_job_id
from airgate.model.run import DagRun, XCom
from airgate.model.webhook import Delivery, DeliveryState, Webhook, WebhookWindow
from airgate.orchestration import windows
from airgate.orchestration.executions import TOLD, Home, as_ended, executions_of
from airgate.orchestration.facts import Facts, facts_of
from airgate.orchestration.requests import Sources, lookup_in
from airgate.orchestration.rules import Predicate, RuleError, compile_rules
from airgate.orchestration.templates import TemplateError, render_text
from airgate.store import deliveries, events, jobs, runs, tasks, webhooks, workspaces, xcoms
from airgate.store.database import Database, Tx

AT_ONCE: Final = 200
"""Events that are looked at together: the writer must not be kept for long."""
PORTION: Final = 500
"""Rows that one transaction adds, but for what a single event comes to."""
UNASKED: Final = 5.0
"""Seconds after which the outbox is read unasked: another process may have written to it."""

RUN_ENDED: Final = "dag_run.finished"
_RunKey = tuple[str, str]
_COALESCED: Final = "coalesce:"
_LONGEST_KEY: Final = 200

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
            try:
                listener = _listener(webhook)
            except (RuleError, LookupError, TypeError, ValueError) as error:
                log.warning(
                    "A webhook cannot be understood, and is left out", webhook=str(webhook.id), error=repr(error)
                )
                continue
            self.webhooks[webhook.id] = webhook
            for job_id in dict.fromkeys(() if webhook.watch is not None else webhook.jobs):
                self._by_job.setdefault(job_id, []).append(listener)

    def hears(self, job_id: UUID) -> bool:
        """Whether any webhook listens to a job."""
        return job_id in self._by_job

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
    matches: tuple[tuple[Execution, tuple[Match, ...]], ...] = ()

    @property
    def size(self) -> int:
        """How much there is to keep of it."""
        return 1 + sum(1 + len(firing) for _, firing in self.matches)


class Look(NamedTuple):
    """What a look at the store has found."""

    book: Book
    found: list[Finding]
    more: bool
    """There may be further events."""
    over: bool
    """The time of some window is over."""


class Outbox:
    """Draws the consequences of events.

    Obligations (each has a test):
      * for every event and every webhook whose rules hold there is exactly one delivery, or one count in a window;
      * after `kill -9` at any moment nothing is missing and nothing is there twice;
      * an event nobody can make sense of is logged, settled, and keeps no other from being settled;
      * a window is closed only after every event that came before its end was heard.

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
            self._awake.clear()
            try:
                busy = await self.step()
                wait = 0.0 if busy else await self._until_window()
            except Unavailable as error:
                log.warning("The outbox cannot be read now", detail=error.detail)
                wait = error.retry_after
            if wait:
                await self._sleep(wait)

    async def step(self) -> bool:
        """Settle some events and windows. Gives whether there is more to do at once."""
        now = self._clock()
        look = await self._database.read(self._look, self._book, now)
        if look.book is not self._book:
            await self._database.write(self._watch_absences, look.book, now)
            self._book = look.book
        for portion in _portions(look.found):
            await self._settle(portion, look.book, now)
        if look.over and not look.more:
            self._tell(await self._database.write(self._close_windows, look.book, now))
        return look.more or look.over

    async def _settle(self, found: Sequence[Finding], book: Book, now: datetime) -> None:
        """Keep what events come to. One that cannot be kept is settled without, so that others are."""
        try:
            self._tell(await self._database.write(self._keep, found, book, now))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the outbox must go on
            if len(found) > 1:
                for finding in found:
                    await self._settle([finding], book, now)
                return
            log.warning("What an event comes to cannot be kept", seq=found[0].event.seq, error=repr(error))
            await self._database.write(events.settle, [found[0].event.seq])

    def _tell(self, queued: int) -> None:
        if queued:
            self._queued()

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

    # ------------------------------------------------------------------------------------------ on a reading thread

    def _look(self, tx: Tx, book: Book, now: datetime) -> Look:
        book = _present(tx, book)
        waiting = events.waiting(tx, AT_ONCE)
        due = webhooks.next_window(tx)
        found = self._findings(tx, waiting, book)
        return Look(book, found, len(waiting) == AT_ONCE, due is not None and due <= now)

    def _findings(self, tx: Tx, waiting: Sequence[Event], book: Book) -> list[Finding]:
        ended = [key for event in waiting if (key := self._ended(event, book)) is not None]
        ended_runs = runs.get_many(tx, ended)
        told = xcoms.of_key(tx, ended, TOLD)
        return [self._finding(tx, event, book, ended_runs, told) for event in waiting]

    def _ended(self, event: Event, book: Book) -> _RunKey | None:
        """The run whose end an event tells of, if anybody listens to its job."""
        if event.kind != RUN_ENDED or event.dag_id is None or event.run_id is None:
            return None
        heard = book.hears(dag_job_id(self._home.deployment, event.dag_id))
        return (event.dag_id, event.run_id) if heard else None

    def _finding(
        self, tx: Tx, event: Event, book: Book, ended: Mapping[_RunKey, DagRun], told: Mapping[_RunKey, Sequence[XCom]]
    ) -> Finding:
        try:
            if event.kind == jobs.ENDED:
                return self._matched(event, book, [jobs.get_execution(tx, UUID(str(event.payload["execution"])))])
            key = self._ended(event, book)
            if key is None:
                return Finding(event)
            if key not in ended:
                raise NotFound("It was deleted")
            run = as_ended(ended[key], event.payload)
            executions = executions_of(run, (), told.get(key, ()), self._home, event.seq)
            if not any(book.matching(execution) for execution in executions):
                return Finding(event)
            instances = tasks.of_run(tx, *key)  # rules know nothing of them
            return self._matched(event, book, executions_of(run, instances, told.get(key, ()), self._home, event.seq))
        except NotFound:
            log.info("What an event tells of was deleted", kind=event.kind, dag_id=event.dag_id, run_id=event.run_id)
        except Unavailable:
            raise
        except (AirgateError, msgspec.MsgspecError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            log.warning("An event cannot be understood", kind=event.kind, seq=event.seq, error=repr(error))
        return Finding(event)

    def _matched(self, event: Event, book: Book, executions: Iterable[Execution]) -> Finding:
        matches = []
        for execution in executions:
            firing = [hook for hook in book.matching(execution) if hook.created_at <= event.at]
            if firing:
                matches.append((execution, tuple(Match(hook, _window_key(hook, execution)) for hook in firing)))
        return Finding(event, tuple(matches))

    # ------------------------------------------------------------------------------------------ on the writing thread

    def _keep(self, tx: Tx, found: Sequence[Finding], book: Book, now: datetime) -> int:
        ours = events.settle(tx, [finding.event.seq for finding in found])
        found = [finding for finding in found if finding.event.seq in ours]
        present = _present(tx, book)
        if present is not book:  # something was changed since they were evaluated
            found = self._findings(tx, [finding.event for finding in found], present)
        jobs.keep(tx, [execution for finding in found for execution, _ in finding.matches])
        queued: list[Delivery] = []
        for event, matches in found:
            for execution, firing in matches:
                for match in firing:
                    queued += self._fire(tx, match, execution, event, now)
        return len(deliveries.enqueue(tx, queued))

    def _fire(self, tx: Tx, match: Match, execution: Execution, event: Event, now: datetime) -> list[Delivery]:
        webhook = match.webhook
        if webhook.absence is not None:
            return self._came(tx, webhook, event.at, now)
        if webhook.gather is not None:
            open_one = webhooks.get_window(tx, webhook.id, windows.GATHERING)
            step = windows.gathered(webhook, execution.job_id, open_one, execution.id, event.at)
            return self._stepped(tx, webhook, windows.GATHERING, step, now)
        if webhook.coalesce is not None:
            open_one = webhooks.get_window(tx, webhook.id, match.key)
            step = windows.coalesced(webhook, match.key, open_one, execution.id, now)
            return self._stepped(tx, webhook, match.key, step, now)
        return [self._delivery(webhook, execution.id, f"event:{event.seq}:{execution.id}", now)]

    def _came(self, tx: Tx, webhook: Webhook, at: datetime, now: datetime) -> list[Delivery]:
        window = webhooks.get_window(tx, webhook.id, windows.ABSENCE)
        queued: list[Delivery] = []
        if window is not None and windows.over(window, at):  # nobody was there to close it in time
            queued = self._closed(tx, webhook, window, at, now)
            window = webhooks.get_window(tx, webhook.id, windows.ABSENCE)
        if window is not None:
            webhooks.put_window(tx, windows.came(window, at))
        return queued

    def _stepped(self, tx: Tx, webhook: Webhook, key: str, step: windows.Step, now: datetime) -> list[Delivery]:
        if step.window is None:
            webhooks.close_window(tx, webhook.id, key)
        else:
            webhooks.put_window(tx, step.window)
        if step.fires is None:
            return []
        return [self._delivery(webhook, step.fires, f"window:{key}:{step.fires}", now, step.count)]

    def _close_windows(self, tx: Tx, book: Book, now: datetime) -> int:
        present = _present(tx, book)
        queued: list[Delivery] = []
        for window in webhooks.due_windows(tx, now, AT_ONCE):
            webhook = present.webhooks.get(window.webhook_id)
            webhooks.close_window(tx, window.webhook_id, window.key)
            if webhook is not None:
                queued += self._closed(tx, webhook, window, now, now)
        return len(deliveries.enqueue(tx, queued))

    def _closed(self, tx: Tx, webhook: Webhook, window: WebhookWindow, at: datetime, now: datetime) -> list[Delivery]:
        """A window's time is over at `at`, which is heard of `now`."""
        if window.key == windows.ABSENCE and webhook.absence is not None:
            webhooks.put_window(tx, windows.next_absence(webhook, at))
            if window.count > 0:
                return []
            execution = windows.missed(webhook, window, self._new_id())
            jobs.keep(tx, [execution])
            return [self._delivery(webhook, execution.id, f"absence:{window.due_at}", now)]
        if window.key in (windows.GATHERING, windows.ABSENCE) or window.execution is None:
            return []
        return [self._delivery(webhook, window.execution, f"window:{window.key}:{window.execution}", now, window.count)]

    def _watch_absences(self, tx: Tx, book: Book, now: datetime) -> None:
        for webhook in _present(tx, book).webhooks.values():
            if webhook.absence is None or not webhook.jobs:
                continue
            present = webhooks.get_window(tx, webhook.id, windows.ABSENCE)
            if present is None:  # what came before it was watched is not known: the first span is a whole one
                webhooks.put_window(tx, windows.next_absence(webhook, now, whole=True))
            elif not windows.over(present, now) and not windows.fits(webhook, present):
                webhooks.put_window(tx, windows.next_absence(webhook, now, whole=True))  # it was changed

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


def _present(tx: Tx, book: Book) -> Book:
    """The book, or one as of now where something was changed since."""
    revision = workspaces.revision(tx)
    return book if revision == book.revision else Book(webhooks.active(tx), revision)


def _portions(found: Iterable[Finding]) -> Iterator[list[Finding]]:
    """Findings, in their order, in portions that do not keep the writer for long."""
    portion: list[Finding] = []
    size = 0
    for finding in found:
        if portion and size + finding.size > PORTION:
            yield portion
            portion, size = [], 0
        portion.append(finding)
        size += finding.size
    if portion:
        yield portion


def _window_key(webhook: Webhook, execution: Execution) -> str:
    """The key under which a webhook that coalesces counts this execution."""
    if webhook.coalesce is None:
        return ""
    try:
        key = render_text(webhook.coalesce.key, lookup_in(Sources(variables={}, secrets={}, execution=execution)))
    except TemplateError:
        return _COALESCED  # with all the others that have no key
    return _COALESCED + (key if len(key) <= _LONGEST_KEY and "\0" not in key else sha256(key.encode()).hexdigest())
