"""A database that is locked, full or gone: nothing is kept that was refused, and writing goes on afterwards."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import sha512
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event

from airgate.model.errors import InvalidInput, NotFound, Unavailable
from airgate.store import meta, pools
from airgate.store.database import Database, Tx
from tests.support.postgres import PostgresServer
from tests.support.postgres_door import Door, Lose

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "airgate.db"


@pytest.fixture
async def sqlite(file: Path, store_secret: bytes) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{file}", secret=store_secret, lock_timeout=0.1)
    yield opened
    await opened.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this test's own, to be stopped at will."""
    server = PostgresServer()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def door(postgres: PostgresServer) -> Iterator[Door]:
    opened = Door(postgres.folder)
    yield opened
    opened.remove()


@pytest.fixture
async def behind_door(
    door: Door, postgres: PostgresServer, postgres_template: str, store_secret: bytes
) -> AsyncIterator[Database]:
    name = postgres.new_database(postgres_template)
    opened = await Database.open(postgres.url(name, folder=door.folder), secret=store_secret)
    yield opened
    await opened.close()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Another process holds the write lock of the file."""
    with subprocess.Popen([sys.executable, "-c", _LOCKER, file], stdin=-1, stdout=-1, text=True) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        yield


@contextmanager
def _disk_ends_at(size: int) -> Iterator[None]:
    """No file of this process can grow beyond a size, as if the disk had no room for it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _healthy(database: Database) -> bool:
    return database.healthy


def _size(file: str) -> int:
    return Path(file).stat().st_size


def _mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def _move(file: Path, to: Path, *, replace: bool = True) -> None:
    assert replace or not to.exists()
    file.rename(to)


# ------------------------------------------------------------------------------------------------------------ SQLite


async def test_sqlite_refuses_writes_and_goes_on_reading_when_another_process_holds_the_lock(
    sqlite: Database, file: Path
) -> None:
    await sqlite.write(meta.put, "n", "before")

    with _locked(file):
        with pytest.raises(Unavailable, match="another process holds the lock"):
            await sqlite.write(meta.put, "n", "refused")
        assert not _healthy(sqlite)
        assert await sqlite.read(meta.get, "n") == "before"

    assert await sqlite.read(meta.get, "n") == "before"
    await sqlite.write(meta.put, "n", "after")
    assert await sqlite.read(meta.get, "n") == "after"
    assert _healthy(sqlite)


async def test_sqlite_waits_for_a_lock_that_is_given_back_in_time(file: Path, store_secret: bytes) -> None:
    database = await Database.open(f"sqlite:///{file}", secret=store_secret, lock_timeout=30)
    with _locked(file):
        future = database.write(meta.put, "n", "1")
        assert not future.done()
    await future

    assert await database.read(meta.get, "n") == "1"
    await database.close()


async def test_sqlite_cannot_be_opened_when_another_process_holds_the_lock(
    sqlite: Database, file: Path, store_secret: bytes
) -> None:
    with _locked(file), pytest.raises(Unavailable, match="another process holds the lock"):
        await Database.open(f"sqlite:///{file}", secret=store_secret, lock_timeout=0.1)


async def test_sqlite_refuses_what_does_not_fit_when_the_disk_is_full(sqlite: Database) -> None:
    def fill(tx: Tx) -> None:
        pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        meta.put(tx, "small", "x")
        meta.put(tx, "big", "x" * 1_000_000)

    with pytest.raises(Unavailable, match="disk of the database is full"):
        await sqlite.write(fill)

    assert await sqlite.read(meta.get, "small") is None
    await sqlite.write(meta.put, "big", "x" * 1_000_000)
    assert await sqlite.read(meta.get, "big") == "x" * 1_000_000


async def test_sqlite_writes_again_when_the_disk_has_room_again(sqlite: Database, file: Path) -> None:
    await sqlite.write(meta.put, "n", "before")
    with _disk_ends_at(_size(f"{file}-wal") + 100_000):
        for number in range(3):
            with pytest.raises(Unavailable, match="disk"):
                await sqlite.write(meta.put, f"big{number}", "x" * 1_000_000)
        assert not _healthy(sqlite)
        assert await sqlite.read(meta.get, "n") == "before"

    await sqlite.write(meta.put, "n", "after")

    assert await sqlite.read(meta.get, "n") == "after"
    assert [await sqlite.read(meta.get, f"big{number}") for number in range(3)] == [None] * 3


