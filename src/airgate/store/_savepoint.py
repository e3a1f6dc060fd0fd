"""Work inside a transaction that may fail by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from airgate.store._failures import explain

T = TypeVar("T")

_SAVEPOINT = "one"


class Lost(Exception):
    """The transaction cannot go on, and nothing of it will be kept. `cause` is what ended it."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def guarded(connection: Connection, call: Callable[[], T]) -> T:
    """Run `call` so that, should it raise, its own work is undone and the transaction can go on. Calls may nest.

    Raises:
        Lost: the transaction cannot go on.
    """
    try:
        connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
    except SQLAlchemyError as error:
        raise Lost(explain(error)) from error
    try:
        result = call()
        connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    except Lost:
        raise
    except Exception as error:
        cause = explain(error)
        try:
            connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except SQLAlchemyError:
            raise Lost(cause) from error
        if cause is error:
            raise
        raise cause from error
    return result
