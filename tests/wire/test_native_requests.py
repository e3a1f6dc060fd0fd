"""How the native dialect looks at a request: the order of checks, wrong input of every operation, problems, pages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, get_type_hints

import httpx
import pytest

from airgate.http.native.dialect import OPERATIONS
from airgate.http.native.openapi import operation_id
from airgate.http.native.problems import Problem
from airgate.http.native.table import NativeOperation
from airgate.model.errors import RateLimited, Unavailable
from airgate.model.identity import Limits, RateLimit, Role
from tests.support.native_world import AT_FAR, IN_LAB, LOCAL, MAX_BODY, NativeWorld

ROOT = "/airgate/v1"
ANY_ID = "01a1fc77-0000-7000-8000-000000000000"


@pytest.fixture
async def client(two_deployments: NativeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with two_deployments.client() as opened:
        yield opened


def path_of(operation: NativeOperation) -> str:
    """The operation's path, of a deployment and a workspace that exist and of identities that do not."""
    names = {segment[1:-1] for segment in operation.path.split("/") if segment.startswith("{")}
    values = {name: ANY_ID if name.endswith("_id") else "Viewer" for name in names}
    values |= {"deployment": LOCAL, "workspace": "default"}
    return ROOT + operation.path.format(**values)


def problem(reply: httpx.Response) -> dict[str, Any]:
    """The problem of a reply, after a look at its form."""
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    body: dict[str, Any] = reply.json()
    assert set(body) <= set(Problem.__struct_fields__)
    assert body["status"] == reply.status_code
    assert body["type"] == f"{ROOT}/problems/{body['code']}"
    return body


def wrong(reply: httpx.Response) -> dict[str, str]:
    """What is wrong, by pointer or parameter."""
    assert reply.status_code == 400
    return {fault.get("pointer") or fault["parameter"]: fault["detail"] for fault in problem(reply)["errors"]}


def each(*rows: NativeOperation) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", rows, ids=map(operation_id, rows))


GUARDED = tuple(row for row in OPERATIONS if not row.public)
WITH_BODY = tuple(row for row in OPERATIONS if row.body is not None)
LISTS = tuple(row for row in OPERATIONS if row.query is not None and "after" in row.query.__struct_fields__)


# ------------------------------------------------------------------------------------------------- the order of checks


@each(*GUARDED)
async def test_stranger_is_told_nothing_but_how_to_sign_in(
    two_deployments: NativeWorld, operation: NativeOperation
) -> None:
    async with two_deployments.client(None) as client:
        reply = await client.request(
            operation.method, f"{path_of(operation)}?unknown=1", content=b"{", headers={"content-type": "text/plain"}
        )
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert problem(reply)["code"] == "not_authenticated"


@each(*(row for row in GUARDED if row.permission is not None))
async def test_who_lacks_the_permission_is_told_that_before_anything_of_query_and_body(
    two_deployments: NativeWorld, operation: NativeOperation
) -> None:
    await two_deployments.access.roles.create(two_deployments.root, "Nothing", frozenset())
    _, nobody = await two_deployments.person("nobody", "Nothing")
    async with two_deployments.client(nobody) as client:
        reply = await client.request(operation.method, f"{path_of(operation)}?unknown=1", content=b"{")
    assert reply.status_code == 403
    assert problem(reply)["code"] == "permission_denied"
    assert operation.permission is not None
    assert operation.permission.value in problem(reply)["detail"]


@each(*WITH_BODY)
async def test_query_is_looked_at_before_the_body(client: httpx.AsyncClient, operation: NativeOperation) -> None:
    reply = await client.request(operation.method, f"{path_of(operation)}?unknown=1", content=b"{")
    assert "unknown" in wrong(reply)


# --------------------------------------------------------------------------------------------------------- wrong input


@each(*OPERATIONS)
async def test_unknown_parameter_is_refused_by_its_name(client: httpx.AsyncClient, operation: NativeOperation) -> None:
    body = {"content": b"{}", "headers": {"content-type": "application/json"}} if operation.body else {}
    reply = await client.request(operation.method, f"{path_of(operation)}?colour=red", **body)  # type: ignore[arg-type]
    assert "colour" in wrong(reply)


