"""Inbound hooks with their secrets, and block windows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select

from airgate.model.errors import NotFound
from airgate.model.query import Listing, Order, Page
from airgate.model.webhook import BlockWindow, Hook
from airgate.store import _orchestration_schema as schema
from airgate.store._documents import Documents
from airgate.store.database import Tx

_HOOK = schema.hook
_HOOKS = Documents(Hook, _HOOK, "hook")
_BLOCK = schema.block_window
_BLOCKS = Documents(BlockWindow, _BLOCK, "block window")


def create(tx: Tx, hook: Hook, secret: str) -> Hook:
    """Keep a new hook with its secret. Raises Conflict (code ``hook_exists``) where its name is taken."""
    return _HOOKS.create(tx, hook, secret=tx.lock(secret))


def get(tx: Tx, workspace_id: UUID, hook_id: UUID) -> Hook:
    """One hook. Raises NotFound (code ``hook_not_found``)."""
    return _HOOKS.get(tx, hook_id, _HOOK.c.workspace_id == workspace_id)


def by_name(tx: Tx, name: str, now: datetime) -> tuple[Hook, tuple[str, ...]]:
    """A hook of any workspace by the name in its path, and its secrets that are good at `now`, the newest first.

    Raises NotFound (code ``hook_not_found``).
    """
    row = tx.run(select(_HOOK.c.id, _HOOK.c.secret, _HOOK.c.previous_secret).where(_HOOK.c.name == name)).first()
    if row is None:
        raise NotFound(f"There is no hook '{name}'", code="hook_not_found")
    hook = _HOOKS.get(tx, row.id)
    rotating = hook.previous_until is not None and now < hook.previous_until
    secrets = (tx.unlock(row.secret), tx.unlock(row.previous_secret) if rotating else None)
    return hook, tuple(secret for secret in secrets if secret)


def list_hooks(tx: Tx, workspace_id: UUID, order: Order, page: Page) -> Listing[Hook]:
    """One page of a workspace's hooks."""
    return _HOOKS.list(tx, [_HOOK.c.workspace_id == workspace_id], order, page)


def update(tx: Tx, hook: Hook, secret: str | None = None) -> Hook:
    """Overwrite a hook; its secret too, where one is given: the one so far is then the previous one.

    Raises NotFound, and Conflict where its name is taken.
    """
    more = {} if secret is None else {"secret": tx.lock(secret), "previous_secret": _HOOK.c.secret}
    return _HOOKS.update(tx, hook, **more)


def touch(tx: Tx, hook_id: UUID, at: datetime) -> None:
    """Note when a hook was last used. One deleted meanwhile is no error."""
    hook = _HOOKS.first(tx, _HOOK.c.id == hook_id)
    if hook is not None and (hook.last_used_at is None or hook.last_used_at < at):
        _HOOKS.update(tx, msgspec.structs.replace(hook, last_used_at=at))


def delete(tx: Tx, workspace_id: UUID, hook_id: UUID) -> None:
    """Delete a hook. Raises NotFound."""
    _HOOKS.delete(tx, hook_id, _HOOK.c.workspace_id == workspace_id)


def create_block(tx: Tx, window: BlockWindow) -> BlockWindow:
    """Keep a new block window."""
    return _BLOCKS.create(tx, window)


def get_block(tx: Tx, workspace_id: UUID, window_id: UUID) -> BlockWindow:
    """One block window. Raises NotFound (code ``block_window_not_found``)."""
    return _BLOCKS.get(tx, window_id, _BLOCK.c.workspace_id == workspace_id)


def list_blocks(tx: Tx, workspace_id: UUID, order: Order, page: Page) -> Listing[BlockWindow]:
    """One page of a workspace's block windows."""
    return _BLOCKS.list(tx, [_BLOCK.c.workspace_id == workspace_id], order, page)


def blocks(tx: Tx) -> tuple[BlockWindow, ...]:
    """Every block window of all workspaces."""
    return _BLOCKS.all(tx)


def update_block(tx: Tx, window: BlockWindow) -> BlockWindow:
    """Overwrite a block window. Raises NotFound."""
    return _BLOCKS.update(tx, window)


def delete_block(tx: Tx, workspace_id: UUID, window_id: UUID) -> None:
    """Delete a block window. Raises NotFound."""
    _BLOCKS.delete(tx, window_id, _BLOCK.c.workspace_id == workspace_id)
