"""Who asks. Roles are Airflow's: each may do all that the one before it may."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Role(StrEnum):
    """Airflow's roles, weakest first."""

    VIEWER = "viewer"
    USER = "user"
    OP = "op"
    ADMIN = "admin"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A person or machine that may call Airgate."""

    id: UUID
    name: str
    role: Role
    created_at: datetime


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A revocable credential of an identity. Only the digest of its secret is kept."""

    id: UUID
    identity_id: UUID
    digest: bytes
    label: str
    created_at: datetime
    last_used_at: datetime | None = None
