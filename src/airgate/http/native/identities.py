"""Identities as the native dialect shows and reads them: what people and service accounts have in common."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec

from airgate.http.native.common import Instant, id_in_path, utc
from airgate.http.operations import Call, caller_of
from airgate.model.errors import NotFound
from airgate.model.identity import (
    DagGrant,
    DagVerb,
    Identity,
    IdentityKind,
    Limits,
    RateLimit,
    Scope,
    ScopeKind,
)

_UNKNOWN: Final = "identity_not_found"

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Network = Annotated[str, msgspec.Meta(description="Addresses, e.g. 10.0.0.0/8 or 2001:db8::/32.", max_length=64)]
Password = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=1024, extra_json_schema={"format": "password", "writeOnly": True}),
]


class ScopeView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an identity's roles count. `name` is the workspace's or the deployment's; null with `everything`."""

    kind: ScopeKind
    name: str | None = None


class DagGrantView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verbs for the DAGs whose id matches the pattern: `*` stands for any characters, `?` for one; case counts."""

    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    verbs: Annotated[tuple[DagVerb, ...], msgspec.Meta(min_length=1, max_length=3)]


class RateLimitView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `requests` in `seconds`."""

    requests: Positive
    seconds: Positive


class LimitsView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What narrows an identity beyond its roles. `dags` null: all DAGs; `networks` empty: from anywhere."""

    dags: tuple[DagGrantView, ...] | None = None
    expires_at: Instant | None = None
    rate_limit: RateLimitView | None = None
    networks: tuple[Network, ...] = ()


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
        scope=scope_view(identity.scope),
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


def scope_view(scope: Scope) -> ScopeView:
    """A scope on the wire."""
    return ScopeView(kind=scope.kind, name=scope.name)


def limits_view(limits: Limits) -> LimitsView:
    """Limits on the wire."""
    return LimitsView(
        dags=dags_view(limits.dags),
        expires_at=limits.expires_at,
        rate_limit=rate_view(limits.rate),
        networks=limits.networks,
    )


def dags_view(grants: tuple[DagGrant, ...] | None) -> tuple[DagGrantView, ...] | None:
    """The DAGs an identity is limited to; None: all of them."""
    if grants is None:
        return None
    return tuple(DagGrantView(pattern=grant.pattern, verbs=grant.verbs) for grant in grants)


def rate_view(rate: RateLimit | None) -> RateLimitView | None:
    """How fast an identity may ask; None: as fast as it can."""
    return None if rate is None else RateLimitView(requests=rate.requests, seconds=rate.seconds)


def scope_of(view: ScopeView) -> Scope:
    """The scope that a body names."""
    return Scope(view.kind, view.name)


def limits_of(view: LimitsView, pointer: str) -> Limits:
    """The limits that a body sets. `pointer` leads to them."""
    return Limits(
        dags=grants_of(view.dags),
        expires_at=utc(view.expires_at, f"{pointer}/expires_at"),
        rate=rate_of(view.rate_limit),
        networks=view.networks,
    )


def grants_of(views: tuple[DagGrantView, ...] | None) -> tuple[DagGrant, ...] | None:
    """The grants that a body names, each verb once."""
    if views is None:
        return None
    return tuple(DagGrant(view.pattern, tuple(dict.fromkeys(view.verbs))) for view in views)


def rate_of(view: RateLimitView | None) -> RateLimit | None:
    """The rate limit that a body sets."""
    return None if view is None else RateLimit(view.requests, view.seconds)


async def identity_in_path(call: Call, name: str, kind: IdentityKind) -> Identity:
    """The identity that the path names. Raises NotFound, also for one of the other kind."""
    what = "user" if kind is IdentityKind.PERSON else "service account"
    identity_id = id_in_path(call, name, what, _UNKNOWN)
    identity = await call.services.accounts.get(caller_of(call), identity_id)
    if identity.kind is not kind:
        raise NotFound(f"There is no {what} with the id '{identity_id}'", code=_UNKNOWN)
    return identity
