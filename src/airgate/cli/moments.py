"""Moments and spans of time as people write them on a command line: 90d, 2026-12-31, 2026-12-31T12:00:00Z. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

from airgate.cli.exits import ExitCode, Problem

_SPAN: Final = re.compile(r"(\d{1,6})([smhdw])")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_END_OF_DAY: Final = time(23, 59, 59, tzinfo=UTC)


def later(option: str, text: str, now: datetime) -> str:
    """A moment to come, as the API takes it: a span from now, the end of a day, or a date with time and offset.

    Raises:
        Problem: it is none of them.
    """
    return _moment(option, text, now, sign=1)


def earlier(option: str, text: str, now: datetime) -> str:
    """A moment that was, as the API takes it: a span ago, the beginning of a day, or a date with time and offset.

    Raises:
        Problem: it is none of them.
    """
    return _moment(option, text, now, sign=-1)


def span(text: str) -> timedelta | None:
    """A span of time, such as 90d; None if it is none."""
    found = _SPAN.fullmatch(text.strip())
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


def _moment(option: str, text: str, now: datetime, *, sign: int) -> str:
    try:
        return _read(text.strip(), now, sign).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Problem(
            f"{option} {text!r} is no moment: give a span such as 90d or 12h, a day such as 2026-12-31, or a date with "
            "an offset such as 2026-12-31T12:00:00Z",
            ExitCode.USAGE,
        ) from None


def _read(text: str, now: datetime, sign: int) -> datetime:
    distance = span(text)
    if distance is not None:
        return (now + sign * distance).replace(microsecond=0)
    if _DAY.fullmatch(text):
        return datetime.combine(datetime.fromisoformat(text), _END_OF_DAY if sign > 0 else time(tzinfo=UTC))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
