"""What roles allow, and the keeping of those that are defined here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from airgate.access.decisions import Caller
from airgate.access.permissions import GRANTED, Permission
from airgate.access.ports import KnownRole
from airgate.model.errors import Conflict, InvalidInput, PermissionDenied
from airgate.model.identity import EVERYWHERE, OwnRole, Role
from airgate.store import roles
from airgate.store.database import Database, Tx

BUILT_IN: Final = {role.value: KnownRole(name=role.value, permissions=GRANTED[role], built_in=True) for role in Role}
"""The roles that always exist, by name, weakest first."""

_WORDS: Final = frozenset(permission.value for permission in Permission)
_LONGEST_NAME: Final = 64


def permissions_of(tx: Tx, names: Collection[str]) -> frozenset[Permission]:
    """All that roles of these names allow together. A role that does not exist any more allows nothing."""
    allowed: frozenset[Permission] = frozenset()
    for name in names:
        if name in BUILT_IN:
            allowed |= BUILT_IN[name].permissions
    own = [name for name in names if name not in BUILT_IN]
    for role in roles.list_roles(tx, own) if own else ():
        allowed |= _permissions(role)
    return allowed


def check_exist(tx: Tx, names: Collection[str]) -> None:
    """Raise InvalidInput (code ``role_unknown``) for a name that no role has."""
    own = {name for name in names if name not in BUILT_IN}
    missing = own - {role.name for role in roles.list_roles(tx, own)} if own else set()
    if missing:
        known = ", ".join([*BUILT_IN, *(role.name for role in roles.list_roles(tx))])
        raise InvalidInput(f"There is no role '{min(missing)}'; there are: {known}.", code="role_unknown")


class RoleKeeper:
    """Keeps roles; see `airgate.access.ports.Roles` for what each method promises.

    Args:
        database: where they are kept.
        clock: the present time, aware.
        changed: told when what a role allows has changed.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime], changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed

    async def list(self, by: Caller) -> Sequence[KnownRole]:
        """All roles."""
        _require(by, Permission.USERS_READ)
        own = await self._database.read(roles.list_roles)
        return [*BUILT_IN.values(), *map(_known, own)]

    async def get(self, by: Caller, name: str) -> KnownRole:
        """One role."""
        _require(by, Permission.USERS_READ)
        return BUILT_IN.get(name) or _known(await self._database.read(roles.get, name))

    async def create(self, by: Caller, name: str, permissions: frozenset[Permission]) -> KnownRole:
        """Define a role."""
        _require_edit(by)
        _check_name(name)
        _check_within(by, permissions)
        role = OwnRole(name=name, permissions=_words(permissions), created_at=self._clock())
        return _known(await self._database.write(roles.create, role))

    async def update(
        self, by: Caller, name: str, *, new_name: str | None = None, permissions: frozenset[Permission] | None = None
    ) -> KnownRole:
        """Rename a role or replace its permissions."""
        _require_edit(by)
        _check_own(name)
        if new_name is not None and new_name != name:
            _check_name(new_name)
        if permissions is not None:
            _check_within(by, permissions)
        changed = await self._database.write(_update, by, name, new_name, permissions, self._clock())
        self._changed()
        return _known(changed)

    async def delete(self, by: Caller, name: str) -> KnownRole:
        """Delete a role that nobody has."""
        _require_edit(by)
        _check_own(name)
        return _known(await self._database.write(_delete, by, name))


def _update(
    tx: Tx, by: Caller, name: str, new_name: str | None, permissions: frozenset[Permission] | None, now: datetime
) -> OwnRole:
    role = roles.get(tx, name)
    _check_within(by, _permissions(role))
    changed = replace(role, name=new_name or name, updated_at=now)
    if permissions is not None:
        changed = replace(changed, permissions=_words(permissions))
    return roles.update(tx, name, changed)


def _delete(tx: Tx, by: Caller, name: str) -> OwnRole:
    role = roles.get(tx, name)
    _check_within(by, _permissions(role))
    having = len(roles.holders(tx, name))
    if having:
        raise Conflict(
            f"The role '{name}' cannot be deleted: {having} {'identity has' if having == 1 else 'identities have'} it.",
            code="role_in_use",
        )
    roles.delete(tx, name)
    return role


def _require(by: Caller, permission: Permission) -> None:
    if permission not in by.permissions or by.identity.limits.dags is not None:
        raise PermissionDenied(f"This needs the permission {permission.value}")


def _require_edit(by: Caller) -> None:
    _require(by, Permission.USERS_EDIT)
    if by.identity.scope != EVERYWHERE:
        raise PermissionDenied("Roles count everywhere; only who reaches every deployment may change them.")


def _check_within(by: Caller, permissions: frozenset[Permission]) -> None:
    beyond = permissions - by.permissions
    if beyond:
        raise PermissionDenied(
            f"A role with permissions you do not have cannot be made or changed: {', '.join(sorted(beyond))}."
        )


def _check_own(name: str) -> None:
    if name in BUILT_IN:
        raise Conflict(f"The role '{name}' is built in and cannot be changed.", code="role_fixed")


def _check_name(name: str) -> None:
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(f"A role's name has 1 to {_LONGEST_NAME} printable characters.", code="role_name")
    if name.casefold() in {built_in.casefold() for built_in in BUILT_IN}:
        raise Conflict(f"There is a role '{name}' already, and it is built in.", code="role_exists")


def _permissions(role: OwnRole) -> frozenset[Permission]:
    """What a role allows; words of permissions that no longer exist allow nothing."""
    return frozenset(Permission(word) for word in role.permissions if word in _WORDS)


def _words(permissions: frozenset[Permission]) -> tuple[str, ...]:
    return tuple(sorted(permission.value for permission in permissions))


def _known(role: OwnRole) -> KnownRole:
    return KnownRole(name=role.name, permissions=_permissions(role))
