"""Triggers and runs as the native dialect shows and reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.http.native.common import Instant, utc
from airgate.http.native.paging import Next, Paged
from airgate.http.native.problems import Problem, wrong_body
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.trigger import Accepted, Trigger, TriggerRequest, TriggerState, state_of

LONGEST_WAIT = 300
MOST = 10_000

Name = Annotated[str, msgspec.Meta(min_length=1)]
Seconds = Annotated[
    float, msgspec.Meta(ge=0, le=LONGEST_WAIT, description="How long to wait for the end of the run, in seconds.")
]


class Interval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The time whose data a run is about."""

    start: Instant
    end: Instant


class NewTrigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to run a DAG. What is left out is chosen; a `logical_date` of null makes a run without one."""

    dag_id: Name
    run_id: Name | None = None
    logical_date: Instant | UnsetType | None = UNSET
    data_interval: Interval | None = None
    conf: dict[str, Any] | None = None
    note: str | None = None


class BulkTrigger(NewTrigger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trigger of many. `idempotency_key`: given again with the same request, it answers with the same run."""

    idempotency_key: str | None = None


class NewTriggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many triggers, accepted in one transaction."""

    triggers: Annotated[list[BulkTrigger], msgspec.Meta(min_length=1, max_length=MOST)]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG run."""

    dag_id: str
    run_id: str
    state: RunState
    run_type: RunType
    triggered_by: TriggeredBy
    triggering_user: str | None
    logical_date: Instant | None
    run_after: Instant
    queued_at: Instant
    start_date: Instant | None
    end_date: Instant | None
    data_interval: Interval | None
    conf: dict[str, Any]
    note: str | None


class TriggerView(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted trigger and its run. `identity` is who asked, as it was called then."""

    id: UUID
    deployment: str
    dag_id: str
    run_id: str
    state: TriggerState
    created_at: Instant
    identity: str | None
    identity_id: UUID | None
    run: RunView


class TriggersPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of triggers, the newest first."""

    items: tuple[TriggerView, ...]
    next: Next | None


class BulkResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the trigger at this place of the request: the trigger, or a problem."""

    index: int
    trigger: TriggerView | None = None
    problem: Problem | None = None


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of many triggers, each by itself, in the order of the request."""

    accepted: int
    repeated: int
    refused: int
    results: list[BulkResult]


class TriggerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The data of one server-sent event: `state` at first and after each change of it, `end` when the run has ended."""

    trigger: TriggerView
    run: RunView | None


class TriggersQuery(Paged, frozen=True, kw_only=True):
    """A page of triggers. `since` and `until` bound when they were accepted, both included."""

    dag_id: str | None = None
    state: TriggerState | None = None
    since: Instant | None = None
    until: Instant | None = None


class TriggerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How to trigger."""

    wait: Seconds = 0


class WaitQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How to wait."""

    timeout: Seconds = LONGEST_WAIT


def request_of(body: NewTrigger, user: str, key: str | None, pointer: str = "#") -> TriggerRequest:
    """What a body asks for. Raises Refused, pointing below `pointer`."""
    date = body.logical_date
    return TriggerRequest(
        dag_id=body.dag_id,
        run_id=body.run_id,
        logical_date=None if date is UNSET else utc(date, f"{pointer}/logical_date"),
        has_logical_date=date is not UNSET,
        data_interval=_interval(body.data_interval, f"{pointer}/data_interval"),
        conf=body.conf or {},
        note=body.note,
        triggering_user=user,
        idempotency_key=key,
    )


def _interval(interval: Interval | None, pointer: str) -> tuple[datetime, datetime] | None:
    if interval is None:
        return None
    start, end = utc(interval.start, f"{pointer}/start"), utc(interval.end, f"{pointer}/end")
    assert start is not None
    assert end is not None
    if end < start:
        raise wrong_body("It ends before it starts", pointer)
    return start, end


def run_view(run: DagRun) -> RunView:
    """A run as it is shown."""
    start, end = run.data_interval_start, run.data_interval_end
    return RunView(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=run.state,
        run_type=run.run_type,
        triggered_by=run.triggered_by,
        triggering_user=run.triggering_user,
        logical_date=run.logical_date,
        run_after=run.run_after,
        queued_at=run.queued_at,
        start_date=run.start_date,
        end_date=run.end_date,
        data_interval=None if start is None or end is None else Interval(start=start, end=end),
        conf=run.conf,
        note=run.note,
    )


def trigger_view(trigger: Trigger, run: DagRun) -> TriggerView:
    """A trigger as it is shown, in the state its run says."""
    return TriggerView(
        id=trigger.id,
        deployment=trigger.deployment,
        dag_id=trigger.dag_id,
        run_id=trigger.run_id,
        state=state_of(trigger.state, run.state),
        created_at=trigger.created_at,
        identity=trigger.actor,
        identity_id=trigger.actor_id,
        run=run_view(run),
    )


def accepted_view(accepted: Accepted) -> TriggerView:
    """What was accepted as it is shown."""
    assert accepted.trigger is not None
    return trigger_view(accepted.trigger, accepted.run)
