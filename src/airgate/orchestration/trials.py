"""Trying a webhook out: what it would send for an execution, or what comes of really sending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from airgate.model.job import Execution, ExecutionStatus
from airgate.model.webhook import Delivery, DeliveryState, Webhook
from airgate.orchestration.facts import facts_of
from airgate.orchestration.outcome import Outcome, shown
from airgate.orchestration.performer import Performer, Work
from airgate.orchestration.requests import Masker, Sources, lookup_in, render
from airgate.orchestration.rules import compile_rules
from airgate.orchestration.templates import TemplateError
from airgate.store import webhooks, workspaces
from airgate.store.database import Database, Tx


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook would send, or has sent for trial. Nothing in it holds a secret."""

    fires: bool
    """Whether its rules hold for the execution."""
    request: dict[str, Any]
    response: dict[str, Any]
    error: str | None = None
    sent: bool = False
    latency: float | None = None


class Trials:
    """Tries webhooks out. Raises NotFound where what is named is not in the workspace.

    Args:
        database: where webhooks are kept.
        performer: sends.
        past: an execution of a workspace by its id, of some jobs.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
    """

    def __init__(
        self,
        database: Database,
        performer: Performer,
        *,
        past: Callable[[UUID, UUID, Sequence[UUID]], Awaitable[Execution]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._performer = performer
        self._past = past
        self._clock = clock
        self._new_id = new_id

    async def test(
        self, workspace_id: UUID, webhook_id: UUID, *, execution_id: UUID | None = None, send: bool = False
    ) -> Trial:
        """What the webhook makes of an execution: a stored one, or a sample of its first job. `send`: for real."""
        webhook = await self._database.read(webhooks.get, workspace_id, webhook_id)
        execution = await self._execution(webhook, execution_id)
        work = await self._database.read(self._work, webhook, execution)
        fires = compile_rules(webhook.rules, webhook.any_of)(facts_of(execution, ZoneInfo(webhook.time_zone)))
        mask = Masker(work.sources.secrets)
        if not send:
            return _rendered(webhook, work.sources, fires=fires)
        outcome = await self._performer.perform(work, self._clock())
        request, response = shown(outcome, mask)
        error = None if outcome.error is None else mask(outcome.error)
        return Trial(
            fires=fires, request=request, response=response, error=error, sent=outcome.sent, latency=outcome.latency
        )

    async def _execution(self, webhook: Webhook, execution_id: UUID | None) -> Execution:
        if execution_id is None:
            return sample_of(webhook, self._new_id(), self._clock())
        return await self._past(webhook.workspace_id, execution_id, webhook.jobs)

    def _work(self, tx: Tx, webhook: Webhook, execution: Execution) -> Work:
        now = self._clock()
        delivery = Delivery(
            id=self._new_id(), webhook_id=webhook.id, workspace_id=webhook.workspace_id, execution=execution.id,
            cause="trial", state=DeliveryState.PENDING, created_at=now, next_attempt_at=None,
        )  # fmt: skip
        sources = Sources(
            variables=workspaces.variables_of(tx, webhook.workspace_id),
            secrets=workspaces.secrets_of(tx, webhook.workspace_id),
            execution=execution,
        )
        return Work(
            delivery=delivery,
            webhook=webhook,
            sources=sources,
            keys=webhooks.signing_secrets(tx, webhook.id, now),
            allowed=workspaces.get(tx, webhook.workspace_id).private_targets,
        )


def _rendered(webhook: Webhook, sources: Sources, *, fires: bool) -> Trial:
    try:
        request = render(webhook, lookup_in(sources, masked=True))
    except TemplateError as error:
        return Trial(fires=fires, request={}, response={}, error=str(error))
    outcome = Outcome(sent=False, arrived=False, request=request)
    return Trial(fires=fires, request=shown(outcome, Masker(sources.secrets))[0], response={})


def sample_of(webhook: Webhook, new_id: UUID, now: datetime) -> Execution:
    """An execution of the webhook's first job such as might come, for templates to be tried on."""
    run = {
        "id": str(new_id), "deployment": "local", "dag_id": "example", "run_id": f"manual__{now.isoformat()}",
        "state": "success", "run_type": "manual", "logical_date": now.isoformat(), "run_after": now.isoformat(),
        "start_date": now.isoformat(), "end_date": now.isoformat(), "duration": 42.0, "data_interval_start": None,
        "data_interval_end": None, "conf": {}, "note": None, "triggering_user": "somebody", "failed_tasks": [],
        "url": "http://localhost:8080/",
    }  # fmt: skip
    return Execution(
        id=new_id,
        execution_id=new_id,
        job_id=webhook.jobs[0],
        workspace_id=webhook.workspace_id,
        status=ExecutionStatus.FINISHED,
        started_at=now - timedelta(seconds=42),
        ended_at=now,
        connection_id=new_id,
        connection_name="sample connection",
        schema_name="sample_schema",
        table_name="sample_table",
        rows=1000,
        columns=10,
        triggered_by="somebody",
        is_orchestration=True,
        run=run,
    )
