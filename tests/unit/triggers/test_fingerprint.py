from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from airgate.model.errors import InvalidInput
from airgate.model.states import TriggeredBy
from airgate.model.trigger import TriggerRequest
from airgate.triggers.fingerprint import fingerprint

DATE = datetime(2026, 1, 2, 3, tzinfo=UTC)
ASKED = TriggerRequest(dag_id="hello", conf={"a": 1, "b": [1, 2]})


def test_fingerprint_stays_the_same_across_releases() -> None:
    # Keys are kept in databases: when this changes, requests repeated across an upgrade become conflicts.
    assert fingerprint(ASKED) == "ec978aefe3c0dad4681c216678b3eac14fc2eb5169967a6849a54ecf527cf6ca"


@pytest.mark.parametrize(
    "change",
    [
        {"conf": {"b": [1, 2], "a": 1}},
        {"triggered_by": TriggeredBy.CLI},
        {"triggering_user": "ada"},
        {"idempotency_key": "k"},
        {"run_id": ""},
    ],
)
def test_fingerprint_does_not_count_how_or_by_whom_it_was_asked(change: dict[str, Any]) -> None:
    assert fingerprint(msgspec.structs.replace(ASKED, **change)) == fingerprint(ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"dag_id": "other"},
        {"run_id": "r1"},
        {"conf": {"a": 2, "b": [1, 2]}},
        {"conf": {"a": 1.0, "b": [1, 2]}},
        {"conf": {"a": "1", "b": [1, 2]}},
        {"conf": {"a": 1, "b": [2, 1]}},
        {"note": "n"},
        {"has_logical_date": True},
        {"logical_date": DATE, "has_logical_date": True},
        {"run_after": DATE},
        {"data_interval": (DATE, DATE)},
        {"partition_key": "p"},
    ],
)
def test_fingerprint_counts_all_that_was_asked(change: dict[str, Any]) -> None:
    assert fingerprint(msgspec.structs.replace(ASKED, **change)) != fingerprint(ASKED)


def test_fingerprint_takes_one_instant_for_the_same_in_every_zone() -> None:
    elsewhere = DATE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    one = msgspec.structs.replace(ASKED, logical_date=DATE, has_logical_date=True)
    assert fingerprint(one) == fingerprint(msgspec.structs.replace(one, logical_date=elsewhere))


def test_fingerprint_refuses_a_conf_nested_without_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidInput):
        fingerprint(msgspec.structs.replace(ASKED, conf=deep))
