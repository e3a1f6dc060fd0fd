"""One run, read by sixteen clients at once; and what knowing who asks costs."""

from __future__ import annotations

import asyncio
import base64
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from cryptography.fernet import Fernet
from uuid_utils.compat import uuid7

from airgate.access.service import Access, AccessConfig
from airgate.store.database import Database
from benchmarks import load
from benchmarks.load import Orders, percentile
from benchmarks.peers import Peer
from benchmarks.peers.airflow import Airflow
from benchmarks.scenario import Extra, Found, Scenario, airgate

CLIENTS = 16
ALONE = 1_000
CHECKS = 5_000
RUN_ID = "bench_get"


def measured(peer: Peer, *, rounds: int, seconds: float) -> Found:
    """Requests a second from sixteen clients, and the p50 of one client alone."""
    peer.set_paused("bench_paused", paused=True)
    path = f"{peer.base}/dags/bench_paused/dagRuns/{RUN_ID}"
    with peer.wire() as wire:
        headers = dict(wire.headers)
        if wire.post(f"{peer.base}/dags/bench_paused/dagRuns", peer.body(RUN_ID)) not in {200, 201}:
            raise RuntimeError("the run to be read could not be made")
        times = []
        for _ in range(ALONE):
            begin = perf_counter()
            wire.get(path)
            times.append((perf_counter() - begin) * 1000)
    orders = Orders(port=peer.port, path=path, headers=headers, body=None, clients=CLIENTS, seconds=seconds)
    findings = [load.run(orders) for _ in range(rounds)]
    return Found(
        rounds=[one.per_second for one in findings],
        notes={
            "alone_p50_ms": percentile(times[ALONE // 10 :], 50),
            "p99_ms": max(one.p99_ms for one in findings),
            "not_2xx": sum(one.refused for one in findings),
        },
    )


def _gets(folder: Path) -> Found:
    with airgate(folder) as server:
        found = measured(server, rounds=3, seconds=4.0)
    found.notes["authentication_ms"] = asyncio.run(authentication())
    return found


def _gets_on_airflow(peer: Airflow) -> Found:
    return measured(peer, rounds=1, seconds=10.0)


async def authentication() -> float:
    """Milliseconds to find out, from credentials that were verified before, who asks."""
    secret = Fernet.generate_key()
    with tempfile.TemporaryDirectory(prefix="bench-auth-") as folder:
        database = await Database.open(f"sqlite:///{folder}/airgate.db", secret=secret)
        try:
            access = Access(database, AccessConfig(secret=secret), clock=lambda: datetime.now(UTC), new_id=uuid7)
            password = secrets.token_urlsafe()
            await access.first_administrator("admin", password)
            header = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
            times = []
            for _ in range(CHECKS):
                begin = perf_counter()
                caller = await access.authenticate(header, "127.0.0.1")
                times.append((perf_counter() - begin) * 1000)
                assert caller is not None
        finally:
            await database.close()
    return percentile(times[1:], 50)


SCENARIOS = (
    Scenario(
        name="gets",
        title="authenticated GETs of one run from 16 clients",
        unit="/s",
        airgate=_gets,
        airflow=_gets_on_airflow,
        must=1_500,
        aim=3_000,
        more_is_better=True,
        extras=(
            Extra("— one client, p50", "alone_p50_ms", "ms", 2.0, 1.0),
            Extra("— answers other than 2xx", "not_2xx", "", 0, 0),
            Extra("— of which authentication, when cached, p50", "authentication_ms", "ms", 0.1, 0.02),
        ),
    ),
)
