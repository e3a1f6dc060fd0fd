"""Acts when the gate's answers change: lets queued runs start, and ends those that may not go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from airgate.engine.active import RunKey
from airgate.engine.control import Control
from airgate.engine.ports import Gate
from airgate.engine.scheduler import LONGEST_TIMER, Scheduler
from airgate.model.errors import Unavailable
from airgate.model.run import DagRun

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 5.0
REASON: Final = "block_window"
"""Why a run ended that was ended here, in the event of its end."""


class Gatekeeper:
    """Waits for the next moment at which the gate's answers change; nothing is looked at in between.

    Obligations (each has a test):
      * a run that was accepted while its DAG was blocked starts when it no longer is, and not before;
      * runs that the gate ends are failed once: by the opening of a window, a change of windows, or the next start;
      * what the gate lets through goes on.

    Args:
        scheduler: asks the gate before it starts runs.
        control: ends runs as a person would.
        clock: the present time, aware.
    """

    def __init__(self, scheduler: Scheduler, control: Control, *, clock: Callable[[], datetime]) -> None:
        self._scheduler = scheduler
        self._control = control
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._ending: dict[RunKey, asyncio.Task[None]] = {}
        self._stopped = False

    def guard(self, gate: Gate) -> None:
        """Ask this gate from now on."""
        self._scheduler.gate = gate
        self.changed()

    def changed(self) -> None:
        """The gate's answers may be others than before. Nothing happens until the engine has begun."""
        if self._stopped or not self._scheduler.roster.open.is_set():
            return
        self._arm()
        self._scheduler.begin()
        for key in self._scheduler.roster.running_keys():
            if key not in self._ending and self._why(key) is not None:
                task = asyncio.create_task(self._end(key), name=f"end {key}")
                self._ending[key] = task
                task.add_done_callback(lambda _, key=key: self._ending.pop(key))  # type: ignore[misc]

    def stop(self) -> None:
        """Do nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._ending.values():
            task.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        at = self._scheduler.gate.next_change(now)
        if at is not None:
            # A millisecond late rather than early: early, nothing would have changed yet.
            delay = min(max(0.0, (at - now).total_seconds()) + 0.001, LONGEST_TIMER)
            self._timer = asyncio.get_running_loop().call_later(delay, self.changed)

    def _why(self, key: RunKey) -> str | None:
        active = self._scheduler.roster.get(*key)
        if active is not None:
            return self._cause(active.run, self._clock())
        now, gate = self._clock(), self._scheduler.gate  # it is about to run; which kind of run it is shows then
        return gate.cancels(key[0], now, manual=False) or gate.cancels(key[0], now, manual=True)

    def _cause(self, run: DagRun, now: datetime) -> str | None:
        return self._scheduler.gate.cancels(run.dag_id, now, manual=run.run_type.manual)

    async def _end(self, key: RunKey) -> None:
        while True:
            try:
                await self._control.end_run(*key, self._cause, REASON)
            except Unavailable as error:
                log.info("A run that is to be ended waits for the database", dag_id=key[0], reason=error.detail)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
