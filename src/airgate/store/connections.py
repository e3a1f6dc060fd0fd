"""Connections. Passwords and extras are encrypted at rest."""

from __future__ import annotations

from airgate.model.admin import Connection
from airgate.model.query import Listing, Order, Page
from airgate.store.database import Tx


def list_connections(tx: Tx, order: Order, page: Page) -> Listing[Connection]:
    """One page of the connections. Raises InvalidInput (code ``order_field``), for secret fields too."""
    raise NotImplementedError


def get(tx: Tx, connection_id: str) -> Connection:
    """One connection. Raises NotFound (code ``connection_not_found``)."""
    raise NotImplementedError


def put(tx: Tx, connection: Connection) -> Connection:
    """Create a connection or overwrite it."""
    raise NotImplementedError


def create(tx: Tx, connection: Connection) -> Connection:
    """Create a connection. Raises Conflict (code ``connection_exists``)."""
    raise NotImplementedError


def update(tx: Tx, connection_id: str, connection: Connection) -> Connection:
    """Overwrite (and perhaps rename) a connection. Raises NotFound, and Conflict where its new id is taken."""
    raise NotImplementedError


def delete(tx: Tx, connection_id: str) -> None:
    """Delete a connection. Raises NotFound."""
    raise NotImplementedError
