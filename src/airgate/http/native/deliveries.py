"""Deliveries of webhooks: what left, what came of it, and sending it again."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.access.permissions import Permission
from airgate.http.native.common import Instant, created, id_in_path, rooms, shown, workspace_of
from airgate.http.native.paging import Next, Paged, cut, key_after
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.native.workspaces import WORKSPACE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Span
from airgate.model.webhook import Attempt, Delivery, DeliveryState
from airgate.store.deliveries import DeliveryFilter

_TAG: Final = "deliveries"
_DELIVERIES: Final = f"{WORKSPACE}/deliveries"
_DELIVERY: Final = f"{_DELIVERIES}/{{delivery_id}}"


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a webhook. Its id is sent as `webhook-id` with every attempt.

    `attempts` counts them; `execution_id` is the execution it tells of; `reason` says why it is in its state.
    """

    id: UUID
    webhook_id: UUID
    execution_id: UUID
    state: DeliveryState
    attempts: int
    count: int
    last_status: int | None
    reason: str | None
    replay_of: UUID | None
    created_at: Instant
    next_attempt_at: Instant | None
    finished_at: Instant | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery, with secrets masked and long bodies cut. `latency` is in seconds."""

    number: int
    at: Instant
    latency: float
    status: int | None
    error: str | None
    request: dict[str, Any]
    response: dict[str, Any]


class AttemptedDelivery(DeliveryView, frozen=True, kw_only=True):
    """A delivery and its attempts, the first one first."""

    attempted: tuple[AttemptView, ...]


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries, the newest first."""

    items: tuple[DeliveryView, ...]
    next: Next | None


class DeliveriesQuery(Paged, frozen=True, kw_only=True):
    """A page of deliveries. `since` and `until` bound when they were made, both included."""

    webhook: UUID | None = None
    state: tuple[DeliveryState, ...] = ()
    execution_id: UUID | None = None
    since: Instant | None = None
    until: Instant | None = None


def _view(delivery: Delivery) -> DeliveryView:
    return shown(DeliveryView, delivery, execution_id=delivery.execution)


def _id(call: Call) -> UUID:
    return id_in_path(call, "delivery_id", "delivery")


async def list_deliveries(call: Call) -> Deliveries:
    """List deliveries of the webhooks of a workspace, the newest first."""
    query: DeliveriesQuery = call.query
    which = DeliveryFilter(
        webhook_id=query.webhook,
        states=query.state or None,
        execution=query.execution_id,
        created_at=Span(query.since, query.until),
    )
    after = key_after(call)
    before = None if after is None else UUID(after)
    found = await rooms(call).deliveries.newest(workspace_of(call).id, which, query.limit + 1, before=before)
    page, following = cut(call, found, lambda one: str(one.id))
    return Deliveries(items=tuple(map(_view, page)), next=following)


async def get_delivery(call: Call) -> AttemptedDelivery:
    """Show one delivery with its attempts."""
    delivery, attempts = await rooms(call).deliveries.get(workspace_of(call).id, _id(call))
    return shown(
        AttemptedDelivery, delivery, execution_id=delivery.execution, attempted=tuple(map(_attempt_view, attempts))
    )


def _attempt_view(attempt: Attempt) -> AttemptView:
    return shown(AttemptView, attempt, latency=round(attempt.latency, 6))


async def replay_delivery(call: Call) -> Reply:
    """Send a delivery again: under a new id, by the webhook as it is now, of the same execution."""
    again = await rooms(call).deliveries.replay(workspace_of(call).id, _id(call))
    call.about(replayed_as=str(again.id))
    return created(_view(again))


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_DELIVERIES, handler=list_deliveries, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        query=DeliveriesQuery, answer=Deliveries, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="GET", path=_DELIVERY, handler=get_delivery, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        answer=AttemptedDelivery, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=f"{_DELIVERY}/replay", handler=replay_delivery, tag=_TAG,
        permission=Permission.WEBHOOKS_EDIT, status=201, answer=DeliveryView, errors=(409,), reach=Reach.WORKSPACE,
        event="replay_delivery",
    ),
)  # fmt: skip
