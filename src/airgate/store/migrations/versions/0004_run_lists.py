"""Versions of blocks of runs, and task instances in the order of their lists.

The versions are how the index of long lists notices what has changed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "run_block",
        sa.Column("block", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block", name=op.f("pk_run_block")),
    )
    op.execute("INSERT INTO run_block (block, version) SELECT DISTINCT seq >> 10, 1 FROM dag_run")
    op.create_index("ix_task_instance_map_index", "task_instance", ["map_index", "dag_id", "run_id", "task_id"])
