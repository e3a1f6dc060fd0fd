"""The cases on Airgate, over the stable v1 dialect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.peers.airgate import PASSWORD, USER, Airgate
from tests.conformance.cases import Case, Start
from tests.conformance.folder import CONNECTIONS, ENVIRONMENT, POOLS, VARIABLES, fill, packages_of_this_python
from tests.conformance.outcome import Outcome


class OnAirgate:
    """A running Airgate, as conformance sees it."""

    bound = 60.0
    linger = 0.5

    def __init__(self, airgate: Airgate, out: Path) -> None:
        self.out = out
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{airgate.port}/api/v1", auth=(USER, PASSWORD), timeout=30
        )

    def close(self) -> None:
        self.client.close()

    def get(self, path: str) -> Any:
        return _good(self.client.get(path)).json()

    def pause(self, dag_id: str, *, paused: bool) -> None:
        _good(self.client.patch(f"/dags/{dag_id}", json={"is_paused": paused}))

    def start(self, dag_id: str, start: Start) -> None:
        body = {"dag_run_id": start.run_id, "logical_date": start.logical_date, "conf": dict(start.conf)}
        _good(self.client.post(f"/dags/{dag_id}/dagRuns", json=body))

    def xcom_query(self) -> str:
        return "&stringify=false"

    def furnish(self) -> None:
        """Make the pools, variables and connections that DAGs expect."""
        for name, slots in POOLS.items():
            _good(self.client.post("/pools", json={"name": name, "slots": slots}))
        for key, value in VARIABLES.items():
            _good(self.client.post("/variables", json={"key": key, "value": value}))
        for connection in CONNECTIONS:
            _good(self.client.post("/connections", json=connection))


def _good(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:1000]}")
    return answer


def server(scratch: Path, cases: Sequence[Case]) -> tuple[Airgate, Path]:
    """An Airgate, not yet started, with the cases' DAG files; and the folder its tasks write to."""
    dags, out = scratch / "dags", scratch / "out"
    out.mkdir()
    fill(dags, cases, packages=packages_of_this_python())
    extra = {**ENVIRONMENT, "CONFORMANCE_OUT": str(out), "AIRGATE_ENGINE_DAGS_PAUSED_AT_CREATION": "true"}
    return Airgate(dags, extra, data=scratch / "data"), out


def comparable(golden: Outcome, outcome: Outcome) -> tuple[Outcome, Outcome]:
    """Both without what v1 cannot say.

    It has no word for a run started by an operator, and shows the date a run was due where there is no logical date.
    """
    for key, run in golden["runs"].items():
        if run["run_type"] == "operator_triggered":
            run["run_type"] = "manual"
        if run["logical_date"] is None:
            for one in (run, outcome["runs"].get(key, {})):
                one.pop("logical_date", None)
                one.pop("data_interval", None)
    return golden, outcome
