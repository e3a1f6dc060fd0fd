"""Webhooks: rules on ten thousand ends, deliveries a second, from an end to the request, and a target that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet
from uuid_utils.compat import uuid7

from airgate.engine.scheduler import run_finished
from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.job import Execution, ExecutionStatus, dag_job_id
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import Operation, Rule, Webhook
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.dispatcher import Dispatcher
from airgate.orchestration.executions import Home
from airgate.orchestration.mail import NoMailer
from airgate.orchestration.outbox import Outbox
from airgate.orchestration.performer import Performer
from airgate.orchestration.sender import Sender
from airgate.store import dags, events, jobs, runs, webhooks, workspaces
from airgate.store.database import Database, Tx
from benchmarks.load import percentile
from benchmarks.scenario import Extra, Found, Scenario

ROUNDS = 3
ENDS = 10_000
HOOKS = 100
DELIVERIES = 3_000
LATENCY = 0.05
AT_ONCE = 64
"""What the webhook allows; 50 ms each make at most 1,280 a second of it."""
WAITS = 100
FLOOD = 5_000
RULES = (
    Rule(variable_name="STATUS", operation=Operation.EQUAL, value="FINISHED"),
    Rule(variable_name="ROWS", operation=Operation.GREATER_THAN, value="0"),
    Rule(variable_name="TABLE_NAME", operation=Operation.IN, value=("orders", "lines")),
)


def _now() -> datetime:
    return datetime.now(UTC)


class _Receiver:
    """Answers each request after so long, or never."""

    def __init__(self, latency: float | None) -> None:
        self.arrived: list[float] = []
        self.port = 0
        self._latency = latency
        self._awaited = asyncio.Condition()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[_Receiver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def until(self, count: int) -> None:
        async with self._awaited:
            await self._awaited.wait_for(lambda: len(self.arrived) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                await reader.readuntil(b"\r\n\r\n")  # the requests here have no body
                self.arrived.append(perf_counter())
                async with self._awaited:
                    self._awaited.notify_all()
                if self._latency is None:
                    await asyncio.Event().wait()
                await asyncio.sleep(self._latency or 0)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()


class _House:
    """The outbox and the dispatcher, on a database of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sender = Sender()
        self._dispatcher = Dispatcher(
            database, Performer(self._sender, _starts_nothing, NoMailer()), clock=_now, new_id=uuid7,
            chance=lambda: 0.5, switched_off=lambda _: None,
        )  # fmt: skip
        home = Home("local", DEFAULT_WORKSPACE_ID, "http://localhost")
        self.outbox = Outbox(database, home, clock=_now, new_id=uuid7, queued=self._dispatcher.wake)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        home = await self.database.read(workspaces.get, DEFAULT_WORKSPACE_ID)
        allowing = msgspec.structs.replace(home, private_targets=("127.0.0.0/8",))
        await self.database.write(workspaces.update, allowing)
        tasks = [asyncio.create_task(self._dispatcher.run()), asyncio.create_task(self.outbox.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sender.close()

    async def hook(self, job: UUID, port: int = 1, **more: Any) -> None:
        now = _now()
        values: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/", "rules": RULES, "jobs": (job,)}
        made = Webhook(
            id=uuid7(), workspace_id=DEFAULT_WORKSPACE_ID, description="bench", is_active=True, created_at=now,
            updated_at=now, **(values | more),
        )  # fmt: skip
        await self.database.write(webhooks.create, made)

    async def end(self, job: UUID, count: int = 1) -> float:
        """So many executions end. Gives when that was durable."""
        now = _now()
        ended = [
            Execution(
                id=(key := uuid7()), execution_id=key, job_id=job, workspace_id=DEFAULT_WORKSPACE_ID, started_at=now,
                status=ExecutionStatus.FINISHED, ended_at=now, table_name="orders", rows=5,
            )
            for _ in range(count)
        ]  # fmt: skip
        await asyncio.gather(*(self.database.write(jobs.report, one, now) for one in ended))
        at = perf_counter()
        self.outbox.wake()
        return at


async def _starts_nothing(deployment: str, request: TriggerRequest) -> DagRun:
    raise AssertionError("no webhook here starts a run")


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="airgate-bench-") as folder:
        yield Path(folder)


async def _in_house(measure: Callable[[_House], Awaitable[float]]) -> float:
    with _folder() as folder:
        database = await Database.open(f"sqlite:///{folder / 'bench.db'}", secret=Fernet.generate_key())
        try:
            return await measure(_House(database))
        finally:
            await database.close()


# ----------------------------------------------------------------------------------------------------------- the rules


def _fill(tx: Tx) -> None:
    now = _now()
    spec = DagSpec(dag_id="d", tasks=(TaskSpec(task_id="t"),))
    dags.record_file(tx, "d.py", [spec], now=now, parse_seconds=0.1, paused_at_creation=False, new_id=uuid7)
    ended = [
        DagRun(
            id=uuid7(), dag_id="d", run_id=f"r{number}", state=RunState.SUCCESS, run_type=RunType.MANUAL,
            triggered_by=TriggeredBy.REST_API, run_after=now, queued_at=now, start_date=now, end_date=now,
            conf={"airgate": {"table": "customers", "rows": number}},
        )
        for number in range(ENDS)
    ]  # fmt: skip
    runs.insert_many(tx, ended)
    events.append(tx, [run_finished(run, None, now) for run in ended])


async def _rules(house: _House) -> float:
    for _ in range(HOOKS):
        await house.hook(dag_job_id("local", "d"))
    await house.database.write(_fill)
    began = process_time()  # of all threads: one core's worth
    while await house.outbox.step():
        pass
    return process_time() - began


def _evaluated(_: Path) -> Found:
    return Found(rounds=[asyncio.run(_in_house(_rules)) for _ in range(ROUNDS)])


# ------------------------------------------------------------------------------------------------------ the deliveries


async def _throughput(house: _House) -> float:
    job = uuid7()
    async with _Receiver(LATENCY).served() as receiver, house.at_work():
        await house.hook(job, receiver.port, max_concurrency=AT_ONCE)
        began = await house.end(job, DELIVERIES)
        await receiver.until(DELIVERIES)
        return DELIVERIES / (receiver.arrived[DELIVERIES - 1] - began)


def _delivered(_: Path) -> Found:
    return Found(rounds=[asyncio.run(_in_house(_throughput)) for _ in range(ROUNDS)])


async def _until_the_wire(house: _House) -> list[float]:
    job = uuid7()
    async with _Receiver(0).served() as receiver, house.at_work():
        await house.hook(job, receiver.port)
        return await _waits(house, job, receiver)


async def _beside_the_dead(house: _House) -> list[float]:
    job, other = uuid7(), uuid7()
    async with _Receiver(None).served() as dead, _Receiver(0).served() as receiver, house.at_work():
        await house.hook(other, dead.port)
        await house.hook(job, receiver.port)
        await house.end(other, FLOOD)
        await dead.until(1)
        return await _waits(house, job, receiver)


async def _waits(house: _House, job: UUID, receiver: _Receiver) -> list[float]:
    waits = []
    for number in range(WAITS):
        began = await house.end(job)
        await receiver.until(number + 1)
        waits.append((receiver.arrived[number] - began) * 1000)
    return waits[WAITS // 10 :]


async def _waited(measure: Callable[[_House], Awaitable[list[float]]]) -> list[float]:
    found: list[float] = []

    async def keep(house: _House) -> float:
        found.extend(await measure(house))
        return 0.0

    await _in_house(keep)
    return found


def _on_the_wire(_: Path) -> Found:
    waits = asyncio.run(_waited(_until_the_wire))
    beside = asyncio.run(_waited(_beside_the_dead))
    notes = {"p99_ms": percentile(waits, 99), "beside_ms": percentile(beside, 50)}
    return Found(rounds=waits, notes=notes)


SCENARIOS = (
    Scenario(
        name="webhook_rules",
        title="10,000 run ends, each for 100 webhooks of 3 rules, evaluated on one core",
        unit="s",
        airgate=_evaluated,
        airflow=None,
        must=5,
        aim=2,
    ),
    Scenario(
        name="webhook_deliveries",
        title="deliveries to a receiver that takes 50 ms",
        unit="/s",
        airgate=_delivered,
        airflow=None,
        must=500,
        aim=800,
        more_is_better=True,
    ),
    Scenario(
        name="webhook_wire",
        title="from an execution's end to the request on the wire, p50",
        unit="ms",
        airgate=_on_the_wire,
        airflow=None,
        must=50,
        aim=20,
        extras=(Extra("… beside a dead target with 5,000 deliveries, p50", "beside_ms", "ms", 50, 20),),
    ),
)
