"""Fifty runs of a DAG that has a million: the usual pages, and any filter, order and page."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.load import percentile
from benchmarks.peers.airgate import Airgate
from benchmarks.scenario import BENCH_DAGS, Extra, Found, Scenario
from benchmarks.wire import Wire

RUNS = 1_000_000
REQUESTS = 500
QUERIES = ("limit=50", "limit=50&order_by=-execution_date", "limit=50&state=success&order_by=-start_date")
"""As the API is asked by default, by a page of newest runs, and by a page of one state."""
LIMIT = 50
MINUTE = 60_000_000
START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the first run was made; each next one a minute later. Every third has an earlier date of its own."""
OFFSETS = (0, 1_000, 250_000, 499_975, 900_000, 999_900)
ORDERS = (
    *("id", "state", "dag_id", "execution_date", "dag_run_id", "start_date", "end_date", "updated_at"),
    *("external_trigger", "conf"),
)
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


def moment(minute: int) -> str:
    """The time of a run, as a query has it."""
    return (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def between(name: str, first: int, last: int) -> str:
    """A filter for runs of these minutes."""
    return f"{name}_gte={moment(first)}&{name}_lte={moment(last)}"


FILTERS = {
    "none": "",
    "state": "state=failed",
    "states": "state=success&state=queued",
    "execution_date": between("execution_date", -900_000, 700_000),
    "start_date": between("start_date", 10_000, 980_000),
    "end_date": f"end_date_gte={moment(200_000)}",
    "updated_at": f"updated_at_lte={moment(800_000)}",
    "all together": "&".join(
        ["state=success", between("execution_date", -900_000, 900_000)]
        + [between(name, 1_000, 990_000) for name in ("start_date", "end_date", "updated_at")]
    ),
}


def multiply(database: Path, dag_id: str, number: int) -> None:
    """Copy a DAG's only run `number` times, each a minute later, finished, one in ten failed."""
    with sqlite3.connect(database) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(dag_run)") if row[1] != "seq"]
        values = ", ".join(_value(name) for name in columns)
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "  # noqa: S608
            f"INSERT INTO dag_run ({', '.join(columns)}) SELECT {values} FROM n, dag_run r WHERE r.dag_id = ?",
            (dag_id,),
        )
        connection.execute("DELETE FROM run_count")
        connection.execute("INSERT INTO run_count SELECT dag_id, state, count(*) FROM dag_run GROUP BY dag_id, state")
        connection.execute("DELETE FROM run_block")
        connection.execute("INSERT INTO run_block (block, version) SELECT DISTINCT seq >> 10, 1 FROM dag_run")
        connection.execute("ANALYZE")
    connection.close()


def _value(column: str) -> str:
    made = f"({int(START.timestamp() * 1_000_000)} + n.i * {MINUTE})"
    if column in {"logical_date", "execution_date", "run_after"}:
        # 7919 and the number of runs have no common divisor: no two get the same date.
        return f"CASE WHEN n.i % 3 THEN {made} ELSE {made} - (n.i + n.i * 7919 % {RUNS}) * {MINUTE} END"
    if column in MOMENTS:
        return made
    return {
        "id": "randomblob(16)",
        "run_id": "printf('bench_%07d', n.i)",
        "state": "CASE WHEN n.i % 10 THEN 'success' ELSE 'failed' END",
        "conf": "CASE WHEN n.i % 5 THEN '{}' ELSE printf('{\"n\":%d}', n.i * 7919 % 1000003) END",
    }.get(column, f"r.{column}")


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
        with server.wire() as wire:
            # After a start the server reads its index of runs for some seconds; a long list waits for that.
            ready = _timed(wire, "/api/v1/dags/~/dagRuns?limit=1&offset=5000")
            usual = _usual(wire)
            any_list = _grid(wire)
    return Found(rounds=[max(usual.values())], notes={"p99_ms": usual, "index_ms": ready, **any_list})


def _usual(wire: Wire) -> dict[str, float]:
    """The p99 of each of the usual pages."""
    p99 = {}
    for query in QUERIES:
        path = f"/api/v1/dags/bench_paused/dagRuns?{query}"
        answer = wire.get(path)
        assert len(answer["dag_runs"]) == LIMIT
        assert answer["total_entries"] >= RUNS * (9 / 10 if "state" in query else 1)
        p99[query] = percentile([_timed(wire, path) for _ in range(REQUESTS)], 99)
    return p99


def _timed(wire: Wire, path: str) -> float:
    begin = perf_counter()
    status, body = wire.send("GET", path)
    spent = (perf_counter() - begin) * 1000
    if status != 200:
        raise RuntimeError(f"GET {path}: {status} {body[:500]!r}")
    return spent


def _grid(wire: Wire) -> dict[str, Any]:
    """Every filter with every order and page: the percentiles of all, of each group, and the slowest."""
    times: dict[tuple[str, str, str], float] = {}
    first = {}
    base = "/api/v1/dags/~/dagRuns"
    for field in ORDERS:
        first[field] = _timed(wire, f"{base}?limit=1&offset=5000&order_by={field}")  # may read the column first
        for sign, (name, filtered), offset in product(("", "-"), FILTERS.items(), OFFSETS):
            query = f"limit={LIMIT}&offset={offset}&order_by={sign}{field}&{filtered}".rstrip("&")
            times[name, sign + field, str(offset)] = _timed(wire, f"{base}?{query}")
    groups: dict[str, list[float]] = {}
    for key, spent in times.items():
        for kind, value in zip(("filter", "order", "offset"), key, strict=True):
            groups.setdefault(f"{kind} {value}", []).append(spent)
    slowest = max(times, key=times.__getitem__)
    return {
        "any_p50_ms": percentile(list(times.values()), 50),
        "any_p99_ms": percentile(list(times.values()), 99),
        "any_worst_ms": times[slowest],
        "any_worst": " / ".join(slowest),
        "any_first_ms": first,
        "any_groups": {name: [percentile(spent, 50), percentile(spent, 99)] for name, spent in groups.items()},
    }


SCENARIOS = (
    Scenario(
        name="list",
        title="list 50 runs of a DAG with 1,000,000 runs, p99",
        unit="ms",
        airgate=_list,
        airflow=None,
        must=20.0,
        aim=5.0,
        extras=(
            Extra("— any filter, order and page, p99", "any_p99_ms", "ms", 20.0, 10.0),
            Extra("— its p50", "any_p50_ms", "ms", None, None),
            Extra("— its slowest", "any_worst_ms", "ms", None, None),
        ),
    ),
)
