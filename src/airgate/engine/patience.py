"""Waiting for a store that is gone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from airgate.model.errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

RETRY = 0.2
RETRY_MAX = 5.0
"""Seconds between attempts; doubled from the first to the second."""


async def patiently(ask: Callable[[], Awaitable[T]], waits: str) -> T:
    """What `ask` gives, asked until it is not `Unavailable`, however long that takes. `waits` is for the log."""
    delay = RETRY
    while True:
        try:
            return await ask()
        except Unavailable as error:
            log.warning(waits, reason=error.detail)
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MAX)
