"""Dates as Airflow 1.10 read them: nearly any text that names one; without an offset it is UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from dateutil import parser  # type: ignore[import-untyped]  # the wheel has no type information

from airgate.http.experimental.errors import bad_request

_LONGEST: Final = 100
_iso: Final = parser.isoparser(sep="T").isoparse
_LOST_PLUS: Final = re.compile(r"(T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})", re.ASCII)
"""A ``+`` that somebody took for an escaped space on its way here."""


def read_date(text: object, now: datetime) -> datetime:
    """The moment a text names, with the offset it was written with. `now` completes what names no day.

    Raises:
        Refusal: it names none, or one that cannot be said in UTC; in Airflow's words.
    """
    moment = _read(text, now) if isinstance(text, str) and len(text) <= _LONGEST else None
    if moment is None:
        raise bad_request(
            f"Given execution date, {text}, could not be identified as a date. "
            "Example date format: 2015-11-16T14:34:15+00:00"
        )
    return moment


def _read(text: str, now: datetime) -> datetime | None:
    text = _with_plus(text)
    try:
        moment = _parsed(text, now)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


def _with_plus(text: str) -> str:
    head, space, offset = text.rpartition(" ")
    if space and _LOST_PLUS.fullmatch(text[text.find("T") :]):
        return f"{head}+{offset}"
    return text


def _parsed(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        exact: datetime = _iso(text)
    except ValueError:
        if text.strip().isdigit():
            raise  # any guess at the meaning of a bare number would be a bad one
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        guessed: datetime = parser.parse(text, default=midnight, yearfirst=True, tzinfos=_zone)
        return guessed
    return exact


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone a text names. Only offsets and UTC are known for sure: of others, letters are not enough."""
    if offset is not None:
        return UTC if offset == 0 else timezone(timedelta(seconds=offset))
    if name is not None:
        raise ValueError(name)
    return None
