"""Jobs: whatever's end can fire a webhook. And their executions, as webhooks see them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

_DAG_JOBS: Final = UUID("6f9b7c52-6b1f-5c8e-9a57-0d3a4be0a1c7")


class JobKind(StrEnum):
    """What a job is. Room is left for jobs that move tables themselves."""

    DAG = "dag"
    EXTERNAL = "external"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG of a deployment, or something outside that reports its executions.

    A DAG's job needs no row: its id is made of deployment and DAG id, and lasts as long as these names.
    """

    id: UUID
    workspace_id: UUID
    kind: JobKind
    name: str
    deployment: str | None = None
    dag_id: str | None = None
    connection_id: UUID | None = None
    connection_name: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    is_active: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ExecutionStatus(StrEnum):
    """How far an execution is. All but the first are final.

    ``CANCELLED`` fires only webhooks with a rule on STATUS. ``MISSED`` stands for an execution that did not come: it is
    made up for webhooks that wait for absence, and never listed.
    """

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    MISSED = "MISSED"

    @property
    def final(self) -> bool:
        """Whether nothing will follow."""
        return self is not ExecutionStatus.RUNNING


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a job: a DAG run, or what an external job reported.

    Nested tables of one execution are told as executions of their own, with the same `execution_id` and another `id`.
    """

    id: UUID
    execution_id: UUID
    job_id: UUID
    workspace_id: UUID
    status: ExecutionStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    connection_id: UUID | None = None
    connection_name: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    rows: int | None = None
    columns: int | None = None
    nested_table: bool = False
    force_history: bool = False
    triggered_by: str | None = None
    is_orchestration: bool = False
    error: str | None = None
    run: dict[str, Any] | None = None
    """Of a DAG run: what templates read as ``${{run.x}}``."""
    extra: dict[str, Any] = {}


def dag_job_id(deployment: str, dag_id: str) -> UUID:
    """The stable id of a DAG's job."""
    return uuid5(_DAG_JOBS, f"{deployment}/{dag_id}")
