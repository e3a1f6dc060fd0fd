"""Roles: Airflow's four, and those that are defined here."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from msgspec.structs import replace

from airgate.access.permissions import Permission
from airgate.access.ports import KnownRole, PersonChange
from airgate.model.errors import AirgateError, Conflict, InvalidInput, NotFound, PermissionDenied
from airgate.model.identity import Limits, Role
from tests.support.access_house import LOCAL, House

READING = frozenset({Permission.DAGS_READ, Permission.RUNS_READ})


async def refused(attempt: Awaitable[Any], kind: type[AirgateError], code: str | None = None) -> None:
    with pytest.raises(kind) as caught:
        await attempt
    if code is not None:
        assert caught.value.code == code


async def test_built_in_roles_come_first_and_ones_own_by_name(house: House) -> None:
    for name in ("zebra", "ant"):
        await house.roles.create(house.root, name, READING)
    listed = await house.roles.list(house.root)
    assert [role.name for role in listed] == ["Viewer", "User", "Op", "Admin", "ant", "zebra"]
    assert [role.built_in for role in listed] == [True] * 4 + [False] * 2
    assert await house.roles.get(house.root, "ant") == KnownRole(name="ant", permissions=READING)
    assert (await house.roles.get(house.root, "Admin")).permissions == frozenset(Permission)


@pytest.mark.parametrize("role", list(Role))
async def test_built_in_role_is_fixed(house: House, role: str) -> None:
    await refused(house.roles.update(house.root, role, permissions=READING), Conflict, "role_fixed")
    await refused(house.roles.delete(house.root, role), Conflict, "role_fixed")


@pytest.mark.parametrize(
    ("name", "kind"), [("Viewer", Conflict), ("ADMIN", Conflict), ("", InvalidInput), ("a\nb", InvalidInput)]
)
async def test_name_no_role_can_have_is_refused(house: House, name: str, kind: type[AirgateError]) -> None:
    await refused(house.roles.create(house.root, name, READING), kind)
    await house.roles.create(house.root, "mine", READING)
    if name:
        await refused(house.roles.update(house.root, "mine", new_name=name), kind)


async def test_name_is_taken_once(house: House) -> None:
    for name in ("one", "other"):
        await house.roles.create(house.root, name, READING)
    await refused(house.roles.create(house.root, "one", READING), Conflict, "role_exists")
    await refused(house.roles.update(house.root, "one", new_name="other"), Conflict, "role_exists")


async def test_unknown_role_is_not_found(house: House) -> None:
    for attempt in (
        house.roles.get(house.root, "none"),
        house.roles.update(house.root, "none", permissions=READING),
        house.roles.delete(house.root, "none"),
    ):
        await refused(attempt, NotFound, "role_not_found")


async def test_role_in_use_is_not_deleted(house: House) -> None:
    await house.roles.create(house.root, "mine", READING)
    ada = await house.person(role="mine")
    await refused(house.roles.delete(house.root, "mine"), Conflict, "role_in_use")
    await house.accounts.update_person(house.root, ada.id, PersonChange(roles=("Viewer",)))
    await house.roles.delete(house.root, "mine")
    assert len(await house.roles.list(house.root)) == len(Role)


async def test_renamed_role_stays_with_who_has_it(house: House) -> None:
    await house.roles.create(house.root, "old", READING)
    ada = await house.caller("ada", "old")
    renamed = await house.roles.update(house.root, "old", new_name="new")
    assert renamed == KnownRole(name="new", permissions=READING)
    assert (await house.accounts.get(house.root, ada.identity.id)).roles == ("new",)


async def test_nobody_makes_or_changes_a_role_beyond_themselves(house: House) -> None:
    await house.roles.create(house.root, "strong", frozenset({Permission.AUDIT_READ}))
    mine = frozenset({Permission.USERS_READ, Permission.USERS_EDIT})
    clerk = replace(house.root, permissions=mine)
    await house.roles.create(clerk, "clerk", mine)
    for attempt in (
        house.roles.create(clerk, "more", READING),
        house.roles.update(clerk, "clerk", permissions=READING),
        house.roles.update(clerk, "strong", permissions=mine),
        house.roles.delete(clerk, "strong"),
    ):
        await refused(attempt, PermissionDenied)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.USER, Role.OP])
async def test_roles_are_seen_and_changed_by_administrators_only(house: House, role: str) -> None:
    caller = await house.caller("ada", role)
    await refused(house.roles.list(caller), PermissionDenied)
    await refused(house.roles.create(caller, "mine", frozenset()), PermissionDenied)


async def test_roles_are_changed_by_administrators_of_everything_only(house: House) -> None:
    local = await house.caller("dee", Role.ADMIN, LOCAL)
    limited = await house.caller("li", Role.ADMIN, limits=Limits(dags=()))
    assert await house.roles.list(local)
    await refused(house.roles.create(local, "mine", READING), PermissionDenied)
    await refused(house.roles.list(limited), PermissionDenied)
