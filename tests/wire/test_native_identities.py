"""People, service accounts, keys and roles through the native dialect: real identities in a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from airgate.access.ports import NewPerson
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from tests.support.native_world import AT_FAR, AT_LOCAL, FAR, IN_LAB, LOCAL, NativeWorld, basic

ROOT = "/airgate/v1"
WHOLE = {
    "label": "Nightly load",
    "category": "etl",
    "role": "DEPLOYMENT_EDITOR",
    "deployment": FAR,
    "dags": [{"pattern": "etl_*", "verbs": ["trigger", "read", "trigger"]}],
    "expires_at": "2031-01-01T01:00:00+01:00",
    "rate_limit": {"requests": 100, "seconds": 60},
    "networks": ["10.0.0.0/8"],
    "batch": True,
}


@pytest.fixture
async def client(two_deployments: NativeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with two_deployments.client() as opened:
        yield opened


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await client.post(ROOT + path, json=body)
    assert reply.status_code == 201, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def status(client: httpx.AsyncClient, credential: str, path: str = "/me") -> int:
    return (await client.get(ROOT + path, headers={"authorization": credential})).status_code


# ------------------------------------------------------------------------------------------------------------------ me


async def test_me_says_who_asks_and_what_it_may_do_where(two_deployments: NativeWorld) -> None:
    identity, key = await two_deployments.machine("robot", "editor", AT_FAR)
    async with two_deployments.client(key) as client:
        me = (await client.get(f"{ROOT}/me")).json()
    assert (me["identity"]["id"], me["identity"]["label"]) == (str(identity.id), "robot")
    assert me["identity"]["scope"] == {"kind": "deployment", "name": FAR}
    assert me["key_id"] is not None
    assert me["deployments"] == [FAR]
    assert "runs.create" in me["permissions"]
    assert "pools.edit" not in me["permissions"]


async def test_me_has_no_key_after_a_password(client: httpx.AsyncClient) -> None:
    me = (await client.get(f"{ROOT}/me")).json()
    assert (me["key_id"], me["identity"]["kind"], me["deployments"]) == (None, "person", [FAR, LOCAL])


# --------------------------------------------------------------------------------------------------------- deployments


async def test_deployments_say_which_is_the_default_and_how_they_are(client: httpx.AsyncClient) -> None:
    far, local = (await client.get(f"{ROOT}/deployments")).json()["items"]
    assert (far["name"], far["workspace"], far["default"]) == (FAR, "lab", False)
    assert (local["name"], local["workspace"], local["default"]) == (LOCAL, "default", True)
    assert local["health"]["scheduler"] is True
    assert local["health"]["scheduler_heartbeat"].endswith("Z")
    assert (await client.get(f"{ROOT}/deployments/{FAR}")).json() == far


async def test_foreign_deployment_cannot_be_told_from_one_that_does_not_exist(two_deployments: NativeWorld) -> None:
    _, key = await two_deployments.machine("robot", "admin", AT_FAR)
    async with two_deployments.client(key) as client:
        assert [item["name"] for item in (await client.get(f"{ROOT}/deployments")).json()["items"]] == [FAR]
        foreign = await client.get(f"{ROOT}/deployments/{LOCAL}")
        unknown = await client.get(f"{ROOT}/deployments/nowhere")
    assert (foreign.status_code, unknown.status_code) == (403, 403)
    assert foreign.json()["detail"].replace(LOCAL, "?") == unknown.json()["detail"].replace("nowhere", "?")
    assert {**foreign.json(), "detail": ""} == {**unknown.json(), "detail": ""}


# -------------------------------------------------------------------------------------------------------------- people


async def test_person_is_made_shown_changed_and_deleted(client: httpx.AsyncClient) -> None:
    body = {"name": "ada", "password": "first", "roles": ["Viewer"], "email": "ada@example.org", "first_name": "Ada"}
    ada = await made(client, "/users", body)
    assert "password" not in ada
    assert (ada["roles"], ada["scope"], ada["active"]) == (["Viewer"], {"kind": "everything", "name": None}, True)
    path = f"{ROOT}/users/{ada['id']}"
    assert (await client.get(path)).json() == ada

    reply = await client.patch(path, json={"password": "second", "last_name": "Lovelace", "roles": ["Op"]})
    assert reply.status_code == 200
    changed = reply.json()
    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Ada", "Lovelace", "ada@example.org")
    assert changed["roles"] == ["Op"]
    assert [await status(client, basic("ada", word)) for word in ("first", "second")] == [401, 200]

    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert await status(client, basic("ada", "second")) == 401


async def test_person_changes_their_own_password_and_no_role(client: httpx.AsyncClient) -> None:
    ada = await made(client, "/users", {"name": "ada", "password": "first", "roles": ["Viewer"]})
    path, signed_in = f"{ROOT}/users/{ada['id']}", {"authorization": basic("ada", "first")}
    for change, said in (({"roles": ["Admin"]}, 403), ({"password": "second", "first_name": "Ada"}, 200)):
        assert (await client.patch(path, json=change, headers=signed_in)).status_code == said
    assert [await status(client, basic("ada", word)) for word in ("first", "second")] == [401, 200]


async def test_deactivated_person_is_nobody_until_activated_again(client: httpx.AsyncClient) -> None:
    ada = await made(client, "/users", {"name": "ada", "password": "pw", "roles": ["Viewer"]})
    path = f"{ROOT}/users/{ada['id']}"
    assert await status(client, basic("ada", "pw")) == 200
    await client.patch(path, json={"active": False})
    assert await status(client, basic("ada", "pw")) == 401
    await client.patch(path, json={"active": True})
    assert await status(client, basic("ada", "pw")) == 200


async def test_limits_of_a_person_are_replaced_as_a_whole(client: httpx.AsyncClient) -> None:
    limits = {"rate_limit": {"requests": 5, "seconds": 1}, "networks": ["127.0.0.0/8"]}
    ada = await made(client, "/users", {"name": "ada", "roles": ["Viewer"], "limits": limits})
    assert ada["limits"] == {"dags": None, "expires_at": None, **limits}
    reply = await client.patch(f"{ROOT}/users/{ada['id']}", json={"limits": {"dags": []}})
    assert reply.json()["limits"] == {"dags": [], "expires_at": None, "rate_limit": None, "networks": []}


async def test_name_that_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    await made(client, "/users", {"name": "ada", "roles": ["Viewer"]})
    reply = await client.post(f"{ROOT}/users", json={"name": "ada", "roles": ["Viewer"]})
    assert (reply.status_code, reply.json()["code"]) == (409, "identity_exists")


async def test_last_administrator_stays(two_deployments: NativeWorld, client: httpx.AsyncClient) -> None:
    path = f"{ROOT}/users/{two_deployments.root.identity.id}"
    for reply in (await client.delete(path), await client.patch(path, json={"active": False})):
        assert (reply.status_code, reply.json()["code"]) == (409, "last_administrator")


async def test_administrator_of_a_deployment_sees_and_makes_only_its_people(two_deployments: NativeWorld) -> None:
    _, admin = await two_deployments.person("boss", Role.ADMIN, scope=AT_FAR)
    await two_deployments.person("ann", Role.VIEWER, scope=AT_FAR)
    stranger, _ = await two_deployments.person("stranger", Role.VIEWER, scope=AT_LOCAL)
    far = {"kind": "deployment", "name": FAR}
    async with two_deployments.client(admin) as client:
        names = [item["name"] for item in (await client.get(f"{ROOT}/users")).json()["items"]]
        assert names == ["ann", "boss"]
        assert (await client.get(f"{ROOT}/users/{stranger.id}")).status_code == 404
        await made(client, "/users", {"name": "bob", "roles": ["Op"], "scope": far})
        wider = await client.post(f"{ROOT}/users", json={"name": "eve", "roles": ["Op"]})
        assert (wider.status_code, wider.json()["code"]) == (403, "scope_beyond")


async def test_people_and_service_accounts_do_not_answer_for_each_other(two_deployments: NativeWorld) -> None:
    person, _ = await two_deployments.person("ada", Role.VIEWER)
    machine, _ = await two_deployments.machine("robot", "viewer", AT_FAR)
    async with two_deployments.client() as client:
        for path in (f"/users/{machine.id}", f"/service-accounts/{person.id}"):
            answers = [await client.get(ROOT + path), await client.delete(ROOT + path)]
            answers.append(await client.patch(ROOT + path, json={"active": False}))
            assert [(reply.status_code, reply.json()["code"]) for reply in answers] == [(404, "identity_not_found")] * 3
        assert (await client.get(f"{ROOT}/users/{person.id}")).json()["active"] is True


# ---------------------------------------------------------------------------------------------------- service accounts


async def test_service_account_is_made_with_its_key_and_shows_it_never_again(client: httpx.AsyncClient) -> None:
    reply = await client.post(f"{ROOT}/service-accounts", json=WHOLE)
    assert (reply.status_code, reply.headers["cache-control"]) == (201, "no-store")
    account = reply.json()
    secret, key = account.pop("api_key"), account.pop("key")
    assert (account["role"], account["deployment"], account["workspace"]) == ("editor", FAR, None)
    assert account["dags"] == [{"pattern": "etl_*", "verbs": ["trigger", "read"]}]
    assert account["expires_at"] == "2031-01-01T00:00:00Z"
    assert (account["rate_limit"], account["networks"]) == (WHOLE["rate_limit"], WHOLE["networks"])
    assert key["batch"] is True
    path = f"{ROOT}/service-accounts/{account['id']}"
    shown = [(await client.get(one)).text for one in (path, f"{ROOT}/service-accounts", f"{ROOT}/users")]
    shown.append((await client.get(f"{ROOT}/identities/{account['id']}/keys")).text)
    assert (await client.get(path)).json() == account
    assert not any(secret in text for text in shown)


@pytest.mark.parametrize("form", ["Bearer {}", "{}", "Api-Key {}"])
async def test_key_of_a_new_service_account_counts_in_every_form(client: httpx.AsyncClient, form: str) -> None:
    account = await made(client, "/service-accounts", {"label": "robot", "deployment": FAR})
    assert account["role"] == "viewer"
    assert await status(client, form.format(account["api_key"])) == 200


async def test_service_account_is_changed_field_by_field(client: httpx.AsyncClient) -> None:
    account = await made(client, "/service-accounts", WHOLE)
    path = f"{ROOT}/service-accounts/{account['id']}"
    changed = (await client.patch(path, json={"label": "Other", "rate_limit": None})).json()
    assert (changed["label"], changed["rate_limit"]) == ("Other", None)
    assert (changed["dags"], changed["networks"], changed["role"]) == (account["dags"], account["networks"], "editor")
    changed = (await client.patch(path, json={"dags": None, "networks": [], "role": "viewer"})).json()
    assert (changed["dags"], changed["networks"], changed["role"]) == (None, [], "viewer")
    assert changed["expires_at"] == account["expires_at"]
    assert (await client.patch(path, json={})).json()["label"] == "Other"


async def test_service_accounts_are_listed_by_place(two_deployments: NativeWorld, client: httpx.AsyncClient) -> None:
    for label, scope in {"here": AT_LOCAL, "there": AT_FAR, "lab": IN_LAB}.items():
        await two_deployments.machine(label, "viewer", scope)

    async def labels(query: str) -> list[str]:
        return [item["label"] for item in (await client.get(f"{ROOT}/service-accounts{query}")).json()["items"]]

    assert await labels("") == ["lab", "there", "here"]
    assert await labels(f"?deployment={FAR}") == ["there"]
    assert await labels("?workspace=lab") == ["lab"]
    assert await labels("?deployment=nowhere") == []
    assert (await client.get(f"{ROOT}/service-accounts?deployment={FAR}&workspace=lab")).status_code == 400


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"role": "emperor"}, "role_unknown"),
        ({"deployment": "nowhere"}, "scope_unknown"),
        ({"role": "WORKSPACE_ADMIN"}, "role_unknown"),
        ({"networks": ["10.0.0.0/99"]}, "limits"),
        ({"label": ""}, "label"),
    ],
)
async def test_service_account_nobody_could_use_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any], code: str
) -> None:
    reply = await client.post(f"{ROOT}/service-accounts", json={"label": "robot", "deployment": FAR, **change})
    assert (reply.status_code, reply.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"role": "admin"}, "permissions_beyond"),
        ({"deployment": LOCAL}, "scope_beyond"),
        ({"deployment": None}, "scope_beyond"),
    ],
)
async def test_nobody_grants_what_they_do_not_have(
    two_deployments: NativeWorld, change: dict[str, Any], code: str
) -> None:
    _, editor = await two_deployments.machine("editor", "editor", AT_FAR)
    async with two_deployments.client(editor) as client:
        await made(client, "/service-accounts", {"label": "mine", "role": "editor", "deployment": FAR})
        reply = await client.post(f"{ROOT}/service-accounts", json={"label": "more", "deployment": FAR, **change})
    assert (reply.status_code, reply.json()["code"]) == (403, code)


async def test_who_is_limited_to_some_dags_makes_no_service_account(two_deployments: NativeWorld) -> None:
    limits = Limits(dags=(DagGrant("*", tuple(DagVerb)),))
    _, limited = await two_deployments.machine("limited", "admin", AT_FAR, limits=limits)
    async with two_deployments.client(limited) as client:
        reply = await client.post(f"{ROOT}/service-accounts", json={"label": "more", "deployment": FAR})
        assert reply.status_code == 403
        assert (await client.get(f"{ROOT}/me")).status_code == 200


# ---------------------------------------------------------------------------------------------------------------- keys


async def test_keys_are_rotated(client: httpx.AsyncClient) -> None:
    account = await made(client, "/service-accounts", {"label": "robot", "deployment": FAR})
    path = f"/identities/{account['id']}/keys"
    second = await made(client, path, {"label": "second", "expires_at": "2031-01-01T00:00:00Z"})
    assert (second["label"], second["expires_at"]) == ("second", "2031-01-01T00:00:00Z")
    keys = (await client.get(ROOT + path)).json()["items"]
    assert [key["id"] for key in keys] == [second["id"], account["key"]["id"]]
    assert await status(client, account["api_key"]) == 200
    assert (await client.delete(f"{ROOT}{path}/{account['key']['id']}")).status_code == 204
    assert [await status(client, key) for key in (account["api_key"], second["api_key"])] == [401, 200]
    assert (await client.delete(f"{ROOT}{path}/{account['key']['id']}")).json()["code"] == "key_not_found"


async def test_person_keeps_their_own_keys_and_nobody_elses(two_deployments: NativeWorld) -> None:
    ada, password = await two_deployments.person("ada", Role.VIEWER)
    eve, _ = await two_deployments.person("eve", Role.VIEWER)
    async with two_deployments.client(password) as client:
        key = await made(client, f"/identities/{ada.id}/keys", {})
        assert await status(client, key["api_key"]) == 200
        assert len((await client.get(f"{ROOT}/identities/{ada.id}/keys")).json()["items"]) == 1
        assert (await client.delete(f"{ROOT}/identities/{ada.id}/keys/{key['id']}")).status_code == 204
        foreign = f"{ROOT}/identities/{eve.id}/keys"
        answers = [await client.get(foreign), await client.post(foreign, json={})]
    assert [reply.status_code for reply in answers] == [403, 403]


async def test_key_is_not_found_under_another_identity(two_deployments: NativeWorld) -> None:
    ada, _ = await two_deployments.person("ada", Role.VIEWER)
    async with two_deployments.client() as client:
        account = await made(client, "/service-accounts", {"label": "robot", "deployment": FAR})
        reply = await client.delete(f"{ROOT}/identities/{ada.id}/keys/{account['key']['id']}")
        assert (reply.status_code, reply.json()["code"]) == (404, "key_not_found")
        assert await status(client, account["api_key"]) == 200


# --------------------------------------------------------------------------------------------------------------- roles


async def test_own_role_is_made_used_changed_and_deleted(two_deployments: NativeWorld) -> None:
    async with two_deployments.client() as client:
        role = await made(client, "/roles", {"name": "Pool keeper", "permissions": ["pools.read", "pools.edit"]})
        assert role == {"name": "Pool keeper", "permissions": ["pools.edit", "pools.read"], "built_in": False}
        identity, keeper = await two_deployments.person("ada", "Pool keeper")
        path = f"{ROOT}/roles/Pool%20keeper"
        in_use = await client.delete(path)
        assert (in_use.status_code, in_use.json()["code"]) == (409, "role_in_use")
        changed = await client.patch(path, json={"name": "Pools", "permissions": ["pools.read"]})
        assert changed.json() == {"name": "Pools", "permissions": ["pools.read"], "built_in": False}
        me = (await client.get(f"{ROOT}/me", headers={"authorization": keeper})).json()
        assert (me["identity"]["roles"], me["permissions"]) == (["Pools"], ["pools.read"])
        await client.delete(f"{ROOT}/users/{identity.id}")
        assert (await client.delete(f"{ROOT}/roles/Pools")).status_code == 204
        assert (await client.get(f"{ROOT}/roles/Pools")).json()["code"] == "role_not_found"


async def test_built_in_roles_are_fixed(client: httpx.AsyncClient) -> None:
    path = f"{ROOT}/roles/Viewer"
    answers = [await client.delete(path), await client.patch(path, json={"permissions": []})]
    answers.append(await client.post(f"{ROOT}/roles", json={"name": "Viewer", "permissions": []}))
    assert [(reply.status_code, reply.json()["code"]) for reply in answers] == [
        (409, "role_fixed"),
        (409, "role_fixed"),
        (409, "role_exists"),
    ]


async def test_administrator_of_a_deployment_reads_roles_and_changes_none(two_deployments: NativeWorld) -> None:
    new = NewPerson(name="boss", password="pw", roles=(Role.ADMIN.value,), scope=AT_FAR)
    await two_deployments.access.accounts.create_person(two_deployments.root, new)
    async with two_deployments.client(basic("boss", "pw")) as client:
        assert (await client.get(f"{ROOT}/roles")).status_code == 200
        answers = [
            await client.post(f"{ROOT}/roles", json={"name": "x", "permissions": []}),
            await client.patch(f"{ROOT}/roles/Viewer", json={}),
            await client.delete(f"{ROOT}/roles/Viewer"),
        ]
    assert [reply.status_code for reply in answers] == [403] * 3
