"""Triggers accepted into a `World`: as `airgate.triggers` does it, without a store."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from airgate.deployments.ports import Deployment
from airgate.model.audit import AuditEntry
from airgate.model.errors import AirgateError, Conflict, NotFound
from airgate.model.query import Span
from airgate.model.run import DagRun
from airgate.model.trigger import (
    Accepted,
    Followed,
    Trigger,
    TriggerFilter,
    TriggerKey,
    TriggerRequest,
    TriggerState,
    state_of,
)
from tests.support.memory_deployment import World, find, new_id
from tests.support.memory_lists import among, within


class MemoryTriggers:
    """Accepts triggers into a `World`."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def accept(
        self, deployment: Deployment, request: TriggerRequest, audit: AuditEntry | None = None
    ) -> Accepted:
        earlier = None if request.idempotency_key is None else self.world.keys.get(request.idempotency_key)
        if earlier is not None:
            if earlier[0] != request:
                raise Conflict("The key was used for another request", code="idempotency_key_reused")
            return self._recorded(audit, Accepted(earlier[1], False, earlier[2]))
        run = await deployment.starter.plan(request)
        if any(
            other.dag_id == run.dag_id and other.logical_date == run.logical_date for other in self.world.runs.values()
        ):
            raise Conflict("There is a run of that date", code="logical_date_exists")
        if (run.dag_id, run.run_id) in self.world.runs:
            raise Conflict("There is such a run", code="run_exists")
        stored = self.world.put_run(run)
        trigger = self._trigger(deployment.name, request, stored, audit)
        self.world.triggers[trigger.id] = trigger
        deployment.starter.started(stored)
        if request.idempotency_key is not None:
            self.world.keys[request.idempotency_key] = (request, stored, trigger)
        return self._recorded(audit, Accepted(stored, True, trigger))

    async def accept_many(
        self, deployment: Deployment, requests: Sequence[TriggerRequest], audit: AuditEntry | None = None
    ) -> Sequence[Accepted | AirgateError]:
        answers: list[Accepted | AirgateError] = []
        for request in requests:
            try:
                answers.append(await self.accept(deployment, request))
            except AirgateError as error:
                answers.append(error)
        if audit is not None:
            words = [
                "refused" if isinstance(one, AirgateError) else "accepted" if one.created else "repeated"
                for one in answers
            ]
            counts = {word: words.count(word) for word in ("accepted", "repeated", "refused")}
            self.world.audit.append(replace(audit, extra={**audit.extra, **counts}))
        return answers

    async def get(self, deployment: str, trigger_id: UUID) -> Followed:
        trigger = self.world.triggers.get(trigger_id)
        if trigger is None or trigger.deployment != deployment:
            raise NotFound(f"There is no trigger '{trigger_id}'", code="trigger_not_found")
        run = find(self.world.runs, (trigger.dag_id, trigger.run_id))
        return Followed(replace(trigger, state=state_of(trigger.state, run.state)), run)

    async def list(
        self, deployment: str, which: TriggerFilter, limit: int, before: TriggerKey | None = None
    ) -> Sequence[Followed]:
        known = [one for one in self.world.triggers.values() if one.deployment == deployment]
        known.sort(key=lambda one: (one.created_at, one.id), reverse=True)
        found = [
            one
            for trigger in known
            if before is None or (trigger.created_at, trigger.id) < (before.created_at, before.id)
            for one in [await self.get(deployment, trigger.id)]
            if among(which.dag_ids, trigger.dag_id)
            and among(which.states, one.trigger.state)
            and within(Span(which.since, which.until), trigger.created_at)
        ]
        return found[:limit]

    def _trigger(self, deployment: str, request: TriggerRequest, run: DagRun, audit: AuditEntry | None) -> Trigger:
        return Trigger(
            id=new_id(),
            deployment=deployment,
            dag_id=run.dag_id,
            run_id=run.run_id,
            idempotency_key=request.idempotency_key or f"run:{run.run_id}",
            fingerprint="",
            state=TriggerState.ACCEPTED,
            created_at=self.world.clock(),
            actor=request.triggering_user,
            actor_id=audit.actor_id if audit is not None else None,
        )

    def _recorded(self, audit: AuditEntry | None, accepted: Accepted) -> Accepted:
        if audit is not None:
            run = accepted.run
            extra = audit.extra if accepted.created else {**audit.extra, "repeated": True}
            entry = replace(audit, dag_id=run.dag_id, run_id=run.run_id, logical_date=run.logical_date, extra=extra)
            self.world.audit.append(entry)
        return accepted
