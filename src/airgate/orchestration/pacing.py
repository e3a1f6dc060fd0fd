"""Who is attempted when: so many at once, per webhook and in all, so many per second, and a line of those that wait.

No I/O; a steady clock is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from airgate.model.job import Execution
from airgate.model.webhook import Delivery, Webhook

LONG: Final = 100
"""Deliveries of one webhook that stand in line: a target that is slow must not fill it."""
SHORT: Final = 40
"""A webhook's line that was cut off at `LONG` is read on once it is shorter than this."""
MOST: Final = 10_000
"""Deliveries that stand in line in all: what waits in the store costs no memory."""
OF_FAILING: Final = 2
"""Attempts at the same time at a target that fails at present: many of them must not take up all there is."""


Standing = tuple[Delivery, Execution]
"""A delivery that stands in line, and the execution it tells of."""


class _Lane(msgspec.Struct):
    open: int = 0
    free_at: float = 0.0
    """When the next attempt may begin, where there is a rate."""


class Lanes:
    """Counts attempts under way.

    Obligations (each has a test):
      * a webhook has no more attempts at the same time than it allows, and of all webhooks there are no more than
        `most`;
      * a webhook with a rate begins no more per second than it allows;
      * a webhook whose target fails has `OF_FAILING` at the same time until one arrives.

    Args:
        most: attempts at the same time, over all webhooks.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(self, most: int, steady: Callable[[], float]) -> None:
        self._most = most
        self._steady = steady
        self._lanes: dict[UUID, _Lane] = {}
        self._open = 0

    def enter(self, webhook: Webhook) -> bool:
        """Begin an attempt, if there is room for it."""
        lane = self._lanes.setdefault(webhook.id, _Lane())
        most = webhook.max_concurrency
        if webhook.failing_since is not None:
            most = min(most, OF_FAILING)
        now = self._steady()
        if self._open >= self._most or lane.open >= most or now < lane.free_at:
            return False
        if webhook.max_per_second is not None:
            lane.free_at = now + 1 / webhook.max_per_second
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

    def next_room(self, webhook_ids: Iterable[UUID]) -> float | None:
        """Seconds until one of these webhooks may begin another for all its rate says; None: none of them has one."""
        now = self._steady()
        lanes = (self._lanes.get(webhook_id) for webhook_id in webhook_ids)
        return min((lane.free_at - now for lane in lanes if lane is not None and lane.free_at > now), default=None)


class Gap(NamedTuple):
    """What a read is to leave out."""

    webhooks: frozenset[UUID]
    """Their lines are long enough."""
    deliveries: frozenset[UUID]
    """They stand in line already, or are being attempted."""


class Line:
    """Deliveries that are due, read ahead of the room for them, by webhook.

    Obligations (each has a test):
      * a delivery that stands in line or is attempted is not taken into it again, also where the read that brings it
        began before its attempt ended;
      * no webhook has more than `LONG` in line, so that a flood for one keeps no other out of it;
      * webhooks take turns.
    """

    def __init__(self) -> None:
        self._waiting: dict[UUID, deque[Standing]] = {}
        self._count = 0
        self._known: set[UUID] = set()
        self._ended: set[UUID] = set()
        self._more: frozenset[UUID] = frozenset()
        self._cut = False

    @property
    def hungry(self) -> bool:
        """Whether a read may bring what could begin soon."""
        if self._count >= MOST:
            return False
        return self._cut or any(len(self._waiting.get(webhook_id, ())) < SHORT for webhook_id in self._more)

    def reading(self) -> Gap:
        """A read begins."""
        self._ended.clear()
        long = frozenset(webhook_id for webhook_id, line in self._waiting.items() if len(line) >= LONG)
        return Gap(long, frozenset(self._known))

    def read(self, found: Iterable[Standing], gap: Gap, *, cut: bool) -> None:
        """A read has ended with these; `cut`: there were more."""
        over = set(gap.webhooks)
        for standing in found:
            delivery = standing[0]
            if delivery.id in self._ended or delivery.id in self._known:
                continue
            line = self._waiting.setdefault(delivery.webhook_id, deque())
            if len(line) >= LONG:
                over.add(delivery.webhook_id)
                continue
            line.append(standing)
            self._known.add(delivery.id)
            self._count += 1
        self._more, self._cut = frozenset(over), cut

    def webhooks(self) -> tuple[UUID, ...]:
        """Whose deliveries stand in line; who was served longest ago is first."""
        return tuple(self._waiting)

    def has(self, webhook_id: UUID) -> bool:
        """Whether anything of a webhook stands in line."""
        return webhook_id in self._waiting

    def take(self, webhook_id: UUID) -> Standing:
        """The first of a webhook leaves the line to be attempted."""
        line = self._waiting.pop(webhook_id)
        standing = line.popleft()
        self._count -= 1
        if line:
            self._waiting[webhook_id] = line
        return standing

    def end(self, delivery_id: UUID) -> None:
        """An attempt is over."""
        self._known.discard(delivery_id)
        self._ended.add(delivery_id)

    def drop(self, webhook_id: UUID) -> None:
        """Those of a webhook leave the line, and are not attempted."""
        for delivery, _ in self._waiting.pop(webhook_id, ()):
            self.end(delivery.id)
            self._count -= 1
