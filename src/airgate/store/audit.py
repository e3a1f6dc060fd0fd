"""The audit log: appended to, counted up, read from its newest end, and cut off at its oldest."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from airgate.model.audit import AuditEntry, AuditFilter
from airgate.model.errors import NotFound
from airgate.model.query import Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions, one_of, ordered, paged, sortable, total
from airgate.store.database import Tx

_ENTRY = schema.audit_entry
_MAPPING = Mapping(AuditEntry, _ENTRY, given=("seq",))
_SELECT = select(*_MAPPING.columns)
_SORTABLE = sortable(_ENTRY, AuditEntry.__struct_fields__)
_COUNTED = _ENTRY.update().where(_ENTRY.c.seq == bindparam("key_seq")).values(count=bindparam("n"))
_ANY = AuditFilter()
_NUMBERED = _ENTRY.insert().returning(_ENTRY.c.seq, sort_by_parameter_order=True)


def append(tx: Tx, entries: Sequence[AuditEntry]) -> None:
    """Keep entries, in this order, after all others. Their `seq` is given here."""
    tx.run_each(_ENTRY.insert(), _MAPPING.encode_all(entries))


def append_each(tx: Tx, entries: Sequence[AuditEntry]) -> Sequence[Exception | None]:
    """As `append`; made for `Database.write_item`."""
    append(tx, entries)
    return [None] * len(entries)


def append_numbered(tx: Tx, entries: Sequence[AuditEntry]) -> tuple[int, ...]:
    """As `append`, and gives each its `seq`."""
    return tuple(tx.run(_NUMBERED, _MAPPING.encode_all(entries)).scalars()) if entries else ()


def keep_counted(tx: Tx, entries: Sequence[AuditEntry], counts: Dictionary[int, int]) -> tuple[int, ...]:
    """Keep new entries, and say how many like requests earlier ones stand for, by `seq`.

    An earlier one that is there no more is no error. Gives the new ones' `seq`.
    """
    tx.run_each(_COUNTED, [{"key_seq": seq, "n": n} for seq, n in sorted(counts.items())])
    return append_numbered(tx, entries)


def newest(tx: Tx, which: AuditFilter, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
    """The newest `limit` entries that match, newest first; with `before`, of those older than that `seq`."""
    conditions = _conditions(which)
    if before is not None:
        conditions.append(_ENTRY.c.seq < before)
    statement = _SELECT.where(*conditions).order_by(_ENTRY.c.seq.desc()).limit(limit)
    return _MAPPING.decode_all(tx.run(statement))


def list_entries(tx: Tx, which: AuditFilter, order: Order, page: Page) -> Listing[AuditEntry]:
    """One page of the entries that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    by = ordered(order, _SORTABLE, [_ENTRY.c.seq])
    conditions = _conditions(which)
    rows = tx.run(paged(_SELECT.where(*conditions).order_by(*by), page))
    return Listing(_MAPPING.decode_all(rows), total(tx, _ENTRY, conditions))


def get(tx: Tx, seq: int, which: AuditFilter = _ANY) -> AuditEntry:
    """One entry that matches. Raises NotFound (code ``audit_entry_not_found``)."""
    row = tx.run(_SELECT.where(_ENTRY.c.seq == seq, *_conditions(which))).first()
    if row is None:
        raise NotFound(f"There is no entry {seq} in the audit log", code="audit_entry_not_found")
    return _MAPPING.decode(row)


def prune(tx: Tx, before: datetime, limit: int) -> int:
    """Delete up to `limit` of the oldest entries made before a moment. Gives how many there were."""
    oldest = select(_ENTRY.c.seq).where(_ENTRY.c.at < before).order_by(_ENTRY.c.at).limit(limit)
    # Asked for, since not every driver counts what was deleted.
    return len(tx.run(_ENTRY.delete().where(_ENTRY.c.seq.in_(oldest)).returning(_ENTRY.c.seq)).all())


def _conditions(which: AuditFilter) -> Conditions:
    conditions = [
        *one_of(_ENTRY.c.deployment, which.deployments),
        *one_of(_ENTRY.c.dag_id, which.dag_ids),
        *one_of(_ENTRY.c.event, which.events),
    ]
    conditions += [column == value for column, value in _exact(which) if value is not None]
    if which.excluded_events:
        conditions.append(_ENTRY.c.event.not_in(which.excluded_events))
    if which.since is not None:
        conditions.append(_ENTRY.c.at >= which.since)
    if which.until is not None:
        conditions.append(_ENTRY.c.at < which.until)
    return conditions


def _exact(which: AuditFilter) -> tuple[tuple[Any, Any], ...]:
    return (
        (_ENTRY.c.run_id, which.run_id),
        (_ENTRY.c.task_id, which.task_id),
        (_ENTRY.c.map_index, which.map_index),
        (_ENTRY.c.actor, which.actor),
        (_ENTRY.c.key_id, which.key_id),
        (_ENTRY.c.outcome, which.outcome),
    )
