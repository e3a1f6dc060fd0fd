"""Roles: Airflow's four, which are fixed, and one's own."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.access.ports import KnownRole
from airgate.http.native.common import created
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.model.identity import Role

_TAG: Final = "roles"
_ROLE: Final = "/roles/{role}"
_RANKS: Final = {role.value: rank for rank, role in enumerate(Role)}

RoleName = Annotated[str, msgspec.Meta(min_length=1)]


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """A role, and what it allows. Those that are built in cannot be changed."""

    name: str
    permissions: tuple[Permission, ...]
    built_in: bool


class RolesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of roles: the built-in ones, weakest first, then the others by name."""

    items: tuple[RoleView, ...]
    next: Next | None


class NewRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role to be made."""

    name: RoleName
    permissions: tuple[Permission, ...]


class RoleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a role; what is left out stays."""

    name: RoleName | UnsetType = UNSET
    permissions: tuple[Permission, ...] | UnsetType = UNSET


def _view(role: KnownRole) -> RoleView:
    return RoleView(name=role.name, permissions=tuple(sorted(role.permissions)), built_in=role.built_in)


def _rank(role: KnownRole) -> list[Any]:
    return [0, _RANKS[role.name]] if role.built_in else [1, role.name]


async def list_roles(call: Call) -> RolesPage:
    """List the roles."""
    page, following = page_of(call, await call.services.roles.list(caller_of(call)), _rank)
    return RolesPage(items=tuple(map(_view, page)), next=following)


async def get_role(call: Call) -> RoleView:
    """Show one role."""
    return _view(await call.services.roles.get(caller_of(call), call.params["role"]))


async def post_role(call: Call) -> Reply:
    """Make a role."""
    body: NewRole = call.body
    role = await call.services.roles.create(caller_of(call), body.name, frozenset(body.permissions))
    return created(_view(role))


async def patch_role(call: Call) -> RoleView:
    """Rename a role, or replace its permissions.

    It counts at once for whoever has it.
    """
    body: RoleChange = call.body
    changed = await call.services.roles.update(
        caller_of(call),
        call.params["role"],
        new_name=None if body.name is UNSET else body.name,
        permissions=None if body.permissions is UNSET else frozenset(body.permissions),
    )
    return _view(changed)


async def delete_role(call: Call) -> None:
    """Delete a role that nobody has."""
    await call.services.roles.delete(caller_of(call), call.params["role"])


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/roles", handler=list_roles, tag=_TAG, permission=Permission.USERS_READ, query=Paged,
        answer=RolesPage, reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="POST", path="/roles", handler=post_role, tag=_TAG, permission=Permission.USERS_EDIT, body=NewRole,
        status=201, answer=RoleView, errors=(409,), noted=("name", "permissions"), event="post_role",
    ),
    NativeOperation(
        method="GET", path=_ROLE, handler=get_role, tag=_TAG, permission=Permission.USERS_READ, answer=RoleView,
        reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="PATCH", path=_ROLE, handler=patch_role, tag=_TAG, permission=Permission.USERS_EDIT, body=RoleChange,
        answer=RoleView, errors=(409,), noted=("name", "permissions"), event="patch_role",
    ),
    NativeOperation(
        method="DELETE", path=_ROLE, handler=delete_role, tag=_TAG, permission=Permission.USERS_EDIT, status=204,
        errors=(409,), event="delete_role",
    ),
)  # fmt: skip
