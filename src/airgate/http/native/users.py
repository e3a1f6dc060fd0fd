"""People."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.access.ports import NewPerson, PersonChange
from airgate.http.native.common import Instant, created
from airgate.http.native.identities import (
    LimitsView,
    Password,
    ScopeView,
    identity_in_path,
    limits_of,
    limits_view,
    scope_of,
    scope_view,
)
from airgate.http.native.paging import Next, Paged, cut, key_after
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.model.identity import Identity, IdentityKind, Profile, ScopeKind

_TAG: Final = "users"
_USER: Final = "/users/{user_id}"


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A person."""

    id: UUID
    name: str
    roles: tuple[str, ...]
    scope: ScopeView
    limits: LimitsView
    active: bool
    first_name: str
    last_name: str
    email: str
    created_at: Instant
    updated_at: Instant | None


class Users(msgspec.Struct, frozen=True, kw_only=True):
    """A page of people, by name."""

    items: tuple[UserView, ...]
    next: Next | None


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person to be made. Without a password they can sign in with a key alone. `roles` are names of roles."""

    name: str
    roles: tuple[str, ...]
    password: Password | None = None
    scope: ScopeView = ScopeView(kind=ScopeKind.EVERYTHING)
    limits: LimitsView = LimitsView()
    active: bool = True
    first_name: str = ""
    last_name: str = ""
    email: str = ""


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a person; what is left out stays. `limits` are replaced as a whole."""

    name: str | UnsetType = UNSET
    roles: tuple[str, ...] | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    scope: ScopeView | UnsetType = UNSET
    limits: LimitsView | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


def _view(identity: Identity) -> UserView:
    return UserView(
        id=identity.id,
        name=identity.name,
        roles=identity.roles,
        scope=scope_view(identity.scope),
        limits=limits_view(identity.limits),
        active=identity.active,
        first_name=identity.profile.first_name,
        last_name=identity.profile.last_name,
        email=identity.profile.email,
        created_at=identity.created_at,
        updated_at=identity.updated_at,
    )


async def list_users(call: Call) -> Users:
    """List the people within the caller's scope, by name."""
    found = await call.services.accounts.list_people(caller_of(call), after=key_after(call), limit=call.query.limit + 1)
    page, following = cut(call, found, lambda identity: identity.name)
    return Users(items=tuple(map(_view, page)), next=following)


async def get_user(call: Call) -> UserView:
    """Show one person."""
    return _view(await identity_in_path(call, "user_id", IdentityKind.PERSON))


async def post_user(call: Call) -> Reply:
    """Make a person.

    Nobody grants more than they have: roles, scope and limits lie within the caller's own.
    """
    body: NewUser = call.body
    new = NewPerson(
        name=body.name,
        password=body.password,
        roles=body.roles,
        scope=scope_of(body.scope),
        limits=limits_of(body.limits, "#/limits"),
        active=body.active,
        profile=Profile(first_name=body.first_name, last_name=body.last_name, email=body.email),
    )
    return created(_view(await call.services.accounts.create_person(caller_of(call), new)))


async def patch_user(call: Call) -> UserView:
    """Change a person.

    Other people need `users.edit`. Whoever signed in with a password may change their own password, names and address.
    A new password, or `active`, makes tokens issued before it count no more. The last administrator stays one.
    """
    identity = await identity_in_path(call, "user_id", IdentityKind.PERSON)
    change = _change(call.body, identity.profile)
    return _view(await call.services.accounts.update_person(caller_of(call), identity.id, change))


def _change(body: UserChange, profile: Profile) -> PersonChange:
    known = {name: getattr(body, name) for name in Profile.__struct_fields__}
    given = {name: value for name, value in known.items() if value is not UNSET}
    return PersonChange(
        name=body.name,
        password=body.password,
        roles=body.roles,
        scope=UNSET if body.scope is UNSET else scope_of(body.scope),
        limits=UNSET if body.limits is UNSET else limits_of(body.limits, "#/limits"),
        active=body.active,
        profile=msgspec.structs.replace(profile, **given) if given else UNSET,
    )


async def delete_user(call: Call) -> None:
    """Delete a person, with their keys."""
    identity = await identity_in_path(call, "user_id", IdentityKind.PERSON)
    await call.services.accounts.delete(caller_of(call), identity.id)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/users", handler=list_users, tag=_TAG, permission=Permission.USERS_READ, query=Paged,
        answer=Users, reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="POST", path="/users", handler=post_user, tag=_TAG, permission=Permission.USERS_EDIT, body=NewUser,
        status=201, answer=UserView, errors=(409,), reach=Reach.SCOPE, noted=("name", "roles", "active"),
        event="post_user",
    ),
    NativeOperation(
        method="GET", path=_USER, handler=get_user, tag=_TAG, permission=Permission.USERS_READ, answer=UserView,
        reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="PATCH", path=_USER, handler=patch_user, tag=_TAG, body=UserChange,
        answer=UserView, errors=(409,), reach=Reach.SCOPE, noted=("name", "roles", "active"), event="patch_user",
    ),
    NativeOperation(
        method="DELETE", path=_USER, handler=delete_user, tag=_TAG, permission=Permission.USERS_EDIT, status=204,
        errors=(409,), reach=Reach.SCOPE, event="delete_user",
    ),
)  # fmt: skip
