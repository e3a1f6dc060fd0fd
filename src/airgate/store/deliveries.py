"""Deliveries and their attempts: what is to be sent, what became of it, and what may be sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, func, select

from airgate.model.errors import NotFound
from airgate.model.query import Listing, Order, Page, Span
from airgate.model.webhook import Attempt, Delivery, DeliveryState
from airgate.store import _orchestration_schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions, one_of, ordered, paged, sortable, within
from airgate.store.database import Tx

_DELIVERY = schema.delivery
_MAPPING = Mapping(Delivery, _DELIVERY)
_ATTEMPT = schema.attempt
_ATTEMPTS = Mapping(Attempt, _ATTEMPT)
_SELECT = select(*_MAPPING.columns)
_CHANGE = _MAPPING.update(["id"], fixed=["webhook_id", "workspace_id", "execution", "cause", "created_at"])
_SORTABLE = sortable(_DELIVERY, ["id", "attempts", "finished_at"])
_FIXED = ("webhook_id", "workspace_id", "execution", "cause", "created_at")


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries. None means no restriction."""

    webhook_id: UUID | None = None
    states: tuple[DeliveryState, ...] | None = None
    execution: UUID | None = None
    created_at: Span = Span()


def enqueue(tx: Tx, deliveries: Sequence[Delivery]) -> tuple[UUID, ...]:
    """Keep deliveries, but those whose webhook was fired by the same cause before. Gives the ids of those kept."""
    if not deliveries:
        return ()
    statement = tx.insert(_DELIVERY).on_conflict_do_nothing().returning(_DELIVERY.c.id)
    return tuple(tx.run(statement, _MAPPING.encode_all(deliveries)).scalars())


def due(tx: Tx, now: datetime, limit: int, *, but: Collection[UUID] = ()) -> tuple[Delivery, ...]:
    """Pending deliveries whose time has come, the longest due first; without those of the webhooks in `but`."""
    conditions: Conditions = [_pending(), _DELIVERY.c.next_attempt_at <= now]
    if but:
        conditions.append(_DELIVERY.c.webhook_id.not_in(but))
    return _MAPPING.decode_all(
        tx.run(_SELECT.where(*conditions).order_by(_DELIVERY.c.next_attempt_at, _DELIVERY.c.id).limit(limit))
    )


def first_after(tx: Tx, moment: datetime) -> datetime | None:
    """When the first of the pending deliveries is due that are not due yet."""
    later = (_pending(), _DELIVERY.c.next_attempt_at > moment)
    found: datetime | None = tx.run(select(func.min(_DELIVERY.c.next_attempt_at)).where(*later)).scalar()
    return found


def record(tx: Tx, items: Sequence[tuple[Delivery, Attempt | None]]) -> Sequence[Exception | None]:
    """Overwrite deliveries as they are after an attempt, and keep the attempts; made for `Database.write_item`.

    A delivery that was cancelled meanwhile stays so, unless it has arrived; its attempt is kept in any case.
    """
    arrived = [delivery for delivery, _ in items if delivery.state is DeliveryState.DELIVERED]
    others = [delivery for delivery, _ in items if delivery.state is not DeliveryState.DELIVERED]
    tx.run_each(_CHANGE, _changes(arrived))
    tx.run_each(_CHANGE.where(_pending()), _changes(others))
    tx.run_each(_ATTEMPT.insert(), _ATTEMPTS.encode_all(attempt for _, attempt in items if attempt is not None))
    return [None] * len(items)


def _changes(deliveries: Sequence[Delivery]) -> list[dict[str, object]]:
    return _MAPPING.changes(deliveries, ["id"], fixed=_FIXED)


def get(tx: Tx, workspace_id: UUID, delivery_id: UUID) -> Delivery:
    """One delivery. Raises NotFound (code ``delivery_not_found``)."""
    same = (_DELIVERY.c.id == delivery_id, _DELIVERY.c.workspace_id == workspace_id)
    row = tx.run(_SELECT.where(*same)).first()
    if row is None:
        raise NotFound(f"There is no delivery '{delivery_id}'", code="delivery_not_found")
    return _MAPPING.decode(row)


