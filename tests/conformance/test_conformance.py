"""The same DAG file on a real Airflow and on Airgate ends with the same states, tries, XComs and callbacks.

What Airflow did is kept in `golden/`; with `AIRFLOW=live` in the environment it is asked again first. `ONLY=dag_id,…`
takes some cases.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from benchmarks.processes import NotInTime, wait_for
from tests.conformance.cases import CASES, NOT_COMPARED, Case
from tests.conformance.on_airflow import record
from tests.conformance.on_airgate import OnAirgate, comparable, server
from tests.conformance.outcome import (
    GOLDEN,
    Outcome,
    Performance,
    Reader,
    differences,
    golden_path,
    read_golden,
    write_golden,
)

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600), pytest.mark.xdist_group("conformance")]

ONLY = frozenset(filter(None, os.environ.get("ONLY", "").split(",")))
CHOSEN = [case for case in CASES if not ONLY or case.dag_id in ONLY]
COMPARED = [case for case in CHOSEN if not case.later]
LATER = [case for case in CHOSEN if case.later]


@pytest.fixture(scope="module")
def golden() -> dict[str, Outcome]:
    """How the cases end on Airflow."""
    if os.environ.get("AIRFLOW") == "live":
        for case, outcome in record(CHOSEN):
            if isinstance(outcome, BaseException):
                raise outcome
            write_golden(case, outcome)
    return {case.dag_id: read_golden(case) for case in COMPARED if golden_path(case).exists()}


@pytest.fixture(scope="module")
def airgate(golden: dict[str, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnAirgate]:
    airgate, out = server(tmp_path_factory.mktemp("conformance"), COMPARED)
    with airgate:
        airgate.wait_for_dags({case.dag_id for case in COMPARED}, within=120)
        system = OnAirgate(airgate, out)
        system.furnish()
        yield system
        system.close()


@pytest.fixture(scope="module")
def performance(airgate: OnAirgate) -> Iterator[Performance]:
    """All cases, performed beside each other while the tests look at their ends one by one."""
    performance = Performance.begin(airgate, COMPARED, at_once=12)
    yield performance
    performance.end()


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.dag_id)
def test_outcome_is_the_same_as_on_airflow(
    case: Case, golden: dict[str, Outcome], airgate: OnAirgate, performance: Performance
) -> None:
    expected = golden[case.dag_id]
    outcome = performance.outcomes[case.dag_id].result()
    outcome["lines"] = settled_lines(case, airgate, outcome, expected["lines"])

    found = list(differences(*comparable(expected, outcome)))

    assert not found, "\n".join(["", *found])


def settled_lines(
    case: Case, airgate: OnAirgate, outcome: Outcome, expected: dict[str, list[str]]
) -> dict[str, list[str]]:
    """The witness lines, once as many are there as on Airflow, or time is up."""
    reader = Reader(airgate)
    with contextlib.suppress(NotInTime):  # the comparison will show what is missing
        wait_for(lambda: reader.lines(outcome) == expected, within=case.settle, every=0.1, what="callbacks have run")
    return reader.lines(outcome)


@pytest.mark.parametrize("case", LATER, ids=lambda case: case.dag_id)
def test_outcome_is_not_yet_compared(case: Case) -> None:
    assert golden_path(case).exists()
    pytest.skip(f"not covered yet: {case.later}")


@pytest.mark.parametrize("file", sorted(NOT_COMPARED) if not ONLY else [])
def test_bundled_file_cannot_be_compared(file: str) -> None:
    pytest.skip(f"its outcome is not fixed: {NOT_COMPARED[file]}")


@pytest.mark.skipif(bool(ONLY), reason="some cases were chosen")
def test_golden_outcomes_belong_to_cases() -> None:
    kept = {path.stem for path in GOLDEN.iterdir()}

    assert kept == {case.dag_id for case in CASES}
