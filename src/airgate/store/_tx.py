"""An open transaction, as the functions of this room see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, CursorResult, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from airgate.model.dag import DagSpec
from airgate.model.errors import Unavailable

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Tx:
    """An open transaction: what every function of this room takes first. Wraps a SQLAlchemy connection."""

    __slots__ = ("_cipher", "_insert", "connection", "specs")

    def __init__(self, connection: Connection, cipher: Fernet, specs: dict[UUID, DagSpec]) -> None:
        self.connection = connection
        self.specs = specs
        """Snapshots by DAG version, decoded once: a version never changes."""
        self._cipher = cipher
        self._insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert

    def run(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[Any]:
        """Execute a statement, once per parameter set where a list of them is given."""
        return self.connection.execute(statement, parameters)

    def run_each(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once per row; with no rows, not at all."""
        if rows:
            self.connection.execute(statement, rows)

    def insert(self, table: Table) -> Any:
        """An INSERT that may say ``on_conflict_do_nothing`` or ``on_conflict_do_update``."""
        return self._insert(table)

    def prepared(self, make: Callable[[Any], Executable]) -> Executable:
        """The statement `make` builds with this database's INSERT: built once, as building costs more than running."""
        return _prepared(make, self._insert)

    def lock(self, text: str | None) -> bytes | None:
        """Encrypt a text."""
        return None if text is None else self._cipher.encrypt(text.encode("utf-8", "surrogatepass"))

    def unlock(self, token: bytes | None) -> str | None:
        """Decrypt what `lock` gave. Raises Unavailable if it was encrypted with another key."""
        if token is None:
            return None
        try:
            return self._cipher.decrypt(bytes(token)).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise Unavailable(
                "A stored secret cannot be decrypted: it was encrypted with another key.", code="secret_key"
            ) from None


@cache
def _prepared(make: Callable[[Any], Executable], insert: Any) -> Executable:
    return make(insert)
