"""The experimental dialect: who may do what, what it sees, and what it makes of odd requests."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from airgate.http.experimental import dag_runs
from airgate.http.server import build_app
from airgate.model.dag import TaskSpec
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.states import RunState, TaskState
from tests.support.experimental_world import FIRST, HELLO, SOURCE, recorded_world
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import (
    ADMIN,
    PEOPLE,
    TOKEN,
    VIEWER,
    PasswordList,
    caller_of,
    dag_of,
    run_of,
    services_for,
)

RUNS = "/dags/hello/dag_runs"
USER = "Basic " + b64encode(b"user:pw").decode()
OP = "Basic " + b64encode(b"op:pw").decode()
POOL = {"name": "p", "slots": 1, "description": "d"}


@pytest.fixture
def world() -> World:
    return recorded_world()


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(deployments={"local": world.deployment()}, default="local", services=services_for(world))
    transport = httpx.ASGITransport(app=app)
    base = "http://airgate/api/experimental"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers={"authorization": ADMIN}) as client:
        yield client


async def error(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    return str(body["error"])


async def test_no_credential_is_asked_for_and_a_wrong_one_is_turned_away(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    none = await client.get("/test")
    assert (await error(none, 401)).startswith("Unauthorized")
    assert none.headers["www-authenticate"] == "Basic"
    for header in ("Basic !", "Bearer nothing", "Negotiate abc", "nothing"):
        wrong = await client.get("/test", headers={"authorization": header})
        assert (await error(wrong, 403)).startswith("Forbidden")
        assert "www-authenticate" not in wrong.headers


async def test_any_credential_of_an_identity_will_do(client: httpx.AsyncClient) -> None:
    for header in (ADMIN, f"Bearer {TOKEN}", TOKEN):
        assert (await client.get("/test", headers={"authorization": header})).json() == {"status": "OK"}


@pytest.mark.parametrize(
    ("method", "path", "body", "weakest"),
    [
        ("GET", "/test", None, VIEWER),
        ("GET", "/info", None, VIEWER),
        ("GET", RUNS, None, VIEWER),
        ("GET", "/latest_runs", None, VIEWER),
        ("GET", "/dags/hello/paused", None, VIEWER),
        ("GET", "/dags/hello/tasks/a", None, VIEWER),
        ("GET", f"{RUNS}/2021-11-16T11:34:00/tasks/a", None, VIEWER),
        ("GET", "/pools", None, VIEWER),
        ("POST", RUNS, {}, USER),
        ("GET", "/dags/hello/paused/true", None, USER),
        ("HEAD", "/dags/hello/paused/true", None, USER),
        ("DELETE", "/dags/hello", None, USER),
        ("POST", "/pools", POOL, OP),
        ("DELETE", "/pools/p", None, OP),
    ],
)
async def test_role_below_the_weakest_that_may_is_refused(
    client: httpx.AsyncClient, method: str, path: str, body: Any, weakest: str
) -> None:
    roles = [VIEWER, USER, OP, ADMIN]
    for role in roles[: roles.index(weakest)]:
        refused = await client.request(method, path, json=body, headers={"authorization": role})
        assert refused.status_code == 403
    allowed = await client.request(method, path, json=body, headers={"authorization": weakest})
    assert allowed.status_code in (200, 404)


async def test_pausing_is_a_get_and_so_a_head_pauses_too(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.head("/dags/hello/paused/true")).content == b""
    assert world.dags["hello"].is_paused


async def test_options_names_the_methods_without_asking_for_a_credential(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    answer = await client.options("/pools/p")
    assert (answer.status_code, answer.headers["allow"]) == (200, "DELETE, GET, HEAD, OPTIONS")


async def test_limited_identity_sees_and_touches_its_dags_alone(world: World) -> None:
    other = replace(HELLO, dag_id="other")
    world.dags["other"] = dag_of(other)
    world.put_run(run_of("other", "r1"))
    services = services_for(world)
    grants = (DagGrant("oth*", (DagVerb.READ, DagVerb.TRIGGER)),)
    caller = await services.access.authenticate(ADMIN)
    assert caller is not None
    limited = replace(caller, identity=replace(caller.identity, limits=Limits(dags=grants)))

    class Limited:
        async def authenticate(self, authorization: str | None, address: str | None = None) -> Any:
            return limited

        def admit(self, caller: Any) -> None:
            return None

    app = build_app(
        deployments={"local": world.deployment()}, default="local", services=replace(services, access=Limited())
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://airgate/api/experimental") as client:
        latest = (await client.get("/latest_runs")).json()["items"]
        assert [item["dag_id"] for item in latest] == ["other"]
        assert (await client.get(RUNS)).status_code == 403
        assert (await client.post(RUNS, json={})).status_code == 403
        assert (await client.get("/pools")).status_code == 403
        assert (await client.get("/dags/other/paused/true")).status_code == 403
        assert (await client.post("/dags/other/dag_runs", json={})).status_code == 200


async def test_run_that_waits_is_shown_and_found_as_running(client: httpx.AsyncClient, world: World) -> None:
    date = (await client.post(RUNS, json={"run_id": "waiting"})).json()["execution_date"]
    assert world.runs["hello", "waiting"].state is RunState.QUEUED
    assert (await client.get(f"{RUNS}/{date}")).json() == {"state": "running"}
    running = (await client.get(f"{RUNS}?state=Running")).json()
    assert ("waiting", "running") in [(run["run_id"], run["state"]) for run in running]
    assert (await client.get(f"{RUNS}?state=queued")).json() == []


async def test_list_of_runs_longer_than_is_read_at_once_is_complete_and_in_order(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_runs, "_CHUNK", 3)
    for n in range(10):  # several have the same date: they have no logical date, and were due together
        due = FIRST + timedelta(days=min(n, 6) if n < 8 else n)
        world.put_run(replace(run_of("hello", f"x{n}"), logical_date=None, run_after=due))

    listed = await client.get(RUNS)

    assert listed.headers["content-type"] == "application/json"
    assert [run["run_id"] for run in listed.json()] == ["r1", *(f"x{n}" for n in range(10))]


async def test_repeated_idempotency_key_gives_the_same_run(client: httpx.AsyncClient, world: World) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post(RUNS, json={}, headers=headers)
    second = await client.post(RUNS, json={}, headers=headers)
    assert first.json() == second.json()
    assert len(world.started) == 1
    other = await client.post(RUNS, json={"conf": {"n": 1}}, headers=headers)
    assert "key" in await error(other, 400)


async def test_burst_within_one_second_gets_a_run_each(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(RUNS, content=b"{}") for _ in range(50)))
    assert len({answer.json()["run_id"] for answer in answers}) == 50


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"run_id": 5}, "run_id must be a string, or null"),
        ({"conf": 5}, "Dag Run conf must be a dictionary object, other types are not supported"),
        ({"conf": "[1]"}, "Dag Run conf must be a dictionary object, other types are not supported"),
        ({"conf": "{"}, "conf is a string that holds no JSON object: The text is not valid JSON in UTF-8"),
        ({"replace_microseconds": 1}, 'replace_microseconds must be "true" or "false"'),
        ({"run_id": "scheduled__x"}, "A manual DAG run cannot use ID 'scheduled__x' since it is reserved for"),
        ({"run_id": "x" * 300}, "A run id has at most 250 characters; this one has 300."),
        ([], "The request body must be a JSON object"),
        ("text", "The request body must be a JSON object"),
    ],
)
async def test_wrong_trigger_is_told_what_is_wrong(client: httpx.AsyncClient, body: Any, text: str) -> None:
    assert (await error(await client.post(RUNS, json=body), 400)).startswith(text)


@pytest.mark.parametrize("conf", [None, "", {}, [], 0, False, "null", "{}"])
async def test_whatever_is_empty_is_no_conf(client: httpx.AsyncClient, world: World, conf: Any) -> None:
    await client.post(RUNS, json={"run_id": "empty", "conf": conf})
    assert world.runs["hello", "empty"].conf == {}


async def test_conf_may_be_an_object_or_a_text_of_one(client: httpx.AsyncClient, world: World) -> None:
    for run_id, conf in (("o", {"k": [1]}), ("t", '{"k": [1]}')):
        await client.post(RUNS, json={"run_id": run_id, "conf": conf})
        assert world.runs["hello", run_id].conf == {"k": [1]}


async def test_offset_of_a_date_is_kept_in_the_answer_and_not_in_the_run(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = (await client.post(RUNS, json={"execution_date": "2021-11-20T11:34:00+02:00"})).json()
    assert answer["execution_date"] == "2021-11-20T11:34:00+02:00"
    assert answer["run_id"] == "manual__2021-11-20T11:34:00+02:00"
    assert world.runs["hello", answer["run_id"]].logical_date == datetime(2021, 11, 20, 9, 34, tzinfo=UTC)


async def test_dag_whose_file_is_gone_is_told_from_one_that_never_was(client: httpx.AsyncClient, world: World) -> None:
    world.dags["hello"] = replace(world.dags["hello"], is_active=False)
    assert await error(await client.post(RUNS, json={}), 404) == "Dag id hello not found"
    assert await error(await client.get("/dags/hello/tasks/a"), 404) == "Dag id hello not found"
    assert await error(await client.get(RUNS), 400) == "Dag id hello not found"
    assert (await client.get("/dags/hello/paused")).json() == {"is_paused": False}


async def test_instance_of_a_task_that_came_later_is_not_there(client: httpx.AsyncClient) -> None:
    text = await error(await client.get(f"{RUNS}/2021-11-16T11:34:00/tasks/b"), 404)
    assert text == "Task b instance for date 2021-11-16T11:34:00+00:00 not found"


async def test_every_value_of_a_dump_is_a_text(client: httpx.AsyncClient, world: World) -> None:
    task = TaskSpec(task_id="a", retry_delay=90.5, execution_timeout=3600, max_active_tis_per_dag=2)
    world.dags["hello"] = dag_of(replace(HELLO, tasks=(task,)))
    dump = (await client.get("/dags/hello/tasks/a")).json()
    assert (dump["retry_delay"], dump["execution_timeout"], dump["task_concurrency"]) == (
        "0:01:30.500000", "1:00:00", "2",
    )  # fmt: skip
    assert "bash_command" not in dump
    ti = world.instances["hello", "r1", "a", -1]
    world.put_instance(replace(ti, state=None, end_date=None, pid=None))
    instance = (await client.get(f"{RUNS}/2021-11-16T11:34:00/tasks/a")).json()
    assert {instance[name] for name in ("state", "end_date", "duration", "pid")} == {"None"}
    assert all(type(value) is str for value in (*dump.values(), *instance.values()))


async def test_lineage_is_what_tasks_declare(client: httpx.AsyncClient, world: World) -> None:
    table = {"uri": "s3://bucket/table"}
    tasks = (replace(HELLO.tasks[0], outlets=(table,)), replace(HELLO.tasks[1], inlets=(table,)))
    world.dags["hello"] = dag_of(replace(HELLO, tasks=tasks))
    lineage = (await client.get("/lineage/hello/2021-11-16T11:34:00")).json()
    assert lineage == {"task_ids": {"a": {"inlets": [], "outlets": [table]}, "b": {"inlets": [table], "outlets": []}}}


async def test_dag_that_still_runs_is_not_forgotten(client: httpx.AsyncClient, world: World) -> None:
    ti = world.instances["hello", "r1", "a", -1]
    world.put_instance(replace(ti, state=TaskState.RUNNING))
    assert "running" in await error(await client.delete("/dags/hello"), 400)
    world.put_instance(ti)
    assert (await client.delete("/dags/hello")).json() == {"count": 3, "message": "Removed 3 record(s)"}


async def test_source_is_kept_from_running_in_a_browser(client: httpx.AsyncClient) -> None:
    answer = await client.get("/dags/hello/code")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_source_is_shown_to_who_may_read_every_dag_of_the_file(world: World) -> None:
    world.dags["secret"] = dag_of(replace(HELLO, dag_id="secret"))
    access, limits = PasswordList(PEOPLE), Limits(dags=(DagGrant("hello", (DagVerb.READ,)),))
    access.add("Key hello", caller_of("limited", Role.ADMIN, limits=limits))
    services = services_for(world, access=access)
    app = build_app(deployments={"local": world.deployment()}, default="local", services=services)
    base = "http://airgate/api/experimental"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base) as client:

        async def ask() -> httpx.Response:
            return await client.get("/dags/hello/code", headers={"authorization": "Key hello"})

        await error(await ask(), 403)
        del world.dags["secret"]
        assert (await ask()).text == SOURCE


@pytest.mark.parametrize("slots", ["x", "", None, [], 2**31, -2, "1e3", float(2**70)])
async def test_slots_that_are_no_number_of_slots_are_refused(client: httpx.AsyncClient, slots: Any) -> None:
    answer = await client.post("/pools", json=POOL | {"slots": slots})
    assert (await error(answer, 400)).startswith("Bad value for `slots`: ")


async def test_pool_that_exists_is_changed_and_keeps_its_number(client: httpx.AsyncClient, world: World) -> None:
    made = (await client.post("/pools", json=POOL)).json()
    changed = (await client.post("/pools", json=POOL | {"slots": -1, "description": None})).json()
    assert changed == made | {"slots": -1, "description": None}
    assert (await client.get("/pools")).json()[1] == changed
    assert world.pools["p"].slots == -1
