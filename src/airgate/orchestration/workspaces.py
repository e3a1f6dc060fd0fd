"""Workspaces, variables and secrets, as whoever may keep them keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.errors import Conflict, InvalidFields
from airgate.model.query import Listing, Order, Page
from airgate.model.workspace import DEFAULT_WORKSPACE_ID, Workspace, WorkspaceSecret, WorkspaceVariable
from airgate.store import workspaces as stored
from airgate.store.database import Database

LONGEST_VALUE: Final = 64 * 1024
_LONGEST_DESCRIPTION: Final = 1000
_WORKSPACE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}", re.ASCII)


class Workspaces:
    """Keeps workspaces, and the variables and secrets in them.

    Every method raises NotFound where what is named is not there, Conflict where a name is taken, and InvalidFields
    where something given is wrong.

    Args:
        database: where they are kept.
        deployments_of: names of a workspace's deployments.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
    """

    def __init__(
        self,
        database: Database,
        *,
        deployments_of: Callable[[str], frozenset[str]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._deployments_of = deployments_of
        self._clock = clock
        self._new_id = new_id

    async def list(self) -> tuple[Workspace, ...]:
        """All workspaces."""
        return await self._database.read(stored.list_all)

    async def get(self, workspace_id: UUID) -> Workspace:
        """One workspace."""
        return await self._database.read(stored.get, workspace_id)

    async def by_name(self, name: str) -> Workspace:
        """One workspace, by its name."""
        return await self._database.read(stored.by_name, name)

    async def create(self, name: str, private_targets: tuple[str, ...] = ()) -> Workspace:
        """Make a workspace."""
        now = self._clock()
        made = Workspace(
            id=self._new_id(), name=name, created_at=now, updated_at=now, private_targets=_networks(private_targets)
        )
        _check_workspace(made)
        return await self._database.write(stored.create, made)

    async def update(self, workspace_id: UUID, **changes: Any) -> Workspace:
        """Change a workspace's name, or where its deliveries may go besides public addresses."""
        if "private_targets" in changes:
            changes["private_targets"] = _networks(changes["private_targets"])
        before = await self.get(workspace_id)
        if changes.get("name", before.name) != before.name:
            self._refuse_in_use(before, "keeps its name", "workspace_name")
        changed = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        _check_workspace(changed)
        return await self._database.write(stored.update, changed)

    async def delete(self, workspace_id: UUID) -> None:
        """Delete a workspace that holds nothing but variables and secrets. The first one stays (Conflict)."""
        self._refuse_in_use(await self.get(workspace_id), "stays", "workspace_in_use")
        await self._database.write(stored.delete, workspace_id)

    def _refuse_in_use(self, workspace: Workspace, so: str, code: str) -> None:
        """Deployments, and scopes of identities, go by the name of their workspace."""
        if workspace.id == DEFAULT_WORKSPACE_ID:
            raise Conflict(f"The first workspace holds the embedded deployment, and {so}.", code=code)
        held = sorted(self._deployments_of(workspace.name))
        if held:
            raise Conflict(f"This workspace holds the deployments {', '.join(held)}, and {so}.", code=code)

    async def list_variables(self, workspace_id: UUID, order: Order, page: Page) -> Listing[WorkspaceVariable]:
        """One page of the variables."""
        return await self._database.read(stored.list_variables, workspace_id, order, page)

    async def get_variable(self, workspace_id: UUID, variable_id: UUID) -> WorkspaceVariable:
        """One variable."""
        return await self._database.read(stored.get_variable, workspace_id, variable_id)

    async def find_variable(self, workspace_id: UUID, name: str) -> WorkspaceVariable:
        """One variable, by its name in any case."""
        return await self._database.read(stored.find_variable, workspace_id, name)

    async def create_variable(
        self, workspace_id: UUID, name: str, value: str, description: str = ""
    ) -> WorkspaceVariable:
        """Make a variable."""
        await self.get(workspace_id)
        now = self._clock()
        made = WorkspaceVariable(
            id=self._new_id(), workspace_id=workspace_id, name=name, value=value, description=description,
            created_at=now, updated_at=now,
        )  # fmt: skip
        _check_named(name, value, description)
        return await self._database.write(stored.create_variable, made)

    async def update_variable(self, workspace_id: UUID, variable_id: UUID, **changes: Any) -> WorkspaceVariable:
        """Change a variable's name, value or description."""
        before = await self.get_variable(workspace_id, variable_id)
        changed = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        _check_named(changed.name, changed.value, changed.description)
        return await self._database.write(stored.update_variable, changed)

    async def delete_variable(self, workspace_id: UUID, variable_id: UUID) -> None:
        """Delete a variable. Deliveries of webhooks that read it stop, and say so."""
        await self._database.write(stored.delete_variable, workspace_id, variable_id)


