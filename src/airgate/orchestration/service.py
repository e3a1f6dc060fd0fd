"""The room as a whole: its parts, put together once, and what works in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog

from airgate.deployments.ports import Deployment
from airgate.model.webhook import Webhook
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.alerts import Alerts
from airgate.orchestration.block_windows import BlockWindows, DagGate
from airgate.orchestration.deliveries import Deliveries
from airgate.orchestration.dispatcher import Dispatcher
from airgate.orchestration.executions import Home
from airgate.orchestration.hooks import Hooks
from airgate.orchestration.jobs import Jobs
from airgate.orchestration.loops import LoopGuard
from airgate.orchestration.outbox import Outbox
from airgate.orchestration.performer import Performer
from airgate.orchestration.ports import Mailer, StartRun, TellOwner
from airgate.orchestration.retention import prune
from airgate.orchestration.sender import Sender
from airgate.orchestration.trials import Trials
from airgate.orchestration.webhooks import Webhooks
from airgate.orchestration.workspaces import Secrets, Workspaces
from airgate.store.database import Database

_PRUNE_SECONDS: Final = 3600.0
_AGAIN_AFTER: Final = 1.0
"""Seconds after which what failed in the background is begun again."""

log = structlog.get_logger(__name__)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What the room is given."""

    database: Database
    deployments: Mapping[str, Deployment]
    embedded: str
    """Name of the deployment whose runs end in this database."""
    address: str
    """Of this server, for links."""
    start_run: StartRun
    mailer: Mailer
    tell_owner: TellOwner
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    random_bytes: Callable[[int], bytes]
    random_text: Callable[[], str]
    chance: Callable[[], float]
    sender: Sender
    keep_days: int = 0
    """Days that deliveries which have ended are kept; 0: for ever."""


class Orchestration:
    """Everything about what follows when a job ends, and what comes in the same way."""

    def __init__(self, around: Around, blocks_changed: Callable[[], None]) -> None:
        database, clock, new_id = around.database, around.clock, around.new_id
        performer = Performer(around.sender, LoopGuard(database, around.start_run), around.mailer)
        self._around = around
        self._telling: set[asyncio.Task[None]] = set()
        self.dispatcher = Dispatcher(
            database, performer, clock=clock, new_id=new_id, chance=around.chance, switched_off=self._switched_off
        )
        home = Home(around.embedded, DEFAULT_WORKSPACE_ID, around.address)
        self.outbox = Outbox(database, home, clock=clock, new_id=new_id, queued=self.dispatcher.wake)
        self.alerts = Alerts(database, home, clock=clock, new_id=new_id, queued=self.dispatcher.wake)
        self.workspaces = Workspaces(database, deployments_of=self._deployments_of, clock=clock, new_id=new_id)
        self.secrets = Secrets(database, clock=clock, new_id=new_id)
        self.jobs = Jobs(
            database, around.deployments, around.start_run, address=around.address, clock=clock, new_id=new_id,
            ended=self.outbox.wake,
        )  # fmt: skip
        self.webhooks = Webhooks(
            database, around=self.jobs.around, clock=clock, new_id=new_id, random_bytes=around.random_bytes
        )
        self.trials = Trials(database, performer, past=self.jobs.execution, clock=clock, new_id=new_id)
        self.deliveries = Deliveries(database, clock=clock, new_id=new_id, queued=self.dispatcher.wake)
        self.hooks = Hooks(
            database, deployments_of=self._deployments_of, clock=clock, new_id=new_id, random_text=around.random_text
        )  # fmt: skip
        self.blocks = BlockWindows(database, clock=clock, new_id=new_id, changed=blocks_changed)
        self.gate = DagGate(self.blocks, around.embedded, DEFAULT_WORKSPACE_ID)

    async def run(self) -> None:
        """Work in the background until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_for_ever(self.outbox.run, "outbox"))
                group.create_task(_for_ever(self.dispatcher.run, "dispatcher"))
                group.create_task(_for_ever(self.blocks.keep_up, "block windows"))
                group.create_task(_for_ever(self.alerts.run, "alerts"))
                if self._around.keep_days:
                    group.create_task(_for_ever(self._keep_pruning, "pruning"))
        finally:
            await self._around.sender.close()

    async def prune(self) -> int:
        """Delete what ended longer ago than is kept. Gives how many deliveries and executions that were."""
        before = self._around.clock() - timedelta(days=self._around.keep_days)
        return await prune(self._around.database, before)

    async def _keep_pruning(self) -> None:
        while True:
            await self.prune()
            await asyncio.sleep(_PRUNE_SECONDS)

    def _deployments_of(self, workspace: str) -> frozenset[str]:
        return frozenset(name for name, one in self._around.deployments.items() if one.workspace == workspace)

    def _switched_off(self, webhook: Webhook) -> None:
        subject = f"Airgate switched off the webhook '{webhook.description}'"
        text = f"{subject}: {webhook.disabled_reason}.\nSwitch it on again once its target works: {webhook.id}"
        telling = asyncio.create_task(self._around.tell_owner(webhook.created_by, subject, text))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)


async def _for_ever(work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
    """Do this until cancelled. A mistake in it is logged, and it begins again: what it works on is in the store."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("A part of the orchestration failed, and begins again", part=name)
            await asyncio.sleep(_AGAIN_AFTER)
