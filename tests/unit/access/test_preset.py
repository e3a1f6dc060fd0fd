"""The secret that clients of the batch plugin share, as a key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from airgate.access.credentials import digest
from airgate.access.preset import NAME, preset_batch_key
from airgate.model.errors import InvalidInput
from airgate.model.identity import ApiKey, Identity, IdentityKind, Role
from airgate.store import identities
from airgate.store.database import Database

SECRET = "a secret of many years".replace(" ", "-")
Ids = Callable[[], UUID]
Clock = Callable[[], datetime]


async def owner(database: Database, secret: str) -> tuple[Identity, ApiKey] | None:
    return await database.read(identities.by_key, digest(secret))


async def test_the_secret_is_a_batch_key_of_an_editor(database: Database, clock: Clock, new_id: Ids) -> None:
    await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)

    found = await owner(database, SECRET)
    assert found is not None
    account, key = found
    assert (account.name, account.kind, account.roles) == (NAME, IdentityKind.SERVICE_ACCOUNT, (Role.USER.value,))
    assert key.batch


async def test_the_same_secret_again_changes_nothing(database: Database, clock: Clock, new_id: Ids) -> None:
    await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)
    before = await owner(database, SECRET)

    await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)

    assert await owner(database, SECRET) == before


@pytest.mark.parametrize("later", ["another-secret-of-ours", None])
async def test_a_secret_that_is_set_no_more_counts_no_more(
    database: Database, clock: Clock, new_id: Ids, later: str | None
) -> None:
    await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)

    await preset_batch_key(database, later, clock=clock, new_id=new_id)

    assert await owner(database, SECRET) is None
    assert later is None or await owner(database, later) is not None


async def test_no_secret_makes_no_account(database: Database, clock: Clock, new_id: Ids) -> None:
    await preset_batch_key(database, None, clock=clock, new_id=new_id)

    assert await database.read(identities.count) == 0


async def test_keys_issued_to_the_account_stay(database: Database, clock: Clock, new_id: Ids) -> None:
    await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)
    found = await owner(database, SECRET)
    assert found is not None
    issued = ApiKey(id=new_id(), identity_id=found[0].id, digest=digest("x"), label="mine", created_at=clock())
    await database.write(identities.add_key, issued)

    await preset_batch_key(database, None, clock=clock, new_id=new_id)

    assert await owner(database, "x") is not None


async def test_somebody_elses_name_or_key_is_left_alone(database: Database, clock: Clock, new_id: Ids) -> None:
    person = Identity(id=new_id(), name="ada", roles=(Role.ADMIN.value,), created_at=clock())
    await database.write(identities.create, person, None)
    key = ApiKey(id=new_id(), identity_id=person.id, digest=digest(SECRET), label="hers", created_at=clock())
    await database.write(identities.add_key, key)

    with pytest.raises(InvalidInput, match="issued already"):
        await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)

    found = await owner(database, SECRET)
    assert found is not None
    assert found[0].name == "ada"


async def test_a_person_of_the_accounts_name_gets_no_key(database: Database, clock: Clock, new_id: Ids) -> None:
    person = Identity(id=new_id(), name=NAME, roles=(Role.ADMIN.value,), created_at=clock())
    await database.write(identities.create, person, None)

    with pytest.raises(InvalidInput, match="which a person has"):
        await preset_batch_key(database, SECRET, clock=clock, new_id=new_id)

    assert await owner(database, SECRET) is None
