"""Airgate's experimental API beside Airflow 1.10.15's, in both of its web interfaces."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.conformance.wire.beside import Outcome, airgate, compare, dag_files
from tests.conformance.wire.experimental import OLD, PREFIX, PREPARE, RBAC, RELEASE, VARIANTS, requests_for
from tests.conformance.wire.real import CannotInstall, RealAirflow

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600), pytest.mark.xdist_group("wire")]

CASES = [(variant, index) for variant in (OLD, RBAC) for index in range(len(requests_for(variant)))]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experimental")


@functools.cache
def outcomes(variant: str, scratch: Path) -> list[Outcome]:
    folder = scratch / variant
    folder.mkdir()
    airflow = RealAirflow(
        RELEASE, PREFIX, dag_files(folder / "airflow-dags"), folder / "airflow", VARIANTS[variant], PREPARE[variant]
    )
    with airflow, airgate(folder) as ours:
        ours.wait_for_dags({"hello", "fussy", "doomed"})
        return compare(requests_for(variant), airflow, ours)


@pytest.mark.parametrize(("variant", "index"), CASES, ids=lambda value: value if isinstance(value, str) else str(value))
def test_answer_is_as_promised(variant: str, index: int, scratch: Path) -> None:
    try:
        outcome = outcomes(variant, scratch)[index]
    except CannotInstall as reason:
        pytest.skip(f"Airflow {RELEASE.version} cannot be installed: {reason}")
    assert outcome.complaint is None, f"{outcome.request.name}\n{outcome.complaint}"
