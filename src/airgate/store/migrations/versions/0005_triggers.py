"""Who triggered, and lists of triggers, newest first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")


def upgrade() -> None:
    table = "trigger_request"
    op.add_column(table, sa.Column("actor", TEXT, nullable=True))
    op.add_column(table, sa.Column("actor_id", ID, nullable=True))
    op.create_index("ix_trigger_request_deployment_created_at", table, ["deployment", "created_at", "id"])
    op.create_index(
        "ix_trigger_request_deployment_dag_id_created_at", table, ["deployment", "dag_id", "created_at", "id"]
    )
    # How far a trigger has come is read off its run from now on.
    op.execute("UPDATE trigger_request SET state = 'accepted' WHERE state IN ('running', 'finished')")
