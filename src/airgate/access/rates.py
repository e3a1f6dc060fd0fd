"""Rate limits: one bucket of requests per identity, refilled evenly. Pure but for its own memory."""

from __future__ import annotations

import math
from typing import Final
from uuid import UUID

import msgspec

from airgate.model.identity import RateLimit

BUCKETS: Final = 10_000
_ROUNDING: Final = 1e-6
"""Seconds that are lost in sums of fractions."""


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
    full_at: float
    """When it will be full, if nothing is taken any more."""


class Buckets:
    """Remembers what each limited identity has left. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, _Bucket] = {}

    def take(self, identity_id: UUID, limit: RateLimit, now: float) -> Standing:
        """Count one request. One that is not admitted costs nothing."""
        bucket = self._buckets.pop(identity_id, None)
        if bucket is None or bucket.limit != limit:
            bucket = _Bucket(limit, now)
        self._buckets[identity_id] = bucket
        if len(self._buckets) > BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        each = limit.seconds / limit.requests
        missing = max(0.0, bucket.full_at - now)
        admitted = missing + each <= limit.seconds + _ROUNDING
        if admitted:
            missing += each
            bucket.full_at = now + missing
        return Standing(
            limit=limit,
            admitted=admitted,
            remaining=max(0, math.floor((limit.seconds - missing + _ROUNDING) / each)),
            full_after=missing,
            retry_after=max(0.0, missing + each - limit.seconds),
        )
