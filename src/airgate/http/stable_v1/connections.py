"""Connections in v1. Passwords go in and never come out."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.admin_views import connection_item_view, connection_view
from airgate.http.stable_v1.common import NO_CONTENT_JSON, existing, masked, order, page
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.admin import Connection
from airgate.model.errors import Conflict

_SORTABLE: Final = {
    "connection_id": "connection_id", "conn_type": "conn_type", "description": "description", "host": "host",
    "port": "port", "id": "connection_id",
}  # fmt: skip
_ID: Final = re.compile(r"[\w.-]+")
_LONGEST_ID: Final = 200
_NO_TEST: Final = (
    b"Testing connections is disabled in Airflow configuration. Contact your deployment admin to enable it."
)

CONNECTION: Final = Form(
    Field("connection_id", "string", required=True, longest=250),
    Field("conn_type", "string", required=True, longest=500),
    Field("description", "string", nullable=True, none=True),
    Field("host", "string", nullable=True, none=True, longest=500),
    Field("login", "string", nullable=True, none=True),
    Field("schema", "string", nullable=True, none=True, longest=500),
    Field("port", "integer", nullable=True, none=True),
    Field("password", "string", secret=True),
    Field("extra", "string", nullable=True, none=True),
)


def _missing(connection_id: str) -> Problem:
    return not_found(f"The Connection with connection_id: `{connection_id}` was not found", "Connection not found")


async def list_connections(call: Call) -> dict[str, Any]:
    """GET /connections."""
    window = page(call)
    listing = await call.deployment.connections.list(order(call.query.order_by, "id", _SORTABLE), window)
    return {"connections": [connection_item_view(item) for item in listing.items], "total_entries": listing.total}


async def _find(call: Call) -> Connection:
    connection_id = call.params["connection_id"]
    return await existing(call.deployment.connections.get(connection_id), lambda: _missing(connection_id))


async def get_connection(call: Call) -> dict[str, Any]:
    """GET /connections/{connection_id}."""
    return connection_view(await _find(call))


async def post_connection(call: Call) -> dict[str, Any]:
    """POST /connections."""
    form = CONNECTION.load(call.body)
    connection_id = form["connection_id"]
    if len(connection_id) > _LONGEST_ID:
        raise bad_request(f"The key has to be less than {_LONGEST_ID} characters")
    if not _ID.fullmatch(connection_id):
        raise bad_request(
            f"The key {connection_id!r} has to be made of alphanumeric characters, dashes, dots and underscores "
            "exclusively"
        )
    try:
        return connection_view(await call.deployment.connections.create(Connection(**form)))
    except Conflict:
        raise Problem(409, f"Connection already exist. ID: {connection_id}") from None


async def patch_connection(call: Call) -> dict[str, Any]:
    """PATCH /connections/{connection_id}: what is sent, or the fields of the update mask."""
    form = CONNECTION.load(call.body, partial=True)
    connection = await _find(call)
    connection_id = connection.connection_id
    if form.get("connection_id", connection_id) != connection_id:
        raise bad_request("The connection_id cannot be updated.")
    if call.query.update_mask:
        form = masked(form, call.query.update_mask, frozenset({"connection_id"}))
    changed = msgspec.structs.replace(connection, **form)
    return connection_view(await call.deployment.connections.update(connection_id, changed))


async def delete_connection(call: Call) -> Reply:
    """DELETE /connections/{connection_id}."""
    connection_id = call.params["connection_id"]
    await existing(call.deployment.connections.delete(connection_id), lambda: _missing(connection_id))
    return NO_CONTENT_JSON


async def try_connection(_: Call) -> Reply:
    """POST /connections/test. Trying a connection needs its provider's code, which the server does not run."""
    return Reply(status=403, body=_NO_TEST, media_type="text/html; charset=utf-8")
