"""Triggers on a real store, before a deployment whose plans the test makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from uuid_utils.compat import uuid7

from airgate.deployments.ports import Deployment
from airgate.model import run_ids
from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.model.dag import DagSpec
from airgate.model.errors import AirgateError
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.run_ids import Moments
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.trigger import Accepted, TriggerRequest
from airgate.store import audit, dags, runs
from airgate.store.database import Database
from airgate.triggers.accept import Triggers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ASKED = TriggerRequest(dag_id="hello", conf={"n": 1})
ENTRY = AuditEntry(
    at=NOW,
    event="post_dag_run",
    outcome=Outcome.DONE,
    status=200,
    dialect="v1",
    method="POST",
    path="/",
    actor="ada",
    actor_id=uuid7(),
    extra={"a": 1},
)


class Planner:
    """A deployment's starter with one DAG, that writes down what it starts."""

    def __init__(self, moments: list[datetime] | None = None) -> None:
        self.started_runs: list[DagRun] = []
        self.refusal: Exception | None = None
        self._scripted = moments or []
        self._moments = Moments()

    async def plan(self, request: TriggerRequest) -> DagRun:
        if self.refusal is not None:
            raise self.refusal
        chosen = self._scripted.pop(0) if self._scripted else self._moments.after(NOW)
        date = request.logical_date if request.has_logical_date else chosen
        return DagRun(
            id=uuid7(),
            dag_id=request.dag_id,
            run_id=request.run_id or run_ids.generate(RunType.MANUAL, date or chosen),
            state=RunState.QUEUED,
            run_type=RunType.MANUAL,
            triggered_by=TriggeredBy.REST_API,
            run_after=date or chosen,
            queued_at=NOW,
            logical_date=date,
            conf=request.conf,
            note=request.note,
        )

    def started(self, run: DagRun) -> None:
        self.started_runs.append(run)


class House:
    def __init__(self, database: Database, planner: Planner) -> None:
        self.database = database
        self.planner = planner
        self.triggers = Triggers(database, clock=lambda: NOW, new_id=uuid7)
        nothing = cast("Any", None)
        self.deployment = Deployment(
            name="local",
            dags=nothing,
            runs=nothing,
            tasks=nothing,
            xcoms=nothing,
            pools=nothing,
            variables=nothing,
            connections=nothing,
            starter=planner,
        )

    async def accept(self, **change: Any) -> Any:
        audit = change.pop("audit", None)
        return await self.triggers.accept(self.deployment, msgspec.structs.replace(ASKED, **change), audit)

    async def accept_many(
        self, *changes: dict[str, Any], audit: AuditEntry | None = None
    ) -> Sequence[Accepted | AirgateError]:
        """Many requests, each the plain one but for what is said of it."""
        requests = [msgspec.structs.replace(ASKED, **change) for change in changes]
        return await self.triggers.accept_many(self.deployment, requests, audit)

    async def entries(self) -> list[AuditEntry]:
        """The audit log, oldest first."""
        newest = await self.database.read(audit.newest, AuditFilter(), 1000)
        return [msgspec.structs.replace(entry, seq=0) for entry in reversed(newest)]

    async def kept(self) -> list[str]:
        listing = await self.database.read(runs.list_runs, RunFilter(), Order("seq"), Page(limit=20_000))
        return [run.run_id for run in listing.items]


async def make(database: Database, planner: Planner | None = None) -> House:
    await database.write(
        dags.record_file,
        "hello.py",
        [DagSpec(dag_id="hello"), DagSpec(dag_id="other")],
        now=NOW,
        parse_seconds=0.1,
        paused_at_creation=False,
        new_id=uuid7,
    )
    return House(database, planner or Planner())
