"""A workspace with webhooks, what reads its events, and what sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from airgate.engine.scheduler import run_finished
from airgate.model.job import Execution, ExecutionStatus, dag_job_id
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import Attempt, Delivery, DeliveryState, Webhook
from airgate.model.workspace import DEFAULT_WORKSPACE_ID, WorkspaceSecret, WorkspaceVariable
from airgate.orchestration.dispatcher import Dispatcher
from airgate.orchestration.executions import Home
from airgate.orchestration.mail import NoMailer
from airgate.orchestration.outbox import Outbox
from airgate.orchestration.performer import Performer
from airgate.orchestration.ports import Mailer, StartRun
from airgate.orchestration.sender import Resolve, Sender
from airgate.store import dags, deliveries, events, jobs, runs, webhooks, workspaces
from airgate.store.database import Database, Tx
from airgate.store.deliveries import DeliveryFilter
from tests.contract.store.builders import make_run, make_spec
from tests.support.clock import Clock

HOME = DEFAULT_WORKSPACE_ID
JOB = UUID(int=1)
DAG_JOB = dag_job_id("local", "d")


class World:
    """Everything between the end of a job and the request that follows, on one database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        mailer: Mailer | None = None,
        start_run: StartRun | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.sender = Sender(resolve)
        self.switched_off: list[Webhook] = []
        self._performer = Performer(self.sender, start_run or _starts_nothing, mailer or NoMailer())
        self.begin_anew()

    def begin_anew(self) -> None:
        """As after a restart: what was only in memory is gone."""
        self.dispatcher = Dispatcher(
            self.database, self._performer, clock=self.clock, new_id=uuid7, chance=lambda: 0.0,
            switched_off=self.switched_off.append,
        )  # fmt: skip
        home = Home("local", HOME, "http://airgate.test")
        self.outbox = Outbox(self.database, home, clock=self.clock, new_id=uuid7, queued=self.dispatcher.wake)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The dispatcher works meanwhile."""
        task = asyncio.create_task(self.dispatcher.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    # ------------------------------------------------------------------------------------------------- what there is

    async def allow(self, *networks: str) -> None:
        home = await self.database.read(workspaces.get, HOME)
        await self.database.write(workspaces.update, msgspec.structs.replace(home, private_targets=networks))

    async def webhook(self, url: str = "https://x.test/", **more: Any) -> Webhook:
        values: dict[str, Any] = {
            "id": uuid7(), "workspace_id": HOME, "description": "w", "is_active": True, "url": url, "jobs": (JOB,),
            "created_at": self.clock(), "updated_at": self.clock(), "created_by": "maker", "timeout": 60.0,
        }  # fmt: skip
        return await self.database.write(webhooks.create, Webhook(**(values | more)))

    async def change(self, webhook: Webhook, **changes: Any) -> Webhook:
        found = await self.find(webhook)
        return await self.database.write(webhooks.update, msgspec.structs.replace(found, **changes))

    async def find(self, webhook: Webhook) -> Webhook:
        found = await self.database.read(webhooks.find, webhook.id)
        assert found is not None
        return found

    async def secret(self, name: str, value: str) -> WorkspaceSecret:
        made = WorkspaceSecret(
            id=uuid7(), workspace_id=HOME, name=name, created_at=self.clock(), updated_at=self.clock()
        )
        return await self.database.write(workspaces.create_secret, made, value)

    async def variable(self, name: str, value: str) -> WorkspaceVariable:
        made = WorkspaceVariable(
            id=uuid7(), workspace_id=HOME, name=name, value=value, created_at=self.clock(), updated_at=self.clock()
        )
        return await self.database.write(workspaces.create_variable, made)

    # ----------------------------------------------------------------------------------------------- what happens

    def execution(self, **more: Any) -> Execution:
        key = uuid7()
        values: dict[str, Any] = {
            "id": key, "execution_id": key, "job_id": JOB, "workspace_id": HOME, "status": ExecutionStatus.FINISHED,
            "started_at": self.clock(), "ended_at": self.clock(),
        }  # fmt: skip
        return Execution(**(values | more))

    async def ends(self, **more: Any) -> Execution:
        """An execution is reported to have ended."""
        return (await self.database.write(jobs.report, self.execution(**more), self.clock()))[0]

    async def run_ends(self, run_id: str = "r1", **more: Any) -> DagRun:
        """A DAG run ends, or ends again."""
        values: dict[str, Any] = {"state": RunState.SUCCESS, "start_date": self.clock(), "end_date": self.clock()}
        run = make_run(run_id, **(values | more))
        await self.database.write(_end, run, self.clock())
        return run

    async def settle(self) -> None:
        """The outbox works until there is nothing left to do now."""
        while await self.outbox.step():
            pass

    async def queue(self, webhook: Webhook, count: int = 1, **more: Any) -> list[Delivery]:
        """Deliveries that are due, all of one execution."""
        execution = self.execution()
        made = [
            Delivery(
                id=uuid7(), webhook_id=webhook.id, workspace_id=HOME, execution=execution.id, cause=str(uuid7()),
                state=DeliveryState.PENDING, created_at=self.clock(),
                **({"next_attempt_at": self.clock()} | more),
            )
            for _ in range(count)
        ]  # fmt: skip

        def write(tx: Tx) -> None:
            jobs.keep(tx, [execution])
            deliveries.enqueue(tx, made)

        await self.database.write(write)
        self.dispatcher.wake()
        return made

    # ------------------------------------------------------------------------------------------------ what came of it

    async def deliveries(self, webhook: Webhook | None = None) -> list[Delivery]:
        """Oldest first."""
        which = DeliveryFilter(webhook_id=None if webhook is None else webhook.id)
        return list(await self.database.read(deliveries.list_deliveries, HOME, which, 100_000))[::-1]

    async def delivery(self, which: Delivery) -> Delivery:
        return await self.database.read(deliveries.get, HOME, which.id)

    async def attempts(self, which: Delivery) -> tuple[Attempt, ...]:
        return await self.database.read(deliveries.attempts_of, which.id)

    async def executions(self, webhook: Webhook) -> list[Execution]:
        """What the deliveries of a webhook tell of."""
        made = await self.deliveries(webhook)
        found = await self.database.read(jobs.get_executions, [one.execution for one in made])
        return [found[one.execution] for one in made]

    async def until(self, which: Delivery, holds: Callable[[Delivery], bool]) -> Delivery:
        """A delivery, once it is so: asked again and again, as whoever waits for it does."""
        while not holds(found := await self.delivery(which)):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0)
        return found


def _end(tx: Tx, run: DagRun, now: datetime) -> None:
    dags.record_file(
        tx, "f.py", [make_spec(run.dag_id)], now=now, parse_seconds=0.1, paused_at_creation=False, new_id=uuid7
    )
    if run.run_id in {key[1] for key in runs.get_many(tx, [(run.dag_id, run.run_id)])}:
        runs.save(tx, [msgspec.structs.replace(runs.get(tx, run.dag_id, run.run_id), **_changed(run))])
    else:
        runs.insert(tx, run)
    events.append(tx, [run_finished(runs.get(tx, run.dag_id, run.run_id), None, now)])


def _changed(run: DagRun) -> dict[str, Any]:
    names = ("state", "start_date", "end_date", "clear_number", "conf", "note")
    return {name: getattr(run, name) for name in names}


async def _starts_nothing(deployment: str, request: TriggerRequest) -> DagRun:
    raise AssertionError("no DAG is to be started here")
