"""Signing in as Airflow 3's clients do: what was recorded with Airflow 3.3, and what Airgate does better."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from airgate.access.throttle import FREE_GUESSES
from airgate.http.server import build_app
from airgate.model.audit import AuditEntry
from airgate.model.identity import Limits, Role
from airgate.store.database import Database
from tests.support.access_house import House
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import recorded_world, services_for

TOKEN = "/auth/token"
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Remembered:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    def refused(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


@pytest.fixture
def house(sqlite_database: Database) -> House:
    return House(sqlite_database)


@pytest.fixture
def audit() -> Remembered:
    return Remembered()


@pytest.fixture
def world() -> World:
    return recorded_world()


@pytest.fixture
async def client(house: House, audit: Remembered, world: World) -> AsyncIterator[httpx.AsyncClient]:
    services = services_for(
        world, access=house.access, accounts=house.accounts, roles=house.roles, tokens=house.access, audit=audit
    )
    local = world.deployment()
    app = build_app(deployments={"local": local}, default="local", services=services, max_body=2000)
    transport = httpx.ASGITransport(app, client=("10.0.0.1", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://airgate") as client:
        yield client


async def post(client: httpx.AsyncClient, body: Any, path: str = TOKEN, **headers: str) -> httpx.Response:
    if isinstance(body, dict):
        return await client.post(path, json=body, headers=headers)
    return await client.post(path, content=body, headers={"content-type": "application/json"} | headers)


@pytest.mark.parametrize("path", [TOKEN, f"{TOKEN}/cli", "/local/airflow/auth/token"])
async def test_sign_in_gives_a_token_that_every_dialect_takes(
    client: httpx.AsyncClient, house: House, path: str
) -> None:
    await house.person("admin", Role.ADMIN, "pw")
    answer = await post(client, {"username": "admin", "password": "pw"}, path)
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    assert answer.json().keys() == {"access_token"}
    header = {"authorization": f"Bearer {answer.json()['access_token']}"}
    for url in ("/api/v1/pools", "/api/experimental/pools", "/batch/api/v1/dags", "/airgate/v1/me"):
        assert (await client.get(url, headers=header)).status_code == 200, url


async def test_sign_in_takes_a_form(client: httpx.AsyncClient, house: House) -> None:
    await house.person("admin", Role.ADMIN, "p w&")
    answer = await client.post(TOKEN, data={"username": "admin", "password": "p w&"})
    assert answer.status_code == 201


async def test_service_account_signs_in_with_its_name_and_key(client: httpx.AsyncClient, house: House) -> None:
    made = await house.machine()
    answer = await post(client, {"username": made.identity.name, "password": made.issued.secret})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"username": "admin", "password": "bad"}, 401, "Invalid credentials"),
        ({"username": "nobody", "password": "pw"}, 401, "Invalid credentials"),
        ({"username": "x" * 1000, "password": "pw"}, 401, "Invalid credentials"),
        ({"username": "", "password": ""}, 400, "Username and password must be provided"),
    ],
)
async def test_refusal_is_said_in_the_words_of_airflow(
    client: httpx.AsyncClient, house: House, body: dict[str, str], status: int, detail: str
) -> None:
    await house.person("admin", Role.ADMIN, "pw")
    answer = await post(client, body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"username": "admin"}, "1 validation error for LoginBody\npassword\n  Field required"),
        ({}, "2 validation errors for LoginBody\nusername\n  Field required"),
        ({"username": "a", "password": "b", "bogus": 1}, "bogus\n  Extra inputs are not permitted"),
        ({"username": "a", "password": 7}, "password\n  Input should be a valid string"),
        (b"[]", "JSON object"),
        (b'"x"', "JSON object"),
        (b"null", "JSON object"),
    ],
)
async def test_body_of_another_shape_is_unprocessable(client: httpx.AsyncClient, body: Any, said: str) -> None:
    answer = await post(client, body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"{bad", b"", b'{"username": "a\\u0000b", "password": "x"}', b'{"username": "\\ud800"}']
)
async def test_body_that_is_no_json_is_a_clear_error_and_none_of_the_servers(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await post(client, body)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", ["username=a%00b&password=x", "username=%ff&password=%ff", "username=a&password=%ed%a0%80"]
)
async def test_form_with_odd_characters_signs_nobody_in(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.post(TOKEN, content=body, headers=FORM)
    assert answer.status_code == 401


async def test_other_content_type_is_not_supported(client: httpx.AsyncClient) -> None:
    answer = await client.post(TOKEN, content="x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json() == {"detail": "Only application/json or application/x-www-form-urlencoded is supported"}


async def test_body_beyond_the_limit_is_too_large(client: httpx.AsyncClient) -> None:
    assert (await post(client, {"username": "a", "password": "x" * 3000})).status_code == 413


@pytest.mark.parametrize("path", [TOKEN, f"{TOKEN}/login"])
async def test_token_for_nobody_is_forbidden(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 403
    assert "simple_auth_manager_all_admins" in answer.json()["detail"]


async def test_other_paths_and_methods_are_said_as_json(client: httpx.AsyncClient) -> None:
    assert (await client.get("/auth/nothing")).json() == {"detail": "Not Found"}
    answer = await client.delete(TOKEN)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert "POST" in answer.headers["allow"]


async def test_sign_in_from_another_network_is_forbidden(client: httpx.AsyncClient, house: House) -> None:
    await house.person("ada", limits=Limits(networks=("192.0.2.0/24",)))
    answer = await post(client, {"username": "ada", "password": "right"})
    assert answer.status_code == 403
    assert "10.0.0.1" in answer.json()["detail"]


async def test_guessing_is_slowed_down_here_as_everywhere(client: httpx.AsyncClient, house: House) -> None:
    await house.person("ada")
    for number in range(FREE_GUESSES):
        await post(client, {"username": "ada", "password": f"guess {number}"})
    assert (await post(client, {"username": "ada", "password": "right"})).status_code == 401
    house.steady += 1.0
    assert (await post(client, {"username": "ada", "password": "right"})).status_code == 201


@pytest.mark.parametrize("body", [{"password": "hunter2"}, {"username": "a", "password": "hunter2", "x": 1}])
async def test_password_is_never_repeated_in_an_answer(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert "hunter2" not in (await post(client, body)).text


async def test_sign_ins_are_audited_without_what_was_proven(
    client: httpx.AsyncClient, house: House, audit: Remembered
) -> None:
    await house.person("ada")
    secret = await house.key(await house.person("eve"))
    for username, password in (("ada", "right"), ("ada", "hunter2"), (secret, "x")):
        await post(client, {"username": username, "password": password})
    assert [(entry.event, entry.status, entry.actor) for entry in audit.entries] == [
        ("sign_in", 201, "ada"),
        ("sign_in", 401, "ada"),
        ("sign_in", 401, None),
    ]
    assert all(proof not in repr(audit.entries) for proof in ("right", "hunter2", secret))
