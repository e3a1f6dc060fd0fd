"""External jobs, and executions: those that were reported, and those that deliveries were made of.

DAGs are jobs too, but need no rows here: they are found among the DAGs, and their executions among the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, exists, select

from airgate.model.event import Event
from airgate.model.job import Execution, ExecutionStatus, Job
from airgate.model.query import Listing, Order, Page, Span
from airgate.store import _orchestration_schema as schema
from airgate.store import events
from airgate.store._documents import Documents
from airgate.store._query import Conditions, one_of, within
from airgate.store._types import to_json
from airgate.store.database import Tx

_JOB = schema.job
_JOBS = Documents(Job, _JOB, "job")
_EXECUTION = schema.execution
_EXECUTIONS = Documents(Execution, _EXECUTION, "execution")

ENDED: Final = "execution.finished"
"""The kind of the event that tells of a reported execution's end."""
_MOST_WAITING: Final = 1000


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions. None means no restriction."""

    job_ids: tuple[UUID, ...] | None = None
    statuses: tuple[ExecutionStatus, ...] | None = None
    ended_at: Span = Span()
    execution_id: UUID | None = None


def create(tx: Tx, job: Job) -> Job:
    """Keep a new external job. Raises Conflict (code ``job_exists``) where its name is taken in its workspace."""
    return _JOBS.create(tx, job)


def get(tx: Tx, workspace_id: UUID, job_id: UUID) -> Job:
    """One external job. Raises NotFound (code ``job_not_found``)."""
    return _JOBS.get(tx, job_id, _JOB.c.workspace_id == workspace_id)


def all_of(tx: Tx, workspace_id: UUID) -> tuple[Job, ...]:
    """Every external job of a workspace, in the order they were made."""
    return _JOBS.all(tx, _JOB.c.workspace_id == workspace_id)


def update(tx: Tx, job: Job) -> Job:
    """Overwrite an external job. Raises NotFound, and Conflict where its new name is taken."""
    return _JOBS.update(tx, job)


def remove(tx: Tx, workspace_id: UUID, job_id: UUID) -> None:
    """Delete an external job; its executions stay as long as deliveries need them. Raises NotFound."""
    _JOBS.delete(tx, job_id, _JOB.c.workspace_id == workspace_id)


def report(tx: Tx, execution: Execution, now: datetime) -> tuple[Execution, bool]:
    """Keep what was reported of an execution, and, once it has ended, the event that tells of it.

    The event is of `now`, whenever the execution says that it ended: other clocks may be wrong, and reports late.

    A report repeated changes nothing; nor does any report after a final one. Gives what is kept now, and whether this
    report ended it.
    """
    before = _EXECUTIONS.first(tx, _EXECUTION.c.id == execution.id)
    if before is not None:
        if before.status.final:
            return before, False
        _EXECUTIONS.update(tx, execution, reported=True)
    else:
        _EXECUTIONS.create(tx, execution, reported=True)
    if not execution.status.final:
        return execution, False
    events.append(tx, [_ended(execution, now)])
    return execution, True


def _ended(execution: Execution, now: datetime) -> Event:
    return Event(kind=ENDED, at=now, payload={"execution": str(execution.id)})


def keep(tx: Tx, executions: Sequence[Execution]) -> None:
    """Keep executions that deliveries are made of, as they were told. One that is kept already stays as it is."""
    rows = [
        {
            "id": execution.id,
            "workspace_id": execution.workspace_id,
            "job_id": execution.job_id,
            "execution_id": execution.execution_id,
            "status": execution.status,
            "reported": False,
            "started_at": execution.started_at,
            "ended_at": execution.ended_at,
            "document": to_json(execution),
        }
        for execution in executions
    ]
    tx.run_each(tx.prepared(_keeping), rows)


def _keeping(insert: Any) -> Any:
    return insert(_EXECUTION).on_conflict_do_nothing()


def get_execution(tx: Tx, execution_id: UUID) -> Execution:
    """One execution by the id of its row. Raises NotFound (code ``execution_not_found``)."""
    return _EXECUTIONS.get(tx, execution_id)


def get_executions(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Execution]:
    """Those of the executions that are kept."""
    found = _EXECUTIONS.all(tx, _EXECUTION.c.id.in_(ids)) if ids else ()
    return {execution.id: execution for execution in found}


def list_executions(tx: Tx, workspace_id: UUID, which: ExecutionFilter, order: Order, page: Page) -> Listing[Execution]:
    """One page of the reported executions."""
    return _EXECUTIONS.list(tx, _conditions(workspace_id, which), order, page)


def _conditions(workspace_id: UUID, which: ExecutionFilter) -> Conditions:
    return [
        _EXECUTION.c.workspace_id == workspace_id,
        _EXECUTION.c.reported,
        *one_of(_EXECUTION.c.job_id, which.job_ids),
        *one_of(_EXECUTION.c.status, which.statuses),
        *one_of(_EXECUTION.c.execution_id, None if which.execution_id is None else [which.execution_id]),
        *within(_EXECUTION.c.ended_at, which.ended_at),
    ]


def prune(tx: Tx, before: datetime, limit: int) -> int:
    """Delete up to `limit` executions that ended before this moment and that nobody needs any more. Gives how many.

    Deliveries need them, windows that will fire, and events whose consequences were not drawn yet. Where many of those
    wait, nothing is deleted now.
    """
    waiting = events.waiting(tx, _MOST_WAITING)
    if len(waiting) == _MOST_WAITING:
        return 0
    unheard = [UUID(event.payload["execution"]) for event in waiting if event.kind == ENDED]
    needed = (
        exists().where(schema.delivery.c.execution == _EXECUTION.c.id),
        exists().where(schema.webhook_window.c.execution == _EXECUTION.c.id),
        _EXECUTION.c.id.in_(unheard),
    )
    old = select(_EXECUTION.c.id).where(_EXECUTION.c.ended_at < before, *(~need for need in needed)).limit(limit)
    return tx.run(delete(_EXECUTION).where(_EXECUTION.c.id.in_(old))).rowcount
