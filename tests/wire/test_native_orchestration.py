"""Workspaces, secrets, jobs, webhooks, deliveries, hooks and block windows through the native dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from airgate.access.permissions import Permission
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from tests.support.erathos_world import ErathosWorld, receiver
from tests.support.native_world import AT_FAR, AT_LOCAL, IN_LAB, LOCAL, NativeWorld

ROOT = "/airgate/v1"
WS = f"{ROOT}/workspaces/default"
ANY_ID = "01a1fc77-0000-7000-8000-000000000000"
PLANTED = "planted-s3cret-value"


@asynccontextmanager
async def asking(erathos: ErathosWorld, *credential: str) -> AsyncIterator[httpx.AsyncClient]:
    async with erathos.native.client(
        *credential, orchestration=erathos.orchestration, triggers=erathos.triggers
    ) as client:
        yield client


@pytest.fixture
async def client(erathos: ErathosWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(erathos) as opened:
        yield opened


async def ok(client: httpx.AsyncClient, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    """The answer below the default workspace (or at a whole path), whose status must be this."""
    url = path if path.startswith(ROOT) else f"{WS}{path}"
    reply = await client.request(method, url, **({} if body is None else {"json": body}))
    assert reply.status_code == status, reply.text
    return reply.json() if reply.content else None


async def job(client: httpx.AsyncClient, name: str = "load", **more: Any) -> str:
    return str((await ok(client, "POST", "/jobs", {"name": name, **more}, status=201))["id"])


def hook_body(**changes: Any) -> dict[str, Any]:
    return {"name": "in", "scheme": "token", "deployment": LOCAL, "dag_id": "nosched", **changes}


async def webhook(client: httpx.AsyncClient, job_id: str, **changes: Any) -> dict[str, Any]:
    body = {"description": "tell them", "jobs": [job_id], "url": "https://example.com/x", **changes}
    made: dict[str, Any] = await ok(client, "POST", "/webhooks", body, status=201)
    return made


def wrong(reply: httpx.Response) -> dict[str, str]:
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_fields"), reply.text
    return {fault["pointer"]: fault["detail"] for fault in reply.json()["errors"]}


# ---------------------------------------------------------------------------------------------------------- workspaces


async def test_workspace_is_made_shown_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await ok(client, "POST", f"{ROOT}/workspaces", {"name": "sales"}, status=201)
    path = f"{ROOT}/workspaces/sales"
    assert await ok(client, "GET", path) == made
    changed = await ok(client, "PATCH", path, {"private_targets": ["10.1.2.3/8"]})
    assert changed["private_targets"] == ["10.0.0.0/8"]
    names = [one["name"] for one in (await ok(client, "GET", f"{ROOT}/workspaces"))["items"]]
    assert names == ["default", "sales"]
    await ok(client, "DELETE", path, status=204)
    assert (await client.get(path)).json()["code"] == "workspace_not_found"


async def test_network_that_is_none_is_pointed_at(client: httpx.AsyncClient) -> None:
    reply = await client.patch(WS, json={"private_targets": ["10.0.0.0/8", "the office"]})
    assert list(wrong(reply)) == ["#/private_targets/1"]


async def test_workspace_that_holds_something_stays(client: httpx.AsyncClient) -> None:
    for name in ("default", "sales", "lab"):
        path = f"{ROOT}/workspaces/{name}"
        if name != "default":
            await ok(client, "POST", f"{ROOT}/workspaces", {"name": name}, status=201)
        if name == "sales":
            await ok(client, "POST", f"{path}/jobs", {"name": "load"}, status=201)
        assert (await ok(client, "DELETE", path, status=409))["code"] == "workspace_in_use"


async def test_foreign_workspace_cannot_be_told_from_one_that_does_not_exist(erathos: ErathosWorld) -> None:
    async with asking(erathos) as client:
        await ok(client, "POST", f"{ROOT}/workspaces", {"name": "lab"}, status=201)
    _, key = await erathos.native.machine("robot", "admin", IN_LAB)
    async with asking(erathos, key) as client:
        assert [one["name"] for one in (await ok(client, "GET", f"{ROOT}/workspaces"))["items"]] == ["lab"]
        assert (await client.get(f"{ROOT}/workspaces/lab/jobs")).status_code == 200
        foreign, unknown = await client.get(f"{WS}/jobs"), await client.get(f"{ROOT}/workspaces/nowhere/jobs")
    assert (foreign.status_code, unknown.status_code) == (403, 403)
    assert foreign.json()["detail"].replace("default", "?") == unknown.json()["detail"].replace("nowhere", "?")


@pytest.mark.parametrize("scope", [AT_LOCAL, AT_FAR])
async def test_scope_of_one_deployment_does_not_reach_its_workspace(erathos: ErathosWorld, scope: Any) -> None:
    _, key = await erathos.native.machine("robot", "admin", scope)
    async with asking(erathos, key) as client:
        assert (await ok(client, "GET", f"{ROOT}/workspaces"))["items"] == []
        assert (await client.get(f"{WS}/webhooks")).status_code == 403


async def test_administrator_of_a_workspace_does_not_open_its_network(erathos: ErathosWorld) -> None:
    async with asking(erathos) as client:
        await ok(client, "POST", f"{ROOT}/workspaces", {"name": "lab"}, status=201)
    _, admin = await erathos.native.person("boss", Role.ADMIN, scope=IN_LAB)
    async with asking(erathos, admin) as client:
        reply = await client.patch(f"{ROOT}/workspaces/lab", json={"private_targets": ["127.0.0.0/8"]})
    assert reply.status_code == 403


# ----------------------------------------------------------------------------------------------- variables and secrets


@pytest.mark.parametrize("kind", ["variables", "secrets"])
async def test_named_value_is_kept_found_in_any_case_changed_and_deleted(client: httpx.AsyncClient, kind: str) -> None:
    made = await ok(client, "POST", f"/{kind}", {"name": "Token", "value": "one"}, status=201)
    assert await ok(client, "GET", f"/{kind}/tOKEN") == made
    changed = await ok(client, "PATCH", f"/{kind}/token", {"description": "for x"})
    assert (changed["name"], changed["description"]) == ("Token", "for x")
    taken = await ok(client, "POST", f"/{kind}", {"name": "TOKEN", "value": "two"}, status=409)
    assert taken["code"] == f"{kind[:-1]}_exists"
    assert (await ok(client, "GET", f"/{kind}"))["items"] == [changed]
    await ok(client, "DELETE", f"/{kind}/token", status=204)
    assert (await ok(client, "GET", f"/{kind}/token", status=404))["code"] == f"{kind[:-1]}_not_found"


@pytest.mark.parametrize("body", [{"name": "1st"}, {"name": "a b"}, {"name": ""}, {"name": "x\n"}, {"value": ""}])
async def test_name_or_value_that_cannot_be_is_refused(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    reply = await client.post(f"{WS}/secrets", json={"name": "n", "value": "v", **body})
    assert (reply.status_code, next(iter(body)) in reply.json()["errors"][0]["pointer"]) == (400, True)


async def test_secret_appears_in_no_answer_and_not_in_the_audit_log(
    erathos: ErathosWorld, client: httpx.AsyncClient
) -> None:
    answers: list[str] = []

    async def keep(reply: httpx.Response) -> None:
        answers.append((await reply.aread()).decode())

    client.event_hooks["response"] = [keep]

    await ok(client, "POST", "/secrets", {"name": "token", "value": PLANTED}, status=201)
    await client.post(f"{WS}/secrets", json={"name": "token", "value": PLANTED})
    await client.post(f"{WS}/secrets", json={"name": PLANTED, "value": 5, "description": PLANTED * 100})
    await ok(client, "PATCH", "/secrets/token", {"value": PLANTED + "2"})
    header = {"Authorization": "Bearer ${{secrets.token}}", "X-Other": "a ${{secrets.token}}"}
    made = await webhook(client, await job(client), header=header, body={"x": ["${{secrets.token}}"]})
    trial = await ok(client, "POST", f"/webhooks/{made['id']}/test", {})
    assert trial["request"]["headers"]
    await ok(client, "GET", f"{ROOT}/audit")
    del answers[2]  # a name is no secret, and is told to be wrong
    assert len(answers) > 5
    assert not [text for text in answers if PLANTED in text]


# ---------------------------------------------------------------------------------------------------------------- jobs


async def test_every_dag_of_the_workspace_is_a_job_and_so_is_what_is_registered(client: httpx.AsyncClient) -> None:
    await job(client, "a load", table_name="orders")
    everything = (await ok(client, "GET", "/jobs"))["items"]
    assert {one["name"] for one in everything} >= {"a load", "hello", "nosched"}
    assert [one["name"] for one in everything] == sorted(one["name"] for one in everything)
    (dag,) = (await ok(client, "GET", "/jobs?name=NOSCHED&kind=dag"))["items"]
    assert (dag["deployment"], dag["dag_id"]) == (LOCAL, "nosched")
    assert await ok(client, "GET", f"/jobs/{dag['id']}") == dag
    (external,) = (await ok(client, "GET", "/jobs?kind=external"))["items"]
    assert (external["name"], external["table_name"], external["deployment"]) == ("a load", "orders", None)
    assert (await ok(client, "GET", "/jobs?is_active=true&deployment=far"))["items"] == []


async def test_jobs_are_read_page_by_page(client: httpx.AsyncClient) -> None:
    whole = (await ok(client, "GET", "/jobs"))["items"]
    read: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = await ok(client, "GET", f"/jobs?limit=2{after and '&after=' + after}")
        read, after = read + page["items"], page["next"]
    assert read == whole


async def test_external_job_is_changed_and_forgotten_and_a_dag_is_not(client: httpx.AsyncClient) -> None:
    key = await job(client)
    assert (await ok(client, "PATCH", f"/jobs/{key}", {"name": "new", "is_active": False}))["name"] == "new"
    await ok(client, "DELETE", f"/jobs/{key}", status=204)
    await ok(client, "GET", f"/jobs/{key}", status=404)
    dag = (await ok(client, "GET", "/jobs?kind=dag"))["items"][0]["id"]
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (await ok(client, method, f"/jobs/{dag}", body, status=409))["code"] == "job_is_dag"


async def test_job_of_a_dag_is_started_once_per_key(client: httpx.AsyncClient) -> None:
    (dag,) = (await ok(client, "GET", "/jobs?name=nosched"))["items"]
    headers = {"idempotency-key": "k"}
    path = f"{WS}/jobs/{dag['id']}/run"
    first, again = [await client.post(path, json={"conf": {"n": 5}}, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert (first.json()["status"], first.json()["run"]["conf"]) == ("RUNNING", {"n": 5})
    listed = (await ok(client, "GET", f"/executions?job={dag['id']}&status=RUNNING"))["items"]
    assert first.json()["execution_id"] in [one["execution_id"] for one in listed]


async def test_external_job_is_not_started_here(client: httpx.AsyncClient) -> None:
    assert (await ok(client, "POST", f"/jobs/{await job(client)}/run", {}, status=409))["code"] == "job_external"


async def test_caller_limited_to_some_dags_runs_these_and_reports_nothing(erathos: ErathosWorld) -> None:
    limits = Limits(dags=(DagGrant("nosched", (DagVerb.TRIGGER,)),))
    _, credential = await erathos.native.person("ada", Role.ADMIN, limits=limits)
    async with asking(erathos) as client:
        jobs = {one["name"]: one["id"] for one in (await ok(client, "GET", "/jobs"))["items"]}
        external = await job(client)
    async with asking(erathos, credential) as client:
        await ok(client, "POST", f"/jobs/{jobs['nosched']}/run", {"conf": {"n": 5}}, status=201)
        await ok(client, "POST", f"/jobs/{jobs['hello']}/run", {}, status=403)
        await ok(client, "POST", f"/jobs/{external}/executions", {"status": "FINISHED"}, status=403)
        await ok(client, "GET", "/jobs", status=403)


async def test_execution_is_reported_until_it_has_ended(client: httpx.AsyncClient) -> None:
    key = await job(client, table_name="orders")
    path = f"/jobs/{key}/executions"
    begun = await ok(client, "POST", path, {"status": "RUNNING"})
    assert (begun["ended_at"], begun["table_name"]) == (None, "orders")
    told = {"execution_id": begun["execution_id"], "rows": 7}
    ended = await ok(client, "POST", path, {"status": "FINISHED", **told})
    assert (ended["status"], ended["rows"]) == ("FINISHED", 7)
    assert await ok(client, "POST", path, {"status": "FAILED", **told}) == ended
    assert await ok(client, "GET", f"{path}/{begun['execution_id']}") == ended
    assert (await ok(client, "GET", f"/executions?job={key}"))["items"] == [ended]
    other = await job(client, "other")
    clash = await ok(client, "POST", f"/jobs/{other}/executions", {"status": "FAILED", **told}, status=409)
    assert clash["code"] == "execution_exists"
    await ok(client, "GET", f"/jobs/{other}/executions/{begun['execution_id']}", status=404)


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({"status": "MISSED"}, "#/status"),
        ({"status": "DONE"}, "#/status"),
        ({"started_at": "2026-03-02T00:00:00Z", "ended_at": "2026-03-01T00:00:00Z"}, "#/ended_at"),
        ({"started_at": "2026-03-01T00:00:00"}, "#/started_at"),
        ({"columns": -1}, "#/columns"),
        ({"extra": {"x": "x" * 70_000}}, "#/extra"),
        ({"execution_id": "x"}, "#/execution_id"),
    ],
)
async def test_report_that_cannot_be_is_pointed_at(
    client: httpx.AsyncClient, told: dict[str, Any], pointer: str
) -> None:
    reply = await client.post(f"{WS}/jobs/{await job(client)}/executions", json={"status": "FINISHED", **told})
    assert (reply.status_code, [fault["pointer"] for fault in reply.json()["errors"]]) == (400, [pointer])


async def test_executions_are_read_page_by_page_newest_first(client: httpx.AsyncClient) -> None:
    key = await job(client)
    for number in range(5):
        await ok(client, "POST", f"/jobs/{key}/executions", {"status": "FINISHED", "rows": number})
    first = await ok(client, "GET", f"/executions?job={key}&limit=3")
    second = await ok(client, "GET", f"/executions?job={key}&limit=3&after={first['next']}")
    assert [one["rows"] for one in first["items"] + second["items"]] == [4, 3, 2, 1, 0]
    assert second["next"] is None


# ------------------------------------------------------------------------------------------------------------ webhooks

WHOLE = {
    "method": "PUT",
    "header": {"X-A": "${{variables.host}}"},
    "body": {"t": ["${{erathos.table_name}}"]},
    "rules": [{"variable_name": "STATUS", "operation": "IN", "value": ["FINISHED", "FAILED"]}],
    "any_of": [[{"variable_name": "TABLE_NAME", "operation": "IS_NULL", "value": "false"}]],
    "time_zone": "America/Sao_Paulo",
    "target": {"kind": "http", "deployment": None, "dag_id": None, "to": [], "title": None, "text": None},
    "absence": {"at": "08:30", "since": "23:15:10", "weekdays": [1, 5]},
    "timeout": 5.5,
    "max_concurrency": 2,
    "max_per_second": 0.5,
}


async def test_webhook_is_made_with_every_field_shown_changed_and_deleted(client: httpx.AsyncClient) -> None:
    await ok(client, "POST", "/variables", {"name": "host", "value": "x"}, status=201)
    made = await webhook(client, await job(client), **WHOLE)
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert (made["created_by"], made["coalesce"], made["disabled_reason"]) == ("admin", None, None)
    path = f"/webhooks/{made['id']}"
    assert await ok(client, "GET", path) == made
    changed = await ok(client, "PATCH", path, {"absence": None, "coalesce": {"seconds": 60}, "is_active": False})
    assert (changed["absence"], changed["is_active"], changed["coalesce"]) == (None, False, {"seconds": 60, "key": ""})
    assert {name: changed[name] for name in WHOLE.keys() - {"absence"}} == {
        name: value for name, value in WHOLE.items() if name != "absence"
    }
    await ok(client, "DELETE", path, status=204)
    assert (await ok(client, "GET", path, status=404))["code"] == "webhook_not_found"


async def test_all_that_is_wrong_with_a_webhook_is_pointed_at_at_once(client: httpx.AsyncClient) -> None:
    body = {
        "description": " ",
        "jobs": [ANY_ID],
        "url": "ftp://example.com/${{variables.none}}",
        "header": {"a b": "x"},
        "body": {"x": [{"y": "${{erathos.nothing}}"}]},
        "rules": [{"variable_name": "NOBODY", "operation": "EQUAL", "value": "x"}],
        "time_zone": "Mars",
        "timeout": 0,
    }
    faults = wrong(await client.post(f"{WS}/webhooks", json=body))
    expected = {
        *("#/description", "#/jobs/0", "#/url", "#/header/a b", "#/body/x/0/y"),
        *("#/rules/0/variable_name", "#/time_zone", "#/timeout"),
    }
    assert set(faults) == expected
    assert "erathos.nothing" in faults["#/body/x/0/y"]


async def test_change_that_makes_a_webhook_wrong_is_refused_and_changes_nothing(client: httpx.AsyncClient) -> None:
    made = await webhook(client, await job(client))
    assert list(wrong(await client.patch(f"{WS}/webhooks/{made['id']}", json={"jobs": []}))) == ["#/jobs"]
    assert await ok(client, "GET", f"/webhooks/{made['id']}") == made


async def test_webhooks_are_listed_newest_first_page_by_page_and_filtered(client: httpx.AsyncClient) -> None:
    one, other = await job(client), await job(client, "other")
    for number in range(4):
        await webhook(client, other if number == 2 else one, description=f"Number {number}", is_active=number != 1)
    first = await ok(client, "GET", "/webhooks?limit=3")
    second = await ok(client, "GET", f"/webhooks?limit=3&after={first['next']}")
    names = [item["description"] for item in first["items"] + second["items"]]
    assert (names, second["next"]) == ([f"Number {number}" for number in (3, 2, 1, 0)], None)
    for query, found in (
        ("is_active=false", 1),
        (f"job={other}", 2),
        ("description=nUMBER%203", 3),
        ("url=none", None),
    ):
        items = (await ok(client, "GET", f"/webhooks?{query}"))["items"]
        assert [item["description"] for item in items] == ([] if found is None else [f"Number {found}"])


async def test_signing_keys_are_rotated_and_their_secret_told_once(client: httpx.AsyncClient) -> None:
    path = f"/webhooks/{(await webhook(client, await job(client)))['id']}/signing-keys"
    first = await ok(client, "POST", path, {}, status=201)
    second = await ok(client, "POST", path, {"scheme": "v1a"}, status=201)
    assert (first["secret"][:6], second["secret"][:5], second["public_key"][:5]) == ("whsec_", "whsk_", "whpk_")
    listed = (await ok(client, "GET", path))["items"]
    assert [(one["id"], one["expires_at"] is None) for one in listed] == [(second["id"], True), (first["id"], False)]
    assert not [one for one in listed if "secret" in one]
    await ok(client, "DELETE", f"{path}/{first['id']}", status=204)
    assert [one["id"] for one in (await ok(client, "GET", path))["items"]] == [second["id"]]
    assert list(wrong(await client.post(f"{WS}{path}", json={"scheme": "v9"}))) == ["#/scheme"]
    assert list(wrong(await client.post(f"{WS}{path}", json={"secret": "short"}))) == ["#/secret"]


# ---------------------------------------------------------------------------------------------------------- deliveries


async def test_delivery_arrives_is_shown_and_replayed(erathos: ErathosWorld, client: httpx.AsyncClient) -> None:
    await erathos.allow_loopback()
    key = await job(client)
    async with receiver() as heard, erathos.working():
        await ok(client, "POST", "/secrets", {"name": "token", "value": PLANTED}, status=201)
        made = await webhook(
            client, key, url=f"{heard.url}/in", body={"rows": "${{erathos.rows}}", "s": "${{secrets.token}}"}
        )
        trial = await ok(client, "POST", f"/webhooks/{made['id']}/test", {"send": True})
        assert (trial["sent"], trial["response"]["status"]) == (True, 200)
        await heard.next()
        execution = await ok(client, "POST", f"/jobs/{key}/executions", {"status": "FINISHED", "rows": 7})
        arrived = await heard.next()
        assert msgspec.json.decode(arrived.body) == {"rows": 7, "s": PLANTED}
        delivery = await delivered(client, 1)
        assert (delivery["webhook_id"], delivery["execution_id"]) == (made["id"], execution["id"])
        assert arrived.headers["webhook-id"] == delivery["id"]
        shown = await ok(client, "GET", f"/deliveries/{delivery['id']}")
        assert [(one["number"], one["status"]) for one in shown["attempted"]] == [(1, 200)]
        assert PLANTED not in str(shown)
        again = await ok(client, "POST", f"/deliveries/{delivery['id']}/replay", status=201)
        assert (await heard.next()).headers["webhook-id"] == again["id"] != delivery["id"]
        assert again["replay_of"] == delivery["id"]
        await delivered(client, 2)
        since = {"since": "2020-01-01T00:00:00Z"}
        assert await ok(client, "POST", f"/webhooks/{made['id']}/replay", since) == {"replayed": 0}
        since["states"] = ["delivered"]  # type: ignore[assignment]
        assert await ok(client, "POST", f"/webhooks/{made['id']}/replay", since) == {"replayed": 2}
        await heard.next()
        await heard.next()
        await delivered(client, 4)
        for query in (f"webhook={ANY_ID}", "state=dead&state=stopped", "until=2020-01-01T00:00:00Z"):
            assert (await ok(client, "GET", f"/deliveries?{query}"))["items"] == []
        first = await ok(client, "GET", "/deliveries?limit=3")
        second = await ok(client, "GET", f"/deliveries?limit=3&after={first['next']}")
        ids = [one["id"] for one in first["items"] + second["items"]]
        assert (ids, ids[-1]) == (sorted(ids, reverse=True), delivery["id"])


async def delivered(client: httpx.AsyncClient, many: int) -> dict[str, Any]:
    """Asks until so many deliveries are written down as delivered; gives the newest."""
    while True:
        found = (await ok(client, "GET", "/deliveries?state=delivered"))["items"]
        if len(found) >= many:
            newest: dict[str, Any] = found[0]
            return newest


async def test_delivery_that_has_not_ended_is_not_replayed(erathos: ErathosWorld, client: httpx.AsyncClient) -> None:
    key = await job(client)
    made = await webhook(client, key)
    async with erathos.working():
        # Nobody listens: the first attempt fails, and the delivery waits for the next.
        await ok(client, "PATCH", f"/webhooks/{made['id']}", {"url": "http://127.0.0.1:1/"})
        await erathos.allow_loopback()
        await ok(client, "POST", f"/jobs/{key}/executions", {"status": "FINISHED"})
        while (
            not (found := (await ok(client, "GET", "/deliveries?state=pending"))["items"]) or not found[0]["attempts"]
        ):
            pass
        refused = await ok(client, "POST", f"/deliveries/{found[0]['id']}/replay", status=409)
    assert refused["code"] == "delivery_pending"


# ----------------------------------------------------------------------------------------------- hooks, block windows


async def test_hook_is_made_with_a_secret_told_once_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await ok(client, "POST", "/hooks", hook_body(conf={"a": "${{payload.a}}"}), status=201)
    secret = made.pop("secret")
    assert (made["path"], made["conf"], len(secret) > 8) == ("/hooks/in", {"a": "${{payload.a}}"}, True)
    path = f"/hooks/{made['id']}"
    assert await ok(client, "GET", path) == made
    assert (await ok(client, "GET", "/hooks"))["items"] == [made]
    changed = await ok(client, "PATCH", path, {"secret": "another secret", "is_active": False})
    assert (changed["is_active"], changed["previous_until"] is None) == (False, False)
    assert (await ok(client, "PATCH", path, {"secret": "a third secret", "at_once": True}))["previous_until"] is None
    assert (await ok(client, "POST", "/hooks", hook_body(), status=409))["code"] == "hook_exists"
    await ok(client, "DELETE", path, status=204)
    await ok(client, "GET", path, status=404)


@pytest.mark.parametrize("role", ["keeper", Role.OP])
async def test_whoever_may_not_start_runs_has_neither_hook_nor_webhook_start_them(
    erathos: ErathosWorld, role: str
) -> None:
    may_read_and_keep = frozenset({Permission.WEBHOOKS_READ, Permission.WEBHOOKS_EDIT})
    await erathos.native.access.roles.create(erathos.native.root, "keeper", may_read_and_keep)
    _, credential = await erathos.native.person("ada", role)
    target = {"kind": "dag", "deployment": LOCAL, "dag_id": "nosched"}
    async with asking(erathos) as client:
        job_id = await job(client)
        theirs = await webhook(client, job_id, url="", target=target)
    body = {"description": "start it", "jobs": [job_id], "url": "", "target": target}
    async with asking(erathos, credential) as client:
        statuses = [
            (await client.post(f"{WS}/hooks", json=hook_body())).status_code,
            (await client.post(f"{WS}/webhooks", json=body)).status_code,
            (await client.patch(f"{WS}/webhooks/{theirs['id']}", json={"body": {"other": 1}})).status_code,
        ]
    async with erathos.client(credential) as other:
        for method, path, sent in (
            ("POST", "orchestration/hooks/", hook_body(name="other")),
            ("POST", "orchestration/webhooks/", {**body, "is_active": True}),
            ("PATCH", f"orchestration/webhooks/{theirs['id']}/", {"body": {"other": 2}}),
        ):
            await other.ask(method, path, sent)
            statuses.append(other.status)

    assert statuses == ([403] * 6 if role == "keeper" else [201, 201, 200, 201, 201, 200])


async def test_all_that_is_wrong_with_a_hook_is_pointed_at(client: httpx.AsyncClient) -> None:
    body = hook_body(deployment="far", dag_id="", run_id="${{secrets.x}}", secret="short")
    assert set(wrong(await client.post(f"{WS}/hooks", json=body))) == {
        *("#/deployment", "#/dag_id", "#/run_id", "#/secret"),
    }


async def test_block_window_is_made_shown_changed_and_deleted(client: httpx.AsyncClient) -> None:
    body = {"name": "night", "weekdays": [0, 6], "start": "22:00", "end": "06:00:30", "time_zone": "Asia/Tokyo"}
    made = await ok(client, "POST", "/block-windows", body, status=201)
    assert {name: made[name] for name in body} == body
    assert (made["jobs"], made["allow_manual"], made["is_active"]) == ([], False, True)
    path = f"/block-windows/{made['id']}"
    changed = await ok(client, "PATCH", path, {"end": "05:00", "allow_manual": True, "jobs": [ANY_ID]})
    assert (changed["start"], changed["end"], changed["allow_manual"]) == ("22:00", "05:00", True)
    assert (await ok(client, "GET", "/block-windows"))["items"] == [changed]
    assert await ok(client, "GET", path) == changed
    reply = await client.patch(WS + path, json={"time_zone": "Mars"})
    assert list(wrong(reply)) == ["#/time_zone"]
    await ok(client, "DELETE", path, status=204)
    assert (await ok(client, "GET", path, status=404))["code"] == "block_window_not_found"


async def test_server_without_workspaces_says_so(two_deployments: NativeWorld) -> None:
    async with two_deployments.client(orchestration=None) as client:
        reply = await client.get(f"{WS}/jobs")
    assert (reply.status_code, reply.json()["code"]) == (404, "workspace_not_found")
