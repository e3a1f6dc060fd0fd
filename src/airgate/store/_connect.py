"""Addresses of databases, and how a connection to one is set up."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

from sqlalchemy import URL, Connection, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from airgate.model.errors import InvalidInput
from airgate.store._failures import unavailable

# Greedy on purpose: the last @ ends the password, which may itself contain any sign.
_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<rest>[^@]*)")
_STATEMENT_CACHE = 512
_WAL_PAGES = 4000


class Backend(Protocol):
    """What differs between the two databases when a transaction is opened and ended."""

    name: str

    def connect(self) -> Connection:
        """A new connection, which the caller closes."""

    def check(self) -> None:
        """Raise Unavailable if the database that connections talk to is not there any more."""

    def begin_write(self, connection: Connection) -> None:
        """Open a transaction that may write."""

    def begin_read(self, connection: Connection) -> None:
        """Open a transaction that sees one snapshot and cannot write."""

    def transaction_id(self, connection: Connection) -> str | None:
        """A name by which the server can be asked later whether this transaction was committed."""

    def intact(self, connection: Connection) -> bool:
        """Whether the transaction is still open and can be committed; a swallowed error may have ended it."""

    def outcome(self, connection: Connection, transaction_id: str) -> bool | None:
        """Whether that transaction was committed; None while the server does not know yet."""


class Timeouts(NamedTuple):
    """How long to wait, in seconds."""

    lock: float
    connect: float = 5.0


def backend_for(url: str, timeouts: Timeouts) -> Backend:
    """The backend of an address. Raises InvalidInput (code ``database_url``) if it is none."""
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path and path != ":memory:":
            return Sqlite(Path(path).absolute(), timeouts)
    elif (match := _POSTGRES.fullmatch(url)) is not None:
        return Postgres(_postgres_url(match), timeouts)
    raise InvalidInput(
        "A database is named as sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.", code="database_url"
    )


def _postgres_url(match: re.Match[str]) -> URL:
    user, password, rest = match["user"], match["password"], match["rest"]
    login = "" if user is None else quote(unquote(user), safe="")
    if password is not None:
        login += ":" + quote(unquote(password), safe="")
    try:
        return make_url(f"postgresql+psycopg://{login}{'' if user is None else '@'}{rest}")
    except (ArgumentError, ValueError):
        raise InvalidInput("The address of the PostgreSQL database cannot be read.", code="database_url") from None


class Sqlite:
    """One file, in write-ahead mode, with every commit synced to the disk."""

    name = "sqlite"

    def __init__(self, path: Path, timeouts: Timeouts) -> None:
        self.path = path
        self._timeouts = timeouts
        self._inode: int | None = None
        self._engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool)

    def connect(self) -> Connection:
        if self._inode is None:
            self._create()
        return self._engine.connect()

    def _create(self) -> None:
        """Make the file if need be, readable by its owner alone, and remember which one it is."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._inode = self.path.stat().st_ino
        except OSError as error:
            raise unavailable(f"{self.path} cannot be opened ({error.strerror})") from error

    def _open(self) -> sqlite3.Connection:
        # `rw`, not `rwc`: a database that vanished is an error, never a fresh one.
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=self._timeouts.lock,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENT_CACHE,
        )
        for setting in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -32768",
            f"wal_autocheckpoint = {_WAL_PAGES}",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {setting}")
        return connection

    def check(self) -> None:
        with suppress(OSError):
            if self._inode is None or self.path.stat().st_ino == self._inode:
                return
        # SQLite would go on writing to a file that nobody can open any more.
        raise unavailable(f"{self.path} was removed or replaced while Airgate had it open; put it back, or restart")

    def begin_write(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_read(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def transaction_id(self, connection: Connection) -> str | None:
        return None

    def intact(self, connection: Connection) -> bool:
        return bool(_driver(connection).in_transaction)

    def outcome(self, connection: Connection, transaction_id: str) -> bool | None:
        return False


class Postgres:
    """A PostgreSQL server, 13 or newer."""

    name = "postgresql"

    def __init__(self, url: URL, timeouts: Timeouts) -> None:
        arguments: dict[str, Any] = {
            "connect_timeout": max(2, round(timeouts.connect)),
            "autocommit": True,  # transactions are opened by the statements below
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        }
        self.url = url
        self._lock_ms = round(timeouts.lock * 1000)
        self._engine = create_engine(
            url,
            connect_args={key: value for key, value in arguments.items() if key not in url.query},
            poolclass=NullPool,
            use_native_hstore=False,
        )
        event.listen(self._engine, "connect", self._prepare)

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(f"SET lock_timeout = {self._lock_ms}")
        # An answer means "on the disk", whatever the server's default is.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )

    def connect(self) -> Connection:
        return self._engine.connect()

    def check(self) -> None:
        """Nothing to look at: a server that is gone answers no statement."""

    def begin_write(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def begin_read(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def transaction_id(self, connection: Connection) -> str | None:
        found: str | None = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()::text").scalar()
        return found

    def intact(self, connection: Connection) -> bool:
        return bool(_driver(connection).info.transaction_status.name == "INTRANS")

    def outcome(self, connection: Connection, transaction_id: str) -> bool | None:
        status = connection.exec_driver_sql("SELECT pg_xact_status(%s::xid8)", (transaction_id,)).scalar()
        return {"committed": True, "aborted": False}.get(status or "")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