def find(tx: Tx, delivery_id: UUID) -> Delivery | None:
    """A delivery of whichever workspace."""
    row = tx.run(_SELECT.where(_DELIVERY.c.id == delivery_id)).first()
    return None if row is None else _MAPPING.decode(row)


def list_deliveries(
    tx: Tx, workspace_id: UUID, which: DeliveryFilter, limit: int, *, before: UUID | None = None
) -> tuple[Delivery, ...]:
    """The newest deliveries, or the newest of those made before the one with the id `before`."""
    conditions = _conditions(workspace_id, which)
    if before is not None:
        conditions.append(_DELIVERY.c.id < before)
    return _MAPPING.decode_all(tx.run(_SELECT.where(*conditions).order_by(_DELIVERY.c.id.desc()).limit(limit)))


def page_of(tx: Tx, workspace_id: UUID, which: DeliveryFilter, order: Order, page: Page) -> Listing[Delivery]:
    """One page of the deliveries. Raises InvalidInput (code ``order_field``)."""
    by = ordered(order, _SORTABLE, [_DELIVERY.c.id])
    statement = _SELECT.where(*_conditions(workspace_id, which)).order_by(*by)
    return Listing(_MAPPING.decode_all(tx.run(paged(statement, page))), count(tx, workspace_id, which))


def count(tx: Tx, workspace_id: UUID, which: DeliveryFilter) -> int:
    """How many deliveries match."""
    statement = select(func.count()).select_from(_DELIVERY).where(*_conditions(workspace_id, which))
    return int(tx.run(statement).scalar_one())


def _conditions(workspace_id: UUID, which: DeliveryFilter) -> Conditions:
    return [
        _DELIVERY.c.workspace_id == workspace_id,
        *one_of(_DELIVERY.c.webhook_id, None if which.webhook_id is None else [which.webhook_id]),
        *one_of(_DELIVERY.c.state, which.states),
        *one_of(_DELIVERY.c.execution, None if which.execution is None else [which.execution]),
        *within(_DELIVERY.c.created_at, which.created_at),
    ]


def attempts_of(tx: Tx, delivery_id: UUID) -> tuple[Attempt, ...]:
    """A delivery's attempts, oldest first."""
    mine = select(*_ATTEMPTS.columns).where(_ATTEMPT.c.delivery_id == delivery_id)
    return _ATTEMPTS.decode_all(tx.run(mine.order_by(_ATTEMPT.c.number)))


def last_delivered(tx: Tx, webhook_id: UUID) -> datetime | None:
    """When a delivery of the webhook last arrived."""
    arrived = (_DELIVERY.c.webhook_id == webhook_id, _DELIVERY.c.state == DeliveryState.DELIVERED)
    found: datetime | None = tx.run(select(func.max(_DELIVERY.c.finished_at)).where(*arrived)).scalar()
    return found


def cancel(tx: Tx, webhook_id: UUID, reason: str, now: datetime) -> int:
    """Cancel what is pending of a webhook. Gives how many deliveries that were."""
    change = _DELIVERY.update().where(_DELIVERY.c.webhook_id == webhook_id, _pending())
    values = {"state": DeliveryState.CANCELLED, "reason": reason, "next_attempt_at": None, "finished_at": now}
    return tx.run(change.values(**values)).rowcount


def prune(tx: Tx, before: datetime, limit: int) -> int:
    """Delete up to `limit` deliveries that were finished before this moment, with their attempts. Gives how many."""
    old = select(_DELIVERY.c.id).where(_DELIVERY.c.finished_at < before, ~_pending()).limit(limit)
    return tx.run(_DELIVERY.delete().where(_DELIVERY.c.id.in_(old))).rowcount


def _pending() -> ColumnElement[bool]:
    return _DELIVERY.c.state == DeliveryState.PENDING
