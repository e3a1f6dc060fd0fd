"""Service accounts: machines that call with a revocable key, and no more rights than they need."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.access.ports import NewServiceAccount, ServiceAccountChange
from airgate.http.native.common import Instant, created, utc
from airgate.http.native.identities import (
    DagGrantView,
    Network,
    RateLimitView,
    dags_view,
    grants_of,
    identity_in_path,
    rate_of,
    rate_view,
)
from airgate.http.native.keys import KeyView, key_view
from airgate.http.native.paging import Next, Paged, cut, key_after
from airgate.http.native.problems import wrong_body, wrong_parameter
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.model.identity import EVERYWHERE, Identity, IdentityKind, Limits, Role, Scope, ScopeKind

_TAG: Final = "service accounts"
_ACCOUNT: Final = "/service-accounts/{service_account_id}"
_ROLES: Final = {Role.VIEWER.value: "viewer", Role.USER.value: "editor", Role.ADMIN.value: "admin"}

_NOTED: Final = ("label", "category", "role", "deployment", "workspace", "active")

RoleWord = Annotated[
    str,
    msgspec.Meta(description="viewer, editor or admin; also DEPLOYMENT_EDITOR, WORKSPACE_ADMIN and their like."),
]


class ServiceAccountsQuery(Paged, frozen=True, kw_only=True):
    """A page of service accounts, of one place or of all."""

    deployment: str | None = None
    workspace: str | None = None


class ServiceAccountView(msgspec.Struct, frozen=True, kw_only=True):
    """A service account. `deployment` and `workspace` say where its role counts; both null: everywhere."""

    id: UUID
    name: str
    label: str
    category: str
    role: str
    deployment: str | None
    workspace: str | None
    dags: tuple[DagGrantView, ...] | None
    expires_at: Instant | None
    rate_limit: RateLimitView | None
    networks: tuple[str, ...]
    active: bool
    created_at: Instant
    updated_at: Instant | None


class CreatedServiceAccount(ServiceAccountView, frozen=True, kw_only=True):
    """A new service account with its first key. `api_key` is the secret, which is shown this once and never again."""

    api_key: str
    key: KeyView


class ServiceAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """A page of service accounts, the newest first."""

    items: tuple[ServiceAccountView, ...]
    next: Next | None


class ServiceAccountRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service account to be made. Of `deployment` and `workspace` at most one is given; neither means everywhere.

    `dags` limits it to some DAGs; `batch` marks its first key for the batch dialect.
    """

    label: str
    category: str = ""
    role: RoleWord = "viewer"
    deployment: str | None = None
    workspace: str | None = None
    dags: tuple[DagGrantView, ...] | None = None
    expires_at: Instant | None = None
    rate_limit: RateLimitView | None = None
    networks: tuple[Network, ...] = ()
    batch: bool = False


class ServiceAccountPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a service account; what is left out stays."""

    label: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    role: RoleWord | UnsetType = UNSET
    dags: tuple[DagGrantView, ...] | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    rate_limit: RateLimitView | UnsetType | None = UNSET
    networks: tuple[Network, ...] | UnsetType = UNSET
    active: bool | UnsetType = UNSET


def _view(identity: Identity) -> ServiceAccountView:
    scope, limits = identity.scope, identity.limits
    role = identity.roles[0] if identity.roles else ""
    return ServiceAccountView(
        id=identity.id,
        name=identity.name,
        label=identity.label,
        category=identity.category,
        role=_ROLES.get(role, role),
        deployment=scope.name if scope.kind is ScopeKind.DEPLOYMENT else None,
        workspace=scope.name if scope.kind is ScopeKind.WORKSPACE else None,
        dags=dags_view(limits.dags),
        expires_at=limits.expires_at,
        rate_limit=rate_view(limits.rate),
        networks=limits.networks,
        active=identity.active,
        created_at=identity.created_at,
        updated_at=identity.updated_at,
    )


async def list_service_accounts(call: Call) -> ServiceAccounts:
    """List the service accounts within the caller's scope.

    With `deployment` or `workspace`, only those that belong to it.
    """
    query: ServiceAccountsQuery = call.query
    if query.deployment is not None and query.workspace is not None:
        raise wrong_parameter("cannot be given together with `deployment`", "workspace")
    after = key_after(call)
    found = await call.services.accounts.list_service_accounts(
        caller_of(call),
        scope=_scope(query.deployment, query.workspace),
        after=None if after is None else UUID(after),
        limit=query.limit + 1,
    )
    page, following = cut(call, found, lambda identity: str(identity.id))
    return ServiceAccounts(items=tuple(map(_view, page)), next=following)


def _scope(deployment: str | None, workspace: str | None) -> Scope | None:
    if deployment is not None:
        return Scope(ScopeKind.DEPLOYMENT, deployment)
    return None if workspace is None else Scope(ScopeKind.WORKSPACE, workspace)


async def get_service_account(call: Call) -> ServiceAccountView:
    """Show one service account."""
    return _view(await _account(call))


async def _account(call: Call) -> Identity:
    return await identity_in_path(call, "service_account_id", IdentityKind.SERVICE_ACCOUNT)


async def post_service_account(call: Call) -> Reply:
    """Make a service account, and issue its first key.

    Nobody grants more than they have: role and scope lie within the caller's own. The answer is the only one that holds
    the secret.
    """
    body: ServiceAccountRequest = call.body
    if body.deployment is not None and body.workspace is not None:
        raise wrong_body("A service account belongs to a deployment or to a workspace, not to both", "#/workspace")
    new = NewServiceAccount(
        label=body.label,
        category=body.category,
        role=body.role,
        scope=_scope(body.deployment, body.workspace) or EVERYWHERE,
        limits=_limits(body, Limits()),
        batch=body.batch,
    )
    made = await call.services.accounts.create_service_account(caller_of(call), new)
    account = msgspec.structs.asdict(_view(made.identity))
    return created(CreatedServiceAccount(**account, api_key=made.issued.secret, key=key_view(made.issued.key)))


async def patch_service_account(call: Call) -> ServiceAccountView:
    """Change a service account.

    What it may do changes at once, for all its keys.
    """
    body: ServiceAccountPatch = call.body
    identity = await _account(call)
    limits = _limits(body, identity.limits)
    change = ServiceAccountChange(
        label=body.label,
        category=body.category,
        role=body.role,
        limits=UNSET if limits == identity.limits else limits,
        active=body.active,
    )
    return _view(await call.services.accounts.update_service_account(caller_of(call), identity.id, change))


def _limits(body: ServiceAccountRequest | ServiceAccountPatch, present: Limits) -> Limits:
    """The limits a body asks for: those at present, but for what it gives."""
    return Limits(
        dags=present.dags if body.dags is UNSET else grants_of(body.dags),
        expires_at=present.expires_at if body.expires_at is UNSET else utc(body.expires_at, "#/expires_at"),
        rate=present.rate if body.rate_limit is UNSET else rate_of(body.rate_limit),
        networks=present.networks if body.networks is UNSET else body.networks,
    )


async def delete_service_account(call: Call) -> None:
    """Delete a service account, with its keys."""
    identity = await _account(call)
    await call.services.accounts.delete(caller_of(call), identity.id)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/service-accounts", handler=list_service_accounts, tag=_TAG,
        permission=Permission.SERVICE_ACCOUNTS_READ, query=ServiceAccountsQuery, answer=ServiceAccounts,
        reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="POST", path="/service-accounts", handler=post_service_account, tag=_TAG,
        permission=Permission.SERVICE_ACCOUNTS_EDIT, body=ServiceAccountRequest, status=201,
        answer=CreatedServiceAccount, errors=(409,), reach=Reach.SCOPE, noted=_NOTED, event="post_service_account",
    ),
    NativeOperation(
        method="GET", path=_ACCOUNT, handler=get_service_account, tag=_TAG,
        permission=Permission.SERVICE_ACCOUNTS_READ, answer=ServiceAccountView, reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="PATCH", path=_ACCOUNT, handler=patch_service_account, tag=_TAG,
        permission=Permission.SERVICE_ACCOUNTS_EDIT, body=ServiceAccountPatch, answer=ServiceAccountView,
        errors=(409,), reach=Reach.SCOPE, noted=_NOTED, event="patch_service_account",
    ),
    NativeOperation(
        method="DELETE", path=_ACCOUNT, handler=delete_service_account, tag=_TAG,
        permission=Permission.SERVICE_ACCOUNTS_EDIT, status=204, errors=(409,), reach=Reach.SCOPE,
        event="delete_service_account",
    ),
)  # fmt: skip
