"""Who asks: people and service accounts, what they may touch, and the keys of machines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec


class IdentityKind(StrEnum):
    """People prove themselves with a password, service accounts with keys alone. Either may have keys."""

    PERSON = "person"
    SERVICE_ACCOUNT = "service_account"


class Role(StrEnum):
    """The roles that always exist, weakest first: Airflow's. Others may be defined by name."""

    VIEWER = "Viewer"
    USER = "User"
    OP = "Op"
    ADMIN = "Admin"


class ScopeKind(StrEnum):
    """How far an identity's roles reach."""

    EVERYTHING = "everything"
    WORKSPACE = "workspace"
    DEPLOYMENT = "deployment"


class Scope(msgspec.Struct, frozen=True):
    """Where an identity's roles count. `name` is the workspace's or the deployment's; None with ``everything``."""

    kind: ScopeKind = ScopeKind.EVERYTHING
    name: str | None = None

    def covers(self, *, deployment: str, workspace: str) -> bool:
        """Whether it reaches this deployment of this workspace."""
        match self.kind:
            case ScopeKind.EVERYTHING:
                return True
            case ScopeKind.WORKSPACE:
                return self.name == workspace
            case ScopeKind.DEPLOYMENT:
                return self.name == deployment

    def within(self, outer: Scope, workspace: str | None) -> bool:
        """Whether everything it reaches `outer` reaches too. `workspace` is that of the deployment it names."""
        if outer.kind is ScopeKind.EVERYTHING or self == outer:
            return True
        return (
            self.kind is ScopeKind.DEPLOYMENT
            and outer.kind is ScopeKind.WORKSPACE
            and workspace is not None
            and outer.name == workspace
        )


EVERYWHERE: Final = Scope()


class DagVerb(StrEnum):
    """What may be done with a DAG. None of them includes another."""

    READ = "read"
    TRIGGER = "trigger"
    EDIT = "edit"


class DagGrant(msgspec.Struct, frozen=True):
    """Verbs for the DAGs whose id matches `pattern`: ``*`` stands for any characters, ``?`` for one; case counts."""

    pattern: str
    verbs: tuple[DagVerb, ...]


class RateLimit(msgspec.Struct, frozen=True):
    """At most `requests` in `seconds`, as a bucket that refills evenly."""

    requests: int
    seconds: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows an identity beyond its roles.

    `dags` None: all DAGs. A tuple: only what it grants, and nothing at all of what belongs to no DAG (pools, variables,
    connections, configuration, other identities). `networks` empty: from anywhere.
    """

    dags: tuple[DagGrant, ...] | None = None
    expires_at: datetime | None = None
    rate: RateLimit | None = None
    networks: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a person besides the name they sign in with."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A person or machine that may call Airgate.

    `name` is unique and is what appears as the user of what the identity does. A service account is known to people by
    its `label`, which need not be unique.
    """

    id: UUID
    name: str
    kind: IdentityKind = IdentityKind.PERSON
    roles: tuple[str, ...]
    scope: Scope = EVERYWHERE
    limits: Limits = Limits()
    active: bool = True
    profile: Profile = Profile()
    label: str = ""
    category: str = ""
    created_at: datetime
    updated_at: datetime | None = None
    generation: int = 0
    """Rises with every change of the password or of `active`; tokens made for an earlier one count no more."""


class OwnRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role that somebody defined. `permissions` are words of `airgate.access.permissions.Permission`."""

    name: str
    permissions: tuple[str, ...]
    created_at: datetime
    updated_at: datetime | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A revocable credential of an identity. Only the digest of its secret is kept.

    `batch`: ``GET /api/v1/dags`` answers this key in the batch plugin's dialect.
    """

    id: UUID
    identity_id: UUID
    digest: bytes
    label: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    batch: bool = False
