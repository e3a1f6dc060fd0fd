"""One connection and its transactions: opened, guarded, ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from airgate.model.dag import DagSpec
from airgate.model.errors import Unavailable
from airgate.store._connect import Backend
from airgate.store._failures import answer_lost, explain, unavailable
from airgate.store._savepoint import Lost, guarded
from airgate.store._tx import Tx

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["Lost", "OutcomeUnknown", "Session"]


class OutcomeUnknown(Exception):
    """A commit was sent, and its answer was lost. The server can be asked by this name."""

    def __init__(self, transaction_id: str) -> None:
        super().__init__(transaction_id)
        self.transaction_id = transaction_id


@contextmanager
def explained() -> Iterator[None]:
    """Raise what a driver raises in Airgate's own words."""
    try:
        yield
    except SQLAlchemyError as error:
        raise explain(error) from error


class Session:
    """A connection used by one thread. It is opened when first needed, and again after `drop`."""

    def __init__(self, backend: Backend, cipher: Fernet, specs: dict[UUID, DagSpec]) -> None:
        self._backend = backend
        self._cipher = cipher
        self._specs = specs
        self._connection: Connection | None = None

    def drop(self) -> None:
        """Close the connection, and with it a transaction that may be open. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on a snapshot. A connection that had gone stale is replaced once."""
        stale = self._connection is not None
        try:
            return self._read(fn, *args, **kwargs)
        except Unavailable:
            self.drop()
            if not stale:
                raise
        return self._read(fn, *args, **kwargs)

    def _read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with explained():
            connection = self._connect()
            self._backend.begin_read(connection)
            try:
                return fn(self._tx(connection), *args, **kwargs)
            finally:
                with suppress(SQLAlchemyError):
                    connection.rollback()

    def begin(self) -> Tx:
        """Open a transaction that may write. A connection that had gone stale is replaced once."""
        self._backend.check()
        stale = self._connection is not None
        try:
            return self._begin()
        except DBAPIError as error:
            self.drop()
            if not (stale and error.connection_invalidated):
                raise explain(error) from error
        with explained():
            return self._begin()

    def _begin(self) -> Tx:
        connection = self._connect()
        self._backend.begin_write(connection)
        return self._tx(connection)

    def commit(self) -> None:
        """End the transaction; afterwards it is on the disk.

        Raises:
            Unavailable: it could not be committed, and was not.
            OutcomeUnknown: the answer was lost.
        """
        connection = self._open_connection
        with explained():
            if not self._backend.intact(connection):
                raise unavailable("the transaction broke off before it could be committed")
            transaction_id = self._backend.transaction_id(connection)
        try:
            connection.commit()
        except DBAPIError as error:
            if transaction_id is not None and answer_lost(error):
                raise OutcomeUnknown(transaction_id) from error
            raise explain(error) from error

    def rollback(self) -> None:
        """Undo the transaction. Never raises: a connection that cannot is dropped."""
        try:
            if self._connection is not None:
                self._connection.rollback()
        except SQLAlchemyError:
            self.drop()

    def guarded(self, call: Callable[[], T]) -> T:
        """Run `call` so that, should it raise, its own work is undone and the transaction can go on.

        Raises:
            Lost: the transaction cannot go on.
        """
        return guarded(self._open_connection, call)

    def outcome(self, transaction_id: str) -> bool | None:
        """Whether a transaction was committed, None while that is not known. Raises Unavailable."""
        with explained():
            return self._backend.outcome(self._connect(), transaction_id)

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._backend.connect()
        return self._connection

    @property
    def _open_connection(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def _tx(self, connection: Connection) -> Tx:
        return Tx(connection, self._cipher, self._specs)
