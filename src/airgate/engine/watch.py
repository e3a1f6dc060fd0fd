"""Who follows a run hears of each change of its state, once it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakValueDictionary

from airgate.model.states import RunState

RunKey: TypeAlias = tuple[str, str]
"""(dag id, run id)."""


def _nothing() -> None:
    pass


class Topic:
    """One run that is followed, by however many. Lives as long as somebody holds it.

    A follower notes `changes` before it reads the run, and waits for another number afterwards: what changes while it
    reads is not missed, and what changes often meanwhile is one change to it.
    """

    __slots__ = ("__weakref__", "_next", "changes", "key", "state")

    def __init__(self, key: RunKey) -> None:
        self.key = key
        self.changes = 0
        self.state: RunState | None = None
        """The state that was read last, by whoever of the followers."""
        self._next: asyncio.Future[None] | None = None

    def changed(self) -> None:
        """Wake everybody who waits."""
        self.changes += 1
        following, self._next = self._next, None
        if following is not None and not following.done():
            following.set_result(None)

    async def after(self, changes: int) -> None:
        """Wait until there were more changes than these."""
        while self.changes == changes:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            # Shared by all who wait: one that is cancelled leaves the others waiting.
            await asyncio.shield(self._next)


class Watch:
    """The runs that are followed. Costs a look into a dictionary where nobody follows."""

    def __init__(self) -> None:
        self._topics: WeakValueDictionary[RunKey, Topic] = WeakValueDictionary()
        self.closed = False
        self.ended: Callable[[], None] = _nothing
        """Called when the end of a run, whichever, has been committed. To be cheap, and never to raise."""

    def topic(self, dag_id: str, run_id: str) -> Topic:
        """What tells of this run, for as long as the caller holds it."""
        key = (dag_id, run_id)
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = Topic(key)
        return topic

    def topics(self) -> list[Topic]:
        """All runs that are followed."""
        return list(self._topics.values())

    def changed(self, dag_id: str, run_id: str) -> None:
        """The state of a run has been committed, or the run was deleted. To be called on the event loop."""
        topic = self._topics.get((dag_id, run_id))
        if topic is not None:
            topic.changed()

    def close(self) -> None:
        """The server stops: whoever follows is woken, and finds this closed."""
        self.closed = True
        for topic in self.topics():
            topic.changed()
