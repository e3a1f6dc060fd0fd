"""Inbound hooks, as whoever may keep them keeps them, and what comes through them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.errors import InvalidFields, NotFound, Unavailable
from airgate.model.query import Listing, Order, Page
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import Hook, HookScheme
from airgate.orchestration.inbound import Inbound, greeting, payload_of, standard_key, trigger_of, verify
from airgate.orchestration.templates import TemplateError, names_of
from airgate.store import hooks as stored
from airgate.store import workspaces
from airgate.store.database import Database

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_SHORTEST_SECRET: Final = 8
_LONGEST_SECRET: Final = 500
_STANDARD_BYTES: Final = range(16, 65)
ROTATION: Final = timedelta(days=1)
"""How long the secret before the present one is good: its sender is told of the new one meanwhile."""
_TOUCH_AFTER: Final = timedelta(seconds=60)
_KINDS: Final = frozenset({"payload", "headers"})


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A hook that is switched on, as somebody sends to it."""

    hook: Hook
    secrets: tuple[str, ...]
    """The newest first."""


class Hooks:
    """Keeps hooks and takes what comes through them.

    Methods that keep raise NotFound where what is named is not in the workspace, Conflict where a name is taken, and
    InvalidFields where something given is wrong.

    Args:
        database: where hooks are kept.
        deployments_of: names of a workspace's deployments.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        random_text: makes secrets up.
    """

    def __init__(
        self,
        database: Database,
        *,
        deployments_of: Callable[[str], frozenset[str]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        random_text: Callable[[], str],
    ) -> None:
        self._database = database
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
            last_used_at=None, previous_until=None,
        )  # fmt: skip
        chosen = secret if secret is not None else self._new_secret(given.scheme)
        await self._check(made, chosen)
        return await self._database.write(stored.create, made, chosen), chosen

    async def update(
        self,
        workspace_id: UUID,
        hook_id: UUID,
        secret: str | None = None,
        *,
        at_once: bool = False,
        **changes: Any,
    ) -> Hook:
        """Change a hook; its secret too, where one is given.

        The secret so far is good for `ROTATION` longer, or, `at_once`, no more: for one that others know.
        """
        before = await self.get(workspace_id, hook_id)
        now = self._clock()
        if secret is not None or at_once:
            changes["previous_until"] = None if at_once else now + ROTATION
        after = msgspec.structs.replace(before, **changes, updated_at=now)
        await self._check(after, secret)
        return await self._database.write(stored.update, after, secret)

    async def delete(self, workspace_id: UUID, hook_id: UUID) -> None:
        """Delete a hook; what comes for it finds nothing any more."""
        await self._database.write(stored.delete, workspace_id, hook_id)

    async def find(self, name: str) -> Known:
        """The hook at ``/hooks/{name}``. Raises NotFound (code ``hook_not_found``): none, or one switched off."""
        hook, secrets = await self._database.read(stored.by_name, name, self._clock())
        if not hook.is_active:
            raise NotFound(f"There is no hook '{name}'", code="hook_not_found")
        return Known(hook=hook, secrets=secrets)

    def read(self, known: Known, request: Inbound, decode: Callable[[bytes], Any]) -> TriggerRequest | dict[str, str]:
        """What a request asks for; or the answer to a sender that only makes itself known.

        `decode` reads JSON, and raises ValueError where it is none that may be taken.

        Raises:
            NotAuthenticated: its sender did not sign it.
            InvalidInput: it does not fit the hook.
        """
        verify(known.hook, known.secrets, request, self._clock())
        payload = payload_of(request, decode)
        answer = greeting(known.hook, request, payload)
        return answer if answer is not None else trigger_of(known.hook, request, payload)

    async def used(self, hook: Hook) -> None:
        """Note that a hook was used, to the minute, where that can be noted now."""
        now = self._clock()
        if hook.last_used_at is None or now - hook.last_used_at >= _TOUCH_AFTER:
            with suppress(Unavailable):
                await self._database.write(stored.touch, hook.id, now)

    def _new_secret(self, scheme: HookScheme) -> str:
        made = self._random_text()
        if scheme is HookScheme.STANDARD:
            return "whsec_" + base64.b64encode(sha256(made.encode()).digest()).decode()
        return made

    async def _check(self, hook: Hook, secret: str | None) -> None:
        home = await self._database.read(workspaces.get, hook.workspace_id)
        faults = []
        if not _NAME.fullmatch(hook.name):
            faults.append(("/name", "A name has 1 to 100 letters, digits, _ . and -; the first is a letter or digit."))
        if hook.deployment not in self._deployments_of(home.name):
            faults.append(("/deployment", f"There is no deployment '{hook.deployment}' in this workspace."))
        if not hook.dag_id:
            faults.append(("/dag_id", "This field is required."))
        if secret is not None and (fault := _secret_fault(hook.scheme, secret)) is not None:
            faults.append(("/secret", fault))
        if hook.scheme is HookScheme.TOKEN and not hook.shared_in.strip():
            faults.append(("/shared_in", "Name the header that carries the token."))
        for field in ("conf", "run_id", "idempotency_key"):
            faults += _template_faults(f"/{field}", getattr(hook, field))
        if faults:
            raise InvalidFields(faults)


def _secret_fault(scheme: HookScheme, secret: str) -> str | None:
    """What is wrong with a secret. The sentence never holds it."""
    if not _SHORTEST_SECRET <= len(secret) <= _LONGEST_SECRET:
        return f"A secret has {_SHORTEST_SECRET} to {_LONGEST_SECRET} characters."
    if not (secret.isascii() and secret.isprintable()) or secret != secret.strip():
        return "A secret consists of printable ASCII characters, without spaces around it."
    if scheme is HookScheme.STANDARD and len(standard_key(secret) or b"") not in _STANDARD_BYTES:
        return "A secret of Standard Webhooks is 'whsec_' and the base64 of its key."
    return None


def _template_faults(pointer: str, value: Any) -> list[tuple[str, str]]:
    try:
        unknown = [(place, name) for place, name in names_of(value, pointer) if name.kind not in _KINDS]
    except TemplateError as error:
        return [(pointer, str(error).removeprefix(f"{pointer}: "))]
    return [(place, f"${{{{{name}}}}} is not known; a hook reads payload and headers.") for place, name in unknown]
