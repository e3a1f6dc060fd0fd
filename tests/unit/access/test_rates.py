"""Rate limits as buckets that refill evenly."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from airgate.access.rates import Buckets
from airgate.model.identity import RateLimit

ONE, OTHER = UUID(int=1), UUID(int=2)
LIMIT = RateLimit(requests=3, seconds=30)


def test_as_many_requests_as_the_limit_says_are_admitted_at_once() -> None:
    buckets = Buckets()
    taken = [buckets.take(ONE, LIMIT, 100.0) for _ in range(4)]
    assert [standing.admitted for standing in taken] == [True, True, True, False]
    assert [standing.remaining for standing in taken] == [2, 1, 0, 0]
    assert [standing.full_after for standing in taken] == [10.0, 20.0, 30.0, 30.0]


def test_request_that_is_not_admitted_costs_nothing_and_hears_when_to_come_again() -> None:
    buckets = Buckets()
    for _ in range(3):
        buckets.take(ONE, LIMIT, 100.0)
    assert buckets.take(ONE, LIMIT, 104.0).retry_after == 6.0
    assert not buckets.take(ONE, LIMIT, 109.0).admitted
    assert buckets.take(ONE, LIMIT, 110.0).admitted


def test_bucket_is_never_fuller_than_full() -> None:
    buckets = Buckets()
    buckets.take(ONE, LIMIT, 0.0)
    assert buckets.take(ONE, LIMIT, 1_000_000.0).remaining == 2


def test_identities_have_buckets_of_their_own() -> None:
    buckets = Buckets()
    for _ in range(3):
        buckets.take(ONE, LIMIT, 0.0)
    assert not buckets.take(ONE, LIMIT, 0.0).admitted
    assert buckets.take(OTHER, LIMIT, 0.0).admitted


def test_changed_limit_counts_at_once() -> None:
    buckets = Buckets()
    for _ in range(3):
        buckets.take(ONE, LIMIT, 0.0)
    assert buckets.take(ONE, RateLimit(requests=5, seconds=30), 0.0).remaining == 4


@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_no_window_ever_admits_more_than_twice_the_limit(requests: int, seconds: int, gaps: list[float]) -> None:
    buckets, now, admitted = Buckets(), 0.0, []
    for gap in gaps:
        now += gap
        if buckets.take(ONE, RateLimit(requests, seconds), now).admitted:
            admitted.append(now)
    for start in admitted:
        assert sum(start <= moment < start + seconds for moment in admitted) <= 2 * requests
