"""Pools, variables and connections."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airgate.model.admin import Connection, Pool, Variable
from airgate.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from airgate.model.query import Order, Page
from airgate.store import _schema as schema
from airgate.store import connections, pools, variables
from airgate.store._tx import Tx
from airgate.store.database import Database

ALL = Page(limit=1000)
FULL = Connection(
    connection_id="c",
    conn_type="http",
    description="d",
    host="h",
    login="l",
    password="pass word ü",
    schema="s",
    port=8080,
    extra='{"a": 1}',
)
CASES = [
    pytest.param(
        pools, Pool(name="p", slots=3, description="d", include_deferred=True), Pool(name="p", slots=-1), id="pool"
    ),
    pytest.param(
        variables, Variable(key="p", value="v\0ü", description="d"), Variable(key="p", value=""), id="variable"
    ),
    pytest.param(connections, FULL, Connection(connection_id="c", conn_type=""), id="connection"),
]


def name_of(value: Any) -> str:
    return str(getattr(value, type(value).__struct_fields__[0]))


def renamed(value: Any, name: str) -> Any:
    fields = {field: getattr(value, field) for field in type(value).__struct_fields__}
    return type(value)(**(fields | {type(value).__struct_fields__[0]: name}))


def code(module: ModuleType, what: str) -> str:
    return f"{module.__name__.rsplit('.', 1)[1].removesuffix('s')}_{what}"


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_value_comes_back_as_it_was_created_put_or_updated(
    database: Database, module: Any, one: Any, other: Any
) -> None:
    for change in (module.create, module.put):
        assert await database.write(change, one) == one
        assert await database.read(module.get, name_of(one)) == one

    await database.write(module.put, other)
    assert await database.read(module.get, name_of(one)) == other
    assert await database.write(module.update, name_of(one), one) == one
    assert await database.read(module.get, name_of(one)) == one


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_creating_what_exists_is_a_conflict(database: Database, module: Any, one: Any, other: Any) -> None:
    await database.write(module.create, one)

    with pytest.raises(Conflict) as caught:
        await database.write(module.create, other)

    assert caught.value.code == code(module, "exists")
    assert await database.read(module.get, name_of(one)) == one


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_updating_can_rename_but_not_onto_another(database: Database, module: Any, one: Any, other: Any) -> None:
    await database.write(module.create, one)
    await database.write(module.update, name_of(one), renamed(other, "new"))

    assert await database.read(module.get, "new") == renamed(other, "new")
    with pytest.raises(NotFound):
        await database.read(module.get, name_of(one))

    await database.write(module.create, one)
    with pytest.raises(Conflict):
        await database.write(module.update, "new", one)
    assert await database.read(module.get, "new") == renamed(other, "new")


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_what_does_not_exist_is_not_found(database: Database, module: Any, one: Any, other: Any) -> None:
    for attempt in (
        database.read(module.get, "nobody"),
        database.write(module.update, "nobody", one),
        database.write(module.delete, "nobody"),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == code(module, "not_found")


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_deleted_value_is_gone(database: Database, module: Any, one: Any, other: Any) -> None:
    await database.write(module.create, one)
    await database.write(module.delete, name_of(one))

    with pytest.raises(NotFound):
        await database.read(module.get, name_of(one))


@pytest.mark.parametrize(("module", "one", "other"), CASES)
async def test_list_is_sorted_and_paged(database: Database, module: Any, one: Any, other: Any) -> None:
    for name in ("b", "a", "C"):
        await database.write(module.create, renamed(other, name))
    listed = getattr(module, f"list_{module.__name__.rsplit('.', 1)[1]}")
    key = type(one).__struct_fields__[0]

    async def names(order: Order, page: Page = ALL) -> list[str]:
        listing = await database.read(listed, order, page)
        assert listing.total == (4 if module is pools else 3)
        return [name_of(value) for value in listing.items if name_of(value) != "default_pool"]

    assert await names(Order(key)) == ["C", "a", "b"]
    assert await names(Order(key, descending=True)) == ["b", "a", "C"]
    assert await names(Order("description")) == ["C", "a", "b"]
    assert await names(Order(key), Page(limit=1, offset=1)) == ["a"]
    with pytest.raises(InvalidInput) as caught:
        await names(Order("nonsense"))
    assert caught.value.code == "order_field"


async def test_default_pool_exists_from_the_start(database: Database) -> None:
    pool = await database.read(pools.get, "default_pool")

    assert (pool.slots, pool.include_deferred) == (128, False)


async def test_default_pool_can_be_changed_but_neither_renamed_nor_deleted(database: Database) -> None:
    await database.write(pools.update, "default_pool", Pool(name="default_pool", slots=5))

    for attempt in (
        database.write(pools.update, "default_pool", Pool(name="other", slots=5)),
        database.write(pools.delete, "default_pool"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await attempt
        assert caught.value.code == "default_pool"
    assert (await database.read(pools.get, "default_pool")).slots == 5


@pytest.mark.parametrize(("module", "field"), [(variables, "value"), (connections, "password"), (connections, "extra")])
async def test_list_cannot_be_sorted_by_what_is_encrypted(database: Database, module: Any, field: str) -> None:
    listed = getattr(module, f"list_{module.__name__.rsplit('.', 1)[1]}")

    with pytest.raises(InvalidInput):
        await database.read(listed, Order(field), ALL)


# ----------------------------------------------------------------------------------------------------------- secrets


def _all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def _store_secrets(database: Database) -> None:
    await database.write(variables.put, Variable(key="v", value="veiled-value"))
    await database.write(variables.put, Variable(key="v", value="veiled-value"))
    hidden = Connection(
        connection_id="c", conn_type="x", host="plain-host", password="veiled-pass", extra="veiled-extra"
    )
    await database.write(connections.put, hidden)
    await database.write(connections.update, "c", hidden)


async def test_secrets_cannot_be_read_in_the_files_of_sqlite(tmp_path: Path, sqlite_database: Database) -> None:
    await _store_secrets(sqlite_database)

    written = _all_bytes(tmp_path)
    assert b"plain-host" in written, "what is not secret shows that these are the right files"
    assert b"veiled" not in written


async def test_secrets_cannot_be_read_in_the_tables(database: Database) -> None:
    await _store_secrets(database)

    def raw(tx: Tx) -> str:
        statements = ("SELECT * FROM variable", "SELECT * FROM connection")
        return repr([tuple(row) for statement in statements for row in tx.connection.exec_driver_sql(statement)])

    found = await database.read(raw)
    assert "plain-host" in found
    assert "veiled" not in found


async def test_secret_that_was_encrypted_with_another_key_is_unavailable(database: Database) -> None:
    foreign = Fernet(Fernet.generate_key()).encrypt(b"x")
    await _store_secrets(database)

    def spoil(tx: Tx) -> None:
        tx.run(schema.variable.update().values(value=foreign))

    await database.write(spoil)

    with pytest.raises(Unavailable) as caught:
        await database.read(variables.get, "v")
    assert caught.value.code == "secret_key"
