"""Triggers: durable, accepted requests to run a DAG. Each yields exactly one DAG run, or a recorded refusal."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from airgate.model.run import DagRun
from airgate.model.states import RunType, TriggeredBy


class TriggerState(StrEnum):
    """How far a trigger has come."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"


class TriggerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for, in whichever dialect. Absent means: let Airgate choose.

    `logical_date` None with `has_logical_date` True asks for a run without one (Airflow 3); with False it asks for
    the dialect's default. `idempotency_key` is the client's own; the same key and the same request give the same run.
    `whole_second`: a date the server chooses is to be cut to the second while that second is free for the DAG, and is the
    next free microsecond otherwise. It does not count among what makes two requests the same.
    """

    dag_id: str
    run_id: str | None = None
    logical_date: datetime | None = None
    has_logical_date: bool = False
    run_after: datetime | None = None
    data_interval: tuple[datetime, datetime] | None = None
    conf: dict[str, Any] = {}
    note: str | None = None
    run_type: RunType = RunType.MANUAL
    triggered_by: TriggeredBy = TriggeredBy.REST_API
    triggering_user: str | None = None
    idempotency_key: str | None = None
    partition_key: str | None = None
    whole_second: bool = False


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted trigger, as stored. (deployment, idempotency_key) is unique.

    `fingerprint` is a digest of what was asked; it tells a repeated request from a different one under the same key.
    """

    id: UUID
    deployment: str
    dag_id: str
    run_id: str
    idempotency_key: str
    fingerprint: str
    state: TriggerState
    created_at: datetime
    attempts: int = 0
    last_error: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """Answer to an accepted trigger: the run, and whether this very request made it (False: a repeat)."""

    run: DagRun
    created: bool
