"""Hooks by HTTP: what a sender is answered, and what becomes of it."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from msgspec.structs import replace

from airgate.http.server import build_app
from airgate.model.audit import AuditEntry, Outcome
from airgate.model.errors import Unavailable
from airgate.model.query import Order, Page, RunFilter
from airgate.model.trigger import Accepted, TriggerRequest
from airgate.model.webhook import BlockWindow, Hook, HookScheme
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.mail import NoMailer
from airgate.orchestration.sender import Sender
from airgate.orchestration.service import Around, Orchestration
from airgate.store import runs
from airgate.store.database import Database
from tests.support.clock import Clock
from tests.support.memory_deployment import new_id
from tests.support.stable_v1_world import MemoryAuditor, recorded_world, services_for
from tests.support.stored_world import stored

SECRET = "a secret of the tests"
MAX_BODY = 2000


class House(NamedTuple):
    client: httpx.AsyncClient
    orchestration: Orchestration
    database: Database
    audit: MemoryAuditor
    clock: Clock

    async def hook(self, **changes: Any) -> Hook:
        now = self.clock()
        given = Hook(
            id=new_id(),
            workspace_id=DEFAULT_WORKSPACE_ID,
            name="orders",
            scheme=HookScheme.GITHUB,
            deployment="local",
            dag_id="hello",
            created_at=now,
            updated_at=now,
        )
        made, _ = await self.orchestration.hooks.create(DEFAULT_WORKSPACE_ID, replace(given, **changes), SECRET, "ada")
        return made

    async def post(
        self, body: bytes = b'{"n": 1}', *, delivery: str = "d-1", secret: str = SECRET, path: str = "orders"
    ) -> httpx.Response:
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {
            "x-hub-signature-256": f"sha256={signature}",
            "x-github-delivery": delivery,
            "content-type": "application/json",
        }
        return await self.client.post(f"/hooks/{path}", content=body, headers=headers)

    async def run_ids(self) -> set[str]:
        listing = await self.database.read(runs.list_runs, RunFilter(dag_ids=("hello",)), Order("seq"), Page(1000))
        return {run.run_id for run in listing.items}


class AwayTriggers:
    async def accept(self, deployment: Any, request: TriggerRequest, audit: AuditEntry | None = None) -> Accepted:
        raise Unavailable("The database is away.", retry_after=3.2)


async def open_house(folder: Path, **changes: Any) -> AsyncIterator[House]:
    world = recorded_world()
    clock = Clock()
    async with stored(world, folder) as there:
        deployments = {there.deployment.name: there.deployment}
        around = Around(
            database=there.database,
            deployments=deployments,
            embedded=there.deployment.name,
            address="http://airgate",
            start_run=_never,
            mailer=NoMailer(),
            tell_owner=_never,
            clock=clock,
            new_id=new_id,
            random_bytes=secrets.token_bytes,
            random_text=secrets.token_urlsafe,
            chance=lambda: 0.5,
            sender=Sender(),
        )
        orchestration = Orchestration(around, blocks_changed=lambda: None)
        audit = MemoryAuditor()
        given = {"triggers": there.triggers, "audit": audit, "orchestration": orchestration}
        services = services_for(world, deployments=deployments, **(given | changes))
        app = build_app(deployments=deployments, default="local", services=services, max_body=MAX_BODY)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://airgate") as client:
            yield House(client, orchestration, there.database, audit, clock)


async def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("nobody asks for this here")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async for one in open_house(tmp_path):
        yield one


async def test_signed_delivery_starts_a_run_with_what_it_says(house: House) -> None:
    await house.hook(conf={"order": "${{payload.n}}"})
    answer = await house.post()
    assert answer.status_code == 200
    assert answer.json() == {"run_id": answer.json()["run_id"], "dag_id": "hello", "created": True}
    run = await house.database.read(runs.get, "hello", answer.json()["run_id"])
    assert run.conf == {"order": 1}
    assert run.triggering_user == "hook orders"


async def test_delivery_that_comes_again_is_answered_with_its_run(house: House) -> None:
    await house.hook()
    first, again = await house.post(), await house.post()
    assert again.json() == first.json() | {"created": False}
    other = await house.post(delivery="d-2")
    assert other.json()["created"]
    assert other.json()["run_id"] != first.json()["run_id"]


async def test_same_delivery_with_another_payload_is_a_conflict(house: House) -> None:
    await house.hook()
    await house.post()
    answer = await house.post(b'{"n": 2}')
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


async def test_wrong_signature_and_no_signature_are_answered_alike_and_start_never(house: House) -> None:
    await house.hook()
    before = await house.run_ids()
    wrong = await house.post(secret="another secret")
    missing = await house.client.post("/hooks/orders", content=b"{}")
    assert (wrong.status_code, missing.status_code) == (401, 401)
    assert wrong.json() == missing.json()
    assert wrong.headers["content-type"] == "application/problem+json"
    assert await house.run_ids() == before


async def test_reason_of_a_refusal_is_in_the_audit_log_alone(house: House) -> None:
    await house.hook()
    await house.client.post("/hooks/orders", content=b"{}")
    (entry,) = house.audit.refusals
    assert (entry.event, entry.outcome, entry.actor) == ("receive_hook", Outcome.REFUSED, None)
    assert entry.extra["reason"] == "The header x-hub-signature-256 is missing."


async def test_unknown_hook_and_one_switched_off_are_not_found(house: House) -> None:
    await house.hook(is_active=False)
    for path in ("orders", "none", "a/b", ""):
        answer = await house.post(path=path)
        assert (answer.status_code, answer.json()["code"]) == (404, "hook_not_found")


async def test_hook_takes_never_but_post(house: House) -> None:
    await house.hook()
    answer = await house.client.get("/hooks/orders")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_payload_that_does_not_fit_is_refused(house: House) -> None:
    await house.hook(conf={"order": "${{payload.order.id}}"})
    assert (await house.post()).json()["code"] == "hook_template"
    assert (await house.post(b"{")).json()["code"] == "hook_payload"
    assert (await house.post(b"{")).status_code == 400


@pytest.mark.parametrize(
    "body", [b'{"a": "\\u0000"}', b'{"a": 99999999999999999999}', b"[" * 900 + b"]" * 900, b"\xff", b"NaN"]
)
async def test_payload_that_could_not_be_kept_is_refused(house: House, body: bytes) -> None:
    await house.hook()
    answer = await house.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "hook_payload")


@pytest.mark.parametrize("run_id", ["", "a/b\n", "x" * 300, "schön"])
async def test_run_id_that_the_payload_gives_is_taken_or_refused(house: House, run_id: str) -> None:
    await house.hook(run_id="${{payload.id}}")
    answer = await house.post(json.dumps({"id": run_id}).encode())
    assert answer.status_code in (200, 400)


async def test_answer_says_until_when_the_run_is_blocked(house: House) -> None:
    await house.hook()
    now = house.clock()
    window = BlockWindow(
        id=new_id(), workspace_id=DEFAULT_WORKSPACE_ID, name="w", weekdays=tuple(range(7)), start=time(11),
        end=time(13), created_at=now, updated_at=now,
    )  # fmt: skip
    await house.orchestration.blocks.create(DEFAULT_WORKSPACE_ID, window)
    assert (await house.post()).json()["blocked_until"] == "2026-03-01T13:00:00Z"


async def test_body_that_is_too_large_is_refused(house: House) -> None:
    await house.hook()
    answer = await house.post(b'"' + b"x" * MAX_BODY + b'"')
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_dag_that_is_gone_is_not_found(house: House) -> None:
    await house.hook(dag_id="gone")
    answer = await house.post()
    assert (answer.status_code, answer.json()["code"]) == (404, "dag_not_found")


async def test_sender_is_asked_to_come_again_when_never_can_be_kept(tmp_path: Path) -> None:
    async for house in open_house(tmp_path, triggers=AwayTriggers()):
        await house.hook()
        answer = await house.post()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "4")


async def test_ping_of_github_starts_never(house: House) -> None:
    await house.hook()
    before = await house.run_ids()
    signature = hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}", "x-github-event": "ping"}
    answer = await house.client.post("/hooks/orders", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"pong": "orders"})
    assert await house.run_ids() == before


async def test_challenge_of_slack_is_echoed_when_it_is_signed(house: House) -> None:
    await house.hook(scheme=HookScheme.SLACK)
    body = b'{"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB"}'
    stamp = str(int(house.clock().timestamp()))
    signature = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signature}"}
    answer = await house.client.post("/hooks/orders", content=body, headers=headers)
    assert answer.json() == {"challenge": "3eZbrw1aB"}
    unsigned = await house.client.post("/hooks/orders", content=body)
    assert unsigned.status_code == 401


async def test_old_delivery_is_not_taken_again(house: House) -> None:
    await house.hook(scheme=HookScheme.SLACK)
    stamp = str(int(house.clock().timestamp()))
    signature = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + b"{}", "sha256").hexdigest()
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signature}"}
    assert (await house.client.post("/hooks/orders", content=b"{}", headers=headers)).status_code == 200
    house.clock.pass_(301)
    assert (await house.client.post("/hooks/orders", content=b"{}", headers=headers)).status_code == 401


async def test_secret_before_the_present_one_is_good_for_a_day(house: House) -> None:
    hook = await house.hook()
    await house.orchestration.hooks.update(DEFAULT_WORKSPACE_ID, hook.id, "the newer secret")
    assert (await house.post(secret="the newer secret", delivery="new")).status_code == 200
    house.clock.pass_(86_399)
    assert (await house.post(delivery="old")).status_code == 200
    house.clock.pass_(1)
    assert (await house.post(delivery="older")).status_code == 401


async def test_secret_that_others_know_is_good_no_more(house: House) -> None:
    hook = await house.hook()
    await house.orchestration.hooks.update(DEFAULT_WORKSPACE_ID, hook.id, "the newer secret", at_once=True)
    assert (await house.post()).status_code == 401


async def test_address_that_floods_waits_and_no_other_does(house: House) -> None:
    await house.hook()
    await house.hook(name="other")
    answers = [await house.post(secret="another secret") for _ in range(22)]
    assert {one.status_code for one in answers[:20]} == {401}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await house.post(path="other")).status_code == 200


async def test_neither_secret_nor_payload_is_in_the_audit_log(house: House) -> None:
    await house.hook(scheme=HookScheme.TOKEN, shared_in="authorization")
    body = b'{"card": "4242-4242"}'
    for shown in (SECRET, "Bearer " + SECRET, "Basic " + SECRET):
        await house.client.post("/hooks/orders", content=body, headers={"authorization": shown})
    assert SECRET not in repr((house.audit.recorded, house.audit.refusals))
    assert "4242" not in repr((house.audit.recorded, house.audit.refusals))
