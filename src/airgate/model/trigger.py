"""Triggers: durable, accepted requests to run a DAG. Each yields exactly one DAG run, or a recorded refusal."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy


class TriggerState(StrEnum):
    """How far a trigger has come.

    Stored is only what cannot be seen in the run; ``running`` and ``finished`` are read off the run itself (see
    `state_of`), so that a run costs no second write each time its state changes.
    """

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"


class TriggerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for, in whichever dialect. Absent means: let Airgate choose.

    `logical_date` None with `has_logical_date` True asks for a run without one (Airflow 3); with False it asks for
    the dialect's default. `idempotency_key` is the client's own; the same key and the same request give the same run.
    `whole_second`: a date the server chooses is to be cut to the second while that second is free for the DAG, and is
    the next free microsecond otherwise. It does not count among what makes two requests the same.
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
    run_id_prefix: str | None = None
    """Of a run whose id is left open: the id is this, ``_`` and the run's date in UTC, written without an offset."""


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted trigger, as stored. (deployment, idempotency_key) is unique.

    `fingerprint` is a digest of what was asked; it tells a repeated request from a different one under the same key.
    `actor` and `actor_id` are the identity that asked, as it was called then.
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
    actor: str | None = None
    actor_id: UUID | None = None


class Accepted(msgspec.Struct, frozen=True):
    """Answer to an accepted trigger: the run, and whether this very request made it (False: a repeat).

    `trigger` is the one kept for it: of a repeat the first.
    """

    run: DagRun
    created: bool
    trigger: Trigger | None = None


class TriggerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which triggers to list. None: any. `since` and `until` bound when it was accepted, both included."""

    dag_ids: tuple[str, ...] | None = None
    states: tuple[TriggerState, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None


class TriggerKey(msgspec.Struct, frozen=True):
    """Place of a trigger in the order of triggers: the key that lists page by."""

    created_at: datetime
    id: UUID


class Followed(msgspec.Struct, frozen=True):
    """A trigger as it is now, with its run."""

    trigger: Trigger
    run: DagRun


def state_of(stored: TriggerState, run: RunState) -> TriggerState:
    """How far a trigger has come whose run is in this state."""
    if run is RunState.QUEUED or stored is TriggerState.REFUSED:
        return stored
    return TriggerState.FINISHED if run.finished else TriggerState.RUNNING
