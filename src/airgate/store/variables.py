"""Variables. Values are encrypted at rest."""

from __future__ import annotations

from airgate.model.admin import Variable
from airgate.model.query import Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store._named import Named
from airgate.store.database import Tx

_VARIABLES = Named(Variable, schema.variable, "variable", secret=("value",))


def list_variables(tx: Tx, order: Order, page: Page) -> Listing[Variable]:
    """One page of the variables. Raises InvalidInput (code ``order_field``), for `value` too."""
    return _VARIABLES.list(tx, order, page)


def get(tx: Tx, key: str) -> Variable:
    """One variable. Raises NotFound (code ``variable_not_found``)."""
    return _VARIABLES.get(tx, key)


def keys(tx: Tx, prefix: str | None = None) -> tuple[str, ...]:
    """The keys that begin with `prefix` (all without one), sorted."""
    everything = _VARIABLES.names(tx)
    return tuple(key for key in everything if prefix is None or key.startswith(prefix))


def put(tx: Tx, variable: Variable) -> Variable:
    """Create a variable or overwrite it."""
    return _VARIABLES.put(tx, variable)


def create(tx: Tx, variable: Variable) -> Variable:
    """Create a variable. Raises Conflict (code ``variable_exists``)."""
    return _VARIABLES.create(tx, variable)


def update(tx: Tx, key: str, variable: Variable) -> Variable:
    """Overwrite (and perhaps rename) a variable. Raises NotFound, and Conflict where its new key is taken."""
    return _VARIABLES.update(tx, key, variable)


def delete(tx: Tx, key: str) -> None:
    """Delete a variable. Raises NotFound."""
    _VARIABLES.delete(tx, key)
