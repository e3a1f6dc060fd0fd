"""The tables of workspaces, jobs, webhooks and deliveries. They share `_schema`'s metadata.

Nouns that are read whole and written seldom are kept as documents (`_documents`): the struct as JSON, and beside it the
columns that lists filter and sort by.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, UniqueConstraint, text

from airgate.model.job import ExecutionStatus
from airgate.model.webhook import DeliveryState
from airgate.store._schema import metadata
from airgate.store._types import TEXT, Id, JsonOf, JsonValue, Moment, Word


def _document(name: str, *columns: Any) -> Table:
    return Table(name, metadata, Column("id", Id, primary_key=True), *columns, Column("document", TEXT, nullable=False))


def _workspace_id() -> Column[Any]:
    return Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False)


def _dates() -> tuple[Column[Any], Column[Any]]:
    return Column("created_at", Moment, nullable=False), Column("updated_at", Moment, nullable=False)


workspace = _document("workspace", Column("name", TEXT, nullable=False, unique=True))

workspace_variable = _document(
    "workspace_variable",
    _workspace_id(),
    Column("name", TEXT, nullable=False),
    Column("folded", TEXT, nullable=False),
    *_dates(),
    UniqueConstraint("workspace_id", "folded"),
)

workspace_secret = _document(
    "workspace_secret",
    _workspace_id(),
    Column("name", TEXT, nullable=False),
    Column("folded", TEXT, nullable=False),
    *_dates(),
    Column("value", LargeBinary, nullable=False),
    UniqueConstraint("workspace_id", "folded"),
)

job = _document(
    "job",
    _workspace_id(),
    Column("name", TEXT, nullable=False),
    Column("is_active", Boolean, nullable=False),
    *_dates(),
    UniqueConstraint("workspace_id", "name"),
)

execution = _document(
    "execution",
    _workspace_id(),
    Column("job_id", Id, nullable=False),
    Column("execution_id", Id, nullable=False),
    Column("status", Word(ExecutionStatus), nullable=False),
    Column("reported", Boolean, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Index("ix_execution_job_id", "job_id", "id"),
    Index("ix_execution_workspace_id", "workspace_id", "id"),
    Index("ix_execution_ended_at", "ended_at"),
)

webhook = _document(
    "webhook",
    _workspace_id(),
    Column("description", TEXT, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("method", TEXT, nullable=False),
    Column("url", TEXT, nullable=False),
    *_dates(),
    Index("ix_webhook_workspace_id", "workspace_id", "id"),
)

webhook_job = Table(
    "webhook_job",
    metadata,
    Column("webhook_id", Id, ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", Id, primary_key=True),
    Index("ix_webhook_job_job_id", "job_id"),
)

signing_key = _document(
    "signing_key",
    Column("webhook_id", Id, ForeignKey("webhook.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook_id", Id, nullable=False),
    Column("workspace_id", Id, nullable=False),
    Column("execution", Id, ForeignKey("execution.id"), nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("state", Word(DeliveryState), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("next_attempt_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("last_status", Integer),
    Column("reason", TEXT),
    Column("count", Integer, nullable=False),
    Column("replay_of", Id),
    Column("finished_at", Moment),
    UniqueConstraint("webhook_id", "cause"),
    Index("ix_delivery_workspace_id", "workspace_id", "id"),
    Index("ix_delivery_webhook_id_id", "webhook_id", "id"),
    Index("ix_delivery_execution", "execution"),
    Index("ix_delivery_finished_at", "finished_at"),
    Index(
        "ix_delivery_due",
        "next_attempt_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Id, ForeignKey("delivery.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("latency", Float, nullable=False),
    Column("status", Integer),
    Column("error", TEXT),
    Column("request", JsonValue, nullable=False),
    Column("response", JsonValue, nullable=False),
    UniqueConstraint("delivery_id", "number"),
)

webhook_window = Table(
    "webhook_window",
    metadata,
    Column("webhook_id", Id, ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, index=True),
    Column("count", Integer, nullable=False),
    Column("execution", Id),
    Column("seen", JsonOf(tuple[str, ...]), nullable=False),
)

hook = _document(
    "hook",
    _workspace_id(),
    Column("name", TEXT, nullable=False, unique=True),
    *_dates(),
    Column("secret", LargeBinary, nullable=False),
    Column("previous_secret", LargeBinary),
)

block_window = _document("block_window", _workspace_id(), Column("name", TEXT, nullable=False), *_dates())
