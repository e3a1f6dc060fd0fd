"""Small facts of this installation."""

from __future__ import annotations

from sqlalchemy import select

from airgate.store import _schema as schema
from airgate.store.database import Tx

_META = schema.meta


def get(tx: Tx, key: str) -> str | None:
    """A fact, or None where it is not known."""
    found: str | None = tx.run(select(_META.c.value).where(_META.c.key == key)).scalar()
    return found


def put(tx: Tx, key: str, value: str) -> None:
    """Keep a fact, replacing what was there."""
    statement = tx.insert(_META).values(key=key, value=value)
    tx.run(statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value}))
