"""The dates of a batch, held against the loop that the plugin's Airflow ran over them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from croniter import croniter  # type: ignore[import-untyped]  # the wheel has no type information
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]  # the same
from hypothesis import given, settings
from hypothesis import strategies as st

from airgate.http.batch.cron import CALENDAR_CYCLE, Cron
from airgate.http.batch.dates import MOST_WALKED, CalendarInterval, Count, Interval, Step, count, dates, step_of
from airgate.model.errors import InvalidInput

SHOWN = 300


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(expression: str) -> Step:
    step = step_of({"__type": "CronExpression", "value": expression})
    assert step is not None
    return step


def naive_loop(start: datetime, end: datetime, delta: timedelta | str) -> Iterator[datetime]:
    """As Airflow 1.9 walked from one date to the next."""
    ticks: Any = croniter(delta, start) if isinstance(delta, str) else None
    date = start
    while date <= end:
        yield date
        date = date + delta if isinstance(delta, timedelta) else ticks.get_next(datetime)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spans = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, high).map(lambda step: f"*/{step}")
    return st.one_of(
        st.just("*"), st.lists(number | spans, min_size=1, max_size=3).map(lambda v: ",".join(map(str, v))), steps
    )


EXPRESSIONS = st.builds(
    lambda *parts: " ".join(parts), field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@settings(deadline=None)
@given(EXPRESSIONS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=900)))
def test_cron_dates_are_the_start_and_what_croniter_finds_after_it(
    expression: str, start: datetime, length: timedelta
) -> None:
    end = start + length
    step = cron(expression)

    assert isinstance(step, Cron)
    assert list(islice(dates(step, start, end), SHOWN)) == list(islice(naive_loop(start, end, expression), SHOWN))


@settings(deadline=None)
@given(EXPRESSIONS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_cron_dates_are_as_many_as_were_counted(expression: str, start: datetime, length: timedelta) -> None:
    step, end = cron(expression), start + length

    assert count(step, start, end) == Count(sum(1 for _ in dates(step, start, end)))


@given(
    MOMENTS,
    st.timedeltas(timedelta(0), timedelta(days=900)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
)
def test_interval_dates_are_those_of_the_naive_loop(start: datetime, length: timedelta, step: timedelta) -> None:
    end = start + length
    expected = list(islice(naive_loop(start, end, step), SHOWN))

    assert list(islice(dates(Interval(step), start, end), SHOWN)) == expected
    assert len(expected) in (count(Interval(step), start, end).number, SHOWN)


def test_a_thousand_years_of_minutes_are_counted_without_walking_them() -> None:
    start, end = at("1500-01-01T00:00:00"), at("2500-01-01T00:00:00")

    assert count(cron("* * * * *"), start, end) == Count((end - start) // timedelta(minutes=1) + 1)
    assert count(Interval(timedelta(minutes=1)), start, end) == Count((end - start) // timedelta(minutes=1) + 1)


@given(EXPRESSIONS, MOMENTS)
def test_a_cycle_of_the_calendar_has_as_many_ticks_wherever_it_begins(expression: str, start: datetime) -> None:
    step = cron(expression)
    first = count(step, start, start + CALENDAR_CYCLE)
    two = count(step, start, start + 2 * CALENDAR_CYCLE)

    assert two.number == 2 * first.number - 1  # the start is counted once, tick or not


def test_dates_end_with_the_calendar() -> None:
    last = at("9999-12-31T23:59:59")

    assert list(dates(cron("0 * * * *"), at("9999-12-31T22:30:00"), last)) == [
        at("9999-12-31T22:30:00"),
        at("9999-12-31T23:00:00"),
    ]
    assert list(dates(CalendarInterval(relativedelta(months=1)), at("9999-12-15T00:00:00"), last)) == [
        at("9999-12-15T00:00:00")
    ]
    assert list(dates(Interval(timedelta(days=1)), at("9999-12-31T00:00:00"), last)) == [at("9999-12-31T00:00:00")]
    assert list(dates(cron("0 0 L * *"), at("9999-12-31T00:00:00"), last)) == [at("9999-12-31T00:00:00")]


def test_dates_of_an_expression_that_never_ticks_are_the_start_alone() -> None:
    start = at("2021-02-01T10:00:00")

    assert list(dates(cron("0 0 30 2 *"), start, at("2400-01-01T00:00:00"))) == [start]
    assert count(cron("0 0 30 2 *"), start, at("2400-01-01T00:00:00")) == Count(1)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 L * *", ["2021-01-31", "2021-02-28"]),
        ("0 0 * * 5#2", ["2021-01-08", "2021-02-12"]),
        ("0 0 1 * * 0 2021", ["2021-02-01"]),
    ],
)
def test_odd_expressions_are_left_to_croniter(expression: str, expected: list[str]) -> None:
    start, end = at("2021-01-02T00:00:00"), at("2021-03-01T00:00:00") - timedelta(seconds=1)

    assert list(dates(cron(expression), start, end)) == [start, *(at(f"{day}T00:00:00") for day in expected)]


def test_dates_that_must_be_walked_are_counted_so_far_and_no_further() -> None:
    every_second = cron("* * * * * *")

    assert count(every_second, at("2021-01-01T00:00:00"), at("3021-01-01T00:00:00")) == Count(
        MOST_WALKED + 1, exact=False
    )


def test_months_go_on_from_the_date_before_as_airflow_added_them() -> None:
    months = list(
        dates(CalendarInterval(relativedelta(months=1)), at("2021-01-31T00:00:00"), at("2021-04-01T00:00:00"))
    )

    assert [date.day for date in months] == [31, 28, 28]


@pytest.mark.parametrize(
    "step",
    [
        *(Interval(timedelta(days=days)) for days in (0, -1)),
        *(CalendarInterval(length) for length in (relativedelta(day=1), relativedelta(months=-1))),
    ],
)
def test_a_schedule_that_stands_still_is_refused(step: Step) -> None:
    with pytest.raises(InvalidInput, match="does not lead"):
        count(step, at("2021-01-01T00:00:00"), at("2021-02-01T00:00:00"))


@pytest.mark.parametrize(
    "interval",
    [
        None,
        *(
            {"__type": "CronExpression", "value": word}
            for word in ("@once", "@continuous", "Dataset", "my timetable", "")
        ),
    ],
)
def test_a_schedule_without_dates_of_its_own_has_no_step(interval: Any) -> None:
    assert step_of(interval) is None


def test_presets_and_intervals_are_steps() -> None:
    assert cron("@quarterly") == cron("0 0 1 */3 *")
    assert step_of({"__type": "TimeDelta", "days": 1, "seconds": 2, "microseconds": 3}) == Interval(timedelta(1, 2, 3))
    assert step_of({"__type": "RelativeDelta", "months": 1, "day": None}) == CalendarInterval(relativedelta(months=1))
