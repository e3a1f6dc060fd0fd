"""Variables. Values are encrypted at rest."""

from __future__ import annotations

from airgate.model.admin import Variable
from airgate.model.query import Listing, Order, Page
from airgate.store.database import Tx


def list_variables(tx: Tx, order: Order, page: Page) -> Listing[Variable]:
    """One page of the variables. Raises InvalidInput (code ``order_field``), for `value` too."""
    raise NotImplementedError


def get(tx: Tx, key: str) -> Variable:
    """One variable. Raises NotFound (code ``variable_not_found``)."""
    raise NotImplementedError


def put(tx: Tx, variable: Variable) -> Variable:
    """Create a variable or overwrite it."""
    raise NotImplementedError


def create(tx: Tx, variable: Variable) -> Variable:
    """Create a variable. Raises Conflict (code ``variable_exists``)."""
    raise NotImplementedError


def update(tx: Tx, key: str, variable: Variable) -> Variable:
    """Overwrite (and perhaps rename) a variable. Raises NotFound, and Conflict where its new key is taken."""
    raise NotImplementedError


def delete(tx: Tx, key: str) -> None:
    """Delete a variable. Raises NotFound."""
    raise NotImplementedError
