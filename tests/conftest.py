"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from uuid_utils.compat import uuid7

from airgate.store.database import Database
from tests.support.clock import Clock
from tests.support.postgres import PostgresServer

STORE_SECRET = Fernet.generate_key()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_id() -> Callable[[], UUID]:
    return uuid7


@pytest.fixture(scope="session")
def store_secret() -> bytes:
    return STORE_SECRET


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, store_secret: bytes) -> str:
    """The name of a database with the newest schema; others are copied from it."""
    name = postgres.new_database()

    async def migrate() -> None:
        await (await Database.open(postgres.url(name), secret=store_secret)).close()

    asyncio.run(migrate())
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, store_secret: bytes) -> Path:
    """A file with the newest schema; others are copied from it."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"

    async def migrate() -> None:
        await (await Database.open(f"sqlite:///{file}", secret=store_secret)).close()

    asyncio.run(migrate())
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of its own for each test; only what a test asks for is started."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'airgate.db')}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.new_database(request.getfixturevalue("postgres_template")))


@pytest.fixture
async def database(database_url: str, store_secret: bytes) -> AsyncIterator[Database]:
    """An open database: every test that asks for it runs on SQLite and on PostgreSQL."""
    opened = await Database.open(database_url, secret=store_secret, lock_timeout=0.2)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(sqlite_template: Path, tmp_path: Path, store_secret: bytes) -> AsyncIterator[Database]:
    """An open SQLite database, for tests to which it is all the same."""
    file = shutil.copy(sqlite_template, tmp_path / "airgate.db")
    opened = await Database.open(f"sqlite:///{file}", secret=store_secret)
    yield opened
    await opened.close()
