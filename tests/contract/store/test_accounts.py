"""Accounts and roles behave alike on every database: what the rules read and write in one transaction."""

from __future__ import annotations

import asyncio

import pytest

from airgate.access.permissions import Permission
from airgate.access.ports import NewKey, PersonChange, ServiceAccountChange
from airgate.model.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from airgate.model.identity import Profile, Role
from airgate.store.database import Database
from tests.support.access_house import LOCAL, PASSWORD, TEAM, House, login


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_service_account_lives_and_dies(house: House) -> None:
    made = await house.machine()
    assert await house.known(made.issued.secret) == made.identity
    changed = await house.accounts.update_service_account(
        house.root, made.identity.id, ServiceAccountChange(role="admin", scope=TEAM)
    )
    assert await house.known(made.issued.secret) == changed
    assert await house.accounts.list_service_accounts(house.root, scope=TEAM, limit=5) == (changed,)
    assert await house.accounts.list_service_accounts(house.root, scope=LOCAL, limit=5) == ()
    issued = await house.accounts.issue_key(house.root, changed.id, NewKey(batch=True))
    await house.accounts.revoke_key(house.root, changed.id, made.issued.key.id)
    assert await house.accounts.keys(house.root, changed.id) == (issued.key,)
    await house.accounts.delete(house.root, changed.id)
    assert await house.known(issued.secret) is None


async def test_person_lives_with_roles_of_ones_own(house: House) -> None:
    await house.roles.create(house.root, "mine", frozenset({Permission.DAGS_READ}))
    ada = await house.person(role="mine", profile=Profile(email="Ada@example.org"))
    with pytest.raises(Conflict):
        await house.person("eve", profile=Profile(email="ada@example.org"))
    with pytest.raises(Conflict):
        await house.roles.delete(house.root, "mine")
    await house.roles.update(house.root, "mine", new_name="ours", permissions=frozenset({Permission.RUNS_READ}))
    caller = await house.access.authenticate(login("ada", PASSWORD))
    assert caller is not None
    assert caller.identity.roles == ("ours",)
    assert caller.permissions == {Permission.RUNS_READ}
    token = await house.access.sign_in("ada", PASSWORD)
    await house.accounts.update_person(house.root, ada.id, PersonChange(password="newer"))
    assert await house.known(token) is None


async def test_one_administrator_stays_when_two_delete_each_other_at_once(house: House) -> None:
    one, other = await house.caller("one", Role.ADMIN), await house.caller("other", Role.ADMIN)
    answers = await asyncio.gather(
        house.accounts.delete(one, other.identity.id),
        house.accounts.delete(other, one.identity.id),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1


async def test_name_with_a_sign_no_database_takes_is_nobodys(house: House) -> None:
    for asking in (house.accounts.person(house.root, "a\0b"), house.roles.get(house.root, "a\0b")):
        with pytest.raises((NotFound, InvalidInput)):
            await asking
    with pytest.raises(NotAuthenticated):
        await house.access.sign_in("a\0b", "x")


async def test_processes_that_start_together_make_one_administrator(database_url: str, store_secret: bytes) -> None:
    opened = [await Database.open(database_url, secret=store_secret) for _ in range(3)]
    starting = [House(database).access.first_administrator("admin") for database in opened]
    made = await asyncio.gather(*starting)
    assert len([one for one in made if one is not None]) == 1
    for database in opened:
        await database.close()


@pytest.mark.parametrize("attempt", range(3))
async def test_of_two_administrators_removed_by_two_processes_one_stays(
    database_url: str, store_secret: bytes, attempt: int
) -> None:
    opened = [await Database.open(database_url, secret=store_secret) for _ in range(2)]
    one, other = houses = [House(database) for database in opened]
    people = [await one.person(name, Role.ADMIN) for name in ("ann", "bob")]
    await other.accounts.list_people(other.root, limit=1)  # both are connected
    removing = [house.accounts.delete(house.root, who.id) for house, who in zip(houses, people, strict=True)]
    outcomes = await asyncio.gather(*removing, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Identity"]
    for database in opened:
        await database.close()
