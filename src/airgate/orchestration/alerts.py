"""Webhooks that watch: they fire while a run takes too long, or when a scheduled one has not started in time.

Of each webhook and run there is one alert at most, whatever is stopped when: the delivery's cause names the run. Runs
are looked at when the first of them may have become an alert, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
import structlog

from airgate.model.dag import Dag
from airgate.model.errors import Unavailable
from airgate.model.job import Execution, ExecutionStatus, dag_job_id
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType
from airgate.model.webhook import Delivery, DeliveryState, WatchKind, Webhook
from airgate.orchestration.executions import Home, executions_of
from airgate.orchestration.facts import facts_of
from airgate.orchestration.rules import compile_rules
from airgate.store import dags, deliveries, jobs, runs, webhooks, workspaces
from airgate.store.database import Database, Tx

UNASKED: Final = 5.0
"""Seconds after which a changed webhook is noticed."""
_MOST_RUNS: Final = Page(10_000)
_UNFINISHED: Final = (RunState.QUEUED, RunState.RUNNING)

log = structlog.get_logger(__name__)


class Watched(NamedTuple):
    """One run that a webhook watches: from when on it is an alert, and what is told then."""

    webhook: Webhook
    cause: str
    due: datetime
    execution: Execution


class Look(NamedTuple):
    """What a look at the store has found."""

    watched: list[Watched]
    watching: tuple[Webhook, ...]
    """The webhooks that watch, as of this revision."""
    revision: int
    soonest: float | None
    """The shortest time any webhook waits for, in seconds; None: none watches."""


class Alerts:
    """Finds what has become an alert, and queues its delivery.

    Args:
        database: where runs and webhooks are.
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
        self._told: set[tuple[UUID, str]] = set()
        self._revision = -1
        self._watching: tuple[Webhook, ...] = ()
        self._next: datetime | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                wait = await self.step()
            except Unavailable as error:
                log.warning("Runs cannot be watched now", detail=error.detail)
                wait = error.retry_after
            await asyncio.sleep(wait)

    async def step(self) -> float:
        """Alert of what is due. Gives the seconds until there may be something to do."""
        now = self._clock()
        revision = await self._database.read(workspaces.revision)
        if revision != self._revision or (self._next is not None and self._next <= now):
            await self._alert(now)
        return UNASKED if self._next is None else min(UNASKED, max(0.0, (self._next - now).total_seconds()) + 0.001)

    async def _alert(self, now: datetime) -> None:
        look = await self._database.read(self._look)
        keys = {(one.webhook.id, one.cause) for one in look.watched}
        due = [one for one in look.watched if one.due <= now and (one.webhook.id, one.cause) not in self._told]
        if due:
            queued = await self._database.write(self._keep, due, now)
            if queued:
                self._queued()
        self._told = (self._told & keys) | {(one.webhook.id, one.cause) for one in due}
        ahead = [one.due for one in look.watched if one.due > now]
        if look.soonest is not None:  # what starts after this look cannot be due before then
            ahead.append(now + timedelta(seconds=look.soonest))
        self._revision, self._watching, self._next = look.revision, look.watching, min(ahead, default=None)

    def _keep(self, tx: Tx, due: Sequence[Watched], now: datetime) -> int:
        jobs.keep(tx, [one.execution for one in due])
        return len(deliveries.enqueue(tx, [self._delivery(one, now) for one in due]))

    def _delivery(self, one: Watched, now: datetime) -> Delivery:
        return Delivery(
            id=self._new_id(),
            webhook_id=one.webhook.id,
            workspace_id=one.webhook.workspace_id,
            execution=one.execution.id,
            cause=one.cause,
            state=DeliveryState.PENDING,
            created_at=now,
            next_attempt_at=now,
        )

    def _look(self, tx: Tx) -> Look:
        revision, watching = workspaces.revision(tx), self._watching
        if revision != self._revision:
            watching = tuple(one for one in webhooks.active(tx) if one.watch is not None)
        ours = [one for one in watching if one.workspace_id == self._home.workspace_id]
        watched = [*_outside(tx, watching), *(self._in_dags(tx, ours) if ours else ())]
        soonest = min((one.watch.seconds for one in watching if one.watch is not None), default=None)
        return Look([one for one in watched if _holds(one)], watching, revision, soonest)

    def _in_dags(self, tx: Tx, watching: Sequence[Webhook]) -> Iterator[Watched]:
        wanted = {job_id for webhook in watching for job_id in webhook.jobs}
        names = {dag_job_id(self._home.deployment, dag_id): dag_id for dag_id in dags.ids(tx)}
        dag_ids = tuple(names[job_id] for job_id in wanted if job_id in names)
        which = RunFilter(dag_ids=dag_ids, states=_UNFINISHED)
        found = runs.list_runs(tx, which, Order("seq"), _MOST_RUNS).items
        for dag_id in dag_ids:
            dag = dags.get(tx, dag_id)
            of_dag = [run for run in found if run.dag_id == dag_id]
            job_id = dag_job_id(self._home.deployment, dag_id)
            for webhook in watching:
                if job_id in webhook.jobs:
                    yield from self._of_dag(webhook, dag, of_dag)

    def _of_dag(self, webhook: Webhook, dag: Dag, unfinished: Iterable[DagRun]) -> Iterator[Watched]:
        assert webhook.watch is not None
        if webhook.watch.kind is WatchKind.DURATION:
            for run in unfinished:
                if run.state is RunState.RUNNING and run.start_date is not None:
                    yield _long(webhook, executions_of(run, (), (), self._home, 0)[0], run.start_date)
        elif not dag.is_paused and dag.is_active:
            scheduled = [run for run in unfinished if run.run_type is RunType.SCHEDULED]
            yield from (one for run in scheduled if (one := self._late(webhook, run)) is not None)
            at = None if dag.next_run is None else dag.next_run.run_after
            if at is not None and at >= webhook.updated_at and all(run.run_after != at for run in scheduled):
                yield self._missing(webhook, dag.dag_id, at)

    def _late(self, webhook: Webhook, run: DagRun) -> Watched | None:
        """A scheduled run that is there: it may yet become late, or it has started too late."""
        assert webhook.watch is not None
        due = run.run_after + timedelta(seconds=webhook.watch.seconds)
        in_time = run.state is RunState.RUNNING and run.start_date is not None and run.start_date < due
        if in_time or run.clear_number > 0 or run.run_after < webhook.updated_at:
            return None
        cause = _late_cause(run.dag_id, run.run_after)
        told = msgspec.structs.replace(
            executions_of(run, (), (), self._home, 0)[0],
            id=uuid5(webhook.id, cause),
            status=ExecutionStatus.MISSED,
            error=_late_text(run.run_after, webhook.watch.seconds),
        )
        return Watched(webhook, cause, due, told)

    def _missing(self, webhook: Webhook, dag_id: str, at: datetime) -> Watched:
        """A scheduled run that is not there yet."""
        assert webhook.watch is not None
        job_id, cause = dag_job_id(self._home.deployment, dag_id), _late_cause(dag_id, at)
        key = uuid5(webhook.id, cause)
        told = Execution(
            id=key,
            execution_id=key,
            job_id=job_id,
            workspace_id=self._home.workspace_id,
            status=ExecutionStatus.MISSED,
            started_at=None,
            ended_at=None,
            error=_late_text(at, webhook.watch.seconds),
            run={"deployment": self._home.deployment, "dag_id": dag_id, "run_after": at.astimezone(UTC).isoformat()},
        )
        return Watched(webhook, cause, at + timedelta(seconds=webhook.watch.seconds), told)


