"""What drivers raise, in Airgate's own words: the one place that reads error codes."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, OperationalError, StatementError

from airgate.model.errors import InvalidInput, Unavailable

_SQLITE_REASONS = {
    sqlite3.SQLITE_BUSY: "another process holds the lock of the database",
    sqlite3.SQLITE_LOCKED: "another process holds the lock of the database",
    sqlite3.SQLITE_NOMEM: "there is not enough memory for the database",
    sqlite3.SQLITE_READONLY: "the database file may not be written",
    sqlite3.SQLITE_IOERR: "the disk of the database cannot be read or written",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_FULL: "the disk of the database is full",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "another process holds the lock of the database",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
}

_POSTGRES_REASONS = {
    "08": "the connection to the database server was lost",
    "25006": "the database server takes no writes",
    "28": "the database server refuses these credentials",
    "3D": "the database does not exist on its server",
    "40": "the database server gave up this transaction in favour of another",
    "53": "the database server is out of a resource",
    "53100": "the disk of the database server is full",
    "53300": "the database server has too many connections",
    "55P03": "another process holds a lock in the database",
    "57": "the database server is stopping or starting",
    "58": "the disk of the database server cannot be read or written",
    "XX": "the database server reports damage or a defect",
}

UNREACHABLE = "the database server cannot be reached"
# Whether a commit happened is unknown when its answer is lost: no code at all, a lost connection, a stopping server.
_ANSWER_LOST = ("08", "57")


def unavailable(reason: str) -> Unavailable:
    """The error for a database that cannot be used now."""
    return Unavailable(f"The database is unavailable: {reason}. Nothing of this request was kept.", code="database")


def explain(error: Exception) -> Exception:
    """The error to raise instead of `error`: itself where it is no driver's, or a defect of our own statements."""
    meaning = _meaning(error)
    if meaning is None:
        return error
    meaning.__cause__ = error
    return meaning


def _meaning(error: Exception) -> Exception | None:
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, UnicodeEncodeError | OverflowError) or isinstance(error, DataError):
        return InvalidInput(f"A value cannot be stored: {cause}", code="value")
    if not isinstance(error, DBAPIError):
        return None
    if str(getattr(cause, "sqlstate", None)).startswith("54"):
        return InvalidInput(f"A value is too long to be stored: {cause}", code="value")
    reason = _reason(error)
    return None if reason is None else unavailable(reason)


def answer_lost(error: DBAPIError) -> bool:
    """Whether the server may have committed although the commit failed here."""
    if isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state.startswith(_ANSWER_LOST)


def _reason(error: DBAPIError) -> str | None:
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", None)
        return None if code is None else _SQLITE_REASONS.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return UNREACHABLE if error.connection_invalidated or isinstance(error, OperationalError) else None
    return _POSTGRES_REASONS.get(state) or _POSTGRES_REASONS.get(state[:2])
