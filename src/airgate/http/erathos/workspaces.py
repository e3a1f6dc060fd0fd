"""Workspaces, and the variables and secrets in them."""

from __future__ import annotations

from typing import Any

from airgate.access.decisions import Place, may
from airgate.http.erathos.bodies import NamedBody, WorkspaceBody, given
from airgate.http.erathos.problems import encode
from airgate.http.erathos.reading import asked, envelope, for_everything, id_of, read, rooms, sorted_page, workspace_of
from airgate.http.erathos.views import secret_view, variable_view, workspace_view
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Listing
from airgate.model.workspace import Workspace, WorkspaceSecret, WorkspaceVariable

GONE = Reply(status=204, media_type=None)

_SORTABLE = {"_id": "id", "_created_at": "created_at", "_updated_at": "updated_at", "name": "name"}


async def list_workspaces(call: Call) -> Any:
    """GET workspaces/: those within the caller's scope."""
    query = asked(call, "name")
    caller, permission = call.caller, call.operation.permission
    assert caller is not None
    assert permission is not None
    wanted = query.filters.get("name", "").lower()
    found = [
        one
        for one in await rooms(call).workspaces.list()
        if may(caller, permission, Place("", one.name)) and wanted in one.name
    ]
    keys = {
        "_id": lambda one: one.id,
        "_created_at": lambda one: one.created_at,
        "_updated_at": lambda one: one.updated_at,
        "name": lambda one: one.name,
    }
    listing: Listing[Workspace] = sorted_page(found, query, keys, "name")
    return envelope(listing, query, [workspace_view(one) for one in listing.items])


async def create_workspace(call: Call) -> Reply:
    """POST workspaces/."""
    for_everything(call)
    body = read(call, WorkspaceBody, "name")
    made = await rooms(call).workspaces.create(**given(body))
    call.about(workspace_id=str(made.id))
    return encode(workspace_view(made), 201)


async def get_workspace(call: Call) -> Any:
    """GET workspaces/{workspace_id}/."""
    return workspace_view(workspace_of(call))


async def patch_workspace(call: Call) -> Any:
    """PATCH workspaces/{workspace_id}/. What a workspace may reach concerns the whole server."""
    for_everything(call)
    body = read(call, WorkspaceBody)
    return workspace_view(await rooms(call).workspaces.update(workspace_of(call).id, **given(body)))


async def delete_workspace(call: Call) -> Reply:
    """DELETE workspaces/{workspace_id}/."""
    for_everything(call)
    await rooms(call).workspaces.delete(workspace_of(call).id)
    return GONE


# ---------------------------------------------------------------------------------------------------------- variables


async def list_variables(call: Call) -> Any:
    """GET variables/."""
    query = asked(call)
    order = query.order(_SORTABLE, "name")
    listing: Listing[WorkspaceVariable] = await rooms(call).workspaces.list_variables(
        workspace_of(call).id, order, query.window
    )
    return envelope(listing, query, [variable_view(one) for one in listing.items])


async def create_variable(call: Call) -> Reply:
    """POST variables/."""
    fields = given(read(call, NamedBody, "name", "value"))
    made = await rooms(call).workspaces.create_variable(workspace_of(call).id, **fields)
    call.about(variable_id=str(made.id))
    return encode(variable_view(made), 201)


async def get_variable(call: Call) -> Any:
    """GET variables/{variable_id}/."""
    return variable_view(await rooms(call).workspaces.get_variable(workspace_of(call).id, id_of(call, "variable_id")))


async def put_variable(call: Call) -> Any:
    """PUT variables/{variable_id}/."""
    return await _variable(call, {"description": ""} | given(read(call, NamedBody, "name", "value")))


async def patch_variable(call: Call) -> Any:
    """PATCH variables/{variable_id}/."""
    return await _variable(call, given(read(call, NamedBody)))


async def _variable(call: Call, fields: dict[str, Any]) -> Any:
    workspace, key = workspace_of(call).id, id_of(call, "variable_id")
    return variable_view(await rooms(call).workspaces.update_variable(workspace, key, **fields))


async def delete_variable(call: Call) -> Reply:
    """DELETE variables/{variable_id}/."""
    await rooms(call).workspaces.delete_variable(workspace_of(call).id, id_of(call, "variable_id"))
    return GONE


# ------------------------------------------------------------------------------------------------------------ secrets


async def list_secrets(call: Call) -> Any:
    """GET secrets/: without their values."""
    query = asked(call)
    order = query.order(_SORTABLE, "name")
    listing: Listing[WorkspaceSecret] = await rooms(call).secrets.list(workspace_of(call).id, order, query.window)
    return envelope(listing, query, [secret_view(one) for one in listing.items])


async def create_secret(call: Call) -> Reply:
    """POST secrets/."""
    fields = given(read(call, NamedBody, "name", "value"))
    made = await rooms(call).secrets.create(workspace_of(call).id, **fields)
    call.about(secret_id=str(made.id))
    return encode(secret_view(made), 201)


async def get_secret(call: Call) -> Any:
    """GET secrets/{secret_id}/: without its value."""
    return secret_view(await rooms(call).secrets.get(workspace_of(call).id, id_of(call, "secret_id")))


async def put_secret(call: Call) -> Any:
    """PUT secrets/{secret_id}/."""
    return await _secret(call, {"description": ""} | given(read(call, NamedBody, "name", "value")))


async def patch_secret(call: Call) -> Any:
    """PATCH secrets/{secret_id}/."""
    return await _secret(call, given(read(call, NamedBody)))


async def _secret(call: Call, fields: dict[str, Any]) -> Any:
    workspace, key = workspace_of(call).id, id_of(call, "secret_id")
    return secret_view(await rooms(call).secrets.update(workspace, key, **fields))


async def delete_secret(call: Call) -> Reply:
    """DELETE secrets/{secret_id}/."""
    await rooms(call).secrets.delete(workspace_of(call).id, id_of(call, "secret_id"))
    return GONE
