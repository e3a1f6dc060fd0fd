"""Pools. ``default_pool`` always exists."""

from __future__ import annotations

from airgate.model.admin import Pool
from airgate.model.query import Listing, Order, Page
from airgate.store.database import Tx


def list_pools(tx: Tx, order: Order, page: Page) -> Listing[Pool]:
    """One page of the pools. Raises InvalidInput (code ``order_field``) for an unknown field."""
    raise NotImplementedError


def get(tx: Tx, name: str) -> Pool:
    """One pool. Raises NotFound (code ``pool_not_found``)."""
    raise NotImplementedError


def put(tx: Tx, pool: Pool) -> Pool:
    """Create a pool or overwrite it."""
    raise NotImplementedError


def create(tx: Tx, pool: Pool) -> Pool:
    """Create a pool. Raises Conflict (code ``pool_exists``)."""
    raise NotImplementedError


def update(tx: Tx, name: str, pool: Pool) -> Pool:
    """Overwrite (and perhaps rename) a pool.

    Raises:
        NotFound: there is no pool `name`.
        Conflict: (code ``pool_exists``) its new name is taken.
        InvalidInput: (code ``default_pool``) the default pool would get another name.
    """
    raise NotImplementedError


def delete(tx: Tx, name: str) -> None:
    """Delete a pool. Raises NotFound, and InvalidInput (code ``default_pool``) for the default pool."""
    raise NotImplementedError
