"""Scheduled runs: for every DAG its next one, made when its time has come.

The dates are the timetable's own; this module only remembers the next one, waits for it, and asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from airgate.engine.ports import RunDates, Timetables
from airgate.engine.registry import Registry
from airgate.engine.scheduler import Scheduler
from airgate.model import run_ids
from airgate.model.dag import Dag, NextRun
from airgate.model.errors import AirgateError, Conflict, Unavailable
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.store import dags, runs
from airgate.store.database import Database

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
LONGEST_SLEEP = 3600.0
"""Seconds. A timer longer than this is looked at again in between: clocks are put right, laptops sleep."""


class Calendar:
    """Makes the scheduled runs of all DAGs that have a schedule and are not paused."""

    def __init__(
        self,
        database: Database,
        timetables: Timetables,
        scheduler: Scheduler,
        registry: Registry,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._timetables = timetables
        self._scheduler = scheduler
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._next: dict[str, tuple[UUID, RunDates | None]] = {}
        self._taken: dict[str, RunDates] = {}
        """The newest dates at which there was a run already that the schedule did not make."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._work: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._stopped = False

    def consider(self, dag_id: str) -> None:
        """Something about a DAG has changed (its file, a pause, a run that ended): look at its next run anew."""
        if dag_id in self._work:
            self._again.add(dag_id)
        elif not self._stopped:
            self._start(dag_id, self._advance(dag_id))

    def forget(self, dag_id: str) -> None:
        """A DAG is gone."""
        self._next.pop(dag_id, None)
        self._taken.pop(dag_id, None)
        self._disarm(dag_id)

    def stop(self) -> None:
        """Make no more runs."""
        self._stopped = True
        for dag_id in list(self._timers):
            self._disarm(dag_id)
        for task in self._work.values():
            task.cancel()

    def _start(self, dag_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"calendar {dag_id}")
        self._work[dag_id] = task
        task.add_done_callback(lambda _: self._done(dag_id))

    def _done(self, dag_id: str) -> None:
        task = self._work.pop(dag_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The calendar made a mistake", dag_id=dag_id, error=repr(error), exc_info=error)
        if dag_id in self._again:
            self._again.discard(dag_id)
            self.consider(dag_id)

    async def _advance(self, dag_id: str) -> None:
        """Make the runs that are due, as far as the limit allows, and wait for the next one."""
        try:
            while not self._stopped:
                dag = self._registry.dag(dag_id)
                if dag is None or not dag.spec.schedule.can_be_scheduled or dag.spec.schedule.partitioned:
                    self.forget(dag_id)
                    return
                following = await self._following(dag)
                if dag.is_paused or following is None:
                    self._outdate(dag)
                    self._disarm(dag_id)
                    return
                if following.run_after > self._clock():
                    self._arm(dag_id, following.run_after)
                    return
                if self._scheduler.roster.unfinished(dag_id) >= dag.spec.max_active_runs:
                    self._outdate(dag)
                    return  # considered again when a run of it ends
                await self._make(dag, following)
        except Unavailable as error:
            log.info("A schedule waits", dag_id=dag_id, reason=error.detail)
            self._later(dag_id, RETRY_SECONDS)
        except AirgateError as error:
            log.warning("The timetable of a DAG failed; it is not scheduled", dag_id=dag_id, reason=error.detail)
            self._disarm(dag_id)

    def _outdate(self, dag: Dag) -> None:
        # Without catching up, a date that passes while the DAG is paused or full gives way to the newest one.
        if not dag.spec.catchup:
            self._next.pop(dag.dag_id, None)

    async def _following(self, dag: Dag) -> RunDates | None:
        known = self._next.get(dag.dag_id)
        if known is not None and known[0] == dag.version.id:
            return known[1]
        newest = await self._database.read(runs.newest_scheduled, dag.dag_id)
        last = _newer(_dates(newest) if newest else None, self._taken.get(dag.dag_id))
        return await self._ask(dag, last)

    async def _ask(self, dag: Dag, last: RunDates | None) -> RunDates | None:
        following = await self._timetables.next_run(
            dag.dag_id, last=last, earliest=dag.spec.earliest, latest=dag.spec.latest, catchup=dag.spec.catchup
        )
        self._next[dag.dag_id] = (dag.version.id, following)
        await self._database.write(dags.set_next_run, dag.dag_id, _next_run(following))
        return following

    async def _make(self, dag: Dag, dates: RunDates) -> None:
        now = self._clock()
        interval = dates.data_interval
        logical_date = interval[0] if interval else None
        run = DagRun(
            id=self._new_id(),
            dag_id=dag.dag_id,
            run_id=dates.run_id or run_ids.generate(RunType.SCHEDULED, dates.run_after),
            state=RunState.QUEUED,
            run_type=RunType.SCHEDULED,
            triggered_by=TriggeredBy.TIMETABLE,
            run_after=dates.run_after,
            queued_at=now,
            logical_date=logical_date,
            data_interval_start=interval[0] if interval else None,
            data_interval_end=interval[1] if interval else None,
            dag_version_id=dag.version.id,
            partition_key=dates.partition_key,
            updated_at=now,
        )
        try:
            made = await self._database.write(runs.insert, run)
        except Conflict:
            # A manual run took that date or id. Airflow goes on with the date after it, and so do we.
            self._taken[dag.dag_id] = dates
        else:
            self._scheduler.accepted(made)
        await self._ask(dag, dates)

    def _arm(self, dag_id: str, at: datetime) -> None:
        self._later(dag_id, max(0.0, (at - self._clock()).total_seconds()) + 0.001)

    def _later(self, dag_id: str, delay: float) -> None:
        self._disarm(dag_id)
        loop = asyncio.get_running_loop()
        self._timers[dag_id] = loop.call_later(min(delay, LONGEST_SLEEP), self.consider, dag_id)

    def _disarm(self, dag_id: str) -> None:
        timer = self._timers.pop(dag_id, None)
        if timer is not None:
            timer.cancel()


def _newer(one: RunDates | None, other: RunDates | None) -> RunDates | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda dates: dates.run_after)


def _dates(run: DagRun) -> RunDates:
    start, end = run.data_interval_start, run.data_interval_end
    return RunDates(run_after=run.run_after, data_interval=(start, end) if start and end else None, run_id=run.run_id)


def _next_run(dates: RunDates | None) -> NextRun | None:
    if dates is None:
        return None
    start, end = dates.data_interval or (None, None)
    return NextRun(run_after=dates.run_after, logical_date=start, data_interval_start=start, data_interval_end=end)
