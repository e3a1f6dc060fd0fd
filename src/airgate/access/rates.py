"""Rate limits: one bucket of requests per identity, refilled evenly. Pure but for its own memory."""

from __future__ import annotations

import math
from typing import Final
from uuid import UUID

import msgspec

from airgate.model.identity import RateLimit

BUCKETS: Final = 10_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an identity stands with its rate limit, this request counted."""

    limit: RateLimit
    admitted: bool
    remaining: int
    """Requests that would be admitted at once."""
    full_after: float
    """Seconds until all of the limit may be used again."""
    retry_after: float
    """Seconds until a request would be admitted; 0: at once."""


class _Bucket(msgspec.Struct):
    limit: RateLimit
    level: float
    at: float


class Buckets:
    """Remembers what each limited identity has left. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, _Bucket] = {}

    def take(self, identity_id: UUID, limit: RateLimit, now: float) -> Standing:
        """Count one request. One that is not admitted costs nothing."""
        bucket = self._buckets.pop(identity_id, None)
        if bucket is None or bucket.limit != limit:
            bucket = _Bucket(limit, float(limit.requests), now)
        self._buckets[identity_id] = bucket
        if len(self._buckets) > BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        speed = limit.requests / limit.seconds
        level = min(float(limit.requests), bucket.level + (now - bucket.at) * speed)
        admitted = level >= 1.0
        bucket.level, bucket.at = (level - 1.0 if admitted else level), now
        return Standing(
            limit=limit,
            admitted=admitted,
            remaining=math.floor(bucket.level),
            full_after=(limit.requests - bucket.level) / speed,
            retry_after=max(0.0, (1.0 - bucket.level) / speed),
        )
