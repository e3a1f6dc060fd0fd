"""Addresses of databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgate.model.errors import InvalidInput
from airgate.store._connect import Postgres, Sqlite, Timeouts, backend_for

TIMEOUTS = Timeouts(lock=1)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/airgate.db", Path("/var/lib/airgate.db")),
        ("sqlite:///data/a b.db", Path.cwd() / "data" / "a b.db"),
        ("sqlite:///a%20b?c#d", Path.cwd() / "a%20b?c#d"),
    ],
)
def test_sqlite_address_names_a_file_word_for_word(url: str, path: Path) -> None:
    backend = backend_for(url, TIMEOUTS)

    assert isinstance(backend, Sqlite)
    assert backend.path == path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5433/n", ("u", "p", "h", 5433, "n")),
        ("postgres://u:p@h/n", ("u", "p", "h", None, "n")),
        ("postgresql+psycopg://u@h/n", ("u", None, "h", None, "n")),
        ("postgresql://h/n", (None, None, "h", None, "n")),
        ("postgresql:///n", (None, None, None, None, "n")),
        ("postgresql://u:p%40%2F%3A%25@h/n", ("u", "p@/:%", "h", None, "n")),
        ("postgresql://u:p@ss:w/o?r#d@h/n", ("u", "p@ss:w/o?r#d", "h", None, "n")),
        ("postgresql://u:100%sure@h/n", ("u", "100%sure", "h", None, "n")),
        ("postgresql://u%40corp:p@[::1]:5432/n", ("u@corp", "p", "::1", 5432, "n")),
        ("postgresql://u:@h/n", ("u", "", "h", None, "n")),
    ],
)
def test_postgres_address_may_hold_any_password(url: str, expected: tuple[object, ...]) -> None:
    backend = backend_for(url, TIMEOUTS)

    assert isinstance(backend, Postgres)
    parts = backend.url
    assert (parts.username, parts.password, parts.host, parts.port, parts.database) == expected
    assert parts.drivername == "postgresql+psycopg"


def test_postgres_address_keeps_its_options() -> None:
    backend = backend_for("postgresql://u:p@/n?host=/run/postgresql&sslmode=require", TIMEOUTS)

    assert isinstance(backend, Postgres)
    assert dict(backend.url.query) == {"host": "/run/postgresql", "sslmode": "require"}


@pytest.mark.parametrize(
    "url",
    ["", "airgate.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://u:p@h/n", "postgresql:/n", "postgresql://h:port/n"],
)  # fmt: skip
def test_other_addresses_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        backend_for(url, TIMEOUTS)

    assert caught.value.code == "database_url"
    assert "u:p" not in caught.value.detail
