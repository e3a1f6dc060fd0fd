"""Identities as the native dialect shows them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec

from airgate.http.native.common import Instant
from airgate.model.identity import DagVerb, Identity, IdentityKind, Limits, ScopeKind

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class ScopeView(msgspec.Struct, frozen=True, kw_only=True):
    """Where an identity's roles count. `name` is the workspace's or the deployment's; null with `everything`."""

    kind: ScopeKind
    name: str | None


class DagGrantView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verbs for the DAGs whose id matches the pattern: `*` stands for any characters, `?` for one; case counts."""

    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    verbs: Annotated[tuple[DagVerb, ...], msgspec.Meta(min_length=1, max_length=3)]


class RateLimitView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `requests` in `seconds`."""

    requests: Positive
    seconds: Positive


class LimitsView(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows an identity beyond its roles. `dags` null: all DAGs; `networks` empty: from anywhere."""

    dags: tuple[DagGrantView, ...] | None
    expires_at: Instant | None
    rate_limit: RateLimitView | None
    networks: tuple[str, ...]


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a service account."""

    id: UUID
    name: str
    kind: IdentityKind
    roles: tuple[str, ...]
    scope: ScopeView
    limits: LimitsView
    active: bool
    label: str
    category: str
    first_name: str
    last_name: str
    email: str
    created_at: Instant
    updated_at: Instant | None


def identity_view(identity: Identity) -> IdentityView:
    """All that is shown of an identity."""
    return IdentityView(
        id=identity.id,
        name=identity.name,
        kind=identity.kind,
        roles=identity.roles,
        scope=scope_view(identity),
        limits=limits_view(identity.limits),
        active=identity.active,
        label=identity.label,
        category=identity.category,
        first_name=identity.profile.first_name,
        last_name=identity.profile.last_name,
        email=identity.profile.email,
        created_at=identity.created_at,
        updated_at=identity.updated_at,
    )


def scope_view(identity: Identity) -> ScopeView:
    """Where the identity's roles count."""
    return ScopeView(kind=identity.scope.kind, name=identity.scope.name)


def limits_view(limits: Limits) -> LimitsView:
    """The limits of an identity."""
    return LimitsView(
        dags=dags_view(limits),
        expires_at=limits.expires_at,
        rate_limit=rate_view(limits),
        networks=limits.networks,
    )


def dags_view(limits: Limits) -> tuple[DagGrantView, ...] | None:
    """The DAGs an identity is limited to; None: all of them."""
    if limits.dags is None:
        return None
    return tuple(DagGrantView(pattern=grant.pattern, verbs=grant.verbs) for grant in limits.dags)


def rate_view(limits: Limits) -> RateLimitView | None:
    """How fast an identity may ask; None: as fast as it can."""
    rate = limits.rate
    return None if rate is None else RateLimitView(requests=rate.requests, seconds=rate.seconds)
