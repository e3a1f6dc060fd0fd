"""Many clients that ask as fast as they are answered, in a process of their own.

Usage: `python -m benchmarks.load`, its orders as JSON on standard input, its findings as JSON on standard output.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.wire import request


class Orders(msgspec.Struct, kw_only=True):
    """What the clients shall do."""

    port: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    """The body of every POST; `conf` gets a number of its own. None: the requests are GETs."""
    clients: int = 16
    seconds: float = 5.0


class Findings(msgspec.Struct, kw_only=True):
    """What the clients saw."""

    answered: int
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[str, int]
    """How often each status; ``lost`` counts connections that ended within a request."""

    @property
    def refused(self) -> int:
        """Answers other than 2xx."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))


def run(orders: Orders) -> Findings:
    """Let a process of its own do it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(orders),
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    findings = msgspec.json.decode(done.stdout, type=Findings)
    if not findings.answered:
        raise RuntimeError(f"not one of the requests was answered: {findings.statuses}")
    return findings


@dataclass
class Tally:
    """What all clients share."""

    until: float
    number: int = 0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


class Client(asyncio.Protocol):
    """One kept connection: the next request leaves when the answer to the last is complete."""

    def __init__(self, orders: Orders, tally: Tally) -> None:
        self.orders = orders
        self.tally = tally
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.next()

    def next(self) -> None:
        """Send the next request, unless time is up."""
        now = perf_counter()
        if now >= self.tally.until:
            self.transport.close()
            self._finish()
            return
        self.tally.number += 1
        self.sent = now
        self.transport.write(self._request())

    def _request(self) -> bytes:
        orders = self.orders
        if orders.body is None:
            return request("GET", orders.path, orders.headers)
        body = {**orders.body, "conf": {"n": self.tally.number}}
        return request("POST", orders.path, orders.headers, json.dumps(body).encode())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _content_length(self.buffer[:head])
        if len(self.buffer) < head + 4 + length:
            return
        self.tally.latencies.append(perf_counter() - self.sent)
        self.tally.statuses[self.buffer[9:12].decode()] += 1
        self.buffer = self.buffer[head + 4 + length :]
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.tally.statuses["lost"] += 1
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    if at < 0:
        raise ValueError(f"an answer without its length: {head!r}")
    return int(head[at + 15 :].split(b"\r\n", 1)[0])


async def drive(orders: Orders) -> Findings:
    """Open the connections, let them work, and sum up."""
    loop = asyncio.get_running_loop()
    begin = perf_counter()
    tally = Tally(until=begin + orders.seconds)
    clients = [
        (await loop.create_connection(lambda: Client(orders, tally), "127.0.0.1", orders.port))[1]
        for _ in range(orders.clients)
    ]
    await asyncio.wait([client.done for client in clients], timeout=orders.seconds + 60)
    spent = perf_counter() - begin
    good = sum(count for status, count in tally.statuses.items() if status.startswith("2"))
    return Findings(
        answered=len(tally.latencies),
        per_second=good / spent,
        p50_ms=percentile(tally.latencies, 50) * 1000,
        p99_ms=percentile(tally.latencies, 99) * 1000,
        worst_ms=max(tally.latencies, default=0.0) * 1000,
        statuses=dict(tally.statuses),
    )


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of all values do not exceed (nearest rank); 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def main(given: bytes) -> None:
    """Read the orders, follow them, print the findings."""
    orders = msgspec.json.decode(given, type=Orders)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(orders))))


if __name__ == "__main__":
    main(sys.stdin.buffer.read())
