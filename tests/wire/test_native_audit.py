"""The audit log through the native dialect: what it keeps of native requests, and who sees what of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from airgate.model.identity import DagGrant, DagVerb, Limits, Role, Scope
from tests.support.native_world import AT_FAR, FAR, IN_LAB, LOCAL, NativeWorld, basic

ROOT = "/airgate/v1"


@pytest.fixture
async def client(two_deployments: NativeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with two_deployments.client() as opened:
        yield opened


async def entries(client: httpx.AsyncClient, **query: str | int) -> list[dict[str, Any]]:
    reply = await client.get(f"{ROOT}/audit", params=query)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_write_is_in_the_log_when_it_is_answered(client: httpx.AsyncClient) -> None:
    account = (await client.post(f"{ROOT}/service-accounts", json={"label": "robot", "deployment": FAR})).json()
    (entry,) = await entries(client)
    assert (entry["actor"], entry["outcome"], entry["status"]) == ("admin", "done", 201)
    assert (entry["dialect"], entry["method"], entry["path"]) == ("native", "POST", f"{ROOT}/service-accounts")
    assert entry["extra"]["label"] == "robot"
    assert entry["at"].endswith("Z")
    assert account["api_key"] not in str(entry)


async def test_request_that_was_wrong_is_in_the_log_as_failed(client: httpx.AsyncClient) -> None:
    await client.post(f"{ROOT}/roles", json={"name": "Viewer", "permissions": []})
    (entry,) = await entries(client, outcome="failed")
    assert (entry["status"], entry["extra"]["name"]) == (409, "Viewer")


async def test_reading_leaves_no_trace(client: httpx.AsyncClient) -> None:
    for path in ("/me", "/users", "/roles", "/deployments", "/audit"):
        assert (await client.get(ROOT + path)).status_code == 200
    assert await entries(client) == []


async def test_like_refusals_are_one_entry_with_a_count(
    two_deployments: NativeWorld, client: httpx.AsyncClient
) -> None:
    _, viewer = await two_deployments.person("vera", Role.VIEWER)
    for _ in range(3):
        reply = await client.get(f"{ROOT}/users", headers={"authorization": viewer})
        assert reply.status_code == 403
    await two_deployments.audit.flush()
    (entry,) = await entries(client, actor="vera")
    assert (entry["outcome"], entry["status"], entry["count"]) == ("refused", 403, 3)


async def test_no_secret_is_in_the_log(two_deployments: NativeWorld, client: httpx.AsyncClient) -> None:
    ada = await client.post(f"{ROOT}/users", json={"name": "ada", "password": "hush-hush", "roles": ["Viewer"]})
    await client.patch(f"{ROOT}/users/{ada.json()['id']}", json={"password": "more-hush"})
    await client.get(f"{ROOT}/me", headers={"authorization": basic("ada", "wrong-hush")})
    key = (await client.post(f"{ROOT}/identities/{ada.json()['id']}/keys", json={})).json()["api_key"]
    await client.get(f"{ROOT}/users", headers={"authorization": f"Bearer {key}"})
    await two_deployments.audit.flush()
    text = str(await entries(client))
    assert "post_user" in text
    assert "hush" not in text
    assert key not in text


async def test_log_is_filtered_and_paged_newest_first(client: httpx.AsyncClient) -> None:
    for name in ("one", "two", "three"):
        await client.post(f"{ROOT}/roles", json={"name": name, "permissions": []})
    await client.delete(f"{ROOT}/roles/one")
    assert [entry["event"] for entry in await entries(client)] == ["delete_role", *["post_role"] * 3]
    first = (await client.get(f"{ROOT}/audit?event=post_role&limit=2")).json()
    assert [entry["extra"]["name"] for entry in first["items"]] == ["three", "two"]
    query = {"event": "post_role", "limit": 2, "after": first["next"]}
    second = (await client.get(f"{ROOT}/audit", params=query)).json()
    assert [entry["extra"]["name"] for entry in second["items"]] == ["one"]
    assert second["next"] is None


async def test_dates_bound_the_log_from_the_first_and_below_the_second(client: httpx.AsyncClient) -> None:
    for name in ("one", "two", "three"):
        await client.post(f"{ROOT}/roles", json={"name": name, "permissions": []})
    three, two, one = await entries(client)
    found = await entries(client, since=one["at"], until=three["at"])
    assert [entry["id"] for entry in found] == [two["id"], one["id"]]


async def test_trigger_that_failed_is_in_the_log_with_its_deployment_and_dag(client: httpx.AsyncClient) -> None:
    reply = await client.post(f"{ROOT}/deployments/{FAR}/triggers", json={"dag_id": "unknown"})
    assert reply.status_code == 404
    (entry,) = await entries(client, deployment=FAR)
    assert (entry["event"], entry["dag_id"], entry["outcome"]) == ("post_dag_run", "unknown", "failed")
    assert await entries(client, deployment=LOCAL) == []


@pytest.mark.parametrize("scope", [AT_FAR, IN_LAB], ids=["deployment", "workspace"])
async def test_limited_scope_sees_what_concerns_its_deployments(two_deployments: NativeWorld, scope: Scope) -> None:
    _, admin = await two_deployments.person("boss", Role.ADMIN, scope=scope)
    async with two_deployments.client() as client:
        await client.post(f"{ROOT}/roles", json={"name": "own", "permissions": []})
        for deployment in (FAR, LOCAL):
            await client.patch(f"/{deployment}/airflow/api/v1/dags/nosched", json={"is_paused": False})
        assert [entry["deployment"] for entry in await entries(client)] == [LOCAL, FAR, None]
        client.headers["authorization"] = admin
        assert [entry["deployment"] for entry in await entries(client)] == [FAR]
        assert [entry["deployment"] for entry in await entries(client, deployment=FAR)] == [FAR]
        assert await entries(client, deployment=LOCAL) == []
        assert await entries(client, deployment="nowhere") == []


async def test_who_is_limited_to_some_dags_does_not_read_the_log(two_deployments: NativeWorld) -> None:
    limits = Limits(dags=(DagGrant("*", tuple(DagVerb)),))
    _, limited = await two_deployments.person("lim", Role.ADMIN, limits=limits)
    async with two_deployments.client(limited) as client:
        assert (await client.get(f"{ROOT}/audit")).status_code == 403
