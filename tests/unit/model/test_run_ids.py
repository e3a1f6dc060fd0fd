from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.model import run_ids
from airgate.model.errors import InvalidInput
from airgate.model.run_ids import Moments
from airgate.model.states import RunType

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize("run_id", ["r1", "my_run_2b1f-4c", "manual__2026-01-02T03:04:05+00:00", "a~b:c.d", "x" * 250])
def test_ordinary_run_id_may_be_chosen(run_id: str) -> None:
    run_ids.check(run_id)


@pytest.mark.parametrize(
    ("run_id", "code"),
    [
        ("", "run_id_empty"),
        ("x" * 251, "run_id_too_long"),
        ("a b", "run_id_characters"),
        ("a/b", "run_id_characters"),
        ("../../etc", "run_id_characters"),
        ("a\n", "run_id_characters"),
        ("ünïcode", "run_id_characters"),
        ("scheduled__2026-01-02T00:00:00+00:00", "run_id_reserved"),
        ("backfill__x", "run_id_reserved"),
        ("dataset_triggered__x", "run_id_reserved"),
        ("asset_triggered__x", "run_id_reserved"),
    ],
)
def test_run_id_is_refused_with_the_reason(run_id: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        run_ids.check(run_id)
    assert refusal.value.code == code


def test_reserved_run_id_may_be_used_by_the_runs_it_is_reserved_for() -> None:
    run_ids.check("scheduled__2026-01-02T00:00:00+00:00", RunType.SCHEDULED)


def test_prefix_without_both_underscores_is_not_reserved() -> None:
    run_ids.check("scheduled_by_hand")


@pytest.mark.parametrize(
    ("date", "run_id"),
    [
        (NOW, "manual__2026-01-02T03:04:05.000678+00:00"),
        (NOW.replace(microsecond=0), "manual__2026-01-02T03:04:05+00:00"),
    ],
)
def test_generated_run_id_is_the_one_airflow_would_give(date: datetime, run_id: str) -> None:
    assert run_ids.generate(RunType.MANUAL, date) == run_id
    run_ids.check(run_id)


def test_moment_is_now_when_that_is_free() -> None:
    assert Moments().after(NOW) == NOW


def test_burst_within_one_microsecond_gets_different_moments() -> None:
    moments = Moments()
    assert [moments.after(NOW) for _ in range(3)] == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND]


def test_moments_follow_a_clock_that_was_put_back() -> None:
    moments = Moments()
    moments.after(NOW)
    earlier = NOW - timedelta(hours=1)
    assert moments.after(earlier) == earlier


@given(st.lists(st.integers(min_value=0, max_value=500_000)))
def test_moments_rise_strictly_while_the_clock_jitters_within_a_second(offsets: list[int]) -> None:
    moments = Moments()
    given_out = [moments.after(NOW + timedelta(microseconds=offset)) for offset in offsets]
    assert given_out == sorted(set(given_out))


def test_whole_second_is_now_cut_to_the_second() -> None:
    assert Moments().whole_second("hello", NOW) == NOW.replace(microsecond=0)


def test_burst_within_one_second_gets_the_microseconds_after_it() -> None:
    moments, second = Moments(), NOW.replace(microsecond=0)
    chosen = [moments.whole_second("hello", NOW + timedelta(milliseconds=n)) for n in range(3)]
    assert chosen == [second, second + MICROSECOND, second + 2 * MICROSECOND]


def test_whole_seconds_of_different_dags_do_not_meet() -> None:
    moments = Moments()
    assert moments.whole_second("hello", NOW) == moments.whole_second("world", NOW)


def test_whole_second_is_whole_again_in_the_next_second() -> None:
    moments, later = Moments(), NOW + timedelta(seconds=1)
    moments.whole_second("hello", NOW)
    assert moments.whole_second("hello", later) == later.replace(microsecond=0)


def test_whole_second_follows_a_clock_that_was_put_back() -> None:
    moments, earlier = Moments(), NOW - timedelta(hours=1)
    moments.whole_second("hello", NOW)
    assert moments.whole_second("hello", earlier) == earlier.replace(microsecond=0)
