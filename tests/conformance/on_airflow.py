"""Record how the cases end on a real Airflow: scheduler, DAG processor, triggerer and API server on PostgreSQL.

Usage: `python -m tests.conformance.on_airflow [--check] [DAG_ID ...]`. With `--check` nothing is written; what differs
from the kept outcomes is printed.
"""
# ruff: noqa: T201 - a script that tells how far it is

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmarks.peers.airflow import Airflow, environment
from benchmarks.processes import end_on_sigterm, pause
from tests.conformance.cases import CASES, Case, Start
from tests.conformance.folder import CONNECTIONS, ENVIRONMENT, POOLS, VARIABLES, fill, packages_of
from tests.conformance.outcome import Outcome, Performance, Reader, differences, golden_path, read_golden, write_golden


class OnAirflow:
    """A running Airflow, as conformance sees it."""

    bound = 300.0
    linger = 8.0

    def __init__(self, airflow: Airflow, out: Path) -> None:
        self.airflow = airflow
        self.out = out

    def get(self, path: str) -> Any:
        return self.airflow.get(path)

    def pause(self, dag_id: str, *, paused: bool) -> None:
        self.airflow.client.patch(f"/dags/{dag_id}", json={"is_paused": paused}).raise_for_status()

    def start(self, dag_id: str, start: Start) -> None:
        body = {"dag_run_id": start.run_id, "logical_date": start.logical_date, "conf": dict(start.conf)}
        answer = self.airflow.trigger(dag_id, body)
        if not answer.is_success:
            raise RuntimeError(f"{dag_id} {start.run_id}: {answer.status_code} {answer.text}")

    def xcom_query(self) -> str:
        return ""

    def furnish(self) -> None:
        """Make the pools, variables and connections that DAGs expect."""
        client = self.airflow.client
        for name, slots in POOLS.items():
            client.post("/pools", json={"name": name, "slots": slots}).raise_for_status()
        for key, value in VARIABLES.items():
            client.post("/variables", json={"key": key, "value": value}).raise_for_status()
        for connection in CONNECTIONS:
            client.post("/connections", json=connection).raise_for_status()


def record(cases: Sequence[Case]) -> list[tuple[Case, Outcome | BaseException]]:
    """How `cases` end on Airflow."""
    scratch = Path(tempfile.mkdtemp(prefix="conformance-"))
    dags, out = scratch / "dags", scratch / "out"
    out.mkdir()
    fill(dags, cases, packages=packages_of(environment()))
    extra = {**ENVIRONMENT, "CONFORMANCE_OUT": str(out)}
    try:
        with Airflow(dags, extra) as airflow:
            airflow.wait_for_dags({case.dag_id for case in cases})
            system = OnAirflow(airflow, out)
            system.furnish()
            performance = Performance.begin(system, cases, at_once=6)
            results = [(case, _result(performance.outcomes[case.dag_id], case)) for case in cases]
            performance.end()
            pause(max(case.settle for case in cases))
            for _, outcome in results:
                if not isinstance(outcome, BaseException):
                    outcome["lines"] = Reader(system).lines(outcome)
            return results
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _result(future: Future[Outcome], case: Case) -> Outcome | BaseException:
    error = future.exception()
    if error is not None:
        print(f"{case.dag_id}: {type(error).__name__}: {error}", flush=True)
        return error
    outcome = future.result()
    print(f"{case.dag_id}: {' '.join(run['state'] for run in outcome['runs'].values())}", flush=True)
    return outcome


def main(arguments: list[str]) -> int:
    """Record the named cases, or all."""
    end_on_sigterm()
    check = "--check" in arguments
    names = [argument for argument in arguments if not argument.startswith("--")]
    cases = [case for case in CASES if not names or case.dag_id in names]
    bad = 0
    for case, outcome in record(cases):
        if isinstance(outcome, BaseException):
            bad += 1
            print(f"{case.dag_id}: {outcome!r}")
            continue
        if golden_path(case).exists():
            for line in differences(read_golden(case), outcome):
                bad += check
                print(f"{case.dag_id}: {line.replace('Airflow has', 'kept').replace('Airgate', 'now')}")
        if not check:
            write_golden(case, outcome)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
