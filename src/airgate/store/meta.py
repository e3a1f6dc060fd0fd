"""Small facts of this installation."""

from __future__ import annotations

from airgate.store.database import Tx


def get(tx: Tx, key: str) -> str | None:
    """A fact, or None where it is not known."""
    raise NotImplementedError


def put(tx: Tx, key: str, value: str) -> None:
    """Keep a fact, replacing what was there."""
    raise NotImplementedError
