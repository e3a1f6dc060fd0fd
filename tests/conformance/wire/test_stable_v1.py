"""Airgate's stable v1 beside Airflow 2.11.2's."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.conformance.wire.beside import Outcome, airgate, compare, dag_files
from tests.conformance.wire.real import CannotInstall, RealAirflow
from tests.conformance.wire.stable_v1 import PREFIX, RELEASE, REQUESTS

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900), pytest.mark.xdist_group("wire-v1")]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stable-v1")


@functools.cache
def outcomes(scratch: Path) -> list[Outcome]:
    airflow = RealAirflow(RELEASE, PREFIX, dag_files(scratch / "airflow-dags"), scratch / "airflow")
    with airflow, airgate(scratch) as ours:
        ours.wait_for_dags({"hello", "fussy", "doomed", "makes", "waits"})
        return compare(REQUESTS, airflow, ours)


@pytest.mark.parametrize("index", range(len(REQUESTS)), ids=lambda index: REQUESTS[index].name)
def test_answer_is_as_promised(index: int, scratch: Path) -> None:
    try:
        outcome = outcomes(scratch)[index]
    except CannotInstall as reason:
        pytest.skip(f"Airflow {RELEASE.version} cannot be installed: {reason}")
    assert outcome.complaint is None, f"{outcome.request.name}\n{outcome.complaint}"
