"""The comparison itself: it must see what differs, and forgive only what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.on_airgate import comparable
from tests.conformance.outcome import VARIES, Outcome, differences, moment


def outcome(**run: Any) -> Outcome:
    task = {"state": "success", "try_number": 1, "tries": ["1 success"], "xcoms": {"return_value": 1}}
    known = {
        "state": "success",
        "run_type": "manual",
        "logical_date": "x",
        "data_interval": [],
        "tasks": {"only": task},
    }
    return {"runs": {"dag/run": {**known, **run}}, "lines": {}}


def test_equal_outcomes_have_no_differences() -> None:
    assert list(differences(outcome(), outcome())) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"state": "failed"}, "runs.dag/run.state"),
        ({"tasks": {}}, "runs.dag/run.tasks.only"),
        ({"tasks": {**outcome()["runs"]["dag/run"]["tasks"], "extra": {}}}, "runs.dag/run.tasks.extra"),
        ({"data_interval": [None]}, "runs.dag/run.data_interval"),
    ],
)
def test_difference_is_named_by_its_place_when_something_differs(change: dict[str, Any], place: str) -> None:
    (found,) = differences(outcome(), outcome(**change))

    assert found.startswith(f"{place}: ")


@pytest.mark.parametrize(("expected", "actual"), [(1, True), (0, False), (None, 0), ("1", 1), ([1, 2], [2, 1])])
def test_values_differ_when_only_python_finds_them_alike(expected: Any, actual: Any) -> None:
    assert list(differences({"value": expected}, {"value": actual}))


def test_dates_are_not_compared_when_airflow_has_no_logical_date() -> None:
    golden, ours = comparable(outcome(logical_date=None, data_interval=[None, None]), outcome(logical_date="due"))

    assert list(differences(golden, ours)) == []


def test_dates_are_compared_when_airflow_has_a_logical_date() -> None:
    assert list(differences(*comparable(outcome(), outcome(logical_date="another"))))


def test_date_has_one_spelling_when_dialects_write_it_differently() -> None:
    assert moment("2024-03-05T06:07:08Z") == moment("2024-03-05T08:07:08+02:00") == "2024-03-05T06:07:08+00:00"


def test_date_varies_when_it_is_the_time_of_the_run() -> None:
    assert moment("2026-01-01T00:00:00Z") == VARIES
