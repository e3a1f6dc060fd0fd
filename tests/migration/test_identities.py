"""Who existed before there were service accounts goes on as before, keys included."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from airgate.model.identity import EVERYWHERE, IdentityKind, Limits
from airgate.store import _migrate, identities
from airgate.store._types import Id, Moment
from airgate.store.database import Tx
from tests.contract.store.builders import at

ROLES = {"viewer": "Viewer", "user": "User", "op": "Op", "admin": "Admin"}


def fill(connection: Connection) -> None:
    """Rows as the first schema has them: one identity of each role, the first with two keys."""
    dialect = connection.dialect
    given_id, moment = Id().bind_processor(dialect) or (lambda value: value), Moment().bind_processor(dialect)
    for number, role in enumerate(ROLES, start=1):
        connection.exec_driver_sql(
            _placeholders(connection, "INSERT INTO identity (id, name, role, created_at, password_hash)", 5),
            (given_id(UUID(int=number)), role, role, moment(at(number)), f"hash {role}"),
        )
    for number, used in ((10, None), (11, at(9))):
        connection.exec_driver_sql(
            _placeholders(
                connection, "INSERT INTO api_token (id, identity_id, digest, label, created_at, last_used_at)", 6
            ),
            (
                given_id(UUID(int=number)),
                given_id(UUID(int=1)),
                b"%d" % number,
                f"key {number}",
                moment(at(5)),
                moment(used),
            ),
        )


def _placeholders(connection: Connection, insert: str, count: int) -> str:
    sign = "%s" if connection.dialect.name == "postgresql" else "?"
    return f"{insert} VALUES ({', '.join([sign] * count)})"


@pytest.mark.parametrize("filled", [True, False])
def test_identities_and_their_keys_survive_the_migration(fresh: Callable[[], Connection], filled: bool) -> None:
    connection = fresh()
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_migrate.MIGRATIONS))
    command.upgrade(config, "0001")
    if filled:
        fill(connection)

    _migrate.migrate(connection)

    tx = Tx(connection, Fernet(Fernet.generate_key()), {})
    people = identities.list_people(tx, limit=10)
    assert {person.name: person.roles for person in people} == (
        {old: (new,) for old, new in ROLES.items()} if filled else {}
    )
    for person in people:
        assert (person.kind, person.scope, person.limits) == (IdentityKind.PERSON, EVERYWHERE, Limits())
        assert person.active
        assert identities.by_name(tx, person.name) == (person, f"hash {person.name}")
    keys = identities.keys(tx, UUID(int=1))
    assert [(key.digest, key.label, key.created_at, key.last_used_at, key.expires_at, key.batch) for key in keys] == (
        [(b"10", "key 10", at(5), None, None, False), (b"11", "key 11", at(5), at(9), None, False)] if filled else []
    )
    if filled:
        found = identities.by_key(tx, b"11")
        assert found is not None
        assert found[0].name == "viewer"
