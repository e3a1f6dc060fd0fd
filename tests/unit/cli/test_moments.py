from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airgate.cli import moments
from airgate.cli.exits import ExitCode, Problem

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", "2026-05-30T12:00:00Z"),
        ("12h", "2026-03-02T00:00:00Z"),
        ("2w", "2026-03-15T12:00:00Z"),
        ("2026-12-31", "2026-12-31T23:59:59Z"),
        ("2026-12-31T12:00:00Z", "2026-12-31T12:00:00Z"),
        ("2026-12-31T12:00:00+02:00", "2026-12-31T10:00:00Z"),
    ],
)
def test_moment_to_come_is_a_span_the_end_of_a_day_or_a_date(text: str, moment: str) -> None:
    assert moments.later("--expires", text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", "2026-03-01T11:00:00Z"),
        ("30s", "2026-03-01T11:59:30Z"),
        ("2026-02-28", "2026-02-28T00:00:00Z"),
        ("2026-02-28T23:00:00-02:00", "2026-03-01T01:00:00Z"),
    ],
)
def test_moment_that_was_is_a_span_ago_the_beginning_of_a_day_or_a_date(text: str, moment: str) -> None:
    assert moments.earlier("--since", text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    ["", "soon", "90", "d", "-1d", "90 d", "2026-13-01", "2026-12-31T12:00:00", "999999w", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_moment_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(Problem) as caught:
        moments.later("--expires", text, NOW)
    assert caught.value.code is ExitCode.USAGE
    assert "--expires" in caught.value.message
    assert "90d" in caught.value.message


def test_span_is_a_number_and_a_unit() -> None:
    assert moments.span("5m") == timedelta(minutes=5)
    assert moments.span("5y") is None