async def test_sqlite_refuses_writes_when_its_file_is_gone_and_goes_on_when_it_is_back(
    sqlite: Database, file: Path, tmp_path: Path
) -> None:
    await sqlite.write(meta.put, "n", "before")
    _move(file, tmp_path / "elsewhere")

    with pytest.raises(Unavailable, match="was removed or replaced"):
        await sqlite.write(meta.put, "n", "refused")

    # No empty database may have taken its place.
    _move(tmp_path / "elsewhere", file, replace=False)
    assert await sqlite.read(meta.get, "n") == "before"
    await sqlite.write(meta.put, "n", "after")
    assert await sqlite.read(meta.get, "n") == "after"


async def test_sqlite_cannot_be_opened_when_the_file_is_no_database(tmp_path: Path, store_secret: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes " * 100)

    with pytest.raises(Unavailable, match="not a database"):
        await Database.open(f"sqlite:///{file}", secret=store_secret)

    assert file.read_text().startswith("these are notes"), "nobody's file is overwritten"


async def test_sqlite_file_is_its_owners_alone(sqlite: Database, file: Path) -> None:
    assert _mode(file) == 0o600


async def test_sqlite_commits_are_synced_to_the_disk(sqlite: Database) -> None:
    def settings(tx: Tx) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return {name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert await sqlite.write(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL: the log is synced at every commit
        "foreign_keys": 1,
        "busy_timeout": 100,
    }


async def test_health_comes_back_by_itself_when_the_lock_is_given_back(file: Path, store_secret: bytes) -> None:
    database = await Database.open(f"sqlite:///{file}", secret=store_secret, lock_timeout=0.1)
    committed = threading.Event()

    def note(_: Connection) -> None:
        committed.set()

    event.listen(Engine, "commit", note)
    try:
        with _locked(file), pytest.raises(Unavailable):
            await database.write(meta.put, "n", "refused")
        assert await asyncio.to_thread(committed.wait, 30)  # nobody writes but the database itself
    finally:
        event.remove(Engine, "commit", note)
    await database.close()

    assert _healthy(database)


async def test_gathered_writes_are_all_refused_when_the_lock_is_held(sqlite: Database, file: Path) -> None:
    with _locked(file):
        futures = [sqlite.write(meta.put, f"n{i}", "1") for i in range(20)]
        results = await asyncio.gather(*futures, return_exceptions=True)

    assert {type(result) for result in results} == {Unavailable}
    assert [await sqlite.read(meta.get, f"n{i}") for i in range(20)] == [None] * 20


# -------------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_postgres_writes_again_when_the_server_is_back(
    own_postgres: PostgresServer, store_secret: bytes, how: signal.Signals
) -> None:
    database = await Database.open(own_postgres.url(own_postgres.new_database()), secret=store_secret)
    await database.write(meta.put, "n", "before")
    await database.read(meta.get, "n")

    own_postgres.stop(how)
    with pytest.raises(Unavailable, match="database"):
        await database.write(meta.put, "n", "refused")
    with pytest.raises(Unavailable, match="database"):
        await database.read(meta.get, "n")
    assert not _healthy(database)

    own_postgres.start()
    assert await database.read(meta.get, "n") == "before"
    await database.write(meta.put, "n", "after")
    assert await database.read(meta.get, "n") == "after"
    assert _healthy(database)
    await database.close()


async def test_postgres_write_and_read_succeed_when_the_server_was_restarted_unnoticed(
    own_postgres: PostgresServer, store_secret: bytes
) -> None:
    database = await Database.open(own_postgres.url(own_postgres.new_database()), secret=store_secret)
    await database.write(meta.put, "n", "before")
    await database.read(meta.get, "n")
    own_postgres.stop()
    own_postgres.start()

    await database.write(meta.put, "n", "after")

    assert await database.read(meta.get, "n") == "after"
    await database.close()


async def test_postgres_cannot_be_opened_when_there_is_no_server(tmp_path: Path, store_secret: bytes) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await Database.open(f"postgresql://postgres@/nothing?host={tmp_path}", secret=store_secret)


async def test_postgres_write_is_refused_and_its_neighbours_commit_when_another_holds_a_row(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes
) -> None:
    url = postgres.url(postgres.new_database(postgres_template))
    database = await Database.open(url, secret=store_secret, lock_timeout=0.2)
    entered = threading.Event()

    with psycopg.connect(url) as other:
        other.execute("UPDATE pool SET slots = 1")
        futures: list[asyncio.Future[Any]] = [
            database.write(lambda _: entered.wait(30)),
            database.write(meta.put, "before", "1"),
            database.write(pools.put, await database.read(pools.get, "default_pool")),
            database.write(meta.put, "after", "1"),
        ]
        entered.set()
        results = await asyncio.gather(*futures, return_exceptions=True)

    assert [isinstance(result, Unavailable) for result in results] == [False, False, True, False]
    assert await database.read(meta.get, "before") == "1"
    assert await database.read(meta.get, "after") == "1"
    await database.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("53100", "disk of the database server is full"),
        ("53200", "out of a resource"),
        ("40001", "in favour of another"),
        ("25006", "takes no writes"),
    ],
)
async def test_postgres_write_is_refused_with_the_reason_when_the_server_gives_one(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes, code: str, reason: str
) -> None:
    database = await Database.open(postgres.url(postgres.new_database(postgres_template)), secret=store_secret)

    def fail(tx: Tx) -> None:
        meta.put(tx, "n", "1")
        tx.connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$")

    with pytest.raises(Unavailable, match=reason):
        await database.write(fail)

    await database.write(meta.put, "later", "1")
    assert await database.read(meta.get, "n") is None
    await database.close()


