from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.model.webhook import BlockWindow
from airgate.orchestration.blocks import blocked_until, canceller, end_of, is_blocked, next_change

JOB, OTHER = UUID(int=1), UUID(int=2)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


def window(start: str, end: str, **more: Any) -> BlockWindow:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {"weekdays": EVERY_DAY, "created_at": at, "updated_at": at}
    return BlockWindow(
        id=UUID(int=9),
        workspace_id=UUID(int=8),
        name="w",
        start=time.fromisoformat(start),
        end=time.fromisoformat(end),
        **(values | more),
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T07:59:59", None),
        ("2026-11-21T08:00:00", "2026-11-21T10:00:00"),
        ("2026-11-21T09:59:59", "2026-11-21T10:00:00"),
        ("2026-11-21T10:00:00", None),
    ],
)
def test_window_covers_its_start_and_not_its_end(now: str, until: str | None) -> None:
    assert end_of(window("08:00", "10:00"), utc(now)) == (utc(until) if until else None)


def test_window_that_ends_before_it_starts_lasts_until_the_next_day() -> None:
    friday_night = window("22:00", "06:00", weekdays=(5,))
    assert end_of(friday_night, utc("2026-11-20T23:00:00")) == utc("2026-11-21T06:00:00")
    assert end_of(friday_night, utc("2026-11-21T05:59:00")) == utc("2026-11-21T06:00:00")
    assert end_of(friday_night, utc("2026-11-21T23:00:00")) is None


def test_window_is_local_to_its_zone() -> None:
    local = window("00:00", "08:00", time_zone="America/Sao_Paulo")
    assert end_of(local, utc("2026-11-21T03:00:00")) == utc("2026-11-21T11:00:00")
    assert end_of(local, utc("2026-11-21T02:59:00")) is None


def test_windows_that_touch_are_one_block() -> None:
    windows = [window("08:00", "10:00"), window("10:00", "11:00"), window("10:30", "12:00")]
    assert blocked_until(windows, JOB, utc("2026-11-21T09:00:00"), manual=False) == utc("2026-11-21T12:00:00")


def test_whole_day_every_day_blocks_without_end_and_is_found_quickly() -> None:
    until = blocked_until([window("00:00", "00:00")], JOB, utc("2026-11-21T09:00:00"), manual=False)
    assert until is not None
    assert until > utc("2026-11-29T00:00:00")


def test_manual_start_passes_where_it_is_allowed() -> None:
    allowing = [window("08:00", "10:00", allow_manual=True)]
    assert blocked_until(allowing, JOB, utc("2026-11-21T09:00:00"), manual=True) is None
    assert blocked_until(allowing, JOB, utc("2026-11-21T09:00:00"), manual=False) is not None


def test_window_concerns_its_jobs_only() -> None:
    ours = [window("08:00", "10:00", jobs=(JOB,), cancel_running=True)]
    at = utc("2026-11-21T09:00:00")
    assert blocked_until(ours, JOB, at, manual=False) == utc("2026-11-21T10:00:00")
    assert canceller(ours, JOB, at, manual=False) == ours[0]
    assert blocked_until(ours, OTHER, at, manual=False) is None
    assert canceller(ours, OTHER, at, manual=False) is None


def test_what_runs_by_hand_goes_on_where_it_might_start() -> None:
    allowing = [window("08:00", "10:00", allow_manual=True, cancel_running=True)]
    assert canceller(allowing, JOB, utc("2026-11-21T09:00:00"), manual=True) is None
    assert canceller(allowing, JOB, utc("2026-11-21T09:00:00"), manual=False) == allowing[0]


MINUTES = st.integers(0, 400_000).map(lambda minutes: utc("2026-03-01T00:00:00") + timedelta(minutes=minutes))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
WINDOWS = st.lists(
    st.builds(
        lambda start, end, days, zone: window(
            start.isoformat(), end.isoformat(), weekdays=tuple(sorted(days)), time_zone=zone
        ),
        TIMES,
        TIMES,
        st.sets(st.integers(0, 6), min_size=1),
        st.sampled_from(["UTC", "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
    ),
    max_size=4,
)


@given(windows=WINDOWS, now=MINUTES)
def test_end_of_a_block_is_the_first_moment_that_is_not_blocked(windows: list[BlockWindow], now: datetime) -> None:
    until = blocked_until(windows, JOB, now, manual=False)
    assert (until is not None) == is_blocked(windows, JOB, now, manual=False)
    if until is None or until - now > timedelta(days=8):
        return
    assert not is_blocked(windows, JOB, until, manual=False)
    for share in (0.1, 0.5, 0.9):
        assert is_blocked(windows, JOB, now + (until - now) * share, manual=False)


@given(windows=WINDOWS, now=MINUTES)
def test_nothing_changes_before_the_next_change(windows: list[BlockWindow], now: datetime) -> None:
    change = next_change(windows, now)
    end = change or now + timedelta(days=8)
    states = {is_blocked(windows, JOB, now + (end - now) * share, manual=False) for share in (0.0, 0.3, 0.6, 0.999)}
    assert len(states) == 1


def test_inactive_window_blocks_nothing() -> None:
    assert (
        blocked_until([window("08:00", "10:00", is_active=False)], JOB, utc("2026-11-21T09:00:00"), manual=False)
        is None
    )


def test_next_change_is_the_nearest_edge() -> None:
    windows = [window("08:00", "10:00"), window("23:00", "01:00")]
    assert next_change(windows, utc("2026-11-21T09:00:00")) == utc("2026-11-21T10:00:00")
    assert next_change(windows, utc("2026-11-21T23:30:00")) == utc("2026-11-22T01:00:00")
    assert next_change([], utc("2026-11-21T09:00:00")) is None
