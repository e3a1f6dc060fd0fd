"""Webhooks, trying them out, and the keys that sign for them."""

from __future__ import annotations

from typing import Any

import msgspec

from airgate.http.checks import require_starting
from airgate.http.erathos.bodies import KeyBody, TestBody, WebhookBody, webhook_fields
from airgate.http.erathos.problems import encode, wrong
from airgate.http.erathos.reading import asked, boolean, envelope, id_of, read, rooms, uuid, workspace_of
from airgate.http.erathos.views import key_view, webhook_summary, webhook_view
from airgate.http.erathos.workspaces import GONE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Listing
from airgate.model.webhook import Target, TargetKind, Webhook
from airgate.store.webhooks import WebhookFilter

_SORTABLE = {
    "_id": "id",
    "_created_at": "created_at",
    "_updated_at": "updated_at",
    "description": "description",
    "is_active": "is_active",
    "method": "method",
    "url": "url",
}
_ALWAYS = ("description", "is_active", "jobs")
_KEPT = frozenset({"id", "workspace_id", "created_by", "created_at", "updated_at", "failing_since", "disabled_reason"})


async def list_webhooks(call: Call) -> Any:
    """GET webhooks/."""
    query = asked(call, "description", "is_active", "job", "method", "url")
    which = WebhookFilter(
        description=query.filters.get("description"),
        is_active=boolean(query, "is_active"),
        job=uuid(query, "job"),
        method=query.filters.get("method"),
        url=query.filters.get("url"),
    )
    order = query.order(_SORTABLE, "_created_at")
    listing: Listing[Webhook] = await rooms(call).webhooks.list(workspace_of(call).id, which, order, query.window)
    return envelope(listing, query, [webhook_summary(one) for one in listing.items])


async def create_webhook(call: Call) -> Reply:
    """POST webhooks/."""
    fields = webhook_fields(_whole(call))
    now, workspace = call.services.clock(), workspace_of(call).id
    _check_target(call, fields.get("target"))
    wanted = Webhook(id=workspace, workspace_id=workspace, created_at=now, updated_at=now, **fields)
    made = await rooms(call).webhooks.create(workspace, wanted, call.user)
    call.about(webhook_id=str(made.id))
    return encode(webhook_view(made), 201)


async def get_webhook(call: Call) -> Any:
    """GET webhooks/{webhook_id}/."""
    return webhook_view(await rooms(call).webhooks.get(workspace_of(call).id, id_of(call, "webhook_id")))


async def put_webhook(call: Call) -> Any:
    """PUT webhooks/{webhook_id}/: what is not given becomes what it is when a webhook is made."""
    fields = webhook_fields(_whole(call))
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(Webhook)
        if field.name not in _KEPT and not field.required
    }
    return await _changed(call, defaults | fields)


async def patch_webhook(call: Call) -> Any:
    """PATCH webhooks/{webhook_id}/."""
    return await _changed(call, webhook_fields(read(call, WebhookBody)))


async def _changed(call: Call, fields: dict[str, Any]) -> Any:
    workspace, key = workspace_of(call).id, id_of(call, "webhook_id")
    before = await rooms(call).webhooks.get(workspace, key)
    _check_target(call, before.target, fields.get("target"))
    return webhook_view(await rooms(call).webhooks.update(workspace, key, **fields))


def _check_target(call: Call, *targets: Target | None) -> None:
    """Whoever has a webhook start runs has to be allowed to start them."""
    if any(target is not None and target.kind is TargetKind.DAG for target in targets):
        require_starting(call, workspace_of(call).name)


def _whole(call: Call) -> WebhookBody:
    """A body with all that a webhook needs. What sends no request of its own needs no method."""
    target = call.body.get("target")
    kind = str(target.get("kind", "")).lower() if isinstance(target, dict) else TargetKind.HTTP.value
    plain = kind == TargetKind.HTTP.value
    return read(call, WebhookBody, *_ALWAYS, *(("method", "url") if plain else ()))


async def delete_webhook(call: Call) -> Reply:
    """DELETE webhooks/{webhook_id}/."""
    await rooms(call).webhooks.delete(workspace_of(call).id, id_of(call, "webhook_id"))
    return GONE


async def test_webhook(call: Call) -> Any:
    """POST webhooks/{webhook_id}/test/."""
    body = read(call, TestBody)
    trial = await rooms(call).trials.test(
        workspace_of(call).id, id_of(call, "webhook_id"), execution_id=body.execution, send=body.send
    )
    call.about(send=body.send)
    return msgspec.to_builtins(trial)


# --------------------------------------------------------------------------------------------------------------- keys


async def list_keys(call: Call) -> Any:
    """GET webhooks/{webhook_id}/keys/: without their secrets."""
    query = asked(call)
    query.order({"_created_at": "id"}, "_created_at")
    found = await rooms(call).webhooks.keys(workspace_of(call).id, id_of(call, "webhook_id"))
    window = query.window
    ordered = found[::-1] if (query.ordering or "").startswith("-") else found
    listing = Listing(ordered[window.offset : window.offset + window.limit], len(found))
    return envelope(listing, query, [key_view(one) for one in listing.items])


async def rotate_key(call: Call) -> Reply:
    """POST webhooks/{webhook_id}/keys/: a new key; those before it sign along for a day."""
    body = read(call, KeyBody)
    if body.secret == "":
        raise wrong([("/secret", "This field may not be blank.")])
    key, secret = await rooms(call).webhooks.rotate_key(
        workspace_of(call).id, id_of(call, "webhook_id"), body.scheme, body.secret
    )
    call.about(signing_key_id=str(key.id))
    return encode(key_view(key, secret), 201)


async def delete_key(call: Call) -> Reply:
    """DELETE webhooks/{webhook_id}/keys/{signing_key_id}/."""
    await rooms(call).webhooks.delete_key(
        workspace_of(call).id, id_of(call, "webhook_id"), id_of(call, "signing_key_id")
    )
    return GONE
