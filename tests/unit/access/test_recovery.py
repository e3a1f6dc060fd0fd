"""A way back in for an administrator who has lost every key and password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from argon2 import PasswordHasher

from airgate.access.credentials import digest
from airgate.access.grants import is_administrator
from airgate.access.passwords import Passwords
from airgate.access.recovery import recover_administrator
from airgate.access.service import Access, AccessConfig
from airgate.model.audit import AuditFilter
from airgate.model.errors import InvalidInput, NotFound
from airgate.model.identity import Identity, IdentityKind, Limits, Role, Scope, ScopeKind
from airgate.store import audit, identities
from airgate.store.database import Database

Ids = Callable[[], UUID]
Clock = Callable[[], datetime]
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
DEMOTED = Identity(
    id=UUID(int=7),
    name="bob",
    roles=(Role.VIEWER.value,),
    scope=Scope(ScopeKind.DEPLOYMENT, "local"),
    limits=Limits(networks=("10.0.0.0/8",)),
    active=False,
    created_at=datetime(2020, 1, 1, tzinfo=UTC),
)
MACHINE = Identity(
    id=UUID(int=8),
    name="machine",
    kind=IdentityKind.SERVICE_ACCOUNT,
    roles=(Role.ADMIN.value,),
    created_at=datetime(2019, 1, 1, tzinfo=UTC),
)


@pytest.fixture
async def access(database: Database, clock: Clock, new_id: Ids) -> Access:
    """An installation with an administrator, somebody who is none any more, and a machine that is one."""
    made = Access(database, AccessConfig(secret=b"s" * 32), clock=clock, new_id=new_id, passwords=CHEAP)
    await made.first_administrator("admin", "lost")
    await database.write(identities.create, DEMOTED, None)
    await database.write(identities.create, MACHINE, None)
    return made


async def test_administrator_gets_a_key_that_counts_at_once(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    recovered = await recover_administrator(database, clock=clock, new_id=new_id)

    caller = await access.authenticate(f"Bearer {recovered.token}")
    assert caller is not None
    assert (caller.name, recovered.user) == ("admin", "admin")
    assert await access.sign_in("admin", "lost"), "the password is still the one it was"


async def test_user_who_is_named_becomes_an_administrator_of_everything_without_limits(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    await recover_administrator(database, "bob", clock=clock, new_id=new_id)

    bob, _ = await database.read(identities.by_name, "bob")
    assert is_administrator(bob)
    assert bob.limits == Limits()
    assert bob.generation > DEMOTED.generation


async def test_new_password_counts_in_place_of_the_old_one(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    token = await access.sign_in("admin", "lost")
    await recover_administrator(database, "admin", password="found", clock=clock, new_id=new_id, passwords=CHEAP)

    later = Access(database, AccessConfig(secret=b"s" * 32), clock=clock, new_id=new_id, passwords=CHEAP)
    assert await later.sign_in("admin", "found")
    assert await later.authenticate(f"Bearer {token}") is None


async def test_machine_is_recovered_when_it_is_the_only_administrator(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    admin, _ = await database.read(identities.by_name, "admin")
    await database.write(identities.update, msgspec.structs.replace(admin, active=False))

    assert (await recover_administrator(database, clock=clock, new_id=new_id)).user == "machine"


async def test_recovery_is_in_the_audit_log_without_the_key(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    recovered = await recover_administrator(database, clock=clock, new_id=new_id)

    (entry,) = await database.read(audit.newest, AuditFilter(), 10)
    found = await database.read(identities.by_key, digest(recovered.token))
    assert found is not None
    assert (entry.event, entry.actor, entry.key_id) == ("recover", "admin", found[1].id)
    assert recovered.token not in str(entry)


async def test_name_that_nobody_has_is_told_with_those_there_are(
    access: Access, database: Database, clock: Clock, new_id: Ids
) -> None:
    with pytest.raises(NotFound, match="admin, bob"):
        await recover_administrator(database, "eve", clock=clock, new_id=new_id)


@pytest.mark.parametrize(("name", "password"), [("machine", "x"), ("admin", "")])
async def test_password_that_cannot_be_is_refused_and_changes_nothing(
    access: Access, database: Database, clock: Clock, new_id: Ids, name: str, password: str
) -> None:
    with pytest.raises(InvalidInput):
        await recover_administrator(database, name, password=password, clock=clock, new_id=new_id, passwords=CHEAP)
    assert await database.read(audit.newest, AuditFilter(), 10) == ()


async def test_empty_installation_has_nobody_to_recover(database: Database, clock: Clock, new_id: Ids) -> None:
    with pytest.raises(NotFound):
        await recover_administrator(database, clock=clock, new_id=new_id)
