"""The native API's own ways to trigger: ten thousand in one request, and one answered when its run has ended."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from time import perf_counter
from typing import Self

from benchmarks.load import percentile
from benchmarks.peers.airgate import Airgate
from benchmarks.scenario import Extra, Found, Scenario, airgate

PATH = "/airgate/v1/deployments/local/triggers"
BULK = 10_000
ROUNDS = 5
WAITS = 60


class _Others:
    """Another client meanwhile, that reads one DAG again and again: how long it waits at worst, in milliseconds."""

    def __init__(self, server: Airgate) -> None:
        self.times: list[float] = []
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        with self._server.wire() as wire:
            while not self._over.is_set():
                begin = perf_counter()
                wire.get(f"{self._server.base}/dags/bench_paused")
                self.times.append((perf_counter() - begin) * 1000)


def _bulk(folder: Path) -> Found:
    with airgate(folder) as server:
        server.set_paused("bench_paused", paused=True)
        rounds, waits = [], []
        for number in range(ROUNDS):
            triggers = [{"dag_id": "bench_paused", "conf": {"n": n}} for n in range(BULK)]
            body = json.dumps({"triggers": triggers}).encode()
            with server.wire() as wire, _Others(server) as others:
                begin = perf_counter()
                status, answer = wire.send("POST", f"{PATH}/bulk", body)
                rounds.append(perf_counter() - begin)
            if status != 200 or json.loads(answer)["accepted"] != BULK:
                raise RuntimeError(f"bulk {number}: {status} {answer[:300]!r}")
            waits.append(max(others.times))
        return Found(rounds=rounds, notes={"others_worst_ms": max(waits)})


def _waited(folder: Path) -> Found:
    with airgate(folder) as server, server.wire() as wire:
        server.set_paused("bench_one", paused=False)
        times = []
        body = json.dumps({"dag_id": "bench_one"}).encode()
        for _ in range(WAITS):
            begin = perf_counter()
            status, answer = wire.send("POST", f"{PATH}?wait=60", body)
            times.append(perf_counter() - begin)
            if status != 201 or json.loads(answer)["run"]["state"] != "success":
                raise RuntimeError(f"trigger and wait: {status} {answer[:300]!r}")
        times = times[WAITS // 6 :]
        return Found(rounds=times, notes={"p99_s": percentile(times, 99)})


SCENARIOS = (
    Scenario(
        name="bulk_10000",
        title="10,000 triggers in one request",
        unit="s",
        airgate=_bulk,
        airflow=None,
        must=5,
        aim=1.5,
        extras=(Extra("… the longest that another client waits for a GET", "others_worst_ms", "ms", 500, 50),),
    ),
    Scenario(
        name="trigger_wait",
        title="one-task run, triggered and waited for in one request, p50",
        unit="s",
        airgate=_waited,
        airflow=None,
        must=0.06,
        aim=0.015,
        compare_with="one_task",
    ),
)
