"""Fifty runs of a DAG that has a million."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import perf_counter

from benchmarks.load import percentile
from benchmarks.peers.airgate import Airgate
from benchmarks.scenario import BENCH_DAGS, Found, Scenario

RUNS = 1_000_000
REQUESTS = 500
QUERIES = ("limit=50", "limit=50&order_by=-execution_date", "limit=50&state=success&order_by=-start_date")
"""As the API is asked by default, by a page of newest runs, and by a page of one state."""
DAYS = 24 * 3600 * 1_000_000
MOMENTS = {
    "logical_date",
    "execution_date",
    "run_after",
    "queued_at",
    "start_date",
    "end_date",
    "data_interval_start",
    "data_interval_end",
    "updated_at",
}


def multiply(database: Path, dag_id: str, number: int) -> None:
    """Copy a DAG's only run `number` times, each a minute later, finished."""
    with sqlite3.connect(database) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(dag_run)") if row[1] != "seq"]
        values = ", ".join(_value(name) for name in columns)
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "  # noqa: S608
            f"INSERT INTO dag_run ({', '.join(columns)}) SELECT {values} FROM n, dag_run r WHERE r.dag_id = ?",
            (dag_id,),
        )
        connection.execute("INSERT INTO run_count (dag_id, state, n) VALUES (?, 'success', ?)", (dag_id, number))
        connection.execute("ANALYZE")
    connection.close()


def _value(column: str) -> str:
    if column in MOMENTS:
        return f"COALESCE(r.{column}, r.queued_at) + (n.i - {RUNS} - 1) * 60000000"
    return {"id": "randomblob(16)", "run_id": "printf('bench_%07d', n.i)", "state": "'success'"}.get(
        column, f"r.{column}"
    )


def _list(folder: Path) -> Found:
    server = Airgate(folder)
    with server:
        server.wait_for_dags(BENCH_DAGS)
        server.set_paused("bench_paused", paused=True)
        with server.wire() as wire:
            assert wire.post("/api/v1/dags/bench_paused/dagRuns", server.body()) == 200
        server.stop()
        multiply(server.data / "airgate.db", "bench_paused", RUNS)
        server.start()
        return _measure(server)


def _measure(server: Airgate) -> Found:
    p99 = {}
    with server.wire() as wire:
        for query in QUERIES:
            path = f"/api/v1/dags/bench_paused/dagRuns?{query}"
            answer = wire.get(path)
            assert len(answer["dag_runs"]) == 50
            assert answer["total_entries"] >= RUNS
            times = []
            for _ in range(REQUESTS):
                begin = perf_counter()
                wire.send("GET", path)
                times.append((perf_counter() - begin) * 1000)
            p99[query] = percentile(times, 99)
    return Found(rounds=[max(p99.values())], notes={"p99_ms": p99})


SCENARIOS = (
    Scenario(
        name="list",
        title="list 50 runs of a DAG with 1,000,000 runs, p99",
        unit="ms",
        airgate=_list,
        airflow=None,
        must=20.0,
        aim=5.0,
    ),
)
