"""Identities, their keys, and roles of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.identity import (
    EVERYWHERE,
    ApiKey,
    DagGrant,
    DagVerb,
    Identity,
    IdentityKind,
    Limits,
    OwnRole,
    Profile,
    RateLimit,
    Role,
    Scope,
    ScopeKind,
)
from airgate.model.query import Order, Page
from airgate.store import identities, roles
from airgate.store.database import Database
from tests.contract.store.builders import at

LOCAL = Scope(ScopeKind.DEPLOYMENT, "local")
TEAM = Scope(ScopeKind.WORKSPACE, "team")


def make_identity(name: str = "ann", **more: Any) -> Identity:
    values: dict[str, Any] = {"id": uuid7(), "name": name, "roles": (Role.OP.value,), "created_at": at(0)}
    return Identity(**(values | more))


def make_machine(name: str, **more: Any) -> Identity:
    return make_identity(name, kind=IdentityKind.SERVICE_ACCOUNT, **more)


def make_key(identity: Identity, digest: bytes = b"\x00\xff", **more: Any) -> ApiKey:
    values: dict[str, Any] = {"id": uuid7(), "identity_id": identity.id, "digest": digest}
    values |= {"label": "l", "created_at": at(1)}
    return ApiKey(**(values | more))


async def keep(database: Database, *all_of_them: Identity) -> None:
    for identity in all_of_them:
        await database.write(identities.create, identity, None)


# ----------------------------------------------------------------------------------------------------------- identities


async def test_identity_comes_back_as_it_was(database: Database) -> None:
    ann = make_identity(
        roles=("Viewer", "my own"),
        scope=LOCAL,
        limits=Limits(
            dags=(DagGrant("sales_*", (DagVerb.READ, DagVerb.TRIGGER)),),
            expires_at=at(99),
            rate=RateLimit(5, 60),
            networks=("10.0.0.0/8", "2001:db8::/32"),
        ),
        active=False,
        profile=Profile(first_name="Ann", last_name="Ö'Dell", email="ann@example.org"),
        label="label",
        category="category",
        updated_at=at(3),
        generation=7,
    )
    bot = make_machine("bot")
    assert await database.write(identities.create, ann, "hash") == ann
    await database.write(identities.create, bot, None)

    assert await database.read(identities.by_name, "ann") == (ann, "hash")
    assert await database.read(identities.by_name, "bot") == (bot, None)
    assert await database.read(identities.get, ann.id) == ann
    assert await database.read(identities.count) == 2


async def test_name_is_taken_once(database: Database) -> None:
    ann, bob = make_identity(), make_identity("bob")
    await database.write(identities.create, ann, "hash")
    await keep(database, bob)

    for attempt in (
        database.write(identities.create, make_identity(), "other"),
        database.write(identities.update, make_identity("ann", id=bob.id)),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "identity_exists"
    assert await database.read(identities.by_name, "ann") == (ann, "hash")
    assert await database.read(identities.get, bob.id) == bob


async def test_identity_changes_and_keeps_its_password(database: Database) -> None:
    ann = make_identity()
    await database.write(identities.create, ann, "hash")
    changed = make_identity("anna", id=ann.id, roles=("Viewer",), scope=TEAM, generation=1)

    assert await database.write(identities.update, changed) == changed

    assert await database.read(identities.by_name, "anna") == (changed, "hash")


async def test_unknown_identity_is_not_found(database: Database) -> None:
    for attempt in (
        database.read(identities.by_name, "nobody"),
        database.read(identities.get, uuid7()),
        database.write(identities.update, make_identity()),
        database.write(identities.set_password, uuid7(), "hash"),
        database.write(identities.delete, uuid7()),
        database.write(identities.add_key, make_key(make_identity())),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "identity_not_found"


async def test_password_can_be_set_and_taken_away(database: Database) -> None:
    ann = make_identity()
    await database.write(identities.create, ann, "old")
    for password_hash in ("new", None):
        await database.write(identities.set_password, ann.id, password_hash)
        assert await database.read(identities.by_name, "ann") == (ann, password_hash)


async def test_people_page_by_name(database: Database) -> None:
    people = [make_identity(name) for name in ("B", "a", "c", "é")]
    await keep(database, *people, make_machine("bot"))

    async def names(**page: Any) -> list[str]:
        return [person.name for person in await database.read(identities.list_people, **page)]

    assert await names(limit=9) == ["B", "a", "c", "é"]
    assert await names(limit=2) == ["B", "a"]
    assert await names(after="a", limit=2) == ["c", "é"]
    assert await names(after="é", limit=2) == []


async def test_service_accounts_page_from_the_newest(database: Database) -> None:
    made = [make_machine(f"m{number}") for number in range(4)]
    await keep(database, *made, make_identity())

    first = await database.read(identities.list_service_accounts, limit=3)
    rest = await database.read(identities.list_service_accounts, after=first[-1].id, limit=3)

    assert [*first, *rest] == made[::-1]


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (None, ["everywhere", "here", "team"]),
        ([LOCAL], ["here"]),
        ([LOCAL, TEAM], ["here", "team"]),
        ([EVERYWHERE], ["everywhere"]),
        ([Scope(ScopeKind.DEPLOYMENT, "team")], []),
        ([], []),
    ],
)
async def test_lists_show_the_scopes_that_are_asked_for(
    database: Database, scopes: list[Scope] | None, names: list[str]
) -> None:
    for make in (make_identity, make_machine):
        prefix = "" if make is make_identity else "m-"
        await keep(
            database,
            make(f"{prefix}here", scope=LOCAL),
            make(f"{prefix}team", scope=TEAM),
            make(f"{prefix}everywhere"),
        )

    people = await database.read(identities.list_people, scopes, limit=9)
    machines = await database.read(identities.list_service_accounts, scopes, limit=9)
    page = await database.read(identities.page_of_people, scopes, Order("name"), Page())

    assert [person.name for person in people] == names
    assert sorted(machine.name.removeprefix("m-") for machine in machines) == names
    assert ([person.name for person in page.items], page.total) == (names, len(names))


@pytest.mark.parametrize("field", ["name", "first_name", "last_name", "email", "active", "roles", "created_at", "id"])
async def test_people_are_sorted_by_any_field_that_is_shown(database: Database, field: str) -> None:
    people = [
        make_identity(
            f"name{number}",
            roles=(f"role{number}",),
            active=number > 0,
            created_at=at(number),
            profile=Profile(first_name=f"f{number}", last_name=f"l{number}", email=f"{number}@example.org"),
        )
        for number in range(3)
    ]
    await keep(database, *people[::-1] if field != "id" else people)

    page = await database.read(identities.page_of_people, None, Order(field, descending=True), Page(2))

    assert page.total == 3
    shown = [person.name for person in page.items]
    assert set(shown) <= {"name1", "name2"} if field == "active" else shown == ["name2", "name1"]


async def test_people_are_not_sorted_by_what_is_not_shown(database: Database) -> None:
    with pytest.raises(InvalidInput) as caught:
        await database.read(identities.page_of_people, None, Order("password_hash"), Page())
    assert caught.value.code == "order_field"


async def test_those_that_reach_everything_are_found(database: Database) -> None:
    ann, bot = make_identity(), make_machine("bot")
    await keep(database, ann, bot, make_identity("asleep", active=False), make_identity("local", scope=LOCAL))
    assert set(await database.write(identities.reaching_everything)) == {ann, bot}


async def test_email_is_taken_whatever_its_case_but_not_by_oneself(database: Database) -> None:
    ann = make_identity(profile=Profile(email="Ann@Example.org"))
    await keep(database, ann, make_identity("blank"))
    assert await database.read(identities.email_is_taken, "ann@example.ORG")
    assert not await database.read(identities.email_is_taken, "ann@example.org", ann.id)
    assert not await database.read(identities.email_is_taken, "bob@example.org")


# ----------------------------------------------------------------------------------------------------------------- keys


async def test_key_leads_to_its_identity(database: Database) -> None:
    ann, bot = make_identity(), make_machine("bot", scope=LOCAL)
    await keep(database, ann, bot)
    key, later = make_key(bot, expires_at=at(50), batch=True), make_key(bot, b"later", created_at=at(2))
    await database.write(identities.add_key, later)
    assert await database.write(identities.add_key, key) == key

    assert await database.read(identities.by_key, b"\x00\xff") == (bot, key)
    assert await database.read(identities.by_key, b"other") is None
    assert await database.read(identities.key, key.id) == key
    assert await database.read(identities.keys, bot.id) == (key, later)
    assert await database.read(identities.keys, ann.id) == ()


async def test_use_of_a_key_is_noted(database: Database) -> None:
    ann = make_identity()
    key = make_key(ann)
    await keep(database, ann)
    await database.write(identities.add_key, key)

    await database.write(identities.touch_key, key.id, at(5))
    await database.write(identities.touch_key, uuid7(), at(5))

    assert (await database.read(identities.key, key.id)).last_used_at == at(5)


async def test_revoked_key_leads_nowhere(database: Database) -> None:
    ann = make_identity()
    key = make_key(ann)
    await keep(database, ann)
    await database.write(identities.add_key, key)

    await database.write(identities.delete_key, key.id)

    assert await database.read(identities.by_key, key.digest) is None
    for attempt in (database.write(identities.delete_key, key.id), database.read(identities.key, key.id)):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "key_not_found"


async def test_deleted_identity_takes_its_keys_along(database: Database) -> None:
    ann = make_identity()
    key = make_key(ann)
    await keep(database, ann)
    await database.write(identities.add_key, key)

    await database.write(identities.delete, ann.id)

    assert await database.read(identities.by_key, key.digest) is None
    assert await database.read(identities.count) == 0


# ---------------------------------------------------------------------------------------------------------------- roles


async def test_roles_come_back_by_name(database: Database) -> None:
    made = [OwnRole(name=name, permissions=("dags.read",), created_at=at(0)) for name in ("b", "a")]
    for role in made:
        assert await database.write(roles.create, role) == role
    assert await database.read(roles.list_roles) == tuple(made[::-1])
    assert await database.read(roles.list_roles, ["b", "none"]) == (made[0],)
    assert await database.read(roles.get, "a") == made[1]
    with pytest.raises(Conflict) as caught:
        await database.write(roles.create, made[0])
    assert caught.value.code == "role_exists"


async def test_renamed_role_is_renamed_where_it_is_held(database: Database) -> None:
    role = OwnRole(name="old", permissions=(), created_at=at(0))
    await database.write(roles.create, role)
    ann, bob = make_identity(roles=("Viewer", "old", "older")), make_identity("bob", roles=("older",))
    await keep(database, ann, bob)
    assert await database.read(roles.holders, "old") == ((ann.id, ann.roles),)

    await database.write(roles.update, "old", OwnRole(name="new", permissions=("x",), created_at=at(0)))

    assert (await database.read(identities.get, ann.id)).roles == ("Viewer", "new", "older")
    assert (await database.read(identities.get, bob.id)) == bob
    assert (await database.read(roles.get, "new")).permissions == ("x",)


async def test_deleted_role_is_not_found(database: Database) -> None:
    await database.write(roles.create, OwnRole(name="old", permissions=(), created_at=at(0)))
    await database.write(roles.delete, "old")
    for attempt in (database.read(roles.get, "old"), database.write(roles.delete, "old")):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "role_not_found"
