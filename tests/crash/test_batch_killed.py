"""`kill -9` while a batch is being made: all of its runs are there afterwards, or none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.airgate import Airgate
from benchmarks.wire import ConnectionLost

pytestmark = pytest.mark.crash

RUNS = 500
MOMENTS = (0.3, 0.8, 1.1, 1.3, 1.6, 3.0)
"""When to kill, in multiples of what a batch takes at first: before anything is planned, to after all is answered."""
HOURLY = """
from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("hourly", schedule=timedelta(hours=1), start_date=datetime(2000, 1, 1), catchup=False,
         is_paused_upon_creation=True):
    EmptyOperator(task_id="nothing")
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Airgate]:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "hourly.py").write_text(HOURLY)
    made = Airgate(dags, data=tmp_path / "data", log=tmp_path / "server.log")
    yield made
    made.stop(grace=5)


def start(server: Airgate) -> None:
    """Start it, and let it verify the password, which it then remembers."""
    server.start()
    server.wait_for_dags({"hourly"})


def post(server: Airgate, prefix: str, answers: dict[str, int]) -> None:
    """One batch of its own year per prefix. What was answered is noted; a lost answer is not."""
    year = 2000 + int(prefix[4:] or 0)
    dates = {"start_date": f"{year}-01-01T00:00:00", "end_date": f"{year}-12-31T00:00:00"}
    body = {"dag_id": "hourly", "prefix": prefix, "partial": True, "limit": RUNS, **dates}
    try:
        with server.wire() as wire:
            answers[prefix], _ = wire.send("POST", "/api/v1/dag_runs", json.dumps(body).encode())
    except (OSError, ConnectionLost):
        pass


def count(server: Airgate, prefix: str) -> int:
    """How many runs of a batch there are."""
    found: list[dict[str, Any]] = []
    with server.wire() as wire:
        while True:
            start = found[-1]["run_id"] if found else "0"
            page = wire.get(f"/api/v1/dag_runs?dag_id=hourly&prefix={prefix}_&limit=100&start={start}")
            found += page["response"]["dag_runs"]
            if not page["response"]["dag_runs"]:
                return len(found)


@pytest.mark.timeout(240)
def test_a_batch_is_there_whole_or_not_at_all_when_the_server_is_killed(server: Airgate) -> None:
    answers: dict[str, int] = {}
    counts: dict[str, int] = {}
    start(server)
    begin = time.monotonic()
    post(server, "warm", answers)
    usual = time.monotonic() - begin

    for number, moment in enumerate(MOMENTS, 1):
        prefix = f"kill{number}"
        poster = threading.Thread(target=post, args=(server, prefix, answers))
        poster.start()
        time.sleep(moment * usual)
        server.kill()
        poster.join(30)
        start(server)
        counts[prefix] = count(server, prefix)

    assert set(counts.values()) <= {0, RUNS}, counts
    for prefix, status in answers.items():
        if prefix in counts:
            assert (status, counts[prefix]) == (200, RUNS)
    assert count(server, "warm") == RUNS
