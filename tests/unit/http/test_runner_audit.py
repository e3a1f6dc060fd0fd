"""Which calls the runner tells the audit log of, what it says, and what it never says."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import httpx
import msgspec
import pytest
from uuid_utils.compat import uuid7

from airgate.access.permissions import Permission
from airgate.http.audit_facts import claimed, fact, word
from airgate.http.checks import AUTHENTICATED, AUTHORIZED
from airgate.http.errors import RouteNotFound
from airgate.http.operations import Call, Check, Dialect, Operation
from airgate.http.replies import Reply
from airgate.http.server import DIALECTS, build_app
from airgate.model.audit import AuditEntry, Outcome
from airgate.model.errors import (
    AirgateError,
    Conflict,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import ADMIN, START, TOKEN, VIEWER, MemoryAuditor, recorded_world, services_for

P = Permission
STATUSES: dict[type[Exception], int] = {
    NotAuthenticated: 401, PermissionDenied: 403, NotFound: 404, RouteNotFound: 404, Conflict: 409, RateLimited: 429,
    Unavailable: 503,
}  # fmt: skip


def explain(error: Exception) -> Reply:
    return Reply(status=STATUSES.get(type(error), 500), body=type(error).__name__.encode())


def small(operation: Operation, *checks: Check) -> Dialect:
    return Dialect(
        name="small",
        prefix="/small",
        operations=(operation,),
        checks=(AUTHENTICATED, *checks, AUTHORIZED),
        encode=lambda value: Reply(body=str(value).encode()),
        explain=explain,
    )


def operation(method: str = "POST", error: Exception | None = None, **more: Any) -> Operation:
    async def handler(call: Call) -> str:
        call.about(run_id="r", number=2**70, secretive={"not": "kept"})
        if error is not None:
            raise error
        return "done"

    values: dict[str, Any] = {"path": "/dags/{dag_id}/things/{thing}", "permission": P.DAGS_EDIT}
    return Operation(method=method, handler=handler, **(values | more))


class House:
    """An application and its audit log."""

    def __init__(self, *dialects: Dialect, world: World | None = None, audit: MemoryAuditor | None = None) -> None:
        self.world = world or recorded_world()
        self.audit = audit or MemoryAuditor()
        self.app = build_app(
            deployments={"local": self.world.deployment()},
            default="local",
            services=services_for(self.world, audit=self.audit),
            dialects=dialects or DIALECTS,
        )

    async def ask(self, method: str, path: str, authorization: str | None = ADMIN, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, client=("203.0.113.7", 4711))
        headers = {} if authorization is None else {"authorization": authorization}
        async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
            return await client.request(method, path, headers=headers, **more)

    def only(self) -> AuditEntry:
        (entry,) = [*self.audit.recorded, *self.audit.refusals, *self.world.audit]
        return entry


THING = "/small/dags/d%2F1/things/t"


async def test_a_write_is_recorded_with_who_what_and_from_where() -> None:
    house = House(small(operation(event="patch_thing")))
    reply = await house.ask("POST", THING)
    entry = house.only()
    assert (reply.status_code, entry.outcome, entry.status, entry.event) == (200, Outcome.DONE, 200, "patch_thing")
    assert (entry.dialect, entry.method, entry.path) == ("small", "POST", "/small/dags/d/1/things/t")
    assert (entry.actor, entry.address, entry.deployment) == ("admin", "203.0.113.7", "local")
    assert entry.actor_id is not None
    assert (entry.dag_id, entry.run_id, entry.task_id, entry.map_index) == ("d/1", "r", None, None)
    assert entry.extra == {"thing": "t", "number": str(2**70), "secretive": None}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_that_writes_is_recorded(method: str) -> None:
    house = House(small(operation(method)))
    await house.ask(method, THING)
    assert house.only().event == f"{method.lower()}_dags_things"


async def test_who_a_handler_names_is_told_where_nobody_is_known() -> None:
    async def sign_in(call: Call) -> str:
        call.about(actor="x" * 300)
        raise NotAuthenticated("no")

    house = House(small(Operation(method="POST", path="/token", handler=sign_in, event="sign_in")))
    await house.ask("POST", "/small/token", None)
    assert house.only().actor == "x" * 249 + "…"


async def test_a_read_is_not_recorded() -> None:
    house = House(small(operation("GET")))
    for method in ("GET", "HEAD", "OPTIONS"):
        assert (await house.ask(method, THING)).status_code == 200
    assert house.audit.recorded == house.audit.refusals == []


async def test_a_post_that_needs_no_more_than_leave_to_read_is_not_recorded() -> None:
    house = House(small(operation("POST", permission=P.RUNS_READ)))
    await house.ask("POST", THING)
    assert house.audit.recorded == []


async def test_a_get_that_is_an_event_is_recorded() -> None:
    house = House(small(operation("GET", event="pause")))
    await house.ask("GET", THING)
    assert house.only().event == "pause"


@pytest.mark.parametrize(("error", "status"), [(Conflict("no"), 409), (NotFound("no"), 404), (ValueError("no"), 500)])
async def test_a_write_that_fails_is_recorded_as_such(error: Exception, status: int) -> None:
    house = House(small(operation(error=error)))
    assert (await house.ask("POST", THING)).status_code == status
    (entry,) = house.audit.recorded
    assert (entry.outcome, entry.status) == (Outcome.FAILED, status)


async def test_a_read_that_fails_is_not_recorded() -> None:
    house = House(small(operation("GET", NotFound("no"))))
    assert (await house.ask("GET", THING)).status_code == 404
    assert house.audit.recorded == house.audit.refusals == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("authorization", "error", "status", "actor"),
    [
        (None, None, 401, None),
        ("Bearer nobody", None, 401, None),
        ("Basic " + b64encode(b"eve:guess").decode(), None, 401, "eve"),
        (VIEWER, None, 403, "viewer"),
        (ADMIN, RateLimited("slow down"), 429, "admin"),
    ],
)
async def test_a_refusal_is_told_whatever_was_asked(
    method: str, authorization: str | None, error: AirgateError | None, status: int, actor: str | None
) -> None:
    house = House(small(operation(method, error)))
    assert (await house.ask(method, THING, authorization)).status_code == status
    (entry,) = house.audit.refusals
    assert house.audit.recorded == []
    assert (entry.outcome, entry.status, entry.actor, entry.dag_id) == (Outcome.REFUSED, status, actor, "d/1")


async def test_what_a_stranger_gets_wrong_waits_with_the_refusals() -> None:
    def fail(_: Call) -> None:
        raise ValueError("before anybody is asked who they are")

    dialect = small(operation())
    dialect = msgspec.structs.replace(dialect, checks=(Check(fail, lambda _: True), *dialect.checks))
    house = House(dialect)
    await house.ask("POST", THING)
    (entry,) = house.audit.refusals
    assert (entry.outcome, house.audit.recorded) == (Outcome.FAILED, [])


async def test_what_no_operation_is_asked_for_is_not_told() -> None:
    house = House(small(operation("GET")))
    await house.ask("POST", "/small/nothing")
    await house.ask("POST", THING)
    assert house.audit.recorded == house.audit.refusals == []


async def test_a_call_that_is_audited_already_is_not_recorded_again() -> None:
    async def handler(call: Call) -> str:
        call.audited = True
        return ""

    house = House(small(Operation(method="POST", path="/x", handler=handler, permission=P.DAGS_EDIT)))
    await house.ask("POST", "/small/x")
    assert house.audit.recorded == []


class FullDisk(MemoryAuditor):
    async def record(self, entry: AuditEntry) -> None:
        raise Unavailable("the disk is full")


async def test_a_change_is_answered_though_its_entry_cannot_be_kept() -> None:
    house = House(small(operation()), audit=FullDisk())
    assert (await house.ask("POST", THING)).text == "done"


# ---------------------------------------------------------------------------------------------------- real dialects


async def test_a_trigger_carries_its_entry_into_its_transaction() -> None:
    house = House()
    body = {"dag_run_id": "r7", "conf": {"password": "hunter2"}, "note": "hunter2"}
    assert (await house.ask("POST", "/api/v1/dags/nosched/dagRuns", TOKEN, json=body)).status_code == 200
    entry = house.only()
    assert house.audit.recorded == []
    assert (entry.event, entry.outcome, entry.status) == ("post_dag_run", Outcome.DONE, 200)
    assert (entry.dag_id, entry.run_id) == ("nosched", "r7")
    assert entry.logical_date is not None
    assert b"hunter2" not in msgspec.json.encode(entry)


async def test_a_trigger_that_clashes_is_recorded_with_the_run_it_asked_for() -> None:
    house = House()
    for _ in range(2):
        await house.ask("POST", "/api/v1/dags/nosched/dagRuns", json={"dag_run_id": "r7"})
    (entry,) = house.audit.recorded
    assert (entry.outcome, entry.status, entry.run_id) == (Outcome.FAILED, 409, "r7")


@pytest.mark.parametrize(
    ("method", "path", "event"),
    [
        ("POST", "/api/experimental/dags/nosched/dag_runs", "post_dag_run"),
        ("GET", "/api/experimental/dags/nosched/paused/true", "patch_dag"),
        ("PATCH", "/api/v1/dags/nosched", "patch_dag"),
        ("POST", "/api/v1/pools", "post_pool"),
        ("POST", "/api/experimental/pools", "post_pool"),
    ],
)
async def test_the_same_thing_has_the_same_word_in_every_dialect(method: str, path: str, event: str) -> None:
    house = House()
    body: dict[str, Any] = {"name": "p", "slots": 1, "description": ""} if "pools" in path else {}
    body = {"is_paused": True} if method == "PATCH" else body
    reply = await house.ask(method, path, json=body)
    assert reply.status_code == 200
    assert house.only().event == event


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/variables", {"key": "k", "value": SECRET, "description": SECRET}),
        ("PATCH", "/api/v1/variables/k", {"key": "k", "value": SECRET}),
        ("POST", "/api/v1/connections", {
            "connection_id": "c", "conn_type": "http", "password": SECRET, "extra": SECRET, "login": SECRET,
            "host": SECRET, "description": SECRET,
        }),
        ("PATCH", "/api/v1/connections/c", {"connection_id": "c", "conn_type": "http", "password": SECRET}),
        ("POST", "/api/v1/users", {
            "username": "u", "password": SECRET, "first_name": "a", "last_name": "b", "email": "e@e.e", "roles": [],
        }),
        ("POST", "/api/v1/dags/nosched/dagRuns", {"conf": {"a": SECRET}, "note": SECRET}),
        ("POST", "/api/v1/dags/nosched/dagRuns", {"conf": SECRET}),
        ("POST", "/api/experimental/dags/nosched/dag_runs", {"conf": {"a": SECRET}}),
        ("POST", "/api/v1/dag_runs", {"dag_id": "nosched", "conf": SECRET}),
        ("POST", "/api/v1/nothing", {"a": SECRET}),
    ],
)  # fmt: skip
async def test_no_secret_of_a_request_reaches_the_log(method: str, path: str, body: dict[str, Any]) -> None:
    for authorization in (ADMIN, VIEWER, f"Bearer {SECRET}", SECRET, "Basic " + b64encode(b"eve:hunter2").decode()):
        house = House()
        await house.ask(method, path, authorization, json=body)
        told = [*house.audit.recorded, *house.audit.refusals, *house.world.audit]
        assert SECRET.encode() not in msgspec.json.encode(told)


async def test_no_operation_notes_a_field_that_may_hold_a_secret() -> None:
    noted = {name for dialect in DIALECTS for row in dialect.operations for name in row.noted}
    assert noted.isdisjoint({"value", "password", "extra", "conf", "login", "api_key", "secret", "token"})


def test_every_write_of_every_dialect_has_a_word() -> None:
    for dialect in DIALECTS:
        for row in dialect.operations:
            assert row.event or word(row.method, row.path)


# ------------------------------------------------------------------------------------------------------------ facts


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        (None, None),
        ("", None),
        (basic("eve:guess"), "eve"),
        (basic("eve:"), None),
        (basic("0123456789abcdef0123456789abcdef:x"), None),
        ("0123456789abcdef0123456789abcdef", None),
        ("Bearer eve", None),
        ("Basic !!!", None),
        (basic("é" * 300 + ":x"), "é" * 249 + "…"),
    ],
)
def test_of_a_stranger_the_claimed_name_is_told_and_never_what_may_be_a_key(
    authorization: str | None, name: str | None
) -> None:
    assert claimed(authorization) == name


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**63, str(2**63)),
        ("x" * 251, "x" * 249 + "…"),
        ("a\0b\ud800", "a\ufffdb?"),
        (["a", {"b": 1}, *"cdefghijkl"], ["a", *"cdefghij"]),
        ({"a": 1}, None),
        (uuid7, None),
        (START, START.isoformat()),
    ],
)
def test_a_fact_is_plain_and_short(value: Any, kept: Any) -> None:
    assert fact(value) == kept


@pytest.mark.parametrize(
    ("method", "path", "event"),
    [("GET", "/dags/{dag_id}/dagRuns", "get_dags_dagRuns"), ("POST", "/dags/~/dagRuns/list", "post_dags_dagRuns_list")],
)
def test_an_operation_without_a_word_gets_one_of_its_method_and_path(method: str, path: str, event: str) -> None:
    assert word(method, path) == event