@each(*WITH_BODY)
@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_body_that_is_not_said_to_be_json_is_415(
    client: httpx.AsyncClient, operation: NativeOperation, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    reply = await client.request(operation.method, path_of(operation), content=b"{}", headers=headers)
    assert reply.status_code == 415
    assert problem(reply)["code"] == "media_type"


@each(*WITH_BODY)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_body"),
        (b"{", "invalid_json"),
        (b"\xff", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b'{"a": "\\u0000"}', "invalid_json"),
        (b'{"a": 123456789012345678901234567890}', "invalid_json"),
        (b"[" * 2000 + b"]" * 2000, "invalid_json"),
        (b"[" * (MAX_BODY + 1), "body_too_large"),
        (b"null", "invalid_body"),
        (b"[]", "invalid_body"),
        (b'"text"', "invalid_body"),
    ],
    ids=["none", "cut", "bytes", "nan", "surrogate", "nul", "huge", "deep", "large", "null", "array", "text"],
)
async def test_body_that_is_no_json_object_is_refused(
    client: httpx.AsyncClient, operation: NativeOperation, body: bytes, code: str
) -> None:
    reply = await client.request(
        operation.method, path_of(operation), content=body, headers={"content-type": "application/json"}
    )
    assert reply.status_code == (413 if code == "body_too_large" else 400)
    assert problem(reply)["code"] == code


@each(*WITH_BODY)
async def test_unknown_field_of_a_body_is_pointed_at(client: httpx.AsyncClient, operation: NativeOperation) -> None:
    reply = await client.request(operation.method, path_of(operation), json={**minimal(operation), "a/b": 1})
    assert "a/b" in wrong(reply)["#/a~1b"]


@each(*WITH_BODY)
async def test_every_field_of_the_wrong_type_is_pointed_at(
    client: httpx.AsyncClient, operation: NativeOperation
) -> None:
    for field, declared in get_type_hints(operation.body).items():
        if declared is Any:
            continue
        wrong_type: Any = 3 if field in ("conf", "extra") else {"x": 1}
        body = {**minimal(operation), field: wrong_type}
        reply = await client.request(operation.method, path_of(operation), json=body)
        assert any(pointer.startswith(f"#/{field}") for pointer in wrong(reply)), (field, reply.text)


def minimal(operation: NativeOperation) -> dict[str, Any]:
    """A body with the required fields alone."""
    values = {
        "name": "n",
        "roles": ["Viewer"],
        "label": "l",
        "permissions": [],
        "dag_id": "d",
        "triggers": [{"dag_id": "d"}],
        "value": "v",
        "description": "d",
        "jobs": [ANY_ID],
        "status": "FINISHED",
        "since": "2026-01-01T00:00:00Z",
        "scheme": "token",
        "deployment": LOCAL,
        "weekdays": [1],
        "start": "08:00",
        "end": "09:00",
    }
    fields = operation.body.__struct_fields__
    required = fields[: len(fields) - len(operation.body.__struct_defaults__)]
    return {name: values[name] for name in required}


@each(*(row for row in WITH_BODY if row.method == "POST" and minimal(row)))
async def test_missing_field_is_pointed_at(client: httpx.AsyncClient, operation: NativeOperation) -> None:
    for field in minimal(operation):
        body = {name: value for name, value in minimal(operation).items() if name != field}
        reply = await client.request(operation.method, path_of(operation), json=body)
        assert f"#/{field}" in wrong(reply)


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/service-accounts", {"dags": [{"pattern": "a", "verbs": ["read", "fly"]}]}, "#/dags/0/verbs/1"),
        ("/service-accounts", {"dags": [{"pattern": "", "verbs": ["read"]}]}, "#/dags/0/pattern"),
        ("/service-accounts", {"dags": [{"pattern": "a", "verbs": []}]}, "#/dags/0/verbs"),
        ("/service-accounts", {"rate_limit": {"requests": 0, "seconds": 1}}, "#/rate_limit/requests"),
        ("/service-accounts", {"rate_limit": {"requests": 1}}, "#/rate_limit/seconds"),
        ("/service-accounts", {"expires_at": "2027-01-01T00:00:00"}, "#/expires_at"),
        ("/service-accounts", {"expires_at": "tomorrow"}, "#/expires_at"),
        ("/service-accounts", {"expires_at": "0001-01-01T00:00:00+10:00"}, "#/expires_at"),
        ("/service-accounts", {"deployment": "local", "workspace": "lab"}, "#/workspace"),
        ("/users", {"limits": {"dag": []}}, "#/limits/dag"),
        ("/users", {"scope": {"kind": "galaxy"}}, "#/scope/kind"),
        ("/users", {"password": ""}, "#/password"),
        ("/roles", {"permissions": ["pools.read", "pools.drain"]}, "#/permissions/1"),
        ("/workspaces/{workspace}/webhooks", {"rules": [{"variable_name": "STATUS"}]}, "#/rules/0/operation"),
        ("/workspaces/{workspace}/webhooks", {"absence": {"at": "8", "since": "07:00"}}, "#/absence/at"),
        ("/workspaces/{workspace}/webhooks", {"target": {"kind": "dag", "dag": "d"}}, "#/target/dag"),
        ("/workspaces/{workspace}/block-windows", {"weekdays": [7]}, "#/weekdays/0"),
        ("/workspaces/{workspace}/block-windows", {"end": "24:00"}, "#/end"),
        ("/workspaces/{workspace}/jobs/{job_id}/executions", {"rows": -1}, "#/rows"),
    ],
)
async def test_value_deep_in_a_body_is_pointed_at(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    operation = next(row for row in WITH_BODY if (row.method, row.path) == ("POST", path))
    assert list(wrong(await client.post(path_of(operation), json={**minimal(operation), **body}))) == [pointer]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=0", ["limit"]),
        ("limit=1001", ["limit"]),
        ("limit=ten", ["limit"]),
        ("limit=1e2", ["limit"]),
        ("limit=", ["limit"]),
        ("limit=9999999999999999999999", ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("after=nonsense", ["after"]),
        ("after=%00", ["after"]),
        ("since=yesterday", ["since"]),
        ("since=2026-01-01T00:00:00", ["since"]),
        ("since=2026-01-01T00:00:00+01:00", ["since"]),
        ("since=0", ["since"]),
        ("outcome=splendid", ["outcome"]),
        ("colour=red&limit=x&until=never", ["colour", "limit", "until"]),
    ],
)
async def test_wrong_parameters_are_named_all_at_once(client: httpx.AsyncClient, query: str, names: list[str]) -> None:
    assert list(wrong(await client.get(f"{ROOT}/audit?{query}"))) == names


