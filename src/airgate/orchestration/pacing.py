"""Room for attempts: so many in all, so many per webhook, so many per second. No I/O; a steady clock is passed in."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from airgate.model.webhook import Webhook


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
