"""From the POST to the end of the run: one task, chains, and a hundred runs at once.

A run has ended when its state is `success` and it has an end date, seen by asking again and again: every 2 ms on
Airgate, every 50 ms on Airflow, which so looks up to 50 ms slower than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.load import percentile
from benchmarks.peers import Peer
from benchmarks.processes import NotInTime, pause
from benchmarks.scenario import Found, Scenario, airgate
from benchmarks.wire import Wire

PATIENCE = 240.0
"""Seconds after which a run is given up."""


def measure_run(peer: Peer, wire: Wire, dag_id: str, run_id: str) -> float:
    """Seconds from sending the POST until the run was seen to have ended."""
    begin = perf_counter()
    status = wire.post(f"{peer.base}/dags/{dag_id}/dagRuns", peer.body(run_id))
    if status != 200:
        raise RuntimeError(f"POST {dag_id}: {status}")
    while not _succeeded(wire.get(f"{peer.base}/dags/{dag_id}/dagRuns/{run_id}")):
        if perf_counter() - begin > PATIENCE:
            raise NotInTime(f"{dag_id} {run_id} on {peer.name}")
        pause(peer.poll)
    return perf_counter() - begin


def _succeeded(run: dict[str, Any]) -> bool:
    if run["state"] == "failed":
        raise RuntimeError(f"{run['dag_id']} {run['dag_run_id']} failed")
    return run["state"] == "success" and run["end_date"] is not None


def runs(peer: Peer, dag_id: str, *, rounds: int, warm: int) -> Found:
    """Runs one after another; the first `warm` do not count."""
    peer.set_paused(dag_id, paused=False)
    with peer.wire() as wire:
        times = [measure_run(peer, wire, dag_id, f"bench_{number}") for number in range(warm + rounds)][warm:]
    notes = {"rounds": rounds, "p99": percentile(times, 99), "best": min(times)}
    return Found(rounds=times, notes=notes)


def measure_burst(peer: Peer, dag_id: str, size: int, before: int) -> float:
    """Seconds from the first of `size` POSTs on one connection until all runs ended; `before` had ended already."""
    done = f"{peer.base}/dags/{dag_id}/dagRuns?state=success&limit=1"
    with peer.wire() as wire:
        begin = perf_counter()
        for number in range(size):
            status = wire.post(f"{peer.base}/dags/{dag_id}/dagRuns", peer.body(f"burst_{before + number}"))
            if status != 200:
                raise RuntimeError(f"POST {number} of {size}: {status}")
        while wire.get(done)["total_entries"] < before + size:
            if perf_counter() - begin > PATIENCE:
                raise NotInTime(f"{size} runs of {dag_id} on {peer.name}")
            pause(peer.poll)
        return perf_counter() - begin


def bursts(peer: Peer, *, rounds: int, size: int = 100) -> Found:
    """Bursts one after another, each waited for."""
    peer.set_paused("bench_burst", paused=False)
    return Found(rounds=[measure_burst(peer, "bench_burst", size, size * number) for number in range(rounds)])


def _airgate(measure: Callable[[Peer], Found], **settings: str) -> Callable[[Path], Found]:
    def measured(folder: Path) -> Found:
        with airgate(folder, **settings) as server:
            return measure(server)

    return measured


def _row(name: str, title: str, dag_id: str, bounds: tuple[float, float], *, peer_rounds: int, reuse: bool) -> Scenario:
    settings = {"engine_isolation": "reuse"} if reuse else {}
    rounds = 100 if dag_id == "bench_one" else 15
    return Scenario(
        name=name,
        title=title,
        unit="s",
        airgate=_airgate(lambda peer: runs(peer, dag_id, rounds=rounds, warm=3), **settings),
        airflow=None if reuse else lambda peer: runs(peer, dag_id, rounds=peer_rounds, warm=1),
        must=bounds[0],
        aim=bounds[1],
        compare_with=name.removesuffix("_reuse") if reuse else None,
    )


def _burst_row(name: str, title: str, bounds: tuple[float, float], *, reuse: bool) -> Scenario:
    settings = {"engine_isolation": "reuse"} if reuse else {}
    return Scenario(
        name=name,
        title=title,
        unit="s",
        airgate=_airgate(lambda peer: bursts(peer, rounds=5), **settings),
        airflow=None if reuse else lambda peer: bursts(peer, rounds=1),
        must=bounds[0],
        aim=bounds[1],
        compare_with=name.removesuffix("_reuse") if reuse else None,
    )


SCENARIOS = (
    _row("one_task", "one-task run, POST → success, p50", "bench_one", (0.060, 0.015), peer_rounds=5, reuse=False),
    _row("chain_10", "10 chained tasks", "bench_chain_10", (0.600, 0.150), peer_rounds=2, reuse=False),
    _row("chain_40", "40 chained tasks", "bench_chain_40", (2.0, 0.6), peer_rounds=1, reuse=False),
    _row("chain_40_reuse", "40 chained tasks, `reuse`", "bench_chain_40", (1.0, 0.3), peer_rounds=1, reuse=True),
    _burst_row("burst", "100 one-task runs posted in a row, all done", (2.5, 1.2), reuse=False),
    _burst_row("burst_reuse", "100 one-task runs posted in a row, all done, `reuse`", (1.2, 0.6), reuse=True),
)
