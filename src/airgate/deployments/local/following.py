"""Following runs of the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import structlog

from airgate.engine.watch import Topic, Watch
from airgate.model.errors import Unavailable
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import runs
from airgate.store.database import Database

log = structlog.get_logger(__name__)

PATIENCE = 1.0
"""Seconds between two looks at all runs that are followed: another process on the same database tells nobody."""


class Following:
    """Gives followed runs as they change.

    The engine's own changes are heard of at once. All followed runs together are looked at besides every `patience`
    seconds, in one read however many follow, and in none while nobody does.
    """

    def __init__(self, database: Database, watch: Watch, *, patience: float = PATIENCE) -> None:
        self._database = database
        self._watch = watch
        self._patience = patience
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, dag_id: str, run_id: str) -> AsyncGenerator[DagRun, None]:
        """See `airgate.deployments.ports.Runs.follow`."""
        topic = self._watch.topic(dag_id, run_id)
        last: RunState | None = None
        with self._looked_at():
            while True:
                changes = topic.changes
                run = await self._database.read(runs.get, dag_id, run_id)
                self._note(topic, run.state)
                if run.state is not last:
                    last = run.state
                    yield run
                if run.state.finished:
                    return
                if self._watch.closed:
                    raise Unavailable("The server is stopping; follow the run again in a moment.", code="stopping")
                await topic.after(changes)

    def _note(self, topic: Topic, state: RunState) -> None:
        """A follower has read this state; others of the same run may have read another one before."""
        known, topic.state = topic.state, state
        if known is not None and known is not state:
            topic.changed()

    @contextmanager
    def _looked_at(self) -> Iterator[None]:
        """Meanwhile what is followed is looked at."""
        self._followers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_again_and_again(), name="followed runs")
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._looking.cancel()
                self._looking = None

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._patience)
            try:
                await self._look()
            except Unavailable as error:
                log.warning("Followed runs cannot be looked at", reason=error.detail)

    async def _look(self) -> None:
        topics = self._watch.topics()
        states = await self._database.read(runs.states, [topic.key for topic in topics])
        for topic in topics:
            if topic.state is not None and states.get(topic.key) is not topic.state:
                topic.changed()
