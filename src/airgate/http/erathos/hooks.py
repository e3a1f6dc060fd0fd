"""Inbound hooks and block windows, as they are kept."""

from __future__ import annotations

from typing import Any

import msgspec

from airgate.http.checks import require_starting
from airgate.http.erathos.bodies import BlockBody, HookBody, block_fields, hook_fields
from airgate.http.erathos.problems import encode
from airgate.http.erathos.reading import asked, envelope, id_of, read, rooms, workspace_of
from airgate.http.erathos.views import block_view, hook_view
from airgate.http.erathos.workspaces import GONE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Listing
from airgate.model.webhook import BlockWindow, Hook

_SORTABLE = {"_id": "id", "_created_at": "created_at", "_updated_at": "updated_at", "name": "name"}
_NO_BODY = ("conf", "run_id", "idempotency_key")


async def list_hooks(call: Call) -> Any:
    """GET orchestration/hooks/."""
    query = asked(call)
    order = query.order(_SORTABLE, "name")
    listing: Listing[Hook] = await rooms(call).hooks.list(workspace_of(call).id, order, query.window)
    return envelope(listing, query, [hook_view(one) for one in listing.items])


async def create_hook(call: Call) -> Reply:
    """POST orchestration/hooks/: its secret is in the answer, and nowhere afterwards."""
    fields = hook_fields(read(call, HookBody, "name", "scheme", "deployment", "dag_id"))
    secret, _ = fields.pop("secret", None), fields.pop("drop_previous_secret", None)
    now, workspace = call.services.clock(), workspace_of(call)
    require_starting(call, workspace.name)
    given = Hook(id=workspace.id, workspace_id=workspace.id, created_at=now, updated_at=now, **fields)
    made, chosen = await rooms(call).hooks.create(workspace.id, given, secret, call.user)
    call.about(hook_id=str(made.id))
    return encode(hook_view(made, chosen), 201)


async def get_hook(call: Call) -> Any:
    """GET orchestration/hooks/{hook_id}/."""
    return hook_view(await rooms(call).hooks.get(workspace_of(call).id, id_of(call, "hook_id")))


async def put_hook(call: Call) -> Any:
    """PUT orchestration/hooks/{hook_id}/. The secret stays, unless one is given."""
    fields = hook_fields(read(call, HookBody, "name", "scheme", "deployment", "dag_id"))
    return await _hook(call, dict.fromkeys(_NO_BODY) | {"is_active": True} | fields)


async def patch_hook(call: Call) -> Any:
    """PATCH orchestration/hooks/{hook_id}/."""
    return await _hook(call, hook_fields(read(call, HookBody)))


async def _hook(call: Call, fields: dict[str, Any]) -> Any:
    at_once = bool(fields.pop("drop_previous_secret", False))
    require_starting(call, workspace_of(call).name)
    key, hooks = id_of(call, "hook_id"), rooms(call).hooks
    return hook_view(await hooks.update(workspace_of(call).id, key, at_once=at_once, **fields))


async def delete_hook(call: Call) -> Reply:
    """DELETE orchestration/hooks/{hook_id}/."""
    await rooms(call).hooks.delete(workspace_of(call).id, id_of(call, "hook_id"))
    return GONE


# ------------------------------------------------------------------------------------------------------ block windows


async def list_blocks(call: Call) -> Any:
    """GET block-windows/."""
    query = asked(call)
    order = query.order(_SORTABLE, "name")
    listing: Listing[BlockWindow] = await rooms(call).blocks.list(workspace_of(call).id, order, query.window)
    return envelope(listing, query, [block_view(one) for one in listing.items])


async def create_block(call: Call) -> Reply:
    """POST block-windows/."""
    now, workspace = call.services.clock(), workspace_of(call)
    fields = block_fields(read(call, BlockBody, "name", "days", "start_time", "end_time"))
    given = BlockWindow(id=workspace.id, workspace_id=workspace.id, created_at=now, updated_at=now, **fields)
    made = await rooms(call).blocks.create(workspace.id, given)
    call.about(block_window_id=str(made.id))
    return encode(block_view(made), 201)


async def get_block(call: Call) -> Any:
    """GET block-windows/{block_window_id}/."""
    return block_view(await rooms(call).blocks.get(workspace_of(call).id, id_of(call, "block_window_id")))


async def put_block(call: Call) -> Any:
    """PUT block-windows/{block_window_id}/."""
    fields = block_fields(read(call, BlockBody, "name", "days", "start_time", "end_time"))
    defaults = {field.name: field.default for field in msgspec.structs.fields(BlockWindow) if not field.required}
    return await _block(call, defaults | fields)


async def patch_block(call: Call) -> Any:
    """PATCH block-windows/{block_window_id}/."""
    return await _block(call, block_fields(read(call, BlockBody)))


async def _block(call: Call, fields: dict[str, Any]) -> Any:
    key = id_of(call, "block_window_id")
    return block_view(await rooms(call).blocks.update(workspace_of(call).id, key, **fields))


async def delete_block(call: Call) -> Reply:
    """DELETE block-windows/{block_window_id}/."""
    await rooms(call).blocks.delete(workspace_of(call).id, id_of(call, "block_window_id"))
    return GONE
