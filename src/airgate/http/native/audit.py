"""The audit log: every write and every refusal."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.access.permissions import Permission
from airgate.http.native.common import Instant
from airgate.http.native.deployments import visible_deployments
from airgate.http.native.paging import Next, Paged, cut, key_after
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.model.identity import ScopeKind


class AuditQuery(Paged, frozen=True, kw_only=True):
    """A page of the audit log. Of dates, `since` is included and `until` is not."""

    actor: str | None = None
    event: str | None = None
    outcome: Outcome | None = None
    deployment: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class AuditEntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One request that wrote, or was refused. `count` above one: so many alike within a minute, the first at `at`."""

    id: int
    at: Instant
    event: str
    outcome: Outcome
    status: int
    dialect: str
    method: str
    path: str
    actor: str | None
    actor_id: UUID | None
    key_id: UUID | None
    address: str | None
    deployment: str | None
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    logical_date: Instant | None
    extra: dict[str, Any]
    count: int


class AuditLog(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit log, the newest first."""

    items: tuple[AuditEntryView, ...]
    next: Next | None


def _view(entry: AuditEntry) -> AuditEntryView:
    known = msgspec.structs.asdict(entry)
    return AuditEntryView(id=known.pop("seq"), **known)


async def list_audit(call: Call) -> AuditLog:
    """Read the audit log.

    Callers whose scope is not everything see what concerns the deployments within it.
    """
    query: AuditQuery = call.query
    which = AuditFilter(
        deployments=_deployments(call, query.deployment),
        dag_ids=None if query.dag_id is None else (query.dag_id,),
        run_id=query.run_id,
        events=None if query.event is None else (query.event,),
        actor=query.actor,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )
    found = await call.services.audit.newest(which, query.limit + 1, key_after(call))
    page, following = cut(call, found, lambda entry: entry.seq)
    return AuditLog(items=tuple(map(_view, page)), next=following)


def _deployments(call: Call, wanted: str | None) -> tuple[str, ...] | None:
    """The deployments to show entries of; None: any, and what belongs to none."""
    if caller_of(call).identity.scope.kind is ScopeKind.EVERYTHING:
        return None if wanted is None else (wanted,)
    covered = tuple(deployment.name for deployment in visible_deployments(call))
    return covered if wanted is None else tuple(name for name in covered if name == wanted)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/audit", handler=list_audit, tag="audit", permission=Permission.AUDIT_READ,
        query=AuditQuery, answer=AuditLog, reach=Reach.SCOPE,
    ),
)  # fmt: skip
