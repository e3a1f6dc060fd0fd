"""Starting, and doing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.peers import Peer
from benchmarks.peers.airflow import Airflow
from benchmarks.peers.airgate import Airgate
from benchmarks.processes import cpu_seconds, pause, pss_megabytes
from benchmarks.scenario import Extra, Found, Scenario, airgate

IDLE_SECONDS = 30.0
SETTLE_SECONDS = 10.0
ROUNDS = 7


def _fresh(folder: Path) -> Found:
    """Every start with an empty data folder."""
    times = []
    for _ in range(ROUNDS):
        server = Airgate(folder)
        try:
            times.append(server.start())
        finally:
            server.close()
    return Found(rounds=times)


def _again(folder: Path) -> Found:
    """Every start but the first with the data folder of the start before."""
    server = Airgate(folder)
    times = []
    try:
        for _ in range(ROUNDS + 1):
            times.append(server.start())
            server.stop()
    finally:
        server.close()
    return Found(rounds=times[1:])


def _restart_airflow(peer: Airflow) -> Found:
    """With a migrated database, from nothing running until all four components report healthy."""
    peer.stop()
    return Found(rounds=[peer.start()])


def idle_cpu(processes: Sequence[psutil.Process], tree_after: Sequence[psutil.Process], before: float) -> float:
    """Percent of one core that a tree used since `before`; processes that have started since are counted whole."""
    known = {process.pid: process for process in [*processes, *tree_after]}
    return (cpu_seconds(list(known.values())) - before) / IDLE_SECONDS * 100


def rest(peer: Peer) -> tuple[float, float]:
    """PSS in MB and percent of a core of an idle tree."""
    pause(SETTLE_SECONDS)
    processes = list(peer.tree())
    before = cpu_seconds(processes)
    pause(IDLE_SECONDS)
    after = list(peer.tree())
    return pss_megabytes(after), idle_cpu(processes, after, before)


def _idle(peer: Peer) -> Found:
    memory, cpu = rest(peer)
    return Found(rounds=[memory], notes={"cpu_percent": cpu, "processes": len(peer.tree())})


def _idle_airgate(folder: Path) -> Found:
    with airgate(folder) as server:
        return _idle(server)


SCENARIOS = (
    Scenario(
        name="start",
        title="start to first answer, fresh data folder",
        unit="s",
        airgate=_fresh,
        airflow=_restart_airflow,
        must=1.5,
        aim=0.7,
    ),
    Scenario(
        name="start_again",
        title="start to first answer, existing data folder",
        unit="s",
        airgate=_again,
        airflow=None,
        must=1.5,
        aim=0.7,
        compare_with="start",
    ),
    Scenario(
        name="idle",
        title="whole tree, idle, 20 DAG files: memory (PSS)",
        unit="MB",
        airgate=_idle_airgate,
        airflow=_idle,
        must=350.0,
        aim=200.0,
        extras=(Extra("— CPU over 30 s, percent of a core", "cpu_percent", "%", 1.0, 0.2),),
    ),
)
