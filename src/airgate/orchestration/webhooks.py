"""Webhooks, as whoever may keep them keeps them, and the keys that sign for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.errors import InvalidFields
from airgate.model.query import Listing, Order, Page
from airgate.model.webhook import SigningKey, Webhook
from airgate.orchestration import signing
from airgate.orchestration.checking import Surroundings, faults_of
from airgate.store import deliveries, workspaces
from airgate.store import webhooks as stored
from airgate.store.database import Database, Tx

ROTATION: Final = timedelta(hours=24)
"""How long an old signing key signs beside a new one."""


class Webhooks:
    """Keeps webhooks.

    Methods raise NotFound where what is named is not in the workspace, and InvalidFields with all that is wrong.

    Args:
        database: where they are kept.
        around: the jobs and deployments of a workspace that webhooks may refer to.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        random_bytes: cryptographic randomness.
    """

    def __init__(
        self,
        database: Database,
        *,
        around: Callable[[UUID], Awaitable[tuple[frozenset[UUID], frozenset[str]]]],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._around = around
        self._clock = clock
        self._new_id = new_id
        self._random_bytes = random_bytes

    # ------------------------------------------------------------------------------------------------------- keeping

    async def list(self, workspace_id: UUID, which: stored.WebhookFilter, order: Order, page: Page) -> Listing[Webhook]:
        """One page of the webhooks."""
        return await self._database.read(stored.list_webhooks, workspace_id, which, order, page)

    async def get(self, workspace_id: UUID, webhook_id: UUID) -> Webhook:
        """One webhook."""
        return await self._database.read(stored.get, workspace_id, webhook_id)

    async def create(self, workspace_id: UUID, given: Webhook, by: str) -> Webhook:
        """Make a webhook of what was given; its id, dates and origin are set here."""
        now = self._clock()
        made = msgspec.structs.replace(
            given, id=self._new_id(), workspace_id=workspace_id, created_by=by, created_at=now, updated_at=now,
            failing_since=None, disabled_reason=None,
        )  # fmt: skip
        await self._check(made)
        return await self._database.write(stored.create, made)

    async def update(self, workspace_id: UUID, webhook_id: UUID, **changes: Any) -> Webhook:
        """Change fields of a webhook. One that is switched on again begins with a clean record."""
        before = await self.get(workspace_id, webhook_id)
        if changes.get("is_active"):
            changes |= {"failing_since": None, "disabled_reason": None}
        after = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        await self._check(after)
        return await self._database.write(stored.update, after)

    async def delete(self, workspace_id: UUID, webhook_id: UUID) -> None:
        """Delete a webhook. What it had still to send is cancelled; what it has sent stays to be read."""
        await self._database.write(_delete, workspace_id, webhook_id, self._clock())

    async def _check(self, webhook: Webhook) -> None:
        await self._database.read(workspaces.get, webhook.workspace_id)
        variables, secrets = await self._database.read(workspaces.names_of, webhook.workspace_id)
        known_jobs, deployments = await self._around(webhook.workspace_id)
        around = Surroundings(variables=variables, secrets=secrets, jobs=known_jobs, deployments=deployments)
        faults = faults_of(webhook, around)
        if faults:
            raise InvalidFields(faults)

    # ------------------------------------------------------------------------------------------------------- signing

    async def keys(self, workspace_id: UUID, webhook_id: UUID) -> tuple[SigningKey, ...]:
        """The keys that sign, without their secrets."""
        await self.get(workspace_id, webhook_id)
        return await self._database.read(stored.keys_of, webhook_id)

    async def rotate_key(
        self, workspace_id: UUID, webhook_id: UUID, scheme: str, secret: str | None = None
    ) -> tuple[SigningKey, str]:
        """Sign with a new key, and for a day with those before it too. Gives the secret: now and never again."""
        if scheme not in (signing.SYMMETRIC, signing.ASYMMETRIC):
            raise InvalidFields([("/scheme", "A scheme is v1 (HMAC-SHA256) or v1a (Ed25519).")])
        chosen = secret or signing.new_secret(scheme, self._random_bytes)
        try:
            signing.check_secret(scheme, chosen)
        except signing.BadSigningSecret as error:
            raise InvalidFields([("/secret", str(error))]) from None
        await self.get(workspace_id, webhook_id)
        now = self._clock()
        public = signing.public_key(chosen) if scheme == signing.ASYMMETRIC else None
        key = SigningKey(id=self._new_id(), webhook_id=webhook_id, scheme=scheme, created_at=now, public=public)
        await self._database.write(_rotate, key, chosen, now + ROTATION)
        return key, chosen

    async def delete_key(self, workspace_id: UUID, webhook_id: UUID, key_id: UUID) -> None:
        """Stop signing with a key at once."""
        await self.get(workspace_id, webhook_id)
        await self._database.write(stored.delete_key, webhook_id, key_id)


def _rotate(tx: Tx, key: SigningKey, secret: str, until: datetime) -> None:
    stored.retire_keys(tx, key.webhook_id, until)
    stored.add_key(tx, key, secret)


def _delete(tx: Tx, workspace_id: UUID, webhook_id: UUID, now: datetime) -> None:
    stored.delete(tx, workspace_id, webhook_id)
    deliveries.cancel(tx, webhook_id, "its webhook was deleted", now)