@pytest.mark.parametrize("since", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00%2B01:00", "2026-01-01t00:00:00.5z"])
async def test_date_with_an_offset_is_understood(client: httpx.AsyncClient, since: str) -> None:
    assert (await client.get(f"{ROOT}/audit?since={since}")).status_code == 200


@each(*(row for row in OPERATIONS if "_id}" in row.path))
@pytest.mark.parametrize("wrong_id", ["x", "%FF", "..%2F..", "0", ANY_ID[:-1], ANY_ID])
async def test_id_that_names_nothing_is_404(
    client: httpx.AsyncClient, operation: NativeOperation, wrong_id: str
) -> None:
    body = {"json": minimal(operation)} if operation.body else {}
    reply = await client.request(operation.method, path_of(operation).replace(ANY_ID, wrong_id), **body)  # type: ignore[arg-type]
    assert reply.status_code == 404
    nouns = ("identity", "key", "trigger", "job", "execution", "webhook", "signing_key", "delivery", "hook")
    assert problem(reply)["code"] in {f"{noun}_not_found" for noun in (*nouns, "block_window")}


async def test_path_of_nothing_is_404_and_a_method_of_no_operation_405(client: httpx.AsyncClient) -> None:
    assert problem(await client.get(f"{ROOT}/nothing"))["code"] == "route_not_found"
    assert (await client.get(f"{ROOT}/users/")).status_code == 404
    reply = await client.put(f"{ROOT}/users")
    assert reply.status_code == 405
    assert problem(reply)["code"] == "method_not_allowed"
    assert {"GET", "POST"} <= set(reply.headers["allow"].split(", "))


async def test_head_is_a_get_without_its_body(client: httpx.AsyncClient) -> None:
    reply = await client.head(f"{ROOT}/me")
    assert (reply.status_code, reply.content) == (200, b"")


# ------------------------------------------------------------------------------------------------------------ problems


class Broken:
    """Access that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def authenticate(self, authorization: str | None, address: str | None = None) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unavailable("The database is full", retry_after=2.2), 503, "unavailable"),
        (RateLimited("Too many keys", retry_after=0.1), 429, "rate_limited"),
    ],
)
async def test_refusal_for_now_says_when_to_come_again(
    two_deployments: NativeWorld, error: Unavailable, status: int, code: str
) -> None:
    async with two_deployments.client(access=Broken(error)) as client:
        reply = await client.get(f"{ROOT}/me")
    assert (reply.status_code, problem(reply)["code"]) == (status, code)
    assert reply.headers["retry-after"] == ("3" if status == 503 else "1")


async def test_bug_is_a_500_that_tells_nothing_of_itself(two_deployments: NativeWorld) -> None:
    async with two_deployments.client(access=Broken(KeyError("the secret"))) as client:
        reply = await client.get(f"{ROOT}/me")
    assert (reply.status_code, problem(reply)["code"]) == (500, "internal_error")
    assert "secret" not in reply.text


async def test_rate_limit_is_shown_and_kept(two_deployments: NativeWorld) -> None:
    limits = Limits(rate=RateLimit(2, 60))
    _, slow = await two_deployments.machine("slow", "viewer", AT_FAR, limits=limits)
    async with two_deployments.client(slow) as client:
        first, second, third = [await client.get(f"{ROOT}/me") for _ in range(3)]
    assert first.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert [first.headers["ratelimit"][:13], second.headers["ratelimit"][:13]] == ['"default";r=1', '"default";r=0']
    assert (third.status_code, problem(third)["code"]) == (429, "rate_limited")
    assert int(third.headers["retry-after"]) >= 1
    assert third.headers["ratelimit"].startswith('"default";r=0')


# --------------------------------------------------------------------------------------------------------------- pages


async def walk(client: httpx.AsyncClient, path: str, limit: int, key: str) -> list[list[Any]]:
    """The pages of a list, each as a value of its items."""
    pages, after = [], ""
    while True:
        reply = await client.get(f"{ROOT}{path}", params={"limit": limit} | ({"after": after} if after else {}))
        assert reply.status_code == 200, reply.text
        pages.append([item[key] for item in reply.json()["items"]])
        after = reply.json()["next"]
        if after is None:
            return pages


async def test_people_are_paged_by_name(two_deployments: NativeWorld, client: httpx.AsyncClient) -> None:
    for name in ("eve", "bob", "dan", "cyd"):
        await two_deployments.person(name, Role.VIEWER)
    assert await walk(client, "/users", 2, "name") == [["admin", "bob"], ["cyd", "dan"], ["eve"]]
    assert await walk(client, "/users", 5, "name") == [["admin", "bob", "cyd", "dan", "eve"]]


async def test_page_goes_on_where_it_ended_whatever_is_made_and_deleted_meanwhile(
    two_deployments: NativeWorld, client: httpx.AsyncClient
) -> None:
    people = {name: await two_deployments.person(name, Role.VIEWER) for name in ("bob", "dan")}
    first = (await client.get(f"{ROOT}/users?limit=2")).json()
    await two_deployments.access.accounts.delete(two_deployments.root, people["bob"][0].id)
    for name in ("aaa", "cyd"):
        await two_deployments.person(name, Role.VIEWER)
    second = (await client.get(f"{ROOT}/users", params={"limit": 2, "after": first["next"]})).json()
    assert [item["name"] for item in first["items"]] == ["admin", "bob"]
    assert [item["name"] for item in second["items"]] == ["cyd", "dan"]
    assert second["next"] is None


async def test_service_accounts_and_keys_are_paged_newest_first(
    two_deployments: NativeWorld, client: httpx.AsyncClient
) -> None:
    machines = [await two_deployments.machine(label, "viewer", IN_LAB) for label in ("one", "two", "three")]
    assert await walk(client, "/service-accounts", 2, "label") == [["three", "two"], ["one"]]
    owner = machines[0][0]
    for label in ("second", "third"):
        await two_deployments.key_of(owner, label=label)
    pages = await walk(client, f"/identities/{owner.id}/keys", 2, "label")
    assert pages[0] == ["third", "second"]
    assert [len(page) for page in pages] == [2, 1]


async def test_roles_are_paged_the_built_in_ones_first(two_deployments: NativeWorld, client: httpx.AsyncClient) -> None:
    for name in ("Zoo", "Baker"):
        await two_deployments.access.roles.create(two_deployments.root, name, frozenset())
    pages = await walk(client, "/roles", 4, "name")
    assert pages == [["Viewer", "User", "Op", "Admin"], ["Baker", "Zoo"]]


@each(*(row for row in LISTS if "{" not in row.path))
async def test_cursor_of_another_list_is_refused(
    two_deployments: NativeWorld, client: httpx.AsyncClient, operation: NativeOperation
) -> None:
    other = "/roles" if operation.path != "/roles" else "/deployments"
    cursor = (await client.get(f"{ROOT}{other}?limit=1")).json()["next"]
    assert cursor is not None
    assert list(wrong(await client.get(f"{ROOT}{operation.path}", params={"after": cursor}))) == ["after"]


async def test_cursor_that_was_changed_is_refused(client: httpx.AsyncClient) -> None:
    cursor = (await client.get(f"{ROOT}/roles?limit=1")).json()["next"]
    changed = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    assert list(wrong(await client.get(f"{ROOT}/roles", params={"after": changed}))) == ["after"]


# ---------------------------------------------------------------------------------------------------------------- else


async def test_native_dialect_is_served_once_and_not_per_deployment(client: httpx.AsyncClient) -> None:
    assert (await client.get("/local/airflow/airgate/v1/me")).status_code == 404
    assert (await client.get(f"{ROOT}/me")).status_code == 200


async def test_get_with_a_body_is_answered(client: httpx.AsyncClient) -> None:
    reply = await client.request("GET", f"{ROOT}/me", content=json.dumps({}))
    assert reply.status_code == 200
