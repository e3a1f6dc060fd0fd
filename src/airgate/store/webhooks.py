"""Webhooks, the keys that sign for them, and the windows in which some of them gather events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select

from airgate.model.query import Listing, Order, Page
from airgate.model.webhook import SigningKey, Webhook, WebhookWindow
from airgate.store import _orchestration_schema as schema
from airgate.store._documents import Documents
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions
from airgate.store.database import Tx
from airgate.store.workspaces import changed

_WEBHOOK = schema.webhook
_OF_JOB = schema.webhook_job
_WEBHOOKS = Documents(Webhook, _WEBHOOK, "webhook")
_KEY = schema.signing_key
_KEYS = Documents(SigningKey, _KEY, "signing key")
_WINDOW = schema.webhook_window
_WINDOWS = Mapping(WebhookWindow, _WINDOW)


class WebhookFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which webhooks. Texts are looked for anywhere in the field, in any case. None means no restriction."""

    description: str | None = None
    is_active: bool | None = None
    job: UUID | None = None
    method: str | None = None
    url: str | None = None
    before: UUID | None = None
    """Made before the one with this id."""


def create(tx: Tx, webhook: Webhook) -> Webhook:
    """Keep a new webhook."""
    changed(tx)
    _WEBHOOKS.create(tx, webhook)
    _link(tx, webhook)
    return webhook


def get(tx: Tx, workspace_id: UUID, webhook_id: UUID) -> Webhook:
    """One webhook. Raises NotFound (code ``webhook_not_found``)."""
    return _WEBHOOKS.get(tx, webhook_id, _WEBHOOK.c.workspace_id == workspace_id)


def find(tx: Tx, webhook_id: UUID) -> Webhook | None:
    """One webhook of any workspace, if it still exists."""
    return _WEBHOOKS.first(tx, _WEBHOOK.c.id == webhook_id)


def active(tx: Tx) -> tuple[Webhook, ...]:
    """Every webhook that is switched on, of all workspaces."""
    return _WEBHOOKS.all(tx, _WEBHOOK.c.is_active)


def list_webhooks(tx: Tx, workspace_id: UUID, which: WebhookFilter, order: Order, page: Page) -> Listing[Webhook]:
    """One page of a workspace's webhooks. Raises InvalidInput (code ``order_field``)."""
    return _WEBHOOKS.list(tx, _conditions(workspace_id, which), order, page)


def _conditions(workspace_id: UUID, which: WebhookFilter) -> Conditions:
    conditions: Conditions = [_WEBHOOK.c.workspace_id == workspace_id]
    if which.description is not None:
        conditions.append(_WEBHOOK.c.description.icontains(which.description, autoescape=True))
    if which.url is not None:
        conditions.append(_WEBHOOK.c.url.icontains(which.url, autoescape=True))
    if which.is_active is not None:
        conditions.append(_WEBHOOK.c.is_active.is_(which.is_active))
    if which.method is not None:
        conditions.append(_WEBHOOK.c.method == which.method.upper())
    if which.before is not None:
        conditions.append(_WEBHOOK.c.id < which.before)
    if which.job is not None:
        conditions.append(_WEBHOOK.c.id.in_(select(_OF_JOB.c.webhook_id).where(_OF_JOB.c.job_id == which.job)))
    return conditions


def update(tx: Tx, webhook: Webhook) -> Webhook:
    """Overwrite a webhook. Raises NotFound."""
    changed(tx)
    _WEBHOOKS.update(tx, webhook)
    tx.run(_OF_JOB.delete().where(_OF_JOB.c.webhook_id == webhook.id))
    _link(tx, webhook)
    return webhook


def delete(tx: Tx, workspace_id: UUID, webhook_id: UUID) -> None:
    """Delete a webhook with its keys and windows; its deliveries stay to be read. Raises NotFound."""
    changed(tx)
    _WEBHOOKS.delete(tx, webhook_id, _WEBHOOK.c.workspace_id == workspace_id)


def _link(tx: Tx, webhook: Webhook) -> None:
    rows = [{"webhook_id": webhook.id, "job_id": job_id} for job_id in dict.fromkeys(webhook.jobs)]
    tx.run_each(_OF_JOB.insert(), rows)


def add_key(tx: Tx, key: SigningKey, secret: str) -> SigningKey:
    """Keep a signing key with its secret."""
    changed(tx)
    return _KEYS.create(tx, key, secret=tx.lock(secret))


def keys_of(tx: Tx, webhook_id: UUID) -> tuple[SigningKey, ...]:
    """A webhook's signing keys without their secrets, oldest first."""
    return _KEYS.all(tx, _KEY.c.webhook_id == webhook_id)


def signing_secrets(tx: Tx, webhook_id: UUID, now: datetime) -> tuple[tuple[str, str], ...]:
    """Scheme and secret of each key that still signs, newest first."""
    keys = {key.id: key for key in keys_of(tx, webhook_id)}
    rows = tx.run(select(_KEY.c.id, _KEY.c.secret).where(_KEY.c.webhook_id == webhook_id).order_by(_KEY.c.id.desc()))
    found = []
    for row in rows:
        key = keys[row.id]
        if key.expires_at is None or key.expires_at > now:
            found.append((key.scheme, tx.unlock(row.secret) or ""))
    return tuple(found)


def retire_keys(tx: Tx, webhook_id: UUID, at: datetime) -> None:
    """Let the present keys of a webhook sign until `at`, and no longer."""
    changed(tx)
    for key in keys_of(tx, webhook_id):
        if key.expires_at is None or key.expires_at > at:
            _KEYS.update(tx, msgspec.structs.replace(key, expires_at=at))


def delete_key(tx: Tx, webhook_id: UUID, key_id: UUID) -> None:
    """Delete a signing key; it signs no more. Raises NotFound (code ``signing_key_not_found``)."""
    changed(tx)
    _KEYS.delete(tx, key_id, _KEY.c.webhook_id == webhook_id)


def get_window(tx: Tx, webhook_id: UUID, key: str) -> WebhookWindow | None:
    """The open window of a webhook under a key."""
    same = (_WINDOW.c.webhook_id == webhook_id, _WINDOW.c.key == key)
    row = tx.run(select(*_WINDOWS.columns).where(*same)).first()
    return None if row is None else _WINDOWS.decode(row)


def put_window(tx: Tx, window: WebhookWindow) -> None:
    """Open a window, or overwrite it."""
    statement = tx.insert(_WINDOW).values(_WINDOWS.encode(window))
    keys = ("webhook_id", "key")
    changes = {field: statement.excluded[field] for field in _WINDOWS.stored if field not in keys}
    tx.run(statement.on_conflict_do_update(index_elements=list(keys), set_=changes))


def close_window(tx: Tx, webhook_id: UUID, key: str) -> None:
    """Forget a window. That there is none is no error."""
    tx.run(_WINDOW.delete().where(_WINDOW.c.webhook_id == webhook_id, _WINDOW.c.key == key))


def due_windows(tx: Tx, now: datetime, limit: int) -> Sequence[WebhookWindow]:
    """Windows whose time is over, oldest first."""
    due = select(*_WINDOWS.columns).where(_WINDOW.c.due_at <= now).order_by(_WINDOW.c.due_at).limit(limit)
    return _WINDOWS.decode_all(tx.run(due))


def next_window(tx: Tx) -> datetime | None:
    """When the first window's time is over."""
    found: datetime | None = tx.run(
        select(_WINDOW.c.due_at).where(_WINDOW.c.due_at.is_not(None)).order_by(_WINDOW.c.due_at).limit(1)
    ).scalar()
    return found
