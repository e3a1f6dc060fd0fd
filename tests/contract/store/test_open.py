"""Opening a database: addresses, keys, schemas, and what survives a crash."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from airgate.model.errors import InvalidInput
from airgate.store import meta
from airgate.store.database import Database, Tx
from tests.support.postgres import WALLED_PASSWORD, PostgresServer

_OPEN = """
import asyncio, sys
from airgate.store.database import Database
async def main():
    await (await Database.open(sys.argv[1], secret=sys.argv[2].encode())).close()
asyncio.run(main())
print(sorted(name for name in ("alembic", "mako", "psycopg", "airflow") if name in sys.modules))
"""

_WRITE_AND_DIE = """
import asyncio, os, signal, sys
from airgate.store import meta
from airgate.store.database import Database
async def main():
    database = await Database.open(sys.argv[1], secret=sys.argv[2].encode())
    for number in range(50):
        await database.write(meta.put, f"n{number}", "1")
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def _run(program: str, url: str, secret: bytes) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, url, secret], check=False, capture_output=True, text=True, timeout=60
    )


def _open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


async def _reopen(url: str, secret: bytes) -> None:
    await (await Database.open(url, secret=secret)).close()


async def test_what_was_written_is_there_when_the_database_is_opened_again(
    database_url: str, store_secret: bytes
) -> None:
    first = await Database.open(database_url, secret=store_secret)
    await first.write(meta.put, "n", "1")
    await first.close()

    second = await Database.open(database_url, secret=store_secret)
    assert await second.read(meta.get, "n") == "1"
    await second.close()


async def test_nothing_is_left_open_when_the_database_has_been_closed(database_url: str, store_secret: bytes) -> None:
    await _reopen(database_url, store_secret)
    before = _open_files()
    for _ in range(3):
        database = await Database.open(database_url, secret=store_secret)
        await database.write(meta.put, "n", "1")
        await asyncio.gather(*(database.read(meta.get, "n") for _ in range(10)))
        await database.close()

    assert _open_files() == before


async def test_every_write_whose_future_resolved_survives_a_kill(database_url: str, store_secret: bytes) -> None:
    died = await asyncio.to_thread(_run, _WRITE_AND_DIE, database_url, store_secret)
    assert died.returncode == -9, died.stderr

    database = await Database.open(database_url, secret=store_secret)
    assert [await database.read(meta.get, f"n{number}") for number in range(50)] == ["1"] * 50
    await database.close()


async def test_another_key_is_refused_before_anything_is_changed(database_url: str, store_secret: bytes) -> None:
    await _reopen(database_url, store_secret)

    with pytest.raises(InvalidInput) as caught:
        await Database.open(database_url, secret=Fernet.generate_key())

    assert caught.value.code == "secret_key"
    await _reopen(database_url, store_secret)


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 44])
async def test_what_is_no_key_is_refused(tmp_path: Path, secret: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        await Database.open(f"sqlite:///{tmp_path / 'a.db'}", secret=secret)

    assert caught.value.code == "secret_key"


async def test_database_of_a_newer_airgate_is_refused(database_url: str, store_secret: bytes) -> None:
    def age(tx: Tx) -> None:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    database = await Database.open(database_url, secret=store_secret)
    await database.write(age)
    await database.close()

    with pytest.raises(InvalidInput, match="9999") as caught:
        await Database.open(database_url, secret=store_secret)
    assert caught.value.code == "database_newer"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_fresh_database_can_be_opened_by_several_at_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, store_secret: bytes
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'airgate.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.new_database())

    opened = await asyncio.gather(*(Database.open(url, secret=store_secret, lock_timeout=30) for _ in range(4)))

    await opened[0].write(meta.put, "n", "1")
    assert [await database.read(meta.get, "n") for database in opened] == ["1"] * 4
    for database in opened:
        await database.close()


async def test_folder_of_the_file_is_made(tmp_path: Path, store_secret: bytes) -> None:
    await _reopen(f"sqlite:///{tmp_path / 'not' / 'yet' / 'airgate.db'}", store_secret)


async def test_file_may_have_any_name(tmp_path: Path, store_secret: bytes) -> None:
    url = f"sqlite:///{tmp_path / 'what?mode=memory&#%41 ü.db'}"
    database = await Database.open(url, secret=store_secret)
    await database.write(meta.put, "n", "1")
    await database.close()

    assert "what?mode=memory&#%41 ü.db" in await asyncio.to_thread(os.listdir, tmp_path)


@pytest.mark.parametrize("encoded", [True, False], ids=["percent-encoded", "as it is"])
async def test_password_may_hold_every_sign(
    postgres: PostgresServer, postgres_template: str, store_secret: bytes, encoded: bool
) -> None:
    name = postgres.new_database(postgres_template)
    escaped = WALLED_PASSWORD.replace("'", "''")
    postgres.execute("DROP ROLE IF EXISTS walled")
    postgres.execute(f"CREATE ROLE walled LOGIN SUPERUSER PASSWORD '{escaped}'")

    password = quote(WALLED_PASSWORD, safe="") if encoded else WALLED_PASSWORD
    await _reopen(postgres.url(name, login=f"walled:{password}"), store_secret)
    with pytest.raises(Exception, match=r"refuses these credentials|cannot be reached"):
        await _reopen(postgres.url(name, login="walled:wrong"), store_secret)


async def test_opening_spares_the_import_of_the_migration_tool(tmp_path: Path, store_secret: bytes) -> None:
    url = f"sqlite:///{tmp_path / 'airgate.db'}"
    for _ in ("fresh", "at the newest schema"):
        opened = await asyncio.to_thread(_run, _OPEN, url, store_secret)
        assert opened.stdout == "[]\n", opened.stderr
