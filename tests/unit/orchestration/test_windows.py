"""Windows: which span is watched for absence, on ordinary days and when the clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.model.webhook import Absence, Coalesce, Gather, Webhook
from airgate.orchestration import windows

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday


def webhook(**more: Any) -> Webhook:
    values: dict[str, Any] = {
        "id": ONE, "workspace_id": ONE, "description": "", "is_active": True, "jobs": (ONE, TWO), "created_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    return Webhook(**(values | more))


def absence(at: str, since: str, zone: str = "UTC", weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)) -> Webhook:
    return webhook(
        time_zone=zone, absence=Absence(at=time.fromisoformat(at), since=time.fromisoformat(since), weekdays=weekdays)
    )


def span(of: Webhook, now: datetime, *, whole: bool = False) -> tuple[str, str]:
    found = windows.next_absence(of, now, whole=whole)
    assert found.due_at is not None
    return f"{found.opened_at:%m-%d %H:%M}", f"{found.due_at:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("of", "expected", "whole"),
    [
        (absence("14:00", "13:00"), ("03-01 13:00", "03-01 14:00"), ("03-01 13:00", "03-01 14:00")),
        (absence("12:00", "11:00"), ("03-02 11:00", "03-02 12:00"), ("03-02 11:00", "03-02 12:00")),
        (absence("13:00", "11:00"), ("03-01 11:00", "03-01 13:00"), ("03-02 11:00", "03-02 13:00")),
        (absence("13:00", "12:00"), ("03-01 12:00", "03-01 13:00"), ("03-01 12:00", "03-01 13:00")),
        (absence("06:00", "22:00"), ("03-01 22:00", "03-02 06:00"), ("03-01 22:00", "03-02 06:00")),
        (absence("18:00", "18:00"), ("02-28 18:00", "03-01 18:00"), ("03-01 18:00", "03-02 18:00")),
        (absence("14:00", "13:00", weekdays=(6,)), ("03-07 13:00", "03-07 14:00"), ("03-07 13:00", "03-07 14:00")),
        (absence("14:00", "11:00", weekdays=(0,)), ("03-01 11:00", "03-01 14:00"), ("03-08 11:00", "03-08 14:00")),
        (
            absence("09:00", "08:00", "America/Sao_Paulo"),
            ("03-02 11:00", "03-02 12:00"),
            ("03-02 11:00", "03-02 12:00"),
        ),
    ],
)
def test_span_that_is_watched_next(of: Webhook, expected: tuple[str, str], whole: tuple[str, str]) -> None:
    assert span(of, NOON) == expected
    assert span(of, NOON, whole=True) == whole


@pytest.mark.parametrize(
    ("of", "now", "expected"),
    [
        # Berlin goes from 02:00 to 03:00 at 01:00 UTC on 29 March 2026 …
        (absence("03:15", "01:30", "Europe/Berlin"), "2026-03-28T12:00", ("03-29 00:30", "03-29 01:15")),
        (absence("03:15", "02:45", "Europe/Berlin"), "2026-03-28T12:00", ("03-29 00:45", "03-29 01:15")),
        (absence("02:30", "01:30", "Europe/Berlin"), "2026-03-28T12:00", ("03-29 00:30", "03-29 01:30")),
        # … and from 03:00 to 02:00 at 01:00 UTC on 25 October.
        (absence("02:30", "01:30", "Europe/Berlin"), "2026-10-24T12:00", ("10-24 23:30", "10-25 00:30")),
        (absence("03:30", "02:30", "Europe/Berlin"), "2026-10-24T12:00", ("10-25 00:30", "10-25 02:30")),
        (absence("06:00", "06:00", "Europe/Berlin"), "2026-10-24T12:00", ("10-24 04:00", "10-25 05:00")),
    ],
)
def test_span_on_the_day_the_clocks_are_changed(of: Webhook, now: str, expected: tuple[str, str]) -> None:
    assert span(of, datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected


TIMES = st.times().map(lambda found: found.replace(second=0, microsecond=0))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])


@given(
    at=TIMES, since=TIMES, zone=ZONES, weekdays=st.sets(st.integers(0, 6), min_size=1),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), whole=st.booleans(),  # noqa: DTZ001 - the zone is given apart
)  # fmt: skip
def test_every_span_ends_ahead_on_a_day_that_is_watched(
    at: time, since: time, zone: str, weekdays: set[int], now: datetime, whole: bool
) -> None:
    of = webhook(time_zone=zone, absence=Absence(at=at, since=since, weekdays=tuple(weekdays)))
    found = windows.next_absence(of, now, whole=whole)
    assert found.due_at is not None
    assert found.due_at > now
    assert timedelta() < found.due_at - found.opened_at <= timedelta(hours=25)
    assert found.opened_at >= now or not whole
    assert windows.fits(of, found)
    due = found.due_at.astimezone(ZoneInfo(zone))
    assert due.isoweekday() % 7 in weekdays
    after = windows.next_absence(of, found.due_at)
    assert after.due_at is not None
    assert found.due_at < after.due_at <= found.due_at + timedelta(days=7, hours=2)


def test_window_that_coalesces_keeps_its_end_and_counts() -> None:
    of = webhook(coalesce=Coalesce(seconds=60))
    first = windows.coalesced(of, "k", None, ONE, NOON)
    assert first.window is not None
    second = windows.coalesced(of, "k", first.window, TWO, NOON + timedelta(seconds=50))
    assert second.window is not None
    assert (second.window.due_at, second.window.count, second.window.execution, second.fires) == (
        NOON + timedelta(seconds=60), 2, TWO, None,
    )  # fmt: skip


def test_jobs_are_gathered_in_any_order_and_begin_anew_when_late() -> None:
    of = webhook(gather=Gather(seconds=60))
    step = windows.gathered(of, TWO, None, TWO, NOON)
    late = windows.gathered(of, ONE, step.window, ONE, NOON + timedelta(seconds=61))
    assert (late.fires, late.window and late.window.seen) == (None, (str(ONE),))
    in_time = windows.gathered(of, ONE, step.window, THREE, NOON + timedelta(seconds=60))
    assert (in_time.fires, in_time.window, in_time.count) == (THREE, None, 2)
