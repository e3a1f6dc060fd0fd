"""Users, roles and permissions in v1: as Airflow's FAB answers, over Airgate's own identities."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airgate.access.permissions import GRANTED, Permission
from airgate.http.stable_v1.role_actions import MEANINGS, Pair, actions_of, permissions_of
from airgate.model.identity import Role
from tests.support.native_world import ADMIN, AT_LOCAL, NativeWorld
from tests.support.stable_v1_document import misfit_of_answer

API = "/api/v1"
ANN: dict[str, Any] = {
    "username": "ann", "email": "ann@x.org", "first_name": "Ann", "last_name": "Lee", "password": "secret words",
}  # fmt: skip
BOB = ANN | {"username": "bob", "email": "bob@x.org"}


async def ask(world: NativeWorld, method: str, path: str, body: Any = None, *, by: str = ADMIN) -> httpx.Response:
    """Ask, and hold the answer against the document."""
    async with world.client(by) as client:
        reply = await client.request(method, API + path, json=body)
    content_type = reply.headers.get("content-type")
    answer = reply.json() if reply.content else None
    assert misfit_of_answer(method, path, reply.status_code, content_type, answer) is None
    return reply


def pair(action: str, resource: str) -> dict[str, Any]:
    return {"action": {"name": action}, "resource": {"name": resource}}


def told(reply: httpx.Response) -> tuple[int, str | None, str | None]:
    return reply.status_code, reply.json()["title"], reply.json()["detail"]


async def test_new_user_is_shown_as_fab_shows_one(two_deployments: NativeWorld) -> None:
    made = await ask(two_deployments, "POST", "/users", ANN | {"roles": [{"name": "Viewer"}, {"name": "Op"}]})
    assert made.status_code == 200
    assert made.json()["roles"] == [{"name": "Viewer"}, {"name": "Op"}]
    assert made.json()["active"] is True
    assert "+" not in made.json()["created_on"]
    assert "password" not in made.text
    assert (await ask(two_deployments, "GET", "/users/ann")).json() == made.json()


async def test_new_user_signs_in_and_does_what_the_role_allows(two_deployments: NativeWorld) -> None:
    await ask(two_deployments, "POST", "/users", ANN | {"roles": [{"name": "Viewer"}]})
    ann = httpx.BasicAuth("ann", "secret words")
    async with two_deployments.client(None) as client:
        assert (await client.get(f"{API}/dags", auth=ann)).status_code == 200
        assert (await client.get(f"{API}/variables", auth=ann)).status_code == 403
        assert (await client.get(f"{API}/users", auth=ann)).status_code == 403


async def test_list_of_users_is_ordered_and_paged(two_deployments: NativeWorld) -> None:
    for user in (ANN, BOB):
        await ask(two_deployments, "POST", "/users", user)
    newest = await ask(two_deployments, "GET", "/users?order_by=-username&limit=1")
    assert [user["username"] for user in newest.json()["users"]] == ["bob"]
    assert newest.json()["total_entries"] == 3
    by_mail = await ask(two_deployments, "GET", "/users?order_by=email&offset=1")
    assert [user["username"] for user in by_mail.json()["users"]][:1] == ["ann"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (ANN, 409, "Username `ann` already exists. Use PATCH to update."),
        (BOB | {"email": "ann@x.org"}, 409, "The email `ann@x.org` is already taken."),
        (BOB | {"roles": [{"name": "Viewer"}, {"name": "Nope"}]}, 400, "Unknown roles: 'Nope'"),
        (BOB | {"roles": ["Viewer"]}, 400, "'Viewer' is not of type 'object' - 'roles.0'"),
        (BOB | {"roles": [{}]}, 400, "{'roles': {0: {'name': ['Missing data for required field.']}}}"),
        (BOB | {"email": ""}, 400, "'' should be non-empty - 'email'"),
        (BOB | {"active": True}, 400, "Property is read-only - 'active'"),
        (BOB | {"zz": 1}, 400, "{'zz': ['Unknown field.']}"),
        (
            {},
            400,
            (
                "{'first_name': ['Missing data for required field.'], "
                "'last_name': ['Missing data for required field.'], "
                "'username': ['Missing data for required field.'], 'email': ['Missing data for required field.']}"
            ),
        ),
    ],
)
async def test_user_that_cannot_be_made_is_refused_in_airflows_words(
    two_deployments: NativeWorld, body: dict[str, Any], status: int, detail: str
) -> None:
    await ask(two_deployments, "POST", "/users", ANN)
    refused = await ask(two_deployments, "POST", "/users", body)
    assert (refused.status_code, refused.json()["detail"]) == (status, detail)


async def test_user_is_changed_as_sent_or_as_the_mask_says(two_deployments: NativeWorld) -> None:
    await ask(two_deployments, "POST", "/users", ANN | {"roles": [{"name": "Viewer"}]})
    other = ANN | {"first_name": "Anna", "last_name": "Li", "roles": [{"name": "Op"}]}
    masked = (await ask(two_deployments, "PATCH", "/users/ann?update_mask=first_name,roles", other)).json()
    assert (masked["first_name"], masked["last_name"], masked["roles"]) == ("Anna", "Lee", [{"name": "Op"}])
    renamed = await ask(two_deployments, "PATCH", "/users/ann", other | {"username": "anna", "password": "new words"})
    assert (renamed.json()["username"], renamed.json()["last_name"]) == ("anna", "Li")
    async with two_deployments.client(None) as client:
        assert (await client.get(f"{API}/dags", auth=httpx.BasicAuth("anna", "new words"))).status_code == 200
        assert (await client.get(f"{API}/dags", auth=httpx.BasicAuth("anna", "secret words"))).status_code == 401


async def test_change_that_cannot_be_is_refused_in_airflows_words(two_deployments: NativeWorld) -> None:
    world = two_deployments
    for user in (ANN, BOB):
        await ask(world, "POST", "/users", user)
    assert told(await ask(world, "PATCH", "/users/ann", ANN | {"username": "bob"}))[2] == (
        "The username `bob` already exists"
    )
    assert told(await ask(world, "PATCH", "/users/ann", ANN | {"email": "bob@x.org"}))[2] == (
        "The email `bob@x.org` already exists"
    )
    assert told(await ask(world, "PATCH", "/users/ann?update_mask=bogus", ANN))[2] == "Unknown update masks: 'bogus'"
    assert told(await ask(world, "PATCH", "/users/nope", ANN)) == (
        404, "User not found", "The User with username `nope` was not found"
    )  # fmt: skip


async def test_deleted_user_is_gone(two_deployments: NativeWorld) -> None:
    await ask(two_deployments, "POST", "/users", ANN)
    assert (await ask(two_deployments, "DELETE", "/users/ann")).status_code == 204
    assert (await ask(two_deployments, "DELETE", "/users/ann")).status_code == 404


async def test_last_administrator_stays(two_deployments: NativeWorld) -> None:
    refused = await ask(two_deployments, "DELETE", "/users/admin")
    assert refused.status_code == 409
    assert (await ask(two_deployments, "GET", "/users/admin")).status_code == 200


async def test_role_of_ones_own_grants_what_its_actions_say(two_deployments: NativeWorld) -> None:
    world = two_deployments
    made = await ask(world, "POST", "/roles", {"name": "watcher", "actions": [pair("can_read", "DAGs")]})
    assert pair("can_read", "DAGs") in made.json()["actions"]
    await ask(world, "POST", "/users", ANN | {"roles": [{"name": "watcher"}]})
    async with world.client(None) as client:
        ann = httpx.BasicAuth("ann", "secret words")
        assert (await client.get(f"{API}/dags", auth=ann)).status_code == 200
        assert (await client.get(f"{API}/dags/~/dagRuns", auth=ann)).status_code == 403
    more = await ask(world, "PATCH", "/roles/watcher", {"name": "reader", "actions": [pair("can_read", "DAG Runs")]})
    assert more.json()["name"] == "reader"
    assert {"can_read"} == {one["action"]["name"] for one in more.json()["actions"]}
    async with world.client(None) as client:
        assert (await client.get(f"{API}/dags/~/dagRuns", auth=ann)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"name": "Viewer"}, 409, "Role with name 'Viewer' already exists; please update with the PATCH endpoint"),
        ({}, 400, "{'name': ['Missing data for required field.']}"),
        ({"name": ""}, 400, "'' should be non-empty - 'name'"),
        ({"name": "r", "actions": [pair("can_fly", "DAGs")]}, 400, "The specified action: 'can_fly' was not found"),
        ({"name": "r", "actions": [pair("can_read", "Moon")]}, 400, "The specified resource: 'Moon' was not found"),
        (
            {"name": "r", "actions": [{"action": "can_read", "resource": "DAGs"}]},
            400,
            "'can_read' is not of type 'object' - 'actions.0.action'",
        ),
        (
            {"name": "r", "actions": [{"resource": {"name": "DAGs"}}]},
            400,
            "{'actions': {0: {'action': {'name': ['Missing data for required field.']}}}}",
        ),
        (
            {"name": "r", "actions": [pair("can_edit", "Pools")]},
            400,
            (
                "'can_edit' on 'Pools' cannot be granted alone: it comes with 'can_create' on 'Pools', 'can_delete' on "
                "'Pools'"
            ),
        ),
    ],
)
async def test_role_that_cannot_be_defined_is_refused(
    two_deployments: NativeWorld, body: dict[str, Any], status: int, detail: str
) -> None:
    refused = await ask(two_deployments, "POST", "/roles", body)
    assert (refused.status_code, refused.json()["detail"]) == (status, detail)


async def test_roles_that_always_exist_are_listed_and_stay(two_deployments: NativeWorld) -> None:
    listed = await ask(two_deployments, "GET", "/roles")
    assert [role["name"] for role in listed.json()["roles"]] == ["Admin", "Op", "User", "Viewer"]
    backwards = await ask(two_deployments, "GET", "/roles?order_by=-name&limit=1")
    assert [role["name"] for role in backwards.json()["roles"]] == ["Viewer"]
    assert (await ask(two_deployments, "PATCH", "/roles/Viewer", {"name": "Seer"})).status_code == 409
    assert (await ask(two_deployments, "DELETE", "/roles/Viewer")).status_code == 409
    assert (await ask(two_deployments, "PATCH", "/roles/Viewer", {"name": "Viewer"})).status_code == 200


async def test_role_is_deleted_once_nobody_has_it(two_deployments: NativeWorld) -> None:
    world = two_deployments
    await ask(world, "POST", "/roles", {"name": "r"})
    await ask(world, "POST", "/users", ANN | {"roles": [{"name": "r"}]})
    assert (await ask(world, "DELETE", "/roles/r")).status_code == 409
    await ask(world, "DELETE", "/users/ann")
    assert (await ask(world, "DELETE", "/roles/r")).status_code == 204
    assert told(await ask(world, "GET", "/roles/r")) == (404, "Role not found", "Role with name 'r' was not found")
    assert told(await ask(world, "PATCH", "/roles/Viewer?update_mask=bogus", {"name": "Viewer"}))[2] == (
        "'bogus' in update_mask is unknown"
    )


async def test_permissions_are_airflows_actions(two_deployments: NativeWorld) -> None:
    listed = await ask(two_deployments, "GET", "/permissions?limit=2&offset=1")
    assert listed.json() == {"actions": [{"name": "can_read"}, {"name": "can_create"}], "total_entries": 5}


async def test_accounts_of_everything_are_hidden_from_who_reaches_less(two_deployments: NativeWorld) -> None:
    from_local = await two_deployments.person("chief", Role.ADMIN, scope=AT_LOCAL)
    listed = await ask(two_deployments, "GET", "/users", by=from_local[1])
    assert [user["username"] for user in listed.json()["users"]] == ["chief"]
    assert (await ask(two_deployments, "GET", "/users/admin", by=from_local[1])).status_code == 404


def test_every_permission_is_made_of_pairs() -> None:
    assert MEANINGS.keys() == frozenset(Permission)


@pytest.mark.parametrize("role", Role)
def test_actions_of_a_role_make_up_its_permissions(role: Role) -> None:
    pairs = [Pair(one["action"]["name"], one["resource"]["name"]) for one in actions_of(GRANTED[role])]
    assert permissions_of(pairs) == GRANTED[role]


def test_pairs_about_airflows_pages_grant_nothing() -> None:
    assert permissions_of([Pair("menu_access", "Browse"), Pair("can_read", "Jobs")]) == frozenset()
