from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airgate.http.dates import iso, rfc3339, with_offset


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-11-16T11:34:00Z", datetime(2021, 11, 16, 11, 34, tzinfo=UTC)),
        ("2021-11-16t11:34:00z", datetime(2021, 11, 16, 11, 34, tzinfo=UTC)),
        ("2021-11-16T11:34:00.5+02:00", datetime(2021, 11, 16, 11, 34, 0, 500000, timezone(timedelta(hours=2)))),
        ("2021-11-16T11:34:00.1234567Z", datetime(2021, 11, 16, 11, 34, 0, 123456, UTC)),
    ],
)
def test_rfc3339_reads_instants_with_their_offset(text: str, moment: datetime) -> None:
    read = rfc3339(text)
    assert read == moment
    assert read is not None
    assert read.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "", "zz", "2021-11-16", "2021-11-16T11:34:00", "2021-11-16 11:34:00Z", "2021-11-16T11:34Z",
        "2021-02-30T00:00:00Z", "2021-13-01T00:00:00Z", "2021-11-16T24:00:00Z", "2021-11-16T11:34:00+0200",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2021-11-16T11:34:00Z\n",
    ],
)  # fmt: skip
def test_rfc3339_refuses_what_is_no_instant(text: str) -> None:
    assert rfc3339(text) is None


def test_only_the_documented_naive_form_is_taken_as_utc() -> None:
    assert with_offset("2021-11-16T11:34:00") == "2021-11-16T11:34:00Z"
    assert with_offset("2021-11-16T11:34:00.5") == "2021-11-16T11:34:00.5"
    assert with_offset("2021-11-16") == "2021-11-16"


def test_iso_shows_microseconds_where_there_are_any() -> None:
    assert iso(datetime(2021, 1, 1, tzinfo=UTC)) == "2021-01-01T00:00:00+00:00"
    assert iso(datetime(2021, 1, 1, 0, 0, 0, 7, UTC)) == "2021-01-01T00:00:00.000007+00:00"
    assert iso(None) is None
