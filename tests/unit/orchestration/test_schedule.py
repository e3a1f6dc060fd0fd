from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airgate.orchestration.schedule import LONGEST_WISH, MOST_ATTEMPTS, WAITS, next_attempt, retry_after

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_waits_are_those_of_standard_webhooks() -> None:
    due = [next_attempt(attempts, NOW, None, 0.0) for attempts in range(1, MOST_ATTEMPTS)]
    assert due == [NOW + wait for wait in WAITS]
    assert WAITS[:3] == (timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30))


def test_attempts_end() -> None:
    assert next_attempt(MOST_ATTEMPTS, NOW, None, 0.0) is None


def test_chance_lengthens_a_wait_by_a_tenth_at_most() -> None:
    assert next_attempt(1, NOW, None, 1.0) == NOW + timedelta(seconds=5.5)


@pytest.mark.parametrize(
    ("wish", "wait"),
    [
        (timedelta(seconds=1), timedelta(seconds=5)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (timedelta(days=30), LONGEST_WISH),
    ],
)
def test_wish_of_the_target_counts_where_it_is_longer(wish: timedelta, wait: timedelta) -> None:
    assert next_attempt(1, NOW, wish, 0.0) == NOW + wait


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("120", timedelta(seconds=120)),
        ("99999999999999999999", timedelta(seconds=10**8)),
        ("Sat, 21 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", timedelta()),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, wish: timedelta | None) -> None:
    assert retry_after(header, NOW) == wish
