"""Who may change whom: nobody grants more than they have, nor touches who has more. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from airgate.access import networks
from airgate.access.decisions import Caller
from airgate.access.permissions import Permission
from airgate.model.errors import PermissionDenied
from airgate.model.identity import EVERYWHERE, Identity, IdentityKind, Limits, RateLimit, Role, Scope, ScopeKind

Workspaces = Mapping[str, str]
"""The workspace of each deployment, by name."""

_READ = {
    IdentityKind.PERSON: Permission.USERS_READ,
    IdentityKind.SERVICE_ACCOUNT: Permission.SERVICE_ACCOUNTS_READ,
}
_EDIT = {
    IdentityKind.PERSON: Permission.USERS_EDIT,
    IdentityKind.SERVICE_ACCOUNT: Permission.SERVICE_ACCOUNTS_EDIT,
}


def require_read(by: Caller, kind: IdentityKind) -> None:
    """Refuse who may not see identities of this kind."""
    _require(by, _READ[kind])


def require_edit(by: Caller, kind: IdentityKind) -> None:
    """Refuse who may not change identities of this kind."""
    _require(by, _EDIT[kind])


def visible_scopes(by: Caller, workspaces: Workspaces) -> tuple[Scope, ...] | None:
    """The scopes of the identities a caller sees; None: all."""
    mine = by.identity.scope
    if mine.kind is ScopeKind.EVERYTHING:
        return None
    if mine.kind is ScopeKind.DEPLOYMENT:
        return (mine,)
    inside = (name for name, workspace in workspaces.items() if workspace == mine.name)
    return (mine, *(Scope(ScopeKind.DEPLOYMENT, name) for name in inside))


def sees(by: Caller, identity: Identity, workspaces: Workspaces) -> bool:
    """Whether an identity exists for the caller."""
    return identity.scope.within(by.identity.scope, workspaces.get(identity.scope.name or ""))


def check_within(by: Caller, identity: Identity, permissions: frozenset[Permission], workspaces: Workspaces) -> None:
    """Refuse an identity that may do more than the caller: to be made, changed, deleted or given a key by them.

    Raises:
        PermissionDenied: saying what goes beyond.
    """
    if not sees(by, identity, workspaces):
        raise PermissionDenied(
            f"You reach {_where(by.identity.scope)}; {_where(identity.scope)} goes beyond that.", code="scope_beyond"
        )
    beyond = permissions - by.permissions
    if beyond:
        raise PermissionDenied(
            f"Nobody can grant, or touch, more than they have; you do not have: {', '.join(sorted(beyond))}.",
            code="permissions_beyond",
        )
    _check_limits(by.identity.limits, identity.limits)


def is_administrator(identity: Identity) -> bool:
    """Whether it can always do everything everywhere: what every installation keeps at least one of."""
    return (
        identity.active
        and Role.ADMIN in identity.roles
        and identity.scope == EVERYWHERE
        and identity.limits == Limits()  # who is limited could lift no limit, not even their own
    )


def _require(by: Caller, permission: Permission) -> None:
    if permission not in by.permissions or by.identity.limits.dags is not None:
        raise PermissionDenied(f"This needs the permission {permission.value}")


def _check_limits(mine: Limits, theirs: Limits) -> None:
    if mine.expires_at is not None and (theirs.expires_at is None or theirs.expires_at > mine.expires_at):
        raise _wider(f"expires_at {mine.expires_at.isoformat()} at the latest")
    outer = [networks.parse(text) for text in mine.networks]
    inner = [networks.parse(text) for text in theirs.networks]
    if outer and not (inner and all(networks.within(network, outer) for network in inner)):
        raise _wider(f"networks within {', '.join(mine.networks)}")
    if mine.rate is not None and (theirs.rate is None or _speed(theirs.rate) > _speed(mine.rate)):
        raise _wider(f"a rate limit of {mine.rate.requests} requests in {mine.rate.seconds} s at most")


def _speed(rate: RateLimit) -> float:
    return rate.requests / rate.seconds


def _wider(needed: str) -> PermissionDenied:
    return PermissionDenied(
        f"Your own limits count for whom you make or change too; this needs {needed}.", code="limits_beyond"
    )


def _where(scope: Scope) -> str:
    return "everything" if scope.kind is ScopeKind.EVERYTHING else f"the {scope.kind.value} '{scope.name}'"
