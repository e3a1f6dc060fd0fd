"""Roles that people of this installation defined. Those that always exist are no rows."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from airgate.model.identity import OwnRole
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._named import Named
from airgate.store.database import Tx

_ROLE = schema.role
_ROLES = Named(OwnRole, _ROLE, "role")
_MAPPING = Mapping(OwnRole, _ROLE)


def list_roles(tx: Tx, names: Collection[str] | None = None) -> tuple[OwnRole, ...]:
    """The roles by name: all of them, or those of `names` that exist."""
    statement = select(*_MAPPING.columns).order_by(_ROLE.c.name)
    return _MAPPING.decode_all(tx.run(statement if names is None else statement.where(_ROLE.c.name.in_(names))))


def get(tx: Tx, name: str) -> OwnRole:
    """One role. Raises NotFound (code ``role_not_found``)."""
    return _ROLES.get(tx, name)


def create(tx: Tx, role: OwnRole) -> OwnRole:
    """Keep a new role. Raises Conflict (code ``role_exists``)."""
    return _ROLES.create(tx, role)


def update(tx: Tx, name: str, role: OwnRole) -> OwnRole:
    """Change, and perhaps rename, a role; who has it has it under its new name.

    Raises:
        NotFound: there is no role `name`.
        Conflict: (code ``role_exists``) its new name is taken.
    """
    changed = _ROLES.update(tx, name, role)
    if role.name != name:
        for identity_id, roles in holders(tx, name):
            renamed = tuple(role.name if one == name else one for one in roles)
            tx.run(schema.identity.update().where(schema.identity.c.id == identity_id).values(roles=renamed))
    return changed


def delete(tx: Tx, name: str) -> None:
    """Delete a role, whoever has it. Raises NotFound."""
    _ROLES.delete(tx, name)


def holders(tx: Tx, name: str) -> tuple[tuple[object, tuple[str, ...]], ...]:
    """Ids and roles of the identities that have a role. Reads them all: for what is done rarely."""
    rows = tx.run(select(schema.identity.c.id, schema.identity.c.roles)).all()
    return tuple((row.id, row.roles) for row in rows if name in row.roles)
