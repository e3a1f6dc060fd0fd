"""Who is attempted when: so many at once, per webhook and in all, so many per second, and a line of those that wait.

No I/O; a steady clock is passed in.
"""

from __future__ import annotations

from collections import deque
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


Standing = tuple[Delivery, Execution]
"""A delivery that stands in line, and the execution it tells of."""


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
    """Deliveries that are due, read ahead of the room for them, by webhook.

    A read takes a while, and what ends meanwhile is still due in what was read: it is known by `_ended`. `left_out` and
    `taken` are for the read that is under way, on whichever thread; they change only when the next begins.
    """

    def __init__(self) -> None:
        self.left_out: frozenset[UUID] = frozenset()
        """Webhooks that the present read is not to bring anything of."""
        self.taken: frozenset[UUID] = frozenset()
        """Deliveries that the present read brings in vain."""
        self._waiting: dict[UUID, deque[Standing]] = {}
        self._count = 0
        self._known: set[UUID] = set()
        self._ended: set[UUID] = set()
        self._more = False

    @property
    def wants_more(self) -> bool:
        """Whether it is short, and a read may bring more."""
        return self._more and self._count < LOW

    def reading(self, full: frozenset[UUID]) -> None:
        """A read begins; the lanes of these webhooks are full."""
        long = {webhook_id for webhook_id, line in self._waiting.items() if len(line) >= MOST_OF_ONE}
        self.left_out = full | long
        self.taken = frozenset(self._known)
        self._ended.clear()

    def read(self, found: Iterable[Standing]) -> None:
        """A read has ended with these."""
        before = self._count
        for standing in found:
            delivery = standing[0]
            if delivery.id not in self._ended and delivery.id not in self._known:
                self._known.add(delivery.id)
                self._waiting.setdefault(delivery.webhook_id, deque()).append(standing)
                self._count += 1
        self._more = self._count > before or bool(self.left_out)

    def webhooks(self) -> tuple[UUID, ...]:
        """Whose deliveries stand in line."""
        return tuple(self._waiting)

    def has(self, webhook_id: UUID) -> bool:
        """Whether anything of a webhook stands in line."""
        return webhook_id in self._waiting

    def take(self, webhook_id: UUID) -> Standing:
        """The first of a webhook leaves the line to be attempted."""
        line = self._waiting[webhook_id]
        standing = line.popleft()
        self._count -= 1
        if not line:
            del self._waiting[webhook_id]
        return standing

    def end(self, delivery_id: UUID) -> None:
        """An attempt is over."""
        self._known.discard(delivery_id)
        self._ended.add(delivery_id)

    def dissolve(self, webhook_id: UUID) -> None:
        """Those of a webhook leave the line, to be read again."""
        for delivery, _ in self._waiting.pop(webhook_id, ()):
            self._known.discard(delivery.id)
            self._count -= 1
        self._more = True
