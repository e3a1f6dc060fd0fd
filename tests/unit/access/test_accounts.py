"""People and service accounts: who may make, see, change and delete whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from airgate.access.decisions import Caller
from airgate.access.editing import MOST_KEYS
from airgate.access.permissions import Permission
from airgate.access.ports import NewKey, NewPerson, NewServiceAccount, PersonChange, ServiceAccountChange
from airgate.model.errors import AirgateError, Conflict, InvalidInput, NotFound, PermissionDenied
from airgate.model.identity import (
    EVERYWHERE,
    DagGrant,
    DagVerb,
    IdentityKind,
    Limits,
    Profile,
    RateLimit,
    Role,
    Scope,
)
from airgate.model.query import Order, Page
from tests.support.access_house import ELSEWHERE, LOCAL, NOW, REMOTE, TEAM, House, login

SOON = NOW + timedelta(days=1)
SOME_DAGS = Limits(dags=(DagGrant("*", tuple(DagVerb)),))


async def refused(attempt: Awaitable[Any], kind: type[AirgateError], code: str | None = None) -> AirgateError:
    with pytest.raises(kind) as caught:
        await attempt
    if code is not None:
        assert caught.value.code == code
    return caught.value


# --------------------------------------------------------------------------------------------------- service accounts


async def test_service_account_is_made_with_a_key_and_a_name_of_its_own(house: House) -> None:
    limits = Limits(dags=(DagGrant("sales_*", (DagVerb.TRIGGER,)),), expires_at=SOON, rate=RateLimit(5, 1))
    made = await house.machine("Nightly: Loader!", "DEPLOYMENT_EDITOR", category="etl", limits=limits, batch=True)
    identity = made.identity
    assert (identity.label, identity.category, identity.roles) == ("Nightly: Loader!", "etl", ("User",))
    assert (identity.kind, identity.scope, identity.limits) == (IdentityKind.SERVICE_ACCOUNT, LOCAL, limits)
    assert identity.name == f"nightly-loader-{identity.id.hex[-8:]}"
    assert await house.accounts.get(house.root, identity.id) == identity
    assert await house.accounts.keys(house.root, identity.id) == (made.issued.key,)
    assert made.issued.key.batch


async def test_service_accounts_may_share_a_label(house: House) -> None:
    one, other = await house.machine("Loader"), await house.machine("Loader")
    assert one.identity.name != other.identity.name


@pytest.mark.parametrize("label", ["***", "日本", "x" * 255])
async def test_any_label_gives_a_name_that_can_sign_in(house: House, label: str) -> None:
    made = await house.machine(label)
    assert await house.known(login(made.identity.name, made.issued.secret)) == made.identity


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"label": ""}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"category": "x" * 256}, "category"),
        ({"role": "owner"}, "role_unknown"),
        ({"role": "WORKSPACE_EDITOR"}, "role_unknown"),
        ({"scope": Scope(LOCAL.kind, "gone")}, "scope_unknown"),
        ({"limits": Limits(networks=("nowhere",))}, "limits"),
    ],
)
async def test_service_account_that_cannot_be_is_refused(house: House, change: dict[str, Any], code: str) -> None:
    await refused(house.machine(**change), InvalidInput, code)
    assert await house.accounts.list_service_accounts(house.root, limit=10) == ()


async def test_service_account_is_changed_field_by_field(house: House) -> None:
    made = (await house.machine()).identity
    house.now = SOON
    change = ServiceAccountChange(label="New", role="WORKSPACE_VIEWER", scope=TEAM)
    changed = await house.accounts.update_service_account(house.root, made.id, change)
    assert changed == replace(made, label="New", roles=("Viewer",), scope=TEAM, updated_at=SOON)
    assert await house.accounts.get(house.root, made.id) == changed


async def test_people_are_not_changed_as_service_accounts_nor_the_other_way_round(house: House) -> None:
    ada, machine = await house.person(), (await house.machine()).identity
    await refused(house.accounts.update_service_account(house.root, ada.id, ServiceAccountChange()), NotFound)
    await refused(house.accounts.update_person(house.root, machine.id, PersonChange()), NotFound)
    await refused(house.accounts.person(house.root, machine.name), NotFound)


async def test_service_accounts_are_listed_newest_first_page_by_page(house: House) -> None:
    made = [(await house.machine(f"m{number}")).identity for number in range(5)]
    first = await house.accounts.list_service_accounts(house.root, limit=3)
    rest = await house.accounts.list_service_accounts(house.root, after=first[-1].id, limit=3)
    assert [*first, *rest] == made[::-1]


async def test_service_accounts_of_one_scope_are_listed(house: House) -> None:
    local = (await house.machine(scope=LOCAL)).identity
    await house.machine(scope=REMOTE)
    await house.machine(role="WORKSPACE_VIEWER", scope=TEAM)
    assert await house.accounts.list_service_accounts(house.root, scope=LOCAL, limit=9) == (local,)


# ---------------------------------------------------------------------------------------------------------------- keys


async def test_keys_are_issued_listed_and_revoked(house: House) -> None:
    made = await house.machine()
    more = await house.accounts.issue_key(
        house.root, made.identity.id, NewKey(label="rotated", expires_at=SOON, batch=True)
    )
    assert (more.key.label, more.key.expires_at, more.key.batch) == ("rotated", SOON, True)
    assert len(more.secret) == 32
    assert set(more.secret) <= set("0123456789abcdef")
    assert await house.accounts.keys(house.root, made.identity.id) == (made.issued.key, more.key)
    assert await house.accounts.revoke_key(house.root, made.identity.id, made.issued.key.id) == made.issued.key
    assert await house.accounts.keys(house.root, made.identity.id) == (more.key,)
    assert await house.known(more.secret) == made.identity


async def test_key_of_another_identity_is_not_found(house: House) -> None:
    one, other = await house.machine(), await house.machine()
    revoking = house.accounts.revoke_key(house.root, one.identity.id, other.issued.key.id)
    await refused(revoking, NotFound, "key_not_found")
    assert await house.known(other.issued.secret) == other.identity


async def test_key_that_could_never_count_is_refused(house: House) -> None:
    made = await house.machine()
    await refused(house.accounts.issue_key(house.root, made.identity.id, NewKey(expires_at=NOW)), InvalidInput)
    await refused(house.accounts.issue_key(house.root, made.identity.id, NewKey(label="a\nb")), InvalidInput, "label")


async def test_an_identity_has_so_many_keys_and_no_more(house: House) -> None:
    made = await house.machine()
    for _ in range(MOST_KEYS - 1):
        await house.key(made.identity)
    await refused(house.accounts.issue_key(house.root, made.identity.id, NewKey()), Conflict, "keys_exceeded")


async def test_person_keeps_their_own_keys_whatever_their_role(house: House) -> None:
    ada = await house.caller("ada", Role.VIEWER)
    issued = await house.accounts.issue_key(ada, ada.identity.id, NewKey())
    assert await house.accounts.keys(ada, ada.identity.id) == (issued.key,)
    await house.accounts.revoke_key(ada, ada.identity.id, issued.key.id)
    assert await house.accounts.keys(ada, ada.identity.id) == ()


async def test_person_touches_no_keys_of_other_people(house: House) -> None:
    ada, eve = await house.person(), await house.caller("eve", Role.OP)
    await refused(house.accounts.keys(eve, ada.id), PermissionDenied)
    await refused(house.accounts.issue_key(eve, ada.id, NewKey()), PermissionDenied)
    await refused(house.accounts.revoke_key(eve, ada.id, UUID(int=5)), PermissionDenied)


async def test_service_account_without_the_permission_makes_no_keys_of_its_own(house: House) -> None:
    made = await house.machine(role="viewer")
    caller = await house.access.authenticate(made.issued.secret)
    assert caller is not None
    await refused(house.accounts.issue_key(caller, made.identity.id, NewKey()), PermissionDenied)


# --------------------------------------------------------------------------------------------- nobody grants more


async def test_editor_makes_service_accounts_up_to_their_own_role(house: House) -> None:
    editor = await house.caller("ed", Role.USER, LOCAL)
    made = await house.accounts.create_service_account(editor, NewServiceAccount(label="m", role="editor", scope=LOCAL))
    assert made.identity.roles == ("User",)
    attempt = house.accounts.create_service_account(editor, NewServiceAccount(label="m", role="admin", scope=LOCAL))
    await refused(attempt, PermissionDenied, "permissions_beyond")


@pytest.mark.parametrize("scope", [REMOTE, TEAM, EVERYWHERE])
async def test_nobody_makes_an_identity_that_reaches_further(house: House, scope: Scope) -> None:
    editor = await house.caller("ed", Role.USER, LOCAL)
    attempt = house.accounts.create_service_account(editor, NewServiceAccount(label="m", scope=scope))
    await refused(attempt, PermissionDenied, "scope_beyond")


async def test_administrator_of_a_workspace_keeps_the_service_accounts_of_its_deployments(house: House) -> None:
    admin = await house.caller("wes", Role.ADMIN, TEAM)
    made = await house.accounts.create_service_account(admin, NewServiceAccount(label="m", scope=REMOTE))
    hidden = await house.machine(scope=ELSEWHERE)
    assert await house.accounts.list_service_accounts(admin, limit=9) == (made.identity,)
    assert await house.accounts.list_service_accounts(admin, scope=ELSEWHERE, limit=9) == ()
    await refused(house.accounts.get(admin, hidden.identity.id), NotFound, "identity_not_found")
    await refused(house.accounts.delete(admin, hidden.identity.id), NotFound, "identity_not_found")
    await house.accounts.delete(admin, made.identity.id)


async def test_nobody_touches_who_has_more(house: House) -> None:
    editor = await house.caller("ed", Role.USER, LOCAL)
    strong = await house.machine(role="admin", scope=LOCAL)
    accounts, machine = house.accounts, strong.identity
    for attempt in (
        accounts.issue_key(editor, machine.id, NewKey()),
        accounts.revoke_key(editor, machine.id, strong.issued.key.id),
        accounts.delete(editor, machine.id),
        accounts.update_service_account(editor, machine.id, ServiceAccountChange(role="viewer")),
    ):
        await refused(attempt, PermissionDenied, "permissions_beyond")
    assert await house.known(strong.issued.secret) == machine


async def test_nobody_lifts_an_identity_beyond_themselves(house: House) -> None:
    editor = await house.caller("ed", Role.USER, LOCAL)
    made = (await house.machine(role="viewer", scope=LOCAL)).identity
    for change in (ServiceAccountChange(role="admin"), ServiceAccountChange(scope=TEAM)):
        await refused(house.accounts.update_service_account(editor, made.id, change), PermissionDenied)
    assert await house.accounts.get(house.root, made.id) == made


async def test_caller_limited_to_some_dags_makes_and_sees_no_identities(house: House) -> None:
    limited = await house.caller("li", Role.ADMIN, limits=SOME_DAGS)
    made = (await house.machine()).identity
    accounts = house.accounts
    for attempt in (
        accounts.create_service_account(limited, NewServiceAccount(label="m", scope=LOCAL, limits=SOME_DAGS)),
        accounts.create_person(limited, NewPerson(name="p", roles=("Viewer",))),
        accounts.list_people(limited, limit=1),
        accounts.list_service_accounts(limited, limit=1),
        accounts.get(limited, made.id),
        accounts.delete(limited, made.id),
        accounts.issue_key(limited, made.id, NewKey()),
    ):
        await refused(attempt, PermissionDenied)


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        (Limits(expires_at=SOON), Limits(), False),
        (Limits(expires_at=SOON), Limits(expires_at=SOON + timedelta(1)), False),
        (Limits(expires_at=SOON), Limits(expires_at=SOON), True),
        (Limits(networks=("10.0.0.0/8",)), Limits(), False),
        (Limits(networks=("10.0.0.0/8",)), Limits(networks=("10.1.0.0/16", "192.0.2.0/24")), False),
        (Limits(networks=("10.0.0.0/8",)), Limits(networks=("10.1.0.0/16",)), True),
        (Limits(rate=RateLimit(10, 60)), Limits(), False),
        (Limits(rate=RateLimit(10, 60)), Limits(rate=RateLimit(11, 60)), False),
        (Limits(rate=RateLimit(10, 60)), Limits(rate=RateLimit(1, 60)), True),
        (Limits(), Limits(networks=("10.1.0.0/16",)), True),
    ],
)
async def test_limits_of_whoever_makes_an_identity_count_for_it_too(
    house: House, mine: Limits, theirs: Limits, fits: bool
) -> None:
    maker = await house.caller("ed", Role.USER, LOCAL, mine)
    attempt = house.accounts.create_service_account(maker, NewServiceAccount(label="m", scope=LOCAL, limits=theirs))
    if fits:
        assert (await attempt).identity.limits == theirs
    else:
        await refused(attempt, PermissionDenied, "limits_beyond")


async def test_viewer_sees_service_accounts_and_changes_none(house: House) -> None:
    viewer = await house.caller("vi", Role.VIEWER)
    made = await house.machine()
    assert await house.accounts.list_service_accounts(viewer, limit=9) == (made.identity,)
    for attempt in (
        house.accounts.create_service_account(viewer, NewServiceAccount(label="m", scope=LOCAL)),
        house.accounts.update_service_account(viewer, made.identity.id, ServiceAccountChange(label="x")),
        house.accounts.delete(viewer, made.identity.id),
    ):
        await refused(attempt, PermissionDenied)


# -------------------------------------------------------------------------------------------------------------- people


async def test_person_is_made_with_profile_and_roles(house: House) -> None:
    profile = Profile(first_name="Ada", last_name="L.", email="ada@example.org")
    new = NewPerson(name="ada", password="right", roles=("User", "Op", "User"), profile=profile)
    made = await house.accounts.create_person(house.root, new)
    assert (made.roles, made.profile, made.scope, made.active) == (("User", "Op"), profile, EVERYWHERE, True)
    assert await house.accounts.person(house.root, "ada") == made
    assert await house.known(login("ada", "right")) == made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "a:b"}, "identity_name"),
        ({"password": ""}, "password"),
        ({"roles": ("Emperor",)}, "role_unknown"),
        ({"profile": Profile(email="a\nb")}, "email"),
        ({"scope": Scope(LOCAL.kind, "gone")}, "scope_unknown"),
        ({"limits": Limits(rate=RateLimit(0, 0))}, "limits"),
    ],
)
async def test_person_that_cannot_be_is_refused(house: House, change: dict[str, Any], code: str) -> None:
    given = {"name": "ada", "roles": ("Viewer",)} | change
    await refused(house.accounts.create_person(house.root, NewPerson(**given)), InvalidInput, code)
    ada = await house.person("someone")
    await refused(house.accounts.update_person(house.root, ada.id, PersonChange(**change)), InvalidInput, code)


async def test_name_and_email_are_taken_once(house: House) -> None:
    await house.person("ada", profile=Profile(email="Ada@example.org"))
    eve = await house.person("eve", profile=Profile(email="eve@example.org"))
    await refused(house.person("ada"), Conflict, "identity_exists")
    same = Profile(email="ada@EXAMPLE.org")
    await refused(house.person("bob", profile=same), Conflict, "email_exists")
    await refused(house.accounts.update_person(house.root, eve.id, PersonChange(profile=same)), Conflict)
    await refused(house.accounts.update_person(house.root, eve.id, PersonChange(name="ada")), Conflict)
    assert await house.accounts.person(house.root, "eve") == eve


async def test_people_are_listed_by_name_page_by_page(house: House) -> None:
    people = [await house.person(name) for name in ("cy", "ada", "bob")]
    await house.machine()
    first = await house.accounts.list_people(house.root, limit=2)
    rest = await house.accounts.list_people(house.root, after="bob", limit=2)
    assert [*first, *rest] == sorted(people, key=lambda person: person.name)


async def test_people_are_listed_in_any_order_with_their_number(house: House) -> None:
    for name, first in (("a", "Zoe"), ("b", "Amy"), ("c", "Mia")):
        await house.person(name, profile=Profile(first_name=first))
    page = await house.accounts.page_of_people(house.root, Order("first_name"), Page(2, 1))
    assert [person.profile.first_name for person in page.items] == ["Mia", "Zoe"]
    assert page.total == 3
    asking = house.accounts.page_of_people(house.root, Order("password_hash"), Page())
    await refused(asking, InvalidInput, "order_field")


async def test_administrator_of_a_deployment_sees_and_touches_its_people_only(house: House) -> None:
    admin = await house.caller("dee", Role.ADMIN, LOCAL)
    mine = await house.person("mine", scope=LOCAL)
    others = [await house.person("other", scope=REMOTE), await house.person("wide")]
    assert [person.name for person in await house.accounts.list_people(admin, limit=9)] == ["dee", "mine"]
    assert (await house.accounts.page_of_people(admin, Order("name"), Page())).total == 2
    await house.accounts.update_person(admin, mine.id, PersonChange(password="newer"))
    for other in others:
        await refused(house.accounts.person(admin, other.name), NotFound)
        await refused(house.accounts.update_person(admin, other.id, PersonChange(active=False)), NotFound)
        await refused(house.accounts.delete(admin, other.id), NotFound)


async def test_person_changes_their_own_password_and_profile_and_nothing_else(house: House) -> None:
    ada = await house.caller("ada", Role.VIEWER, limits=SOME_DAGS)
    change = PersonChange(password="newer", profile=Profile(first_name="Ada"))
    changed = await house.accounts.update_person(ada, ada.identity.id, change)
    assert changed.profile.first_name == "Ada"
    assert await house.known(login("ada", "newer")) == changed
    for more in (
        PersonChange(roles=("Admin",)),
        PersonChange(scope=EVERYWHERE),
        PersonChange(limits=Limits()),
        PersonChange(name="root"),
        PersonChange(active=True),
    ):
        await refused(house.accounts.update_person(ada, ada.identity.id, more), PermissionDenied)


async def test_person_changes_no_password_with_a_key(house: House) -> None:
    ada = await house.person(role=Role.VIEWER)
    by_key = await house.access.authenticate(await house.key(ada))
    assert by_key is not None
    await refused(house.accounts.update_person(by_key, ada.id, PersonChange(password="taken")), PermissionDenied)
    assert await house.known(login("ada", "right")) == ada


async def test_everybody_reads_themselves(house: House) -> None:
    ada = await house.caller("ada", Role.VIEWER)
    assert await house.accounts.get(ada, ada.identity.id) == ada.identity
    assert await house.accounts.person(ada, "ada") == ada.identity
    await refused(house.accounts.person(ada, "root"), PermissionDenied)


async def test_who_may_edit_people_only_gives_no_more_than_they_have(house: House) -> None:
    await house.roles.create(house.root, "clerk", frozenset({Permission.USERS_READ, Permission.USERS_EDIT}))
    clerk = await house.caller("clerk", "clerk")
    await house.accounts.create_person(clerk, NewPerson(name="peer", roles=("clerk",)))
    attempt = house.accounts.create_person(clerk, NewPerson(name="boss", roles=("Admin",)))
    await refused(attempt, PermissionDenied, "permissions_beyond")
    attempt = house.accounts.update_person(clerk, clerk.identity.id, PersonChange(roles=("clerk", "Viewer")))
    await refused(attempt, PermissionDenied, "permissions_beyond")


# ---------------------------------------------------------------------------------------------- the last administrator


LOSSES = [
    PersonChange(active=False),
    PersonChange(roles=("Op",)),
    PersonChange(scope=LOCAL),
    PersonChange(limits=SOME_DAGS),
    PersonChange(limits=Limits(expires_at=SOON)),
    PersonChange(limits=Limits(networks=("10.0.0.0/8",))),
    PersonChange(limits=Limits(rate=RateLimit(1, 60))),
]


@pytest.mark.parametrize("change", LOSSES)
async def test_last_administrator_stays_one(house: House, change: PersonChange) -> None:
    last = await house.person("last", Role.ADMIN)
    await house.person("local", Role.ADMIN, scope=LOCAL)
    await house.person("asleep", Role.ADMIN, active=False)
    await refused(house.accounts.update_person(house.root, last.id, change), Conflict, "last_administrator")
    await refused(house.accounts.delete(house.root, last.id), Conflict, "last_administrator")
    assert await house.accounts.get(house.root, last.id) == last


@pytest.mark.parametrize("change", LOSSES)
async def test_administrator_may_go_while_there_is_another(house: House, change: PersonChange) -> None:
    one = await house.person("one", Role.ADMIN)
    await house.person("another", Role.ADMIN)
    await house.accounts.update_person(house.root, one.id, change)
    await house.accounts.delete(house.root, one.id)


async def test_one_administrator_stays_when_two_delete_each_other_at_once(house: House) -> None:
    one, other = await house.caller("one", Role.ADMIN), await house.caller("other", Role.ADMIN)

    def deleting(by: Caller, whom: Caller) -> Awaitable[Any]:
        return house.accounts.delete(by, whom.identity.id)

    answers = await asyncio.gather(deleting(one, other), deleting(other, one), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1
