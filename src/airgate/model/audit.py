"""The audit log: every write and every refusal, with who, what, from where, and by which key. Never a secret."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"
    """Not authenticated, not permitted, or too fast."""
    FAILED = "failed"
    """Permitted, but it could not be done: it was wrong, clashed, or something broke."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One request that wrote, or was refused.

    `count` above one: so many like refusals within a minute, of which `at` is the first. `seq` is given by the store.
    """

    at: datetime
    event: str
    """The operation, e.g. ``post_dag_run``; the same word in every dialect for the same thing."""
    outcome: Outcome
    status: int
    """The HTTP status that was answered."""
    dialect: str
    method: str
    path: str
    actor: str | None = None
    """Name of the identity; of an unauthenticated caller the name it claimed, where it claimed one."""
    actor_id: UUID | None = None
    key_id: UUID | None = None
    address: str | None = None
    deployment: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    logical_date: datetime | None = None
    extra: dict[str, Any] = {}
    """What more is worth knowing; values of fields that may hold secrets are never in it."""
    count: int = 1
    seq: int = 0


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries. None means no restriction, an empty tuple matches nothing.

    `since` is inclusive, `until` is not. `deployments` and `dag_ids` are restrictions too: an entry that is about no
    deployment, or no DAG, meets neither.
    """

    deployments: tuple[str, ...] | None = None
    dag_ids: tuple[str, ...] | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    events: tuple[str, ...] | None = None
    excluded_events: tuple[str, ...] = ()
    actor: str | None = None
    key_id: UUID | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
