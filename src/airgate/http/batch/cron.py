"""Cron expressions as sets of fields: their ticks without a search, and how many there are without a walk."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any, Final, Self

import msgspec

CALENDAR_CYCLE: Final = timedelta(days=146_097)
"""Four hundred years: after them the calendar repeats, weekdays included."""

_EVERY: Final = "*"
_LAST_YEAR: Final = 9999


class Cron(msgspec.Struct, frozen=True):
    """A cron expression of five plain fields, read in UTC.

    `times` are the moments of a day, rising. `days` gives the days of a month that begins on a weekday (Monday: 0) and
    has a length.
    """

    times: tuple[timedelta, ...]
    months: frozenset[int]
    days: dict[tuple[int, int], tuple[int, ...]]

    @classmethod
    def of(cls, fields: Sequence[Sequence[Any]]) -> Self | None:
        """The expression whose fields (minutes, hours, days, months, weekdays with Sunday 0) have these values.

        None where there are more fields, or values other than numbers (``L``).
        """
        if len(fields) != 5 or any(isinstance(value, str) for field in fields for value in field if value != _EVERY):
            return None
        minutes, hours = _numbers(fields[0], range(60)), _numbers(fields[1], range(24))
        times = tuple(timedelta(hours=hour, minutes=minute) for hour, minute in product(hours, minutes))
        days = {
            (first, length): _days(fields[2], fields[4], first, length)
            for first, length in product(range(7), range(28, 32))
        }
        return cls(times, frozenset(_numbers(fields[3], range(1, 13))), days)

    def ticks(self, after: datetime, end: datetime) -> Iterator[datetime]:
        """Its ticks later than `after` and no later than `end`, rising."""
        for midnight in self._dates(after, end):
            if midnight.date() == after.date():
                times: Sequence[timedelta] = self.times[bisect_right(self.times, after - midnight) :]
            else:
                times = self.times
            for time in times:
                tick = midnight + time
                if tick > end:
                    return
                yield tick

    def count(self, after: datetime, end: datetime) -> int:
        """How many ticks `ticks` would give, in a time that does not depend on it."""
        cycles, rest = divmod(end - after, CALENDAR_CYCLE)
        if not cycles:
            return self._counted(after, end)
        return cycles * self._counted(after, after + CALENDAR_CYCLE) + self._counted(end - rest, end)

    def _counted(self, after: datetime, end: datetime) -> int:
        total = 0
        for year, month in _months(after, end):
            days = self._days(year, month)
            if (after.year, after.month) < (year, month) < (end.year, end.month):
                total += len(days) * len(self.times)
                continue
            for day in days:
                midnight = _midnight(after, year, month, day)
                first = bisect_right(self.times, after - midnight)
                total += max(0, bisect_right(self.times, end - midnight) - first)
        return total

    def _dates(self, after: datetime, end: datetime) -> Iterator[datetime]:
        """The midnights of its days, from that of `after` on."""
        for year, month in _months(after, end):
            for day in self._days(year, month):
                if (year, month, day) >= (after.year, after.month, after.day):
                    yield _midnight(after, year, month, day)

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        return self.days[monthrange(year, month)] if month in self.months else ()


def _numbers(values: Sequence[Any], every: range) -> Sequence[int]:
    return every if _EVERY in values else sorted(set(values))


def _days(days: Sequence[Any], weekdays: Sequence[Any], first: int, length: int) -> tuple[int, ...]:
    """As cron has it: where both days and weekdays are restricted, either of them will do."""
    by_day, by_weekday = _EVERY not in days, _EVERY not in weekdays
    on_weekday = {day for day in range(1, length + 1) if (first + day) % 7 in weekdays}  # Monday is cron's 1
    on_day = {day for day in range(1, length + 1) if day in days}
    if by_day and by_weekday:
        return tuple(sorted(on_day | on_weekday))
    if by_day:
        return tuple(sorted(on_day))
    return tuple(sorted(on_weekday)) if by_weekday else tuple(range(1, length + 1))


def _midnight(like: datetime, year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=like.tzinfo)


def _months(after: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    year, month = after.year, after.month
    while (year, month) <= (end.year, end.month) and year <= _LAST_YEAR:
        yield year, month
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