async def test_postgres_refuses_a_name_too_long_for_its_indexes_as_wrong_input(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes
) -> None:
    database = await Database.open(postgres.url(postgres.new_database(postgres_template)), secret=store_secret)
    name = "".join(sha512(bytes([number])).hexdigest() for number in range(100))  # nothing an index could compress

    with pytest.raises(InvalidInput, match="too long"):
        await database.write(meta.put, name, "1")

    assert _healthy(database)
    await database.close()


async def test_postgres_refuses_a_text_it_cannot_hold_as_wrong_input(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes
) -> None:
    database = await Database.open(postgres.url(postgres.new_database(postgres_template)), secret=store_secret)

    with pytest.raises(InvalidInput):
        await database.write(meta.put, "n\0", "1")

    assert _healthy(database)
    await database.close()


# ------------------------------------------------------------------------------- PostgreSQL, the answer to a commit


async def _lose(database: Database, door: Door, what: Lose) -> asyncio.Future[None]:
    """A write whose commit's fate the client does not know, and cannot ask for."""
    await database.write(meta.put, "connected", "1")
    door.lose = what
    door.open = False
    future = database.write(meta.put, "n", "1")
    assert await asyncio.to_thread(door.lost.wait, 30)
    return future


async def test_write_succeeds_when_only_the_answer_to_its_commit_was_lost(behind_door: Database, door: Door) -> None:
    door.lose = Lose.ANSWER

    await behind_door.write(meta.put, "n", "1")

    assert await behind_door.read(meta.get, "n") == "1"


async def test_write_fails_when_its_commit_never_reached_the_server(behind_door: Database, door: Door) -> None:
    door.lose = Lose.REQUEST

    with pytest.raises(Unavailable, match="connection to the database server was lost"):
        await behind_door.write(meta.put, "n", "1")

    assert await behind_door.read(meta.get, "n") is None


@pytest.mark.parametrize("lost", list(Lose))
async def test_future_waits_for_the_truth_when_the_server_cannot_be_asked(
    behind_door: Database, door: Door, lost: Lose
) -> None:
    unsettled = await _lose(behind_door, door, lost)

    with pytest.raises(Unavailable):
        await behind_door.write(pools.get, "nobody")
    assert not unsettled.done()
    assert not _healthy(behind_door)

    door.open = True
    (outcome,) = await asyncio.gather(unsettled, return_exceptions=True)
    kept = await behind_door.read(meta.get, "n")
    assert (outcome is None, kept) == ((True, "1") if lost is Lose.ANSWER else (False, None))
    with pytest.raises(NotFound):
        await behind_door.write(pools.get, "nobody")


async def test_future_is_cancelled_when_the_database_is_closed_before_the_truth_is_known(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes, door: Door
) -> None:
    name = postgres.new_database(postgres_template)
    database = await Database.open(postgres.url(name, folder=door.folder), secret=store_secret)
    unsettled = await _lose(database, door, Lose.ANSWER)
    with pytest.raises(Unavailable):
        await database.write(meta.put, "later", "1")

    await database.close()

    assert unsettled.cancelled()
