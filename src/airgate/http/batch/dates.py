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


Step = timedelta | relativedelta | Cron | OddCron


class Count(msgspec.Struct, frozen=True):
    """How many dates there are; `exact` False: at least so many."""

    number: int
    exact: bool = True


def step_of(interval: Mapping[str, Any] | None) -> Step | None:
    """What leads from one date to the next, by a DAG's ``schedule_interval``.

    None for a schedule that has no dates of its own: none, ``@once``, assets, a timetable that is no cron expression.
    """
    match interval:
        case {"__type": "TimeDelta", **parts}:
            return timedelta(**parts)
        case {"__type": "RelativeDelta", **parts}:
            return relativedelta(**parts)
        case {"__type": "CronExpression", "value": str(expression)}:
            return _cron(_PRESETS.get(expression, expression))
        case _:
            return None


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
    if start > end:
        return
    yield start
    if isinstance(step, timedelta):
        if step <= timedelta(0):
            raise _stands_still(step, start)
        for number in range(1, (end - start) // step + 1):
            yield start + number * step
    elif isinstance(step, relativedelta):
        yield from _by_calendar(step, start, end)
    else:
        yield from step.ticks(start, end)


def _by_calendar(step: relativedelta, start: datetime, end: datetime) -> Iterator[datetime]:
    date = start
    while True:
        try:
            following = date + step
        except (OverflowError, ValueError):
            return  # beyond the last year there is
        if following <= date:
            raise _stands_still(step, date)
        if following > end:
            return
        yield following
        date = following


def _stands_still(step: timedelta | relativedelta, date: datetime) -> InvalidInput:
    return InvalidInput(
        f"The schedule of the dag, {step}, does not lead from {date:%Y-%m-%dT%H:%M:%S} to a later date",
        code="schedule_stands_still",
    )


def count(step: Step, start: datetime, end: datetime) -> Count:
    """How many dates `dates` would give, without making them all.

    Raises:
        InvalidInput: the step leads nowhere (code ``schedule_stands_still``).
    """
    if start > end:
        return Count(0)
    if isinstance(step, timedelta) and step > timedelta(0):
        return Count((end - start) // step + 1)
    if isinstance(step, Cron):
        return Count(1 + step.count(start, end))
    number = sum(1 for _ in islice(dates(step, start, end), MOST_WALKED + 1))
    return Count(number, exact=number <= MOST_WALKED)
