"""Dates as Airflow 1.10.15 read them; what it made of each text is kept in `tests/golden/experimental`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.http.experimental.dates import read_date
from airgate.http.experimental.errors import Refusal

GOLDEN = Path(__file__).parents[2] / "golden" / "experimental" / "dates.json"
NOW = datetime(2026, 11, 21, 4, 44, 4, 252381, tzinfo=UTC)
"""When the kept readings were made."""

READINGS: dict[str, str | None] = dict(json.loads(GOLDEN.read_bytes()))
BETTER: dict[str, str | None] = {
    "2021-11-16T11:34:00 00:00": "2021-11-16T11:34:00+00:00",  # the space was a plus sign once
    "2021-11-16T24:00:00": "2021-11-17T00:00:00+00:00",  # ISO 8601 allows it
    # Bare numbers that are no year and no compact date: any reading would be a guess.
    **dict.fromkeys(["202111", "12", "5", "1", "10"]),
    # Zones in letters, which it took for UTC.
    **dict.fromkeys(["2021-11-16T11:34:00 CET", "2021-11-16T11:34:00 EST"]),
    "2021-11-16T11:34:00Zgarbage": None,
    "2021-366": None,  # there was no such day
    # Cannot be said in UTC.
    **dict.fromkeys(["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"]),
}


def reading(text: object) -> str | None:
    try:
        return read_date(text, NOW).isoformat()
    except Refusal:
        return None


@pytest.mark.parametrize("text", [text for text in READINGS if text not in BETTER])
def test_date_is_read_as_airflow_reads_it(text: str) -> None:
    assert reading(text) == READINGS[text]


@pytest.mark.parametrize("text", BETTER)
def test_date_is_not_guessed_where_airflow_guesses(text: str) -> None:
    assert reading(text) == BETTER[text] != READINGS[text]


@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, None, "2021-11-16" + " " * 200])
def test_what_is_no_text_of_a_date_is_refused_in_airflows_words(value: object) -> None:
    with pytest.raises(Refusal) as refused:
        read_date(value, NOW)
    assert refused.value.status == 400
    assert refused.value.text.startswith(f"Given execution date, {value}, could not be identified as a date. Example")


@given(st.text(max_size=60) | st.text("0123456789-:.,TWZ+ apmNov/", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        moment = read_date(text, NOW)
    except Refusal:
        return
    assert moment.astimezone(UTC).tzinfo is UTC
