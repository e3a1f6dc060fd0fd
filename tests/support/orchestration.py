"""The room of workspaces, jobs and webhooks, over a test's store and deployments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from airgate.deployments.ports import Deployment
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.orchestration.mail import NoMailer
from airgate.orchestration.sender import Sender
from airgate.orchestration.service import Around, Orchestration
from airgate.store.database import Database
from tests.support.memory_deployment import new_id


def orchestration_over(
    database: Database,
    deployments: Mapping[str, Deployment],
    *,
    embedded: str,
    triggers: Any,
    clock: Callable[[], datetime],
) -> Orchestration:
    """Nothing of it works in the background unless the test lets it. `triggers` accepts what its jobs start."""

    async def start(deployment: str, request: TriggerRequest) -> DagRun:
        run: DagRun = (await triggers.accept(deployments[deployment], request)).run
        return run

    async def nobody(owner: str, subject: str, text: str) -> None:
        pass

    around = Around(
        database=database,
        deployments=deployments,
        embedded=embedded,
        address="http://airgate",
        start_run=start,
        mailer=NoMailer(),
        tell_owner=nobody,
        clock=clock,
        new_id=new_id,
        random_bytes=lambda length: b"7" * length,
        random_text=lambda: "made-up-secret-of-a-hook",
        chance=lambda: 0.5,
        sender=Sender(),
    )
    return Orchestration(around, blocks_changed=lambda: None)
