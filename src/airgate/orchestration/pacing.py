"""Who is attempted when: so many at once, per webhook and in all, so many per second, and a line of those that wait.

No I/O; a steady clock is passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

import msgspec

from airgate.model.job import Execution
from airgate.model.webhook import Delivery, Webhook

LOW: Final = 100
"""A line that is shorter wants more, where there is more."""
MOST_OF_ONE: Final = 200
"""Deliveries of one webhook that stand in line: a target that is slow must not fill it."""


class _Lane(msgspec.Struct):
    open: int = 0
    most: int = 1
    free_at: float = 0.0
    """When the next attempt may begin, where there is a rate."""


class Lanes:
    """Counts attempts under way. A webhook whose lane is full is left out until it has room again.

    Args:
        most: attempts at the same time, over all webhooks.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(self, most: int, steady: Callable[[], float]) -> None:
        self._most = most
        self._steady = steady
        self._lanes: dict[UUID, _Lane] = {}
        self._open = 0

    @property
    def room(self) -> int:
        """How many more attempts may begin now, over all webhooks."""
        return self._most - self._open

    def enter(self, webhook: Webhook) -> bool:
        """Begin an attempt, if there is room for it."""
        lane = self._lanes.setdefault(webhook.id, _Lane())
        lane.most = webhook.max_concurrency
        now = self._steady()
        if self._open >= self._most or lane.open >= lane.most or now < lane.free_at:
            return False
        if webhook.max_per_second is not None:
            lane.free_at = max(now, lane.free_at) + 1 / webhook.max_per_second
        lane.open += 1
        self._open += 1
        return True

    def leave(self, webhook_id: UUID) -> None:
        """End an attempt."""
        lane = self._lanes[webhook_id]
        lane.open -= 1
        self._open -= 1
        if lane.open == 0 and self._steady() >= lane.free_at:
            del self._lanes[webhook_id]

    def full(self) -> frozenset[UUID]:
        """The webhooks that have no room now."""
        now = self._steady()
        return frozenset(
            webhook_id for webhook_id, lane in self._lanes.items() if lane.open >= lane.most or now < lane.free_at
        )

    def next_room(self) -> float | None:
        """Seconds until a webhook that is only paced has room again; None: there is none."""
        now = self._steady()
        waits = [lane.free_at - now for lane in self._lanes.values() if lane.open < lane.most and lane.free_at > now]
        return min(waits, default=None)


class Line:
    """Deliveries that are due, read ahead of the room for them.

    A read takes a while, and what ends meanwhile is still due in what was read: `taken` covers both. It may be asked
    on another thread while a read is under way, and does not change then but by growing.
    """

    def __init__(self) -> None:
        self.left_out: frozenset[UUID] = frozenset()
        """Webhooks that the present read is not to bring anything of."""
        self.taken: frozenset[UUID] = frozenset()
        """Deliveries that the present read brings in vain."""
        self.wants_more = False
        self._more = False
        self._waiting: dict[UUID, tuple[Delivery, Execution]] = {}
        self._open: set[UUID] = set()
        self._ended: set[UUID] = set()

    def reading(self, full: frozenset[UUID]) -> None:
        """A read begins; the lanes of these webhooks are full."""
        queued = Counter(delivery.webhook_id for delivery, _ in self._waiting.values())
        self.left_out = full | {webhook_id for webhook_id, count in queued.items() if count >= MOST_OF_ONE}
        self.taken = frozenset(self._waiting) | self._open
        self._ended.clear()

    def read(self, found: Iterable[tuple[Delivery, Execution]]) -> None:
        """A read has ended with these."""
        fresh = [(delivery, execution) for delivery, execution in found if delivery.id not in self._ended]
        for delivery, execution in fresh:
            self._waiting.setdefault(delivery.id, (delivery, execution))
        self._more = bool(fresh) or bool(self.left_out)
        self._consider()

    def waiting(self) -> list[tuple[Delivery, Execution]]:
        """Those in line, first come first served."""
        return list(self._waiting.values())

    def begin(self, delivery_id: UUID) -> None:
        """One leaves the line to be attempted."""
        del self._waiting[delivery_id]
        self._open.add(delivery_id)
        self._consider()

    def end(self, delivery_id: UUID) -> None:
        """Its attempt is over."""
        self._open.discard(delivery_id)
        self._ended.add(delivery_id)
        self._consider()

    def drop(self, delivery_id: UUID) -> None:
        """One leaves the line to be read again."""
        del self._waiting[delivery_id]
        self._more = True
        self._consider()

    def _consider(self) -> None:
        self.wants_more = self._more and len(self._waiting) < LOW
