"""What running tries say, and what it changes: the scheduler's side of `airgate.engine.tries`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from airgate.engine import retry
from airgate.engine.active import Active
from airgate.engine.decide import fail_fast, skip_downstream
from airgate.engine.ports import TaskMessageError
from airgate.engine.retry import Killed, Outcome
from airgate.engine.roster import Roster
from airgate.engine.snapshot import SkipChoice, key_of
from airgate.engine.tries import TryTalk
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import TaskState

FLUSH_AFTER = 0.05
"""Seconds after which changes that nobody waits for (rendered fields) are written on their own."""

Body = dict[str, Any]
TriggerRun = Callable[[TaskInstance, Body], Awaitable[Body | None]]


class Runs(Protocol):
    """The scheduler, as the desk needs it."""

    def change(
        self,
        active: Active,
        *,
        changed: Iterable[TaskInstance] = (),
        archived: Iterable[TaskInstance] = (),
        stops: Iterable[UUID] = (),
        xcoms: Iterable[XCom] = (),
    ) -> asyncio.Future[None]:
        """Apply changes to a run; the future resolves when they are committed."""

    def call_back(self, run: DagRun, instance: TaskInstance, kind: str, reason: str) -> None:
        """Have a callback run."""

    def try_left(self, talk: TryTalk) -> None:
        """A try's process is done with it."""


class Desk:
    """Implements `airgate.engine.tries.TryOwner`."""

    def __init__(
        self, runs: Runs, roster: Roster, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]
    ) -> None:
        self._runs = runs
        self._roster = roster
        self._clock = clock
        self._new_id = new_id
        self.trigger: TriggerRun | None = None
        """How a try triggers a run; set by the engine, which knows how runs are planned."""

    async def try_ended(self, talk: TryTalk, outcome: Outcome) -> None:
        """The try says that it has ended like this; returns once that is committed."""
        committed = self.end(talk.instance, outcome, talk.unsure_xcoms())
        if committed is not None:
            await committed

    def try_gone(self, talk: TryTalk, outcome: Outcome | None) -> None:
        """The try's process is done with it, and has ended like this where it did not say so itself."""
        if outcome is not None:
            self.end(talk.instance, outcome, talk.unsure_xcoms())
        self._runs.try_left(talk)

    def end(self, tried: TaskInstance, outcome: Outcome, xcoms: Iterable[XCom] = ()) -> asyncio.Future[None] | None:
        """End the try that `tried` is, or was, in. Gives the commit of that; None where nothing is left to end.

        `xcoms` are committed with it: those it left of which it is not known yet whether they are in the store.
        """
        found = self._current(tried)
        if found is None:
            return None
        active, instance = found
        task = active.snapshot.graph.tasks.get(instance.task_id)
        result = retry.after_try(
            instance,
            outcome,
            task,
            logical_date=active.run.logical_date,
            now=self._clock(),
            new_id=self._new_id,
        )
        if result.instance is instance:
            return None  # marked by hand, timed out or removed before: that stands
        archived = () if result.archived is None else (result.archived,)
        committed = self._runs.change(active, changed=(result.instance,), archived=archived, xcoms=xcoms)
        if isinstance(outcome, Killed):
            self._call_back_killed(active, instance, result.instance)
        if result.instance.state is TaskState.FAILED:
            stopped = fail_fast(active.snapshot, key_of(instance), self._clock())
            if stopped.changed:
                committed = self._runs.change(active, changed=stopped.changed, stops=stopped.stops)
        return committed

    def try_changed(self, talk: TryTalk, changes: dict[str, Any]) -> None:
        """Fields of the task instance change while it runs; written with the next commit, or a moment later."""
        found = self._current(talk.instance)
        if found is None:
            return
        active, instance = found
        changed = msgspec.structs.replace(instance, **changes)
        active.snapshot = active.snapshot.with_instances((changed,))
        active.note((changed,))
        if active.flush is None:
            active.flush = asyncio.get_running_loop().call_later(FLUSH_AFTER, self._flush, active)

    def choice_made(self, talk: TryTalk, choice: SkipChoice) -> None:
        """A branch or short circuit left its choice."""
        found = self._current(talk.instance)
        if found is not None:
            active, instance = found
            choices = {**active.snapshot.choices, key_of(instance): choice}
            active.snapshot = msgspec.structs.replace(active.snapshot, choices=choices)

    async def skip_downstream(self, talk: TryTalk, targets: list[str | tuple[str, int]]) -> None:
        """The try skips tasks downstream of it; returns once that is committed."""
        found = self._current(talk.instance)
        if found is not None:
            active, _ = found
            await self._runs.change(active, changed=skip_downstream(active.snapshot, targets, self._clock()))

    async def trigger_run(self, talk: TryTalk, body: Body) -> Body | None:
        """The try triggers a run of some DAG."""
        if self.trigger is None:
            raise TaskMessageError("API_SERVER_ERROR", {"message": "Runs cannot be triggered from here."})
        return await self.trigger(talk.instance, body)

    def _flush(self, active: Active) -> None:
        active.flush = None
        _ = self._runs.change(active)

    def _current(self, tried: TaskInstance) -> tuple[Active, TaskInstance] | None:
        """The run and the present form of a try's instance; None once the try is no longer the present one.

        An instance cleared while its try ran has a new id already, and waits for that very try to end.
        """
        active = self._roster.get(tried.dag_id, tried.run_id)
        instance = None if active is None else active.snapshot.get(tried.task_id, tried.map_index)
        if active is None or instance is None:
            return None
        if instance.id == tried.id:
            return active, instance
        is_cleared = instance.state is TaskState.RESTARTING and instance.try_number == tried.try_number
        return (active, instance) if is_cleared else None

    def _call_back_killed(self, active: Active, tried: TaskInstance, now: TaskInstance) -> None:
        """A try that was killed cannot call back for itself."""
        task = active.snapshot.graph.tasks.get(tried.task_id)
        if task is None:
            return
        run = active.run
        if now.state is TaskState.UP_FOR_RETRY and task.has_retry_callback:
            active.after_commit(lambda: self._runs.call_back(run, tried, "task_retry", "killed"))
        elif now.state is TaskState.FAILED and task.has_failure_callback:
            active.after_commit(lambda: self._runs.call_back(run, tried, "task_failure", "killed"))
