from __future__ import annotations

import httpx
import pytest
from msgspec.structs import replace

from airgate.access.decisions import Caller
from airgate.deployments.ports import Deployment, Health
from airgate.http.server import build_app
from airgate.model.dag import DagSpec, ImportFailure
from airgate.model.errors import PermissionDenied, RateLimited, Unavailable
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.query import DagFilter, Listing, Order, Page
from tests.support.memory_deployment import Dags, World
from tests.support.stable_v1_world import (
    ADMIN,
    PEOPLE,
    START,
    MemoryAuditor,
    PasswordList,
    caller_of,
    dag_of,
    recorded_world,
    run_of,
    services_for,
)


async def get(
    path: str, authorization: str | None = None, world: World | None = None, **services: object
) -> httpx.Response:
    world = world or recorded_world()
    return await ask(path, authorization, world, world.deployment(), **services)


async def ask(
    path: str, authorization: str | None, world: World, deployment: Deployment, **services: object
) -> httpx.Response:
    app = build_app(deployments={"local": deployment}, default="local", services=services_for(world, **services))
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gate:8080") as client:
        return await client.get(path, headers=headers)


async def broken(_: Deployment) -> Health:
    return Health(store=False, scheduler=True)


async def test_page_shows_health_and_the_curl_line_to_everybody() -> None:
    page = await get("/")
    assert page.status_code == 200
    assert "healthy" in page.text
    assert "curl -X POST http://gate:8080/api/v1/dags/YOUR_DAG/dagRuns" in page.text


async def test_page_names_no_dag_to_strangers() -> None:
    page = await get("/")
    assert "nosched" not in page.text
    assert "hello" not in page.text


async def test_page_names_dags_and_runs_to_those_signed_in() -> None:
    page = await get("/", ADMIN)
    assert "nosched" in page.text
    assert "scheduled__2026-11-20T00:00:00+00:00" in page.text
    assert "/api/v1/dags/consumer/dagRuns" in page.text


async def test_sign_in_makes_the_browser_ask_for_a_password() -> None:
    page = await get("/?signin")
    assert page.status_code == 401
    assert page.headers["www-authenticate"].startswith("Basic ")
    assert (await get("/?signin", ADMIN)).status_code == 200


async def test_page_escapes_what_dag_files_and_callers_chose() -> None:
    world = recorded_world()
    evil = "<script>alert(1)</script>"
    world.dags = {evil: dag_of(DagSpec(dag_id=evil))}
    world.failures[1] = ImportFailure(1, "<b>.py", START, "Traceback\nValueError: <i>")
    key, run = next(iter(world.runs.items()))
    world.runs[key] = replace(run, run_id=evil)
    text = (await get("/", ADMIN, world)).text
    assert "<script" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text


async def test_page_allows_nothing_from_elsewhere() -> None:
    page = await get("/", ADMIN)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text


async def test_page_says_so_when_the_store_is_gone() -> None:
    class Gone(Dags):
        async def list(self, which: DagFilter, order: Order, page: Page) -> Listing[object]:  # type: ignore[override]
            raise Unavailable("The database is locked")

    world = recorded_world()
    deployment = replace(world.deployment(), dags=Gone(world))
    page = await ask("/", ADMIN, world, deployment, health=broken)
    assert page.status_code == 503
    assert "The database is locked" in page.text
    assert "unhealthy" in page.text


async def test_health_is_for_load_balancers() -> None:
    assert (await get("/health")).status_code == 200
    unwell = await get("/health", health=broken)
    assert (unwell.status_code, unwell.json()["metadatabase"]["status"]) == (503, "unhealthy")


async def test_unknown_pages_are_not_found() -> None:
    assert (await get("/nothing")).status_code == 404


@pytest.mark.parametrize(("authorization", "status"), [("Basic ZXZlOmd1ZXNz", 401), ("barred", 403), ("hasty", 429)])
async def test_a_wrong_credential_at_the_page_is_a_refusal_in_the_audit_log(authorization: str, status: int) -> None:
    class Wary(PasswordList):
        async def authenticate(self, authorization: str | None, address: str | None = None) -> Caller | None:
            if authorization == "barred":
                raise PermissionDenied("not from here")
            if authorization == "hasty":
                raise RateLimited("too many guesses")
            return await super().authenticate(authorization, address)

    audit = MemoryAuditor()
    page = await get("/", authorization, audit=audit, access=Wary(PEOPLE))
    (entry,) = audit.refusals
    assert (page.status_code, entry.status, entry.event) == (200, status, "get_page")
    assert entry.actor == ("eve" if status == 401 else None)


async def test_a_look_without_a_credential_and_one_with_a_right_one_are_no_refusals() -> None:
    audit = MemoryAuditor()
    for authorization in (None, ADMIN):
        await get("/", authorization, audit=audit)
    assert audit.refusals == []


async def test_page_shows_an_identity_limited_to_some_dags_no_others() -> None:
    world, access = recorded_world(), PasswordList(PEOPLE)
    grants = (DagGrant("cons*", (DagVerb.READ,)),)
    access.add("limited", caller_of("limited", Role.ADMIN, limits=Limits(dags=grants)))
    page = await get("/", "limited", world, access=access)
    assert "consumer" in page.text
    assert "nosched" not in page.text
    assert "hello" not in page.text


async def test_page_shows_a_limited_identity_its_runs_however_many_others_are_newer_and_no_file() -> None:
    world, access = recorded_world(), PasswordList(PEOPLE)
    grants = (DagGrant("hello", (DagVerb.READ,)),)
    access.add("limited", caller_of("limited", Role.ADMIN, limits=Limits(dags=grants)))
    world.failures[1] = ImportFailure(1, "payroll.py", START, "Traceback\nValueError: payroll")
    for number in range(30):
        world.put_run(run_of("slow", f"newer{number}"))
    page = await get("/", "limited", world, access=access)
    assert "scheduled__2026-11-20T00:00:00+00:00" in page.text
    assert "payroll" not in page.text
    assert "payroll.py" in (await get("/", ADMIN, world, access=access)).text