def _outside(tx: Tx, watching: Iterable[Webhook]) -> Iterator[Watched]:
    """Executions of external jobs that were reported as running."""
    for webhook in watching:
        if webhook.watch is None or webhook.watch.kind is not WatchKind.DURATION:
            continue
        which = jobs.ExecutionFilter(job_ids=webhook.jobs, statuses=(ExecutionStatus.RUNNING,))
        for one in jobs.list_executions(tx, webhook.workspace_id, which, Order("id"), _MOST_RUNS).items:
            if one.started_at is not None:
                yield _long(webhook, one, one.started_at)


def _long(webhook: Webhook, running: Execution, started: datetime) -> Watched:
    assert webhook.watch is not None
    cause, seconds = f"duration:{running.execution_id}", webhook.watch.seconds
    said = f"It has been running for more than {seconds} s."
    told = msgspec.structs.replace(
        running, id=uuid5(webhook.id, cause), status=ExecutionStatus.RUNNING, ended_at=None, error=said
    )
    return Watched(webhook, cause, started + timedelta(seconds=seconds), told)


def _holds(one: Watched) -> bool:
    """Whether the webhook's rules hold for what would be told."""
    rules = compile_rules(one.webhook.rules, one.webhook.any_of)
    return rules(facts_of(one.execution, ZoneInfo(one.webhook.time_zone)))


def _late_cause(dag_id: str, due: datetime) -> str:
    return f"late:{dag_id}:{due.astimezone(UTC).isoformat()}"


def _late_text(due: datetime, seconds: int) -> str:
    return f"A run was due at {due.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and did not start within {seconds} s."
