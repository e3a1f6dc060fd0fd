"""The dates between a start and an end at which a DAG's schedule ticks, as the plugin's Airflow computed them.

All dates are UTC: that Airflow knew no time zones, and read cron expressions in its server's, which was to be UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
from croniter import CroniterError, croniter  # type: ignore[import-untyped]  # the wheel has no type information
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]  # the same

from airgate.http.batch.cron import Cron
from airgate.model.errors import InvalidInput

MOST_WALKED: Final = 2000
"""How far dates are counted that can only be counted one by one."""

_PRESETS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


class Interval(msgspec.Struct, frozen=True):
    """A fixed length of time."""

    length: timedelta

    def ticks(self, after: datetime, end: datetime) -> Iterator[datetime]:
        """Its multiples later than `after` and no later than `end`, counted from `after`."""
        return (after + number * self.length for number in range(1, self.count(after, end) + 1))

    def count(self, after: datetime, end: datetime) -> int:
        """How many `ticks` gives. Raises InvalidInput (code ``schedule_stands_still``)."""
        if self.length <= timedelta(0):
            raise _stands_still(self.length, after)
        return (end - after) // self.length


class CalendarInterval(msgspec.Struct, frozen=True):
    """A length of time by the calendar (a `relativedelta`): months differ."""

    length: Any

    def ticks(self, after: datetime, end: datetime) -> Iterator[datetime]:
        """One added to the last, up to and including `end`. Raises InvalidInput (code ``schedule_stands_still``)."""
        date = after
        while True:
            try:
                following: datetime = date + self.length
            except (OverflowError, ValueError):
                return  # beyond the last year there is
            if following <= date:
                raise _stands_still(self.length, date)
            if following > end:
                return
            yield following
            date = following


class OddCron(msgspec.Struct, frozen=True):
    """A cron expression with more than the five plain fields: seconds, years, ``L`` or ``#``."""

    expression: str

    def ticks(self, after: datetime, end: datetime) -> Iterator[datetime]:
        """Its ticks later than `after` and no later than `end`, rising."""
        ticks = croniter(self.expression, after)
        while True:
            try:
                tick: datetime = ticks.get_next(datetime)
            except (CroniterError, OverflowError):
                return  # there is none within reach
            if tick > end:
                return
            yield tick


Step = Interval | CalendarInterval | Cron | OddCron


class Count(msgspec.Struct, frozen=True):
    """How many dates there are; `exact` False: at least so many."""

    number: int
    exact: bool = True


def step_of(interval: Mapping[str, Any] | None) -> Step | None:
    """What leads from one date to the next, by a DAG's ``schedule_interval``.

    None for a schedule that has no dates of its own: none, ``@once``, assets, a timetable that is no cron expression.
    """
    kind, given = _parts(interval or {})
    if kind == "TimeDelta":
        return Interval(timedelta(**given))
    if kind == "RelativeDelta":
        return CalendarInterval(relativedelta(**given))
    expression = given.get("value")
    return _cron(_PRESETS.get(expression, expression)) if isinstance(expression, str) else None


def _parts(interval: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    return interval.get("__type"), {name: value for name, value in interval.items() if name != "__type"}


def _cron(expression: str) -> Step | None:
    try:
        fields, nth_weekdays = croniter.expand(expression)
    except (CroniterError, ValueError, KeyError):
        return None
    return (None if nth_weekdays else Cron.of(fields)) or OddCron(expression)


def dates(step: Step, start: datetime, end: datetime) -> Iterator[datetime]:
    """`start` itself, then what follows it up to and including `end`, one at a time.

    Raises:
        InvalidInput: the step leads nowhere (code ``schedule_stands_still``).
    """
    if start <= end:
        yield start
        yield from step.ticks(start, end)


def count(step: Step, start: datetime, end: datetime) -> Count:
    """How many dates `dates` would give, without making them all.

    Raises:
        InvalidInput: the step leads nowhere (code ``schedule_stands_still``).
    """
    if start > end:
        return Count(0)
    if isinstance(step, Interval | Cron):
        return Count(1 + step.count(start, end))
    number = sum(1 for _ in islice(dates(step, start, end), MOST_WALKED + 1))
    return Count(number, exact=number <= MOST_WALKED)


def _stands_still(length: Any, date: datetime) -> InvalidInput:
    return InvalidInput(
        f"The schedule of the dag, {length}, does not lead from {date:%Y-%m-%dT%H:%M:%S} to a later date",
        code="schedule_stands_still",
    )
