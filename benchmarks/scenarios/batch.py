"""Five hundred runs from one POST, in the batch plugin's dialect."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.scenario import Found, Scenario, airgate
from benchmarks.wire import Wire

DAG_ID: Final = "bench_batch"
RUNS: Final = 500
ROUNDS: Final = 12
WARM_UP: Final = 2
PLUGIN: Final = "460 runs in 18.7 s"
"""The plugin itself on Airflow 1.9, measured earlier on such a machine; it runs on nothing newer."""


def _batch(folder: Path) -> Found:
    """The DAG is paused: runs are made durable and wait. Every round makes runs of dates of its own."""
    with airgate(folder) as server:
        server.wait_for_dags({DAG_ID})
        with server.wire() as wire:
            times = [_post(wire, number) for number in range(ROUNDS)]
    return Found(rounds=times[WARM_UP:], notes={"plugin": PLUGIN})


def _post(wire: Wire, number: int) -> float:
    start = datetime(2000 + number, 1, 1, tzinfo=UTC)
    end = start + timedelta(hours=RUNS - 1)
    dates = {"start_date": f"{start:%Y-%m-%dT%H:%M:%S}", "end_date": f"{end:%Y-%m-%dT%H:%M:%S}"}
    body = json.dumps({"dag_id": DAG_ID, "prefix": "bench", **dates}).encode()
    begin = perf_counter()
    status, answer = wire.send("POST", "/api/v1/dag_runs", body)
    spent = (perf_counter() - begin) * 1000
    made = json.loads(answer)["response"].get("dag_run_ids", ())
    if status != 200 or len(made) != RUNS:
        raise RuntimeError(f"a batch of {RUNS}: {status} {answer[:500]!r}")
    return spent


SCENARIOS = (
    Scenario(
        name="batch",
        title="500 durable runs in one POST (batch plugin's API)",
        unit="ms",
        airgate=_batch,
        airflow=None,
        must=60.0,
        aim=40.0,
    ),
)
