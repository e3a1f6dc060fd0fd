"""People and service accounts: several roles, scopes, limits, profiles; keys that expire; roles of one's own.

Who exists already becomes a person with the role of the same word and reaches everything, as before. Both tables are
made anew, because SQLite cannot change a column; there are never many rows in them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
MOMENT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")

ROLES = {"viewer": "Viewer", "user": "User", "op": "Op", "admin": "Admin"}


def upgrade() -> None:
    connection = op.get_bind()
    identities = (
        connection.execute(sa.text("SELECT id, name, role, created_at, password_hash FROM identity")).mappings().all()
    )
    keys = (
        connection.execute(sa.text("SELECT id, identity_id, digest, label, created_at, last_used_at FROM api_token"))
        .mappings()
        .all()
    )
    op.drop_table("api_token")
    op.drop_table("identity")
    identity, api_key = _identity(), _api_key()
    _role()
    if identities:
        op.bulk_insert(identity, [_converted(dict(row)) for row in identities])
    if keys:
        op.bulk_insert(api_key, [{**row, "expires_at": None, "batch": False} for row in keys])


def _converted(row: dict[str, Any]) -> dict[str, Any]:
    role = ROLES[row.pop("role")]
    added = {
        "kind": "person",
        "roles": f'["{role}"]',
        "scope_kind": "everything",
        "scope_name": None,
        "limits": "{}",
        "active": True,
        "first_name": "",
        "last_name": "",
        "email": "",
        "label": "",
        "category": "",
        "updated_at": None,
        "generation": 0,
    }
    return row | added


def _identity() -> sa.Table:
    table = op.create_table(
        "identity",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("scope_kind", TEXT, nullable=False),
        sa.Column("scope_name", TEXT, nullable=True),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("first_name", TEXT, nullable=False),
        sa.Column("last_name", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("category", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("password_hash", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("name", name=op.f("uq_identity_name")),
    )
    op.create_index("ix_identity_kind_name", "identity", ["kind", "name"])
    op.create_index("ix_identity_kind_id", "identity", ["kind", "id"])
    return table


def _api_key() -> sa.Table:
    table = op.create_table(
        "api_key",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("batch", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_api_key_identity"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_index(op.f("ix_api_key_identity_id"), "api_key", ["identity_id"])
    return table


def _role() -> None:
    op.create_table(
        "role",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_role")),
    )
