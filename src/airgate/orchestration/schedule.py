"""When a delivery is tried again. Pure; chance is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

WAITS: Final = tuple(
    timedelta(**wait)
    for wait in (
        {"seconds": 5}, {"minutes": 5}, {"minutes": 30}, {"hours": 2}, {"hours": 5},
        {"hours": 10}, {"hours": 14}, {"hours": 20}, {"hours": 24},
    )
)  # fmt: skip
"""Between one attempt and the next: the schedule that Standard Webhooks recommends, three days in all."""

MOST_ATTEMPTS: Final = len(WAITS) + 1
JITTER: Final = 0.1
"""A wait is lengthened by up to this part of itself, so that what failed together is not tried together."""
LONGEST_WISH: Final = timedelta(hours=24)
"""A target may ask for a longer wait than the schedule's, but not for more than this."""


def next_attempt(attempts: int, now: datetime, wish: timedelta | None, chance: float) -> datetime | None:
    """When the attempt after `attempts` failed ones is due; None: there is none.

    Args:
        attempts: how many have failed, at least one.
        now: when the last of them ended.
        wish: how long the target asked to be left alone, if it did.
        chance: between 0 and 1.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    wait = WAITS[attempts - 1] * (1 + JITTER * chance)
    return now + max(wait, min(wish, LONGEST_WISH)) if wish is not None else now + wait


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The wish of a ``Retry-After`` header: seconds, or a date. None where there is none that can be understood."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:18]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta())
