"""The transactional outbox."""

from __future__ import annotations

from collections.abc import Sequence

from airgate.model.event import Event
from airgate.store.database import Tx


def append(tx: Tx, events: Sequence[Event]) -> None:
    """Keep events, in this order, after all others. Their `seq` is given here."""
    raise NotImplementedError


def after(tx: Tx, seq: int, limit: int) -> tuple[Event, ...]:
    """The first `limit` events after `seq`, oldest first."""
    raise NotImplementedError
