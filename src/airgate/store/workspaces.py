"""Workspaces, and the variables and secrets that templates read. Secrets are encrypted, and never part of a struct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select

from airgate.model.errors import Conflict
from airgate.model.query import Listing, Order, Page
from airgate.model.workspace import Workspace, WorkspaceSecret, WorkspaceVariable
from airgate.store import _orchestration_schema as schema
from airgate.store import meta
from airgate.store._documents import Documents
from airgate.store.database import Tx

_REVISION: Final = "orchestration_revision"

_WORKSPACES = Documents(Workspace, schema.workspace, "workspace")
_VARIABLE = schema.workspace_variable
_VARIABLES = Documents(
    WorkspaceVariable, _VARIABLE, "variable", derived={"folded": lambda variable: variable.name.casefold()}
)
_SECRET = schema.workspace_secret
_SECRETS = Documents(WorkspaceSecret, _SECRET, "secret", derived={"folded": lambda secret: secret.name.casefold()})
_HELD = (schema.job, schema.webhook, schema.hook, schema.block_window)


def revision(tx: Tx) -> int:
    """A number that rises with every change of webhooks, variables, secrets and workspaces."""
    return int(meta.get(tx, _REVISION) or 0)


def changed(tx: Tx) -> None:
    """Raise the revision. Whoever changes any of that calls this in the same transaction."""
    meta.put(tx, _REVISION, str(revision(tx) + 1))


def create(tx: Tx, workspace: Workspace) -> Workspace:
    """Keep a new workspace. Raises Conflict (code ``workspace_exists``)."""
    changed(tx)
    return _WORKSPACES.create(tx, workspace)


def get(tx: Tx, workspace_id: UUID) -> Workspace:
    """One workspace. Raises NotFound (code ``workspace_not_found``)."""
    return _WORKSPACES.get(tx, workspace_id)


def by_name(tx: Tx, name: str) -> Workspace:
    """One workspace, by its name. Raises NotFound (code ``workspace_not_found``)."""
    found = _WORKSPACES.first(tx, schema.workspace.c.name == name)
    if found is None:
        raise _WORKSPACES.unknown(name)
    return found


def list_all(tx: Tx) -> tuple[Workspace, ...]:
    """All workspaces, in the order they were made."""
    return _WORKSPACES.all(tx)


def update(tx: Tx, workspace: Workspace) -> Workspace:
    """Overwrite a workspace. Raises NotFound, and Conflict where its new name is taken."""
    changed(tx)
    return _WORKSPACES.update(tx, workspace)


def delete(tx: Tx, workspace_id: UUID) -> None:
    """Delete a workspace with its variables and secrets.

    Raises:
        NotFound: there is none.
        Conflict: (code ``workspace_in_use``) it holds jobs, webhooks, hooks or block windows.
    """
    for table in _HELD:
        if tx.run(select(table.c.id).where(table.c.workspace_id == workspace_id).limit(1)).first() is not None:
            raise Conflict(f"The workspace still holds a {table.name.replace('_', ' ')}", code="workspace_in_use")
    for table in (_VARIABLE, _SECRET, schema.execution):
        tx.run(table.delete().where(table.c.workspace_id == workspace_id))
    changed(tx)
    _WORKSPACES.delete(tx, workspace_id)


def create_variable(tx: Tx, variable: WorkspaceVariable) -> WorkspaceVariable:
    """Keep a new variable. Raises Conflict (code ``variable_exists``) where its name, whatever its case, is taken."""
    changed(tx)
    return _VARIABLES.create(tx, variable)


def get_variable(tx: Tx, workspace_id: UUID, variable_id: UUID) -> WorkspaceVariable:
    """One variable. Raises NotFound (code ``variable_not_found``)."""
    return _VARIABLES.get(tx, variable_id, _VARIABLE.c.workspace_id == workspace_id)


def find_variable(tx: Tx, workspace_id: UUID, name: str) -> WorkspaceVariable:
    """One variable, by its name in any case. Raises NotFound (code ``variable_not_found``)."""
    same = (_VARIABLE.c.workspace_id == workspace_id, _VARIABLE.c.folded == name.casefold())
    found = _VARIABLES.first(tx, *same)
    if found is None:
        raise _VARIABLES.unknown(name)
    return found


def list_variables(tx: Tx, workspace_id: UUID, order: Order, page: Page) -> Listing[WorkspaceVariable]:
    """One page of a workspace's variables."""
    return _VARIABLES.list(tx, [_VARIABLE.c.workspace_id == workspace_id], order, page)


