"""Pools. ``default_pool`` always exists."""

from __future__ import annotations

from airgate.model.admin import DEFAULT_POOL, Pool
from airgate.model.errors import InvalidInput
from airgate.model.query import Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store._named import Named
from airgate.store.database import Tx

_POOLS = Named(Pool, schema.pool, "pool")


def list_pools(tx: Tx, order: Order, page: Page) -> Listing[Pool]:
    """One page of the pools. Raises InvalidInput (code ``order_field``) for an unknown field."""
    return _POOLS.list(tx, order, page)


def get(tx: Tx, name: str) -> Pool:
    """One pool. Raises NotFound (code ``pool_not_found``)."""
    return _POOLS.get(tx, name)


def put(tx: Tx, pool: Pool) -> Pool:
    """Create a pool or overwrite it."""
    return _POOLS.put(tx, pool)


def create(tx: Tx, pool: Pool) -> Pool:
    """Create a pool. Raises Conflict (code ``pool_exists``)."""
    return _POOLS.create(tx, pool)


def update(tx: Tx, name: str, pool: Pool) -> Pool:
    """Overwrite (and perhaps rename) a pool.

    Raises:
        NotFound: there is no pool `name`.
        Conflict: (code ``pool_exists``) its new name is taken.
        InvalidInput: (code ``default_pool``) the default pool would get another name.
    """
    if name == DEFAULT_POOL != pool.name:
        raise InvalidInput("The default pool cannot be renamed", code="default_pool")
    return _POOLS.update(tx, name, pool)


def delete(tx: Tx, name: str) -> None:
    """Delete a pool. Raises NotFound, and InvalidInput (code ``default_pool``) for the default pool."""
    if name == DEFAULT_POOL:
        raise InvalidInput("The default pool cannot be deleted", code="default_pool")
    _POOLS.delete(tx, name)
