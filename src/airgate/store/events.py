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


def waiting(tx: Tx, limit: int) -> tuple[Event, ...]:
    """The oldest events whose consequences were not drawn yet.

    They are marked one by one, and not by a place in the sequence up to which all is done: of several processes that
    write to PostgreSQL, one may commit a lower number after another a higher one.
    """
    open_ones = select(*_MAPPING.columns).where(schema.EVENT_OPEN).order_by(_EVENT.c.seq).limit(limit)
    return _MAPPING.decode_all(tx.run(open_ones))


def settle(tx: Tx, seqs: Sequence[int]) -> frozenset[int]:
    """Mark events as settled. Gives those of them that were not: theirs are the consequences to keep."""
    mark = _EVENT.update().where(_EVENT.c.seq.in_(seqs), _EVENT.c.settled.is_(False)).values(settled=True)
    return frozenset(tx.run(mark.returning(_EVENT.c.seq)).scalars()) if seqs else frozenset()
