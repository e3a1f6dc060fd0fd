"""Workspaces, jobs, webhooks, deliveries, hooks and block windows; events that wait to be settled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
MOMENT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")

DEFAULT_ID = "00000000-0000-7000-8000-000000000001"


def upgrade() -> None:
    _workspaces()
    _jobs()
    _webhooks()
    _deliveries()
    _hooks()
    _events()
    _first_workspace()


def _column(name: str, kind: Any, *, empty: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=empty)


def _document(name: str, columns: Sequence[sa.Column[Any]], *others: Any) -> None:
    op.create_table(
        name,
        _column("id", ID),
        *columns,
        _column("document", TEXT),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        *others,
    )


def _dates() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return _column("created_at", MOMENT), _column("updated_at", MOMENT)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _of(table: str, column: str, referred: str, *, goes_with_it: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{referred}.id"],
        name=op.f(f"fk_{table}_{referred}"),
        ondelete="CASCADE" if goes_with_it else None,
    )


def _workspaces() -> None:
    _document("workspace", [_column("name", TEXT)], _unique("workspace", "name"))
    for table, more in (("workspace_variable", []), ("workspace_secret", [_column("value", sa.LargeBinary())])):
        _document(
            table,
            [_column("workspace_id", ID), _column("name", TEXT), _column("folded", TEXT), *_dates(), *more],
            _of(table, "workspace_id", "workspace"),
            _unique(table, "workspace_id", "folded"),
        )


def _jobs() -> None:
    _document(
        "job",
        [_column("workspace_id", ID), _column("name", TEXT), _column("is_active", sa.Boolean()), *_dates()],
        _of("job", "workspace_id", "workspace"),
        _unique("job", "workspace_id", "name"),
    )
    _document(
        "execution",
        [
            _column("workspace_id", ID),
            _column("job_id", ID),
            _column("execution_id", ID),
            _column("status", TEXT),
            _column("reported", sa.Boolean()),
            _column("started_at", MOMENT, empty=True),
            _column("ended_at", MOMENT, empty=True),
        ],
        _of("execution", "workspace_id", "workspace"),
    )
    op.create_index("ix_execution_job_id", "execution", ["job_id", "id"])
    op.create_index("ix_execution_workspace_id", "execution", ["workspace_id", "id"])
    op.create_index("ix_execution_ended_at", "execution", ["ended_at"])


def _webhooks() -> None:
    _document(
        "webhook",
        [
            _column("workspace_id", ID),
            _column("description", TEXT),
            _column("is_active", sa.Boolean()),
            _column("method", TEXT),
            _column("url", TEXT),
            *_dates(),
        ],
        _of("webhook", "workspace_id", "workspace"),
    )
    op.create_index("ix_webhook_workspace_id", "webhook", ["workspace_id", "id"])
    op.create_table(
        "webhook_job",
        _column("webhook_id", ID),
        _column("job_id", ID),
        sa.PrimaryKeyConstraint("webhook_id", "job_id", name=op.f("pk_webhook_job")),
        _of("webhook_job", "webhook_id", "webhook", goes_with_it=True),
    )
    op.create_index("ix_webhook_job_job_id", "webhook_job", ["job_id"])
    _document(
        "signing_key",
        [_column("webhook_id", ID), _column("secret", sa.LargeBinary())],
        _of("signing_key", "webhook_id", "webhook", goes_with_it=True),
    )
    op.create_index(op.f("ix_signing_key_webhook_id"), "signing_key", ["webhook_id"])
    op.create_table(
        "webhook_window",
        _column("webhook_id", ID),
        _column("key", TEXT),
        _column("opened_at", MOMENT),
        _column("due_at", MOMENT, empty=True),
        _column("count", sa.Integer()),
        _column("execution", ID, empty=True),
        _column("seen", sa.Text()),
        sa.PrimaryKeyConstraint("webhook_id", "key", name=op.f("pk_webhook_window")),
        _of("webhook_window", "webhook_id", "webhook", goes_with_it=True),
    )
    op.create_index(op.f("ix_webhook_window_due_at"), "webhook_window", ["due_at"])


def _deliveries() -> None:
    op.create_table(
        "delivery",
        _column("id", ID),
        _column("webhook_id", ID),
        _column("workspace_id", ID),
        _column("execution", ID),
        _column("cause", TEXT),
        _column("state", TEXT),
        _column("created_at", MOMENT),
        _column("next_attempt_at", MOMENT, empty=True),
        _column("attempts", sa.Integer()),
        _column("last_status", sa.Integer(), empty=True),
        _column("reason", TEXT, empty=True),
        _column("count", sa.Integer()),
        _column("replay_of", ID, empty=True),
        _column("finished_at", MOMENT, empty=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        _of("delivery", "execution", "execution"),
        _unique("delivery", "webhook_id", "cause"),
    )
    op.create_index("ix_delivery_execution", "delivery", ["execution"])
    op.create_index("ix_delivery_finished_at", "delivery", ["finished_at"])
    op.create_index("ix_delivery_workspace_id", "delivery", ["workspace_id", "id"])
    op.create_index("ix_delivery_webhook_id_id", "delivery", ["webhook_id", "id"])
    pending = sa.text("state = 'pending'")
    op.create_index("ix_delivery_due", "delivery", ["next_attempt_at"], sqlite_where=pending, postgresql_where=pending)
    op.create_table(
        "attempt",
        _column("id", ID),
        _column("delivery_id", ID),
        _column("number", sa.Integer()),
        _column("at", MOMENT),
        _column("latency", sa.Float()),
        _column("status", sa.Integer(), empty=True),
        _column("error", TEXT, empty=True),
        _column("request", sa.Text()),
        _column("response", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        _of("attempt", "delivery_id", "delivery", goes_with_it=True),
        _unique("attempt", "delivery_id", "number"),
    )


def _hooks() -> None:
    _document(
        "hook",
        [
            _column("workspace_id", ID),
            _column("name", TEXT),
            *_dates(),
            _column("secret", sa.LargeBinary()),
            _column("previous_secret", sa.LargeBinary(), empty=True),
        ],
        _of("hook", "workspace_id", "workspace"),
        _unique("hook", "name"),
    )
    _document(
        "block_window",
        [_column("workspace_id", ID), _column("name", TEXT), *_dates()],
        _of("block_window", "workspace_id", "workspace"),
    )


def _events() -> None:
    """Events so far had nobody to hear them."""
    op.add_column("event", sa.Column("settled", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE event SET settled = TRUE")
    waiting = sa.text("settled IS FALSE")
    op.create_index("ix_event_open", "event", ["seq"], sqlite_where=waiting, postgresql_where=waiting)


def _first_workspace() -> None:
    began = "1970-01-01T00:00:00Z"
    document = {"id": DEFAULT_ID, "name": "default", "created_at": began, "updated_at": began, "private_targets": []}
    key = UUID(DEFAULT_ID)
    table = sa.table("workspace", sa.column("id", ID), sa.column("name", TEXT), sa.column("document", TEXT))
    stored = key if op.get_bind().dialect.name == "postgresql" else key.bytes
    op.bulk_insert(table, [{"id": stored, "name": "default", "document": json.dumps(document, separators=(",", ":"))}])
