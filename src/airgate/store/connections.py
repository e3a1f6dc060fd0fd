"""Connections. Passwords and extras are encrypted at rest."""

from __future__ import annotations

from airgate.model.admin import Connection
from airgate.model.query import Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store._named import Named
from airgate.store.database import Tx

_CONNECTIONS = Named(Connection, schema.connection, "connection", secret=("password", "extra"))


def list_connections(tx: Tx, order: Order, page: Page) -> Listing[Connection]:
    """One page of the connections. Raises InvalidInput (code ``order_field``), for secret fields too."""
    return _CONNECTIONS.list(tx, order, page)


def get(tx: Tx, connection_id: str) -> Connection:
    """One connection. Raises NotFound (code ``connection_not_found``)."""
    return _CONNECTIONS.get(tx, connection_id)


def put(tx: Tx, connection: Connection) -> Connection:
    """Create a connection or overwrite it."""
    return _CONNECTIONS.put(tx, connection)


def create(tx: Tx, connection: Connection) -> Connection:
    """Create a connection. Raises Conflict (code ``connection_exists``)."""
    return _CONNECTIONS.create(tx, connection)


def update(tx: Tx, connection_id: str, connection: Connection) -> Connection:
    """Overwrite (and perhaps rename) a connection. Raises NotFound, and Conflict where its new id is taken."""
    return _CONNECTIONS.update(tx, connection_id, connection)


def delete(tx: Tx, connection_id: str) -> None:
    """Delete a connection. Raises NotFound."""
    _CONNECTIONS.delete(tx, connection_id)
