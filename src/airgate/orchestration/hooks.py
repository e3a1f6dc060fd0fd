"""Inbound hooks, as whoever may keep them keeps them, and what comes through them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.errors import InvalidFields, NotFound
from airgate.model.query import Listing, Order, Page
from airgate.model.run import DagRun
from airgate.model.webhook import Hook, HookScheme
from airgate.orchestration.inbound import Inbound, challenge, payload_of, trigger_of, verify
from airgate.orchestration.ports import StartRun
from airgate.orchestration.templates import TemplateError, names_of
from airgate.store import hooks as stored
from airgate.store import workspaces
from airgate.store.database import Database

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_SHORTEST_SECRET: Final = 8
_TOUCH_AFTER: Final = timedelta(seconds=60)
_KINDS: Final = frozenset({"payload", "headers"})


class Hooks:
    """Keeps hooks and takes what comes through them.

    Methods that keep raise NotFound where what is named is not in the workspace, Conflict where a name is taken, and
    InvalidFields where something given is wrong.

    Args:
        database: where hooks are kept.
        start_run: starts the run that a request asks for.
        deployments_of: names of a workspace's deployments.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        random_text: makes secrets up.
    """

    def __init__(
        self,
        database: Database,
        start_run: StartRun,
        *,
        deployments_of: Callable[[str], frozenset[str]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        random_text: Callable[[], str],
    ) -> None:
        self._database = database
        self._start_run = start_run
        self._deployments_of = deployments_of
        self._clock = clock
        self._new_id = new_id
        self._random_text = random_text

    async def list(self, workspace_id: UUID, order: Order, page: Page) -> Listing[Hook]:
        """One page of the hooks."""
        return await self._database.read(stored.list_hooks, workspace_id, order, page)

    async def get(self, workspace_id: UUID, hook_id: UUID) -> Hook:
        """One hook."""
        return await self._database.read(stored.get, workspace_id, hook_id)

    async def create(self, workspace_id: UUID, given: Hook, secret: str | None, by: str) -> tuple[Hook, str]:
        """Make a hook. Gives its secret too, made up where none is given: now and never again."""
        now = self._clock()
        made = msgspec.structs.replace(
            given, id=self._new_id(), workspace_id=workspace_id, created_by=by, created_at=now, updated_at=now,
            last_used_at=None,
        )  # fmt: skip
        chosen = secret if secret is not None else self._random_text()
        await self._check(made, chosen)
        return await self._database.write(stored.create, made, chosen), chosen

    async def update(self, workspace_id: UUID, hook_id: UUID, secret: str | None = None, **changes: Any) -> Hook:
        """Change a hook; its secret too, where one is given."""
        before = await self.get(workspace_id, hook_id)
        after = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        await self._check(after, secret)
        return await self._database.write(stored.update, after, secret)

    async def delete(self, workspace_id: UUID, hook_id: UUID) -> None:
        """Delete a hook; what comes for it finds nothing any more."""
        await self._database.write(stored.delete, workspace_id, hook_id)

    async def receive(self, name: str, request: Inbound) -> DagRun | str:
        """Take a request: the run it started, or the text its sender wants to hear first.

        Raises:
            NotFound: there is no such hook, or it is switched off.
            NotAuthenticated: its sender did not sign it.
            InvalidInput: it does not fit the hook.
            Conflict, Unavailable: as accepting a trigger raises them.
        """
        hook, secret = await self._database.read(stored.by_name, name)
        if not hook.is_active:
            raise NotFound(f"There is no hook '{name}'", code="hook_not_found")
        now = self._clock()
        verify(hook, secret, request, now)
        payload = payload_of(request)
        wanted = challenge(hook, payload)
        if wanted is not None:
            return wanted
        run = await self._start_run(hook.deployment, trigger_of(hook, request, payload))
        if hook.last_used_at is None or now - hook.last_used_at >= _TOUCH_AFTER:
            await self._database.write(stored.touch, hook.id, now)
        return run

    async def _check(self, hook: Hook, secret: str | None) -> None:
        home = await self._database.read(workspaces.get, hook.workspace_id)
        faults = []
        if not _NAME.fullmatch(hook.name):
            faults.append(("/name", "A name has 1 to 100 letters, digits, _ . and -; the first is a letter or digit."))
        if hook.deployment not in self._deployments_of(home.name):
            faults.append(("/deployment", f"There is no deployment '{hook.deployment}' in this workspace."))
        if not hook.dag_id:
            faults.append(("/dag_id", "This field is required."))
        if secret is not None and len(secret) < _SHORTEST_SECRET:
            faults.append(("/secret", f"A secret has at least {_SHORTEST_SECRET} characters."))
        if hook.scheme is HookScheme.TOKEN and not hook.shared_in.strip():
            faults.append(("/shared_in", "Name the header that carries the token."))
        for field in ("conf", "run_id", "idempotency_key"):
            faults += _template_faults(f"/{field}", getattr(hook, field))
        if faults:
            raise InvalidFields(faults)


def _template_faults(pointer: str, value: Any) -> list[tuple[str, str]]:
    try:
        unknown = [(place, name) for place, name in names_of(value, pointer) if name.kind not in _KINDS]
    except TemplateError as error:
        return [(pointer, str(error).removeprefix(f"{pointer}: "))]
    return [(place, f"${{{{{name}}}}} is not known; a hook reads payload and headers.") for place, name in unknown]
