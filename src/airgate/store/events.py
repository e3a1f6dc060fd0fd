"""The transactional outbox."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from airgate.model.event import Event
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store.database import Tx

_EVENT = schema.event
_MAPPING = Mapping(Event, _EVENT, given=("seq",))


def append(tx: Tx, events: Sequence[Event]) -> None:
    """Keep events, in this order, after all others. Their `seq` is given here."""
    tx.run_each(_EVENT.insert(), _MAPPING.encode_all(events))


def after(tx: Tx, seq: int, limit: int) -> tuple[Event, ...]:
    """The first `limit` events after `seq`, oldest first."""
    statement = select(*_MAPPING.columns).where(_EVENT.c.seq > seq).order_by(_EVENT.c.seq).limit(limit)
    return _MAPPING.decode_all(tx.run(statement))
