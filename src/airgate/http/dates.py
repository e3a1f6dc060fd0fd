"""Dates on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_RFC3339: Final = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


_NAIVE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)


def rfc3339(text: str) -> datetime | None:
    """The instant an RFC 3339 text names, with the offset it was written with; None where it is no such text.

    Dates that cannot be said in UTC (the very first and last hours of the calendar) count as none.
    """
    upper = text.upper()
    if _RFC3339.fullmatch(upper) is None:
        return None
    try:
        moment = datetime.fromisoformat(upper)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


def with_offset(text: str) -> str:
    """``YYYY-MM-DDTHH:mm:ss``, which old documents ask for, is UTC; every other text stays what it is."""
    return text + "Z" if _NAIVE.fullmatch(text) else text


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 as Python prints it: microseconds where there are any, ``+00:00`` for UTC."""
    return None if moment is None else moment.isoformat()
