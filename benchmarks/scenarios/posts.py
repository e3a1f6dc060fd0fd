"""How fast triggers are taken: one after another, and from sixteen clients at once."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from benchmarks import load
from benchmarks.load import Findings, Orders, percentile
from benchmarks.peers import Peer
from benchmarks.peers.airflow import Airflow
from benchmarks.scenario import Extra, Found, Scenario, airgate

CLIENTS = 16


def flood(peer: Peer, dag_id: str, seconds: float) -> Findings:
    """Sixteen kept connections of another process, each posting as soon as it is answered."""
    with peer.wire() as wire:
        headers = dict(wire.headers)
    path = f"{peer.base}/dags/{dag_id}/dagRuns"
    return load.run(
        Orders(port=peer.port, path=path, headers=headers, body=peer.body(), clients=CLIENTS, seconds=seconds)
    )


def _found(findings: list[Findings]) -> Found:
    statuses: dict[str, int] = {}
    for one in findings:
        for status, count in one.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return Found(
        rounds=[one.per_second for one in findings],
        notes={
            "p50_ms": max(one.p50_ms for one in findings),
            "p99_ms": max(one.p99_ms for one in findings),
            "worst_ms": max(one.worst_ms for one in findings),
            "not_2xx": sum(one.refused for one in findings),
            "statuses": statuses,
        },
    )


def _queued(folder: Path) -> Found:
    """The DAG is paused: runs are made durable and wait."""
    with airgate(folder) as server:
        server.set_paused("bench_paused", paused=True)
        flood(server, "bench_paused", 1.0)
        return _found([flood(server, "bench_paused", 4.0) for _ in range(3)])


def _queued_on_airflow(peer: Airflow) -> Found:
    peer.set_paused("bench_paused", paused=True)
    return _found([flood(peer, "bench_paused", 10.0)])


def _running(folder: Path) -> Found:
    """The DAG runs: the engine works off what it can meanwhile. A fresh server per round, as the backlog stays."""
    findings = []
    for _ in range(2):
        with airgate(folder) as server:
            server.set_paused("bench_busy", paused=False)
            findings.append(flood(server, "bench_busy", 4.0))
    return _found(findings)


def _running_on_airflow(peer: Airflow) -> Found:
    peer.set_paused("bench_busy", paused=False)
    findings = flood(peer, "bench_busy", 10.0)
    peer.set_paused("bench_busy", paused=True)
    return _found([findings])


def alone(peer: Peer, number: int) -> Found:
    """One client, one POST after another, nothing runs."""
    peer.set_paused("bench_paused", paused=True)
    times = []
    with peer.wire() as wire:
        for _ in range(number):
            begin = perf_counter()
            status = wire.post(f"{peer.base}/dags/bench_paused/dagRuns", peer.body())
            times.append((perf_counter() - begin) * 1000)
            if status != 200:
                raise RuntimeError(f"POST on {peer.name}: {status}")
    times = times[number // 10 :]
    return Found(rounds=times, notes={"rounds": len(times), "p99_ms": percentile(times, 99)})


def _alone(folder: Path) -> Found:
    with airgate(folder) as server:
        return alone(server, 500)


REFUSED = Extra("— answers other than 2xx", "not_2xx", "", 0, 0)

SCENARIOS = (
    Scenario(
        name="posts",
        title="durable POSTs from 16 clients, runs queue",
        unit="/s",
        airgate=_queued,
        airflow=_queued_on_airflow,
        must=1000,
        aim=3000,
        more_is_better=True,
        extras=(Extra("— its p99", "p99_ms", "ms", 50.0, 20.0), REFUSED),
    ),
    Scenario(
        name="posts_running",
        title="durable POSTs from 16 clients, runs start meanwhile",
        unit="/s",
        airgate=_running,
        airflow=_running_on_airflow,
        must=None,
        aim=None,
        more_is_better=True,
        extras=(Extra("— its p99", "p99_ms", "ms", None, None), REFUSED),
    ),
    Scenario(
        name="post",
        title="one POST, idle, p50",
        unit="ms",
        airgate=_alone,
        airflow=lambda peer: alone(peer, 60),
        must=4.0,
        aim=1.5,
    ),
)
