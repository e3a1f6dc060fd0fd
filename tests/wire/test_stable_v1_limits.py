"""Who is limited to some DAGs sees and touches those, and no others, in every list and by every name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from airgate.deployments.ports import Blocker
from airgate.http.server import build_app
from airgate.http.stable_v1.files import file_signer
from airgate.model.audit import AuditEntry, Outcome
from airgate.model.dag import ImportFailure
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.run import XCom
from tests.support.memory_deployment import World
from tests.support.stable_v1_document import misfit_of_answer
from tests.support.stable_v1_world import (
    ADMIN,
    FILE,
    PEOPLE,
    START,
    MemoryAuditor,
    PasswordList,
    caller_of,
    dag_of,
    recorded_world,
    services_for,
)

HELLO = "Key hello"
"""May read hello and whatever begins with con, and edit hello."""
LIMITS = Limits(
    dags=(
        DagGrant(pattern="hello", verbs=(DagVerb.READ, DagVerb.EDIT)),
        DagGrant(pattern="con*", verbs=(DagVerb.READ,)),
    )
)
OTHER = "other.py"


@pytest.fixture
def world() -> World:
    world = recorded_world()
    world.dags["mine"] = dag_of(replace(world.dags["slow"].spec, dag_id="mine"), file=OTHER)
    for dag_id, run_id in [*world.runs, ("slow", "s1")]:
        world.xcoms.append(
            XCom(dag_id=dag_id, run_id=run_id, task_id="x", key="k", map_index=-1, value=1, timestamp=START)
        )
    world.failures[1] = ImportFailure(1, FILE, START, "in hello.py, line 7")
    world.failures[2] = ImportFailure(2, OTHER, START, "in other.py, line 8")
    return world


class Client:
    """Asks as somebody, and holds every answer against the document."""

    def __init__(self, world: World, **services: Any) -> None:
        access = PasswordList(PEOPLE)
        access.add(HELLO, caller_of("limited", Role.ADMIN, limits=LIMITS))
        self.services = services_for(world, access=access, **services)
        app = build_app(deployments={"local": world.deployment()}, default="local", services=self.services)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airgate")

    async def __call__(self, method: str, path: str, body: Any = None, *, by: str = HELLO) -> httpx.Response:
        reply = await self._client.request(method, "/api/v1" + path, json=body, headers={"authorization": by})
        content_type = reply.headers.get("content-type")
        answer = reply.json() if reply.content and "json" in content_type else None
        assert misfit_of_answer(method, path, reply.status_code, content_type, answer) is None
        return reply


@pytest.fixture
def ask(world: World) -> Client:
    return Client(world)


@pytest.mark.parametrize(
    ("method", "path", "body", "plural"),
    [
        ("GET", "/dags", None, "dags"),
        ("GET", "/dags/~/dagRuns", None, "dag_runs"),
        ("POST", "/dags/~/dagRuns/list", {}, "dag_runs"),
        ("GET", "/dags/~/dagRuns/~/taskInstances", None, "task_instances"),
        ("POST", "/dags/~/dagRuns/~/taskInstances/list", {}, "task_instances"),
        ("GET", "/dags/~/dagRuns/~/taskInstances/~/xcomEntries", None, "xcom_entries"),
        ("GET", "/dagStats?dag_ids=hello,consumer,slow", None, "dags"),
    ],
)
async def test_list_and_its_total_hold_what_the_caller_may_see(
    world: World, ask: Client, method: str, path: str, body: Any, plural: str
) -> None:
    world.put_run(replace(next(iter(world.runs.values())), dag_id="slow"))
    everything = (await ask(method, path, body, by=ADMIN)).json()
    seen = (await ask(method, path, body)).json()
    mine = [item for item in everything[plural] if item["dag_id"] in ("hello", "consumer")]
    assert seen[plural] == mine
    assert seen["total_entries"] == len(mine)
    if plural != "task_instances":
        assert len(mine) < len(everything[plural])


@pytest.mark.parametrize("path", ["/dags/~/dagRuns/list", "/dags/~/dagRuns/~/taskInstances/list"])
async def test_batch_list_leaves_out_dags_that_are_asked_for_and_not_seen(ask: Client, path: str) -> None:
    seen = (await ask("POST", path, {"dag_ids": ["nosched", "slow"]})).json()
    assert seen["total_entries"] == 0


@pytest.mark.parametrize("path", ["/dags/slow", "/dags/slow/dagRuns", "/dags/slow/datasets/queuedEvent"])
async def test_dag_that_is_not_seen_is_forbidden_by_its_name(ask: Client, path: str) -> None:
    assert (await ask("GET", path)).status_code == 403


async def test_pattern_pauses_what_the_caller_may_edit(world: World, ask: Client) -> None:
    changed = await ask("PATCH", "/dags?dag_id_pattern=~", {"is_paused": False})
    assert [dag["dag_id"] for dag in changed.json()["dags"]] == ["hello"]
    assert {dag_id for dag_id, dag in world.dags.items() if not dag.is_paused} == {"hello"}


async def test_file_is_read_and_parsed_by_who_may_touch_all_its_dags(world: World, ask: Client) -> None:
    token = file_signer(ask.services.secret).sign(FILE)
    assert (await ask("GET", f"/dagSources/{token}")).status_code == 403
    assert (await ask("PUT", f"/parseDagFile/{token}")).status_code == 403
    assert world.parsed == []
    for dag_id, dag in world.dags.items():
        world.dags[dag_id] = replace(dag, file=FILE if dag_id == "hello" else OTHER)
    assert (await ask("GET", f"/dagSources/{token}")).status_code == 200
    assert (await ask("PUT", f"/parseDagFile/{token}")).status_code == 201
    assert world.parsed == [FILE]


async def test_file_that_defines_no_dag_is_kept_from_who_is_limited(world: World, ask: Client) -> None:
    token = file_signer(ask.services.secret).sign("gone.py")
    world.sources["gone.py"] = "SECRET = 1"
    assert (await ask("GET", f"/dagSources/{token}")).status_code == 403
    assert (await ask("GET", f"/dagSources/{token}", by=ADMIN)).status_code == 200


async def test_import_error_is_told_to_who_reads_a_dag_of_the_file(ask: Client) -> None:
    listed = (await ask("GET", "/importErrors")).json()
    assert listed["total_entries"] == 1
    assert listed["import_errors"][0]["import_error_id"] == 1
    assert listed["import_errors"][0]["stack_trace"].startswith("REDACTED")
    assert (await ask("GET", "/importErrors/1")).json() == listed["import_errors"][0]
    refused = await ask("GET", "/importErrors/2")
    assert (refused.status_code, refused.json()["detail"]) == (
        403, "You do not have read permission on any of the DAGs in the file"
    )  # fmt: skip
    assert (await ask("GET", "/importErrors/2", by=ADMIN)).json()["stack_trace"] == "in other.py, line 8"


@pytest.mark.parametrize("path", ["/pools", "/variables", "/connections", "/config", "/eventLogs", "/users", "/roles"])
async def test_what_belongs_to_no_dag_is_forbidden(ask: Client, path: str) -> None:
    assert (await ask("GET", path)).status_code == 403


async def test_datasets_are_told_with_the_dags_that_are_seen(world: World, ask: Client) -> None:
    outlet = {"__type": "asset", "uri": "s3://b/k", "name": "k", "group": "asset", "extra": {"q": 1}}
    expression = {"any": [{"asset": {"uri": "s3://b/k", "name": "k", "group": "asset"}}, {"alias": {"name": "a"}}]}
    for dag_id in ("hello", "slow"):
        spec = world.dags[dag_id].spec
        task = replace(spec.tasks[0], outlets=(outlet,))
        world.dags[dag_id] = dag_of(replace(spec, tasks=(task, *spec.tasks[1:])))
    spec = world.dags["consumer"].spec
    world.dags["consumer"] = dag_of(replace(spec, schedule=replace(spec.schedule, asset_expression=expression)))
    secret = outlet | {"uri": "s3://b/secret"}
    slow = world.dags["slow"].spec
    world.dags["slow"] = dag_of(replace(slow, tasks=(replace(slow.tasks[0], outlets=(outlet, secret)),)))

    all_of_them = (await ask("GET", "/datasets?order_by=uri", by=ADMIN)).json()
    assert [one["uri"] for one in all_of_them["datasets"]] == ["s3://b/k", "s3://b/secret"]
    seen = (await ask("GET", "/datasets")).json()
    assert seen["total_entries"] == 1
    one = seen["datasets"][0]
    assert [task["dag_id"] for task in one["producing_tasks"]] == ["hello"]
    assert [dag["dag_id"] for dag in one["consuming_dags"]] == ["consumer"]
    assert one["extra"] == {"q": 1}
    assert (await ask("GET", "/datasets/s3%3A%2F%2Fb%2Fk")).json() == one
    assert (await ask("GET", "/datasets/s3%3A%2F%2Fb%2Fsecret")).status_code == 404
    details = (await ask("GET", "/dags/consumer/details")).json()
    assert details["dataset_expression"] == {"any": ["s3://b/k", {"alias": "a"}]}
    by_dag = (await ask("GET", "/datasets?dag_ids=slow&uri_pattern=SECRET", by=ADMIN)).json()
    assert [one["uri"] for one in by_dag["datasets"]] == ["s3://b/secret"]
    refused = await ask("POST", "/datasets/events", {"dataset_uri": "s3://b/k"}, by=ADMIN)
    assert refused.status_code == 400
    assert "trigger what waits for it instead: consumer" in refused.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/dags/hello/datasets/queuedEvent", "dag_id: `hello`"),
        ("/dags/hello/datasets/queuedEvent/s3%3A%2F%2Fb%2Fk", "dag_id: `hello` and dataset uri: `s3://b/k`"),
        ("/datasets/queuedEvent/s3%3A%2F%2Fb%2Fk?before=2026-01-01T00:00:00Z", "dataset uri: `s3://b/k`"),
    ],
)
async def test_no_dataset_event_is_ever_queued(ask: Client, method: str, path: str, what: str) -> None:
    reply = await ask(method, path, by=ADMIN)
    assert (reply.status_code, reply.json()["title"]) == (404, "Queue event not found")
    assert reply.json()["detail"] == f"Queue event with {what} was not found"


async def test_dependencies_are_what_keeps_the_instance(world: World, ask: Client) -> None:
    key = next(iter(world.instances))
    world.blockers[key] = (Blocker("Pool Slots Available", "The pool is full."),)
    reply = await ask("GET", f"/dags/{key[0]}/dagRuns/{key[1]}/taskInstances/{key[2]}/dependencies", by=ADMIN)
    assert reply.json() == {"dependencies": [{"name": "Pool Slots Available", "reason": "The pool is full."}]}


def entry(event: str, **more: Any) -> AuditEntry:
    known: dict[str, Any] = {
        "at": START, "event": event, "outcome": Outcome.DONE, "status": 200, "dialect": "stable-v1", "method": "POST",
        "path": "/p", "deployment": "local", "actor": "ann",
    }  # fmt: skip
    return AuditEntry(**(known | more))


async def test_event_logs_are_the_deployments_audit_log(world: World) -> None:
    auditor = MemoryAuditor()
    for one in (
        entry("post_dag_run", dag_id="hello", run_id="r1", extra={"note": "x"}),
        entry("patch_dag", dag_id="hello", actor="bob"),
        entry("post_pool", deployment="far"),
        entry("delete_pool"),
    ):
        await auditor.record(one)
    ask = Client(world, audit=auditor)

    async def events(query: str) -> list[str]:
        reply = await ask("GET", f"/eventLogs?{query}", by=ADMIN)
        assert reply.json()["total_entries"] >= len(reply.json()["event_logs"])
        return [one["event"] for one in reply.json()["event_logs"]]

    assert await events("") == ["api.post_dag_run", "api.patch_dag", "api.delete_pool"]
    assert await events("order_by=-event_log_id&limit=1") == ["api.delete_pool"]
    assert await events("dag_id=hello&owner=bob") == ["api.patch_dag"]
    assert await events("run_id=r1") == ["api.post_dag_run"]
    assert await events("event=api.delete_pool") == await events("event=delete_pool") == ["api.delete_pool"]
    assert await events("included_events=api.patch_dag,api.post_pool") == ["api.patch_dag"]
    assert await events("excluded_events=api.patch_dag,api.delete_pool") == ["api.post_dag_run"]
    assert await events("try_number=1") == []
    moment = START.isoformat().replace("+00:00", "Z")
    assert await events(f"after={moment}") == await events(f"before={moment}") == []
    assert len(await events("after=2020-01-01T00:00:00Z&before=2030-01-01T00:00:00Z")) == 3

    one = (await ask("GET", "/eventLogs/1", by=ADMIN)).json()
    assert (one["dag_id"], one["run_id"], one["owner"], one["event_log_id"]) == ("hello", "r1", "ann", 1)
    assert '"note": "x"' in one["extra"]
    assert (await ask("GET", "/eventLogs/3", by=ADMIN)).status_code == 404
    assert (await ask("GET", "/eventLogs?order_by=dttm", by=ADMIN)).status_code == 400
