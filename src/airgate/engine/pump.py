"""From changes in memory to commits, one run at a time.

Whoever changes a run *kicks* it. Its pump then settles it, writes what came of that in one transaction, and acts upon
it afterwards; what changes meanwhile is part of the next turn. While the database is gone the pump waits: nothing is
acted upon that is not committed, and nothing that happened is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

from airgate.engine.active import Active, Batch, store_batch
from airgate.engine.patience import patiently
from airgate.engine.watch import Watch
from airgate.model.errors import NotFound
from airgate.store.database import Database, Tx

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

WAITS = "The engine waits for the database"


class Pump:
    """Settles, commits and acts.

    Args:
        settle: decide what follows for a run, and gather it in its `Active`. Called on the event loop, never twice at a
            time for one run.
        watch: told of each run whose new state is committed.
    """

    def __init__(
        self, database: Database, settle: Callable[[Active], None], watch: Watch, *, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._settle = settle
        self._watch = watch
        self._clock = clock
        self._background: set[asyncio.Task[None]] = set()

    def kick(self, active: Active) -> None:
        """Something about a run has changed."""
        active.dirty = True
        if not active.pumping and active.moves:
            active.pumping = True
            self.spawn(self._turn(active))

    def flush(self, batch: Batch) -> None:
        """Write what a run has left behind that is no longer worked on."""
        self.spawn(self._write(batch))

    def abandon(self, batch: Batch) -> None:
        """Write nothing of a run that was deleted; what was to follow finds out for itself that nothing is left."""
        for action in batch.after:
            _act(action)
        batch.fail(NotFound("The run was deleted.", code="run_not_found"))

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read from the store, however long it takes to be there."""
        return await patiently(lambda: self._database.read(fn, *args, **kwargs), WAITS)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background; what goes wrong there is logged."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    async def drain(self, within: float) -> None:
        """Wait for what is in the background, and what comes of that, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._background:
                    await asyncio.wait(self._background)

    async def _turn(self, active: Active) -> None:
        try:
            while active.dirty and active.moves:
                active.dirty = False
                self._settle(active)
                await self._write(active.take())
        finally:
            active.pumping = False

    async def _write(self, batch: Batch) -> None:
        try:
            if batch.writes:
                await self._commit(batch)
        except NotFound as error:
            # Deleted while the database was gone. Each action finds out for itself that nothing is left to do.
            log.warning("What happened to a run is not stored: it was deleted", reason=error.detail)
        except Exception as error:
            # Whoever waits must hear of it: a try would wait for its answer for ever.
            batch.fail(error)
            raise
        if batch.run is not None:
            self._watch.changed(batch.run.dag_id, batch.run.run_id)
        if batch.events:
            self._watch.ended()
        for action in batch.after:
            _act(action)
        for future in batch.waiters:
            if not future.done():
                future.set_result(None)

    async def _commit(self, batch: Batch) -> None:
        await patiently(lambda: self._database.write(store_batch, batch, self._clock()), WAITS)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The engine made a mistake", error=repr(error), exc_info=error)


def _act(action: Callable[[], None]) -> None:
    # One mistake must not keep the rest of what was committed from being acted upon.
    try:
        action()
    except Exception:
        log.exception("The engine made a mistake")
