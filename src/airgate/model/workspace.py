"""Workspaces: the outer scope. Each holds deployments, variables, secrets, jobs, webhooks, hooks and block windows."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

DEFAULT_WORKSPACE: Final = "default"
"""Name of the workspace that exists from the start, and holds the embedded deployment."""

DEFAULT_WORKSPACE_ID: Final = UUID("00000000-0000-7000-8000-000000000001")
"""Its id."""


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """The outer scope. `name` is unique, part of paths and of scopes of identities.

    `private_targets`: networks (CIDR) that deliveries of this workspace may go to although they are private, loopback
    or link-local. Empty: none.
    """

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime
    private_targets: tuple[str, ...] = ()


class WorkspaceVariable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that templates may read as ``${{variables.name}}``. Names differ by more than case."""

    id: UUID
    workspace_id: UUID
    name: str
    value: str
    description: str = ""
    created_at: datetime
    updated_at: datetime


class WorkspaceSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A value that templates may read as ``${{secrets.name}}`` and nobody can read back. The value is not in here."""

    id: UUID
    workspace_id: UUID
    name: str
    description: str = ""
    created_at: datetime
    updated_at: datetime
