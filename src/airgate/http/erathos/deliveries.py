"""Deliveries of webhooks, their attempts, and sending them again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from airgate.http.erathos.bodies import ReplayBody, states_of
from airgate.http.erathos.problems import encode
from airgate.http.erathos.reading import Asked, asked, envelope, id_of, read, rooms, span, uuid, workspace_of
from airgate.http.erathos.views import attempt_view, delivery_view
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.webhook import DeliveryState
from airgate.store.deliveries import DeliveryFilter

_FILTERS = ("state", "execution", "_created_at_gte", "_created_at_lte")
_SORTABLE = {"_id": "id", "_created_at": "id", "attempts": "attempts", "finished_at": "finished_at"}
_DEAD = (DeliveryState.DEAD, DeliveryState.STOPPED)


async def list_deliveries(call: Call) -> Any:
    """GET deliveries/: of all webhooks, or of one."""
    query = asked(call, *_FILTERS, "webhook")
    return await _listed(call, query, uuid(query, "webhook"))


async def list_webhook_deliveries(call: Call) -> Any:
    """GET webhooks/{webhook_id}/deliveries/."""
    key = id_of(call, "webhook_id")
    query = asked(call, *_FILTERS)
    await rooms(call).webhooks.get(workspace_of(call).id, key)
    return await _listed(call, query, key)


async def _listed(call: Call, query: Asked, webhook_id: UUID | None) -> Any:
    states = query.filters.get("state")
    which = DeliveryFilter(
        webhook_id=webhook_id,
        states=None if states is None else states_of(tuple(states.split(",")), "/state"),
        execution=uuid(query, "execution"),
        created_at=span(query, "_created_at"),
    )
    order = query.order(_SORTABLE, "-_created_at")
    listing = await rooms(call).deliveries.list(workspace_of(call).id, which, order, query.window)
    return envelope(listing, query, [delivery_view(one) for one in listing.items])


async def get_delivery(call: Call) -> Any:
    """GET deliveries/{delivery_id}/: with its attempts."""
    delivery, attempts = await rooms(call).deliveries.get(workspace_of(call).id, id_of(call, "delivery_id"))
    return {**delivery_view(delivery), "attempt_list": [attempt_view(one) for one in attempts]}


async def replay_delivery(call: Call) -> Reply:
    """POST deliveries/{delivery_id}/replay/: send it again, under an id of its own."""
    again = await rooms(call).deliveries.replay(workspace_of(call).id, id_of(call, "delivery_id"))
    call.about(replayed_as=str(again.id))
    return encode(delivery_view(again), 201)


async def replay_webhook(call: Call) -> Reply:
    """POST webhooks/{webhook_id}/replay/: send again what was made since, dead letters unless others are named."""
    body = read(call, ReplayBody, "since")
    assert isinstance(body.since, datetime)
    states = states_of(body.states, "/states") if isinstance(body.states, tuple) else _DEAD
    count = await rooms(call).deliveries.replay_since(
        workspace_of(call).id,
        id_of(call, "webhook_id"),
        body.since,
        states,
    )
    call.about(replayed=count)
    return encode({"replayed": count}, 201)