def update_variable(tx: Tx, variable: WorkspaceVariable) -> WorkspaceVariable:
    """Overwrite a variable. Raises NotFound, and Conflict where its new name is taken."""
    changed(tx)
    return _VARIABLES.update(tx, variable)


def delete_variable(tx: Tx, workspace_id: UUID, variable_id: UUID) -> None:
    """Delete a variable. Raises NotFound."""
    changed(tx)
    _VARIABLES.delete(tx, variable_id, _VARIABLE.c.workspace_id == workspace_id)


def create_secret(tx: Tx, secret: WorkspaceSecret, value: str) -> WorkspaceSecret:
    """Keep a new secret. Raises Conflict (code ``secret_exists``) where its name, whatever its case, is taken."""
    changed(tx)
    return _SECRETS.create(tx, secret, value=tx.lock(value))


def get_secret(tx: Tx, workspace_id: UUID, secret_id: UUID) -> WorkspaceSecret:
    """One secret, without its value. Raises NotFound (code ``secret_not_found``)."""
    return _SECRETS.get(tx, secret_id, _SECRET.c.workspace_id == workspace_id)


def find_secret(tx: Tx, workspace_id: UUID, name: str) -> WorkspaceSecret:
    """One secret without its value, by its name in any case. Raises NotFound (code ``secret_not_found``)."""
    found = _SECRETS.first(tx, _SECRET.c.workspace_id == workspace_id, _SECRET.c.folded == name.casefold())
    if found is None:
        raise _SECRETS.unknown(name)
    return found


def list_secrets(tx: Tx, workspace_id: UUID, order: Order, page: Page) -> Listing[WorkspaceSecret]:
    """One page of a workspace's secrets, without their values."""
    return _SECRETS.list(tx, [_SECRET.c.workspace_id == workspace_id], order, page)


def update_secret(tx: Tx, secret: WorkspaceSecret, value: str | None = None) -> WorkspaceSecret:
    """Overwrite a secret; its value too, where one is given. Raises NotFound, and Conflict where its name is taken."""
    changed(tx)
    more = {} if value is None else {"value": tx.lock(value)}
    return _SECRETS.update(tx, secret, **more)


def delete_secret(tx: Tx, workspace_id: UUID, secret_id: UUID) -> None:
    """Delete a secret. Raises NotFound."""
    changed(tx)
    _SECRETS.delete(tx, secret_id, _SECRET.c.workspace_id == workspace_id)


def variables_of(tx: Tx, workspace_id: UUID) -> dict[str, str]:
    """Values of a workspace's variables by case-folded name."""
    found = _VARIABLES.all(tx, _VARIABLE.c.workspace_id == workspace_id)
    return {variable.name.casefold(): variable.value for variable in found}


def secrets_of(tx: Tx, workspace_id: UUID) -> dict[str, str]:
    """Values of a workspace's secrets by case-folded name: for rendering alone, never to be shown."""
    rows = tx.run(select(_SECRET.c.folded, _SECRET.c.value).where(_SECRET.c.workspace_id == workspace_id))
    return {row.folded: tx.unlock(row.value) or "" for row in rows}


def names_of(tx: Tx, workspace_id: UUID) -> tuple[Sequence[str], Sequence[str]]:
    """Case-folded names of a workspace's variables, and of its secrets."""
    names = []
    for table in (_VARIABLE, _SECRET):
        rows = tx.run(select(table.c.folded).where(table.c.workspace_id == workspace_id).order_by(table.c.folded))
        names.append(tuple(rows.scalars()))
    return names[0], names[1]