class Secrets:
    """Keeps secrets, whose values nobody can read back. Methods raise as those of `Workspaces`."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def list(self, workspace_id: UUID, order: Order, page: Page) -> Listing[WorkspaceSecret]:
        """One page of the secrets, without their values."""
        return await self._database.read(stored.list_secrets, workspace_id, order, page)

    async def get(self, workspace_id: UUID, secret_id: UUID) -> WorkspaceSecret:
        """One secret, without its value."""
        return await self._database.read(stored.get_secret, workspace_id, secret_id)

    async def find(self, workspace_id: UUID, name: str) -> WorkspaceSecret:
        """One secret without its value, by its name in any case."""
        return await self._database.read(stored.find_secret, workspace_id, name)

    async def create(self, workspace_id: UUID, name: str, value: str, description: str = "") -> WorkspaceSecret:
        """Make a secret."""
        await self._database.read(stored.get, workspace_id)
        now = self._clock()
        made = WorkspaceSecret(
            id=self._new_id(), workspace_id=workspace_id, name=name, description=description,
            created_at=now, updated_at=now,
        )  # fmt: skip
        _check_named(name, value, description)
        return await self._database.write(stored.create_secret, made, value)

    async def update(
        self, workspace_id: UUID, secret_id: UUID, value: str | None = None, **changes: Any
    ) -> WorkspaceSecret:
        """Change a secret's name or description, and its value where one is given."""
        before = await self.get(workspace_id, secret_id)
        changed = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        _check_named(changed.name, "unchanged" if value is None else value, changed.description)
        return await self._database.write(stored.update_secret, changed, value)

    async def delete(self, workspace_id: UUID, secret_id: UUID) -> None:
        """Delete a secret. Deliveries of webhooks that read it stop, and say so."""
        await self._database.write(stored.delete_secret, workspace_id, secret_id)


def _check_workspace(workspace: Workspace) -> None:
    faults = []
    if not _WORKSPACE_NAME.fullmatch(workspace.name):
        faults.append(("/name", "A name has 1 to 63 lower-case letters, digits and hyphens, and no hyphen first."))
    if faults:
        raise InvalidFields(faults)


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    faults = []
    found = []
    for index, text in enumerate(texts):
        try:
            found.append(str(ip_network(text, strict=False)))
        except ValueError:
            faults.append((f"/private_targets/{index}", f"'{text}' is no network; write one like 10.0.0.0/8."))
    if faults:
        raise InvalidFields(faults)
    return tuple(found)


def _check_named(name: str, value: str, description: str) -> None:
    faults = []
    if not _NAME.fullmatch(name):
        faults.append(("/name", "A name has 1 to 128 letters, digits, _ and -, and begins with a letter or _."))
    if not value or len(value) > LONGEST_VALUE:
        faults.append(("/value", f"A value has 1 to {LONGEST_VALUE} characters."))
    if len(description) > _LONGEST_DESCRIPTION:
        faults.append(("/description", f"A description has at most {_LONGEST_DESCRIPTION} characters."))
    if faults:
        raise InvalidFields(faults)
