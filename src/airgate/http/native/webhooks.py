"""Webhooks of a workspace: kept, tried out, and signed for."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.access.permissions import Permission
from airgate.http.checks import require_starting
from airgate.http.native.common import created, id_in_path, rooms, shown, utc, workspace_of
from airgate.http.native.paging import Paged, cut, key_after, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.native.webhook_views import (
    CreatedSigningKey,
    NewWebhook,
    Replayed,
    ReplaySince,
    SigningKeyRequest,
    SigningKeys,
    SigningKeyView,
    TrialRequest,
    TrialView,
    WebhookChange,
    Webhooks,
    WebhooksQuery,
    WebhookView,
    fields_of,
    key_view,
    webhook_view,
)
from airgate.http.native.workspaces import WORKSPACE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Order, Page
from airgate.model.webhook import Target, TargetKind, Webhook
from airgate.store.webhooks import WebhookFilter

_TAG: Final = "webhooks"
_WEBHOOKS: Final = f"{WORKSPACE}/webhooks"
_WEBHOOK: Final = f"{_WEBHOOKS}/{{webhook_id}}"
_KEYS: Final = f"{_WEBHOOK}/signing-keys"
_NOTED: Final = ("description", "is_active")
_NEWEST: Final = Order("id", descending=True)


def _id(call: Call) -> UUID:
    return id_in_path(call, "webhook_id", "webhook")


async def list_webhooks(call: Call) -> Webhooks:
    """List the webhooks of a workspace, the newest first."""
    query: WebhooksQuery = call.query
    after = key_after(call)
    which = WebhookFilter(
        description=query.description,
        url=query.url,
        method=query.method,
        job=query.job,
        is_active=query.is_active,
        before=None if after is None else UUID(after),
    )
    found = await rooms(call).webhooks.list(workspace_of(call).id, which, _NEWEST, Page(query.limit + 1))
    page, following = cut(call, found.items, lambda one: str(one.id))
    return Webhooks(items=tuple(map(webhook_view, page)), next=following)


async def get_webhook(call: Call) -> WebhookView:
    """Show one webhook."""
    return webhook_view(await rooms(call).webhooks.get(workspace_of(call).id, _id(call)))


async def post_webhook(call: Call) -> Reply:
    """Make a webhook.

    All that is wrong with it is said at once, each thing with its place: names that nobody knows in rules and
    templates, operations and values that do not fit, jobs of other workspaces.
    """
    now, workspace = call.services.clock(), workspace_of(call)
    fields = fields_of(call.body)
    _check_target(call, fields.get("target"))
    wanted = Webhook(id=workspace.id, workspace_id=workspace.id, created_at=now, updated_at=now, **fields)
    made = await rooms(call).webhooks.create(workspace.id, wanted, call.user)
    call.about(webhook_id=str(made.id))
    return created(webhook_view(made))


async def patch_webhook(call: Call) -> WebhookView:
    """Change a webhook, or switch it on or off.

    One that is switched on begins with a clean record. Deliveries that were not sent yet are sent by the webhook as
    it is when they are.
    """
    fields = fields_of(call.body)
    before = await rooms(call).webhooks.get(workspace_of(call).id, _id(call))
    _check_target(call, before.target, fields.get("target"))
    return webhook_view(await rooms(call).webhooks.update(workspace_of(call).id, _id(call), **fields))


def _check_target(call: Call, *targets: Target | None) -> None:
    """Whoever has a webhook start runs has to be allowed to start them."""
    if any(target is not None and target.kind is TargetKind.DAG for target in targets):
        require_starting(call, workspace_of(call).name)


async def delete_webhook(call: Call) -> None:
    """Delete a webhook.

    What it had still to send is cancelled; what it has sent may still be read.
    """
    await rooms(call).webhooks.delete(workspace_of(call).id, _id(call))


async def test_webhook(call: Call) -> TrialView:
    """Try a webhook out: what it would send, or what comes of really sending it."""
    body: TrialRequest = call.body
    call.about(send=body.send)
    trial = await rooms(call).trials.test(
        workspace_of(call).id, _id(call), execution_id=body.execution_id, send=body.send
    )
    return shown(TrialView, trial)


async def replay_webhook(call: Call) -> Replayed:
    """Send deliveries of a webhook again, each under a new id, by the webhook as it is now.

    Those whose attempts all failed, and those that were stopped, unless other states are named.
    """
    body: ReplaySince = call.body
    since = utc(body.since, "#/since")
    assert since is not None
    count = await rooms(call).deliveries.replay_since(workspace_of(call).id, _id(call), since, body.states)
    call.about(replayed=count)
    return Replayed(replayed=count)


# -------------------------------------------------------------------------------------------------------- signing keys


async def list_signing_keys(call: Call) -> SigningKeys:
    """List the keys that sign the deliveries of a webhook, the newest first and without their secrets."""
    found = await rooms(call).webhooks.keys(workspace_of(call).id, _id(call))
    page, following = page_of(call, found, lambda key: str(key.id), descending=True)
    return SigningKeys(items=tuple(map(key_view, page)), next=following)


async def post_signing_key(call: Call) -> Reply:
    """Sign with a new key, and for a day with those before it too.

    The answer is the only one that holds the secret.
    """
    body: SigningKeyRequest = call.body
    key, secret = await rooms(call).webhooks.rotate_key(workspace_of(call).id, _id(call), body.scheme, body.secret)
    call.about(signing_key_id=str(key.id))
    return created(_created_view(key_view(key), secret))


def _created_view(key: SigningKeyView, secret: str) -> CreatedSigningKey:
    known: dict[str, Any] = msgspec.structs.asdict(key)
    return CreatedSigningKey(**known, secret=secret)


async def delete_signing_key(call: Call) -> None:
    """Delete a signing key.

    It signs nothing any more, at once.
    """
    key_id = id_in_path(call, "signing_key_id", "signing key", "signing_key_not_found")
    await rooms(call).webhooks.delete_key(workspace_of(call).id, _id(call), key_id)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_WEBHOOKS, handler=list_webhooks, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        query=WebhooksQuery, answer=Webhooks, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_WEBHOOKS, handler=post_webhook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=NewWebhook, status=201, answer=WebhookView, reach=Reach.WORKSPACE, noted=_NOTED, event="post_webhook",
    ),
    NativeOperation(
        method="GET", path=_WEBHOOK, handler=get_webhook, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        answer=WebhookView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_WEBHOOK, handler=patch_webhook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=WebhookChange, answer=WebhookView, reach=Reach.WORKSPACE, noted=_NOTED, event="patch_webhook",
    ),
    NativeOperation(
        method="DELETE", path=_WEBHOOK, handler=delete_webhook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        status=204, reach=Reach.WORKSPACE, event="delete_webhook",
    ),
    NativeOperation(
        method="POST", path=f"{_WEBHOOK}/test", handler=test_webhook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=TrialRequest, answer=TrialView, reach=Reach.WORKSPACE, event="test_webhook",
    ),
    NativeOperation(
        method="POST", path=f"{_WEBHOOK}/replay", handler=replay_webhook, tag=_TAG,
        permission=Permission.WEBHOOKS_EDIT, body=ReplaySince, answer=Replayed, reach=Reach.WORKSPACE,
        noted=("since",), event="replay_webhook",
    ),
    NativeOperation(
        method="GET", path=_KEYS, handler=list_signing_keys, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        query=Paged, answer=SigningKeys, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_KEYS, handler=post_signing_key, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=SigningKeyRequest, status=201, answer=CreatedSigningKey, reach=Reach.WORKSPACE, noted=("scheme",),
        event="post_webhook_key",
    ),
    NativeOperation(
        method="DELETE", path=f"{_KEYS}/{{signing_key_id}}", handler=delete_signing_key, tag=_TAG,
        permission=Permission.WEBHOOKS_EDIT, status=204, reach=Reach.WORKSPACE, event="delete_webhook_key",
    ),
)  # fmt: skip
