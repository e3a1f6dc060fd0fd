"""Rate limits on the wire, in every dialect: headers on each reply, and 429 for who asks too often."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from airgate.http.checks import ADMITTED, AUTHENTICATED
from airgate.http.operations import Dialect
from airgate.http.server import DIALECTS, build_app
from airgate.model.identity import EVERYWHERE, Limits, RateLimit
from airgate.store.database import Database
from tests.support.access_house import House
from tests.support.stable_v1_world import recorded_world, services_for

URLS = ["/api/v1/dags", "/api/experimental/dags/hello/dag_runs", "/batch/api/v1/dags", "/airgate/v1/me"]


@pytest.fixture
def house(sqlite_database: Database) -> House:
    return House(sqlite_database)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    world = recorded_world()
    services = services_for(world, access=house.access, accounts=house.accounts, roles=house.roles, tokens=house.access)
    app = build_app(deployments={"local": world.deployment()}, default="local", services=services)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airgate") as client:
        yield client


async def limited(house: House, requests: int, seconds: int) -> dict[str, str]:
    made = await house.machine(scope=EVERYWHERE, limits=Limits(rate=RateLimit(requests, seconds)))
    return {"authorization": f"Bearer {made.issued.secret}"}


@pytest.mark.parametrize("url", URLS)
async def test_limited_identity_hears_how_it_stands_and_when_to_come_again(
    client: httpx.AsyncClient, house: House, url: str
) -> None:
    header = await limited(house, 2, 60)

    first, second, third = [await client.get(url, headers=header) for _ in range(3)]

    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in (first, second, third)} == {'"default";q=2;w=60'}
    assert first.headers["ratelimit"] == '"default";r=1;t=30'
    assert second.headers["ratelimit"] == third.headers["ratelimit"] == '"default";r=0;t=60'
    assert "retry-after" not in second.headers
    assert third.headers["retry-after"] == "30"
    assert third.headers["content-type"].endswith("json")

    house.steady += 30
    assert (await client.get(url, headers=header)).status_code == 200


async def test_refused_requests_count_and_say_so_too(client: httpx.AsyncClient, house: House) -> None:
    header = await limited(house, 1, 1)
    refused = await client.get("/api/v1/variables", headers=header)
    assert refused.status_code == 403
    assert refused.headers["ratelimit"] == '"default";r=0;t=1'
    assert (await client.get("/api/v1/dags", headers=header)).status_code == 429


async def test_dialects_share_the_limit(client: httpx.AsyncClient, house: House) -> None:
    header = await limited(house, len(URLS) - 1, 60)
    assert [(await client.get(url, headers=header)).status_code for url in URLS] == [*[200] * (len(URLS) - 1), 429]


async def test_unlimited_identity_hears_nothing_of_limits(client: httpx.AsyncClient, house: House) -> None:
    made = await house.machine(scope=EVERYWHERE)
    answer = await client.get("/api/v1/dags", headers={"authorization": made.issued.secret})
    assert answer.status_code == 200
    assert not {"ratelimit", "ratelimit-policy", "retry-after"} & answer.headers.keys()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_dialect_admits_directly_before_it_authorizes(dialect: Dialect) -> None:
    guarded = any(operation.permission is not None for operation in dialect.operations)
    steps = [check.run for check in dialect.checks]
    assert (ADMITTED.run in steps) is guarded
    if AUTHENTICATED.run in steps:
        assert steps.index(ADMITTED.run) == steps.index(AUTHENTICATED.run) + 1
