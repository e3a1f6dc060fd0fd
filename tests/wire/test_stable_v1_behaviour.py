"""The v1 dialect where no recording speaks: order of checks, credentials, limits, what is better than Airflow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from airgate.access.permissions import Permission
from airgate.deployments.ports import Deployment
from airgate.http.server import build_app
from airgate.http.stable_v1.dialect import STABLE_V1
from airgate.http.stable_v1.problems import AIRFLOW_VERSION
from airgate.model.admin import Connection, Variable
from airgate.model.audit import AuditEntry
from airgate.model.errors import Unavailable
from airgate.model.run import XCom
from airgate.model.states import TaskState
from airgate.model.trigger import Accepted, TriggerRequest
from airgate.store.database import Database
from tests.support.access_house import House
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import ADMIN, START, TOKEN, VIEWER, instance_of, recorded_world, services_for

RUNS = "/api/v1/dags/nosched/dagRuns"
MAX_BODY = 10_000


@pytest.fixture
def world() -> World:
    return recorded_world()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(world) as opened:
        yield opened


def connected(world: World, **services: Any) -> httpx.AsyncClient:
    deployments = {"local": world.deployment()}
    app = build_app(
        deployments=deployments, default="local", services=services_for(world, **services), max_body=MAX_BODY
    )
    headers = {"authorization": ADMIN, "content-type": "application/json", "accept": "application/json"}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://airgate", headers=headers)


async def trigger(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return await client.post(RUNS, content=content, headers=headers)


def problem(reply: httpx.Response) -> tuple[int, Any, Any]:
    """Status, title and detail, after a look at the form."""
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert list(body) == ["detail", "status", "title", "type"]
    assert body["status"] == reply.status_code
    return reply.status_code, body["title"], body["detail"]


# ----------------------------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize("authorization", [ADMIN, f"Bearer {TOKEN}", TOKEN], ids=["basic", "bearer", "bare"])
async def test_trigger_is_accepted_with_every_form_of_credential(client: httpx.AsyncClient, authorization: str) -> None:
    assert (await trigger(client, {}, authorization=authorization)).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer nope", "Basic !!!", "Negotiate x"])
async def test_unknown_credential_is_401_and_the_browser_is_told_how(
    client: httpx.AsyncClient, authorization: str
) -> None:
    reply = await trigger(client, {}, authorization=authorization)
    assert problem(reply) == (401, "Unauthorized", None)
    assert reply.headers["www-authenticate"] == "Basic"
    assert reply.json()["type"].endswith("#section/Errors/Unauthenticated")


async def test_known_identity_without_the_permission_is_403(client: httpx.AsyncClient) -> None:
    assert problem(await trigger(client, {}, authorization=VIEWER)) == (403, "Forbidden", None)


# -------------------------------------------------------------------------------------------------- order of checks

_STRANGER = {"authorization": "Bearer nope"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("PUT", "/dags?bogus=1", None, _STRANGER, 405),
        ("GET", "/nope?bogus=1", None, _STRANGER, 404),
        ("POST", "/dags/nosched/dagRuns?bogus=1", "{", _STRANGER | {"content-type": "text/plain"}, 400),
        ("POST", "/dags/nosched/dagRuns", "{", _STRANGER | {"content-type": "text/plain"}, 415),
        ("POST", "/dags/nosched/dagRuns", "{", _STRANGER, 400),
        ("POST", "/dags/nosched/dagRuns", '{"state": "x"}', _STRANGER, 400),
        ("POST", "/dags/nosched/dagRuns", '{"bogus": 1}', _STRANGER, 401),
        ("POST", "/dags/nope/dagRuns", '{"bogus": 1}', {"authorization": VIEWER}, 403),
        ("POST", "/dags/nope/dagRuns", '{"bogus": 1}', {}, 404),
        ("POST", "/dags/nosched/dagRuns", '{"bogus": 1}', {}, 400),
        ("GET", "/dags?limit=-1", None, _STRANGER, 401),
    ],
    ids=[
        "method first", "route first", "query", "media type", "JSON", "schema", "authentication", "permission",
        "existence", "form", "page limit after authentication",
    ],
)  # fmt: skip
async def test_checks_come_in_airflows_order(
    client: httpx.AsyncClient, method: str, path: str, body: str | None, headers: dict[str, str], status: int
) -> None:
    reply = await client.request(method, "/api/v1" + path, content=body, headers=headers)
    assert reply.status_code == status, reply.text


@pytest.mark.parametrize("operation", STABLE_V1.operations, ids=lambda row: f"{row.method} {row.path}")
async def test_every_operation_but_health_version_and_document_asks_who_is_there(
    client: httpx.AsyncClient, operation: Any
) -> None:
    path = operation.path.replace("{", "").replace(":int}", "}").replace("}", "")
    path = path.replace("map_index", "0").replace("task_try_number", "1").replace("_error_id", "s/1")
    if operation.permission is None:
        assert operation.path in ("/health", "/version", "/openapi.json", "/openapi.yaml", "/ui", "/ui/")
        return
    assert isinstance(operation.permission, Permission)
    query = {"/dags": "?dag_id_pattern=x" if operation.method == "PATCH" else "", "/dagStats": "?dag_ids=a"}
    body = '{"dataset_uri": "x"}' if path == "/datasets/events" else '{"note": "x"}' if "setNote" in path else "{}"
    path = "/api/v1" + path.replace("imports/1", "1").replace("event_log_id", "1") + query.get(operation.path, "")
    reply = await client.request(operation.method, path, content=body, headers=_STRANGER)
    assert reply.status_code == 401, (path, reply.text)


# --------------------------------------------------------------------------------------------- beyond Airflow: trigger


async def test_run_id_is_taken_for_dag_run_id(client: httpx.AsyncClient) -> None:
    assert (await trigger(client, {"run_id": "mine"})).json()["dag_run_id"] == "mine"


async def test_both_names_of_the_run_id_may_agree(client: httpx.AsyncClient) -> None:
    assert (await trigger(client, {"run_id": "mine", "dag_run_id": "mine"})).status_code == 200


async def test_names_of_the_run_id_that_differ_are_refused(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, {"run_id": "a", "dag_run_id": "b"})
    assert problem(reply) == (400, "dag_run_id conflicts with run_id", "'b' != 'a'")


async def test_naive_execution_date_of_the_old_documents_is_utc(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, {"execution_date": "2021-11-16T11:34:00"})
    assert reply.json()["logical_date"] == "2021-11-16T11:34:00+00:00"
    assert reply.json()["dag_run_id"] == "manual__2021-11-16T11:34:00+00:00"


@pytest.mark.parametrize("date", ["2021-11-16", "2021-11-16 11:34:00", "2021-13-16T11:34:00", "2021-11-16T11:34:00.5"])
async def test_other_naive_execution_dates_are_refused(client: httpx.AsyncClient, date: str) -> None:
    reply = await trigger(client, {"execution_date": date})
    assert problem(reply) == (400, "Bad Request", f"'{date}' is not a 'date-time' - 'execution_date'")


async def test_run_id_of_a_date_with_an_offset_repeats_the_offset(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, {"logical_date": "2021-11-17T11:34:00+02:00"})
    assert reply.json()["dag_run_id"] == "manual__2021-11-17T11:34:00+02:00"


@pytest.mark.parametrize(("asked", "shown"), [("", 2), ("?limit=0", 2), ("?limit=3", 3), ("?limit=9", 4)])
async def test_pages_are_as_long_as_is_set(world: World, asked: str, shown: int) -> None:
    async with connected(world, page_limit=2, max_page_limit=4) as client:
        listed = (await client.get(f"/api/v1/dags{asked}")).json()
    assert len(listed["dags"]) == shown < listed["total_entries"]


async def test_idempotency_key_answers_a_repeat_with_the_same_run(client: httpx.AsyncClient, world: World) -> None:
    first = await trigger(client, {"conf": {"n": 2}}, **{"idempotency-key": "k1"})
    again = await trigger(client, {"conf": {"n": 2}}, **{"idempotency-key": "k1"})
    assert first.status_code == again.status_code == 200
    assert first.json()["dag_run_id"] == again.json()["dag_run_id"]
    assert len(world.started) == 1


async def test_idempotency_key_of_another_request_is_a_conflict(client: httpx.AsyncClient) -> None:
    await trigger(client, {"conf": {"n": 2}}, **{"idempotency-key": "k1"})
    status, title, _ = problem(await trigger(client, {"conf": {"n": 3}}, **{"idempotency-key": "k1"}))
    assert (status, title) == (409, "Conflict")


async def test_trigger_names_the_caller(client: httpx.AsyncClient, world: World) -> None:
    await trigger(client, {}, authorization=f"Bearer {TOKEN}")
    assert world.started[-1].triggering_user == "admin"


async def test_paused_dag_is_triggered_all_the_same(client: httpx.AsyncClient, world: World) -> None:
    assert world.dags["nosched"].is_paused
    assert (await trigger(client, {})).json()["state"] == "queued"


async def test_dag_with_import_errors_cannot_be_triggered(client: httpx.AsyncClient, world: World) -> None:
    world.dags["nosched"] = replace(world.dags["nosched"], has_import_errors=True)
    for body in ({}, {"bogus": 1}):
        reply = await trigger(client, body)
        assert problem(reply) == (400, "DAG cannot be triggered", "DAG with dag_id: 'nosched' has import errors")


async def test_inactive_dag_is_not_found_by_a_trigger(client: httpx.AsyncClient, world: World) -> None:
    world.dags["nosched"] = replace(world.dags["nosched"], is_active=False)
    for body in ({}, {"bogus": 1}):
        assert problem(await trigger(client, body)) == (404, "DAG not found", "DAG with dag_id: 'nosched' not found")


async def test_trigger_is_refused_with_a_reason_while_the_store_is_gone(world: World) -> None:
    class Gone:
        async def accept(self, deployment: Deployment, request: TriggerRequest, audit: AuditEntry) -> Accepted:
            raise Unavailable("The disk is full", retry_after=2.4)

    async with connected(world, triggers=Gone()) as client:
        reply = await trigger(client, {})
    assert problem(reply) == (503, "Service Unavailable", "The disk is full")
    assert reply.headers["retry-after"] == "2"


# ----------------------------------------------------------------------------------------------------------- bad input


async def test_body_over_the_limit_is_413(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, {"note": "x" * MAX_BODY})
    assert problem(reply) == (413, "Request Entity Too Large", f"The request body exceeds {MAX_BODY} bytes.")


@pytest.mark.parametrize("depth", [101, 900, 4000])
async def test_bottomless_json_is_400(client: httpx.AsyncClient, depth: int) -> None:
    reply = await trigger(client, '{"conf": {"a": ' + "[" * depth + "]" * depth + "}}")
    assert problem(reply) == (400, "Bad Request", "Request body is nested more than 100 levels deep")


async def test_json_of_many_shallow_parts_is_fine(client: httpx.AsyncClient) -> None:
    assert (await trigger(client, {"conf": {"a": [[] for _ in range(500)]}})).status_code == 200


async def test_number_too_large_to_keep_is_400(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, '{"conf": {"a": 123456789012345678901234567890}}')
    assert problem(reply)[2] == "Request body holds an integer that does not fit 64 bits"


async def test_digits_in_a_text_are_no_number(client: httpx.AsyncClient) -> None:
    conf = {"a": "123456789012345678901234567890", "n": 2**63 - 1}
    assert (await trigger(client, {"conf": conf})).json()["conf"] == conf


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "NaN",
        '{"conf": {"a": 1e999}}',
        '{"note": "\\ud800"}',
        "\ufeff{}",
        '{"a": }',
        "{} {}",
        b'{"note": "\xff"}',
    ],
)
async def test_what_is_no_json_is_400(client: httpx.AsyncClient, body: str | bytes) -> None:
    assert problem(await trigger(client, body)) == (400, "Bad Request", "Request body is not valid JSON")


async def test_every_error_of_a_form_is_named_at_once(client: httpx.AsyncClient) -> None:
    body = {"dag_run_id": "x" * 251, "note": "y" * 1001, "bogus": 1, "other": 2}
    expected = (
        "{'dag_run_id': ['Longer than maximum length 250.'], 'note': ['Longer than maximum length 1000.'], "
        "'bogus': ['Unknown field.'], 'other': ['Unknown field.']}"
    )
    assert problem(await trigger(client, body))[2] == expected


@pytest.mark.parametrize("path", ["/pools", "/variables", "/connections"])
async def test_nul_in_a_name_is_400(client: httpx.AsyncClient, path: str) -> None:
    body = {
        "/pools": {"name": "a\0", "slots": 1},
        "/variables": {"key": "a\0", "value": "v"},
        "/connections": {"connection_id": "a\0", "conn_type": "http"},
    }[path]
    status, _, detail = problem(await client.post("/api/v1" + path, json=body))
    assert (status, "NUL characters are not allowed." in detail) == (400, True)


async def test_long_error_texts_are_cut(client: httpx.AsyncClient) -> None:
    detail = problem(await trigger(client, {"conf": "x" * 8000}))[2]
    assert len(detail) < 4100


@pytest.mark.parametrize("slots", [2**31, -(2**31) - 1])
async def test_slots_beyond_a_column_are_400(client: httpx.AsyncClient, slots: int) -> None:
    reply = await client.post("/api/v1/pools", json={"name": "p", "slots": slots})
    assert problem(reply) == (400, "Bad Request", "{'slots': ['Not a valid integer.']}")


async def test_bug_of_ours_is_500_without_a_trace(world: World) -> None:
    class Broken:
        async def accept(self, deployment: Deployment, request: TriggerRequest) -> Accepted:
            raise ZeroDivisionError("secret of the house")

    async with connected(world, triggers=Broken()) as client:
        reply = await trigger(client, {})
    assert problem(reply) == (500, "Internal Server Error", None)
    assert "secret" not in reply.text


# ------------------------------------------------------------------------------------------------------- HTTP at large


async def test_every_answer_forbids_caches_and_robots(client: httpx.AsyncClient) -> None:
    for path in ("/dags", "/nope", "/version", "/dags?bogus=1"):
        reply = await client.get("/api/v1" + path)
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-robots-tag"] == "noindex, nofollow"


async def test_get_with_a_body_is_tolerated(client: httpx.AsyncClient) -> None:
    assert (await client.request("GET", "/api/v1/pools", content="{}")).status_code == 200


async def test_head_works_where_get_does(client: httpx.AsyncClient) -> None:
    reply = await client.head("/api/v1/dags")
    assert (reply.status_code, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 0


async def test_options_names_methods_to_everybody(client: httpx.AsyncClient) -> None:
    reply = await client.options("/api/v1/dags", headers=_STRANGER)
    assert (reply.status_code, reply.headers["allow"]) == (200, "GET, HEAD, OPTIONS, PATCH")


async def test_trailing_slash_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/dags/")).status_code == 404
    assert (await client.post(RUNS + "/", content="{}")).status_code == 404


async def test_dialect_is_served_for_each_deployment_by_its_name(client: httpx.AsyncClient) -> None:
    reply = await client.post("/local/airflow/api/v1/dags/nosched/dagRuns", content="{}")
    assert reply.status_code == 200
    assert (await client.get("/other/airflow/api/v1/dags")).status_code == 404


async def test_paths_that_only_begin_like_the_dialect_are_not_its(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1x/dags")).status_code == 404


async def test_run_ids_may_be_encoded_in_the_path_or_not(client: httpx.AsyncClient) -> None:
    await trigger(client, {"logical_date": "2021-11-16T11:34:00Z"})
    for written in ("manual__2021-11-16T11:34:00+00:00", "manual__2021-11-16T11%3A34%3A00%2B00%3A00"):
        assert (await client.get(f"{RUNS}/{written}")).status_code == 200


async def test_text_beyond_ascii_is_escaped(client: httpx.AsyncClient) -> None:
    reply = await trigger(client, {"note": "é😀"})
    assert b'"note": "\\u00e9\\ud83d\\ude00"' in reply.content


# --------------------------------------------------------------------------------------------------------------- nouns


async def test_version_is_airflows_and_names_airgate(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/version")).json() == {"git_version": "airgate 0.0.0", "version": AIRFLOW_VERSION}


async def test_config_shows_what_the_server_lets_be_shown(world: World) -> None:
    async with connected(world, config={"core": {"parallelism": "32"}}) as client:
        whole = await client.get("/api/v1/config")
        assert whole.json() == {"sections": [{"name": "core", "options": [{"key": "parallelism", "value": "32"}]}]}
        text = await client.get("/api/v1/config?section=core", headers={"accept": "text/plain"})
        assert text.text == "[core]\nparallelism = 32\n"
        missing = await client.get("/api/v1/config?section=nope")
        assert problem(missing) == (404, "section not found.", "section=nope not found.")
        assert (await client.get("/api/v1/config/section/core/option/parallelism")).status_code == 200
        unknown = await client.get("/api/v1/config/section/core/option/nope")
        assert problem(unknown) == (404, "Config not found.", "The option [core/nope] is not found in config.")


async def test_dag_source_is_given_as_json_or_as_text(client: httpx.AsyncClient, world: World) -> None:
    token = (await client.get("/api/v1/dags/hello")).json()["file_token"]
    as_json = await client.get(f"/api/v1/dagSources/{token}", headers={"accept": "application/json"})
    as_text = await client.get(f"/api/v1/dagSources/{token}", headers={"accept": "text/plain"})
    assert as_json.json()["content"] == as_text.text == world.sources["hello.py"]


async def test_parsing_a_known_file_anew_is_granted(client: httpx.AsyncClient) -> None:
    token = (await client.get("/api/v1/dags/hello")).json()["file_token"]
    assert (await client.put(f"/api/v1/parseDagFile/{token}")).status_code == 201


async def test_deleting_a_dag_with_running_tasks_is_a_conflict(client: httpx.AsyncClient, world: World) -> None:
    run = world.runs["hello", "scheduled__2026-11-20T00:00:00+00:00"]
    world.put_instance(instance_of(run, "a", TaskState.RUNNING))
    reply = await client.delete("/api/v1/dags/hello")
    assert problem(reply) == (409, "Conflict", "Task instances of dag with id: 'hello' are still running")


async def test_pausing_many_dags_changes_those_of_the_pattern_alone(client: httpx.AsyncClient, world: World) -> None:
    reply = await client.patch("/api/v1/dags?dag_id_pattern=HELL", json={"is_paused": False})
    assert reply.json()["total_entries"] == 1
    assert {dag_id for dag_id, dag in world.dags.items() if not dag.is_paused} == {"hello"}


async def test_update_mask_changes_only_its_fields(client: httpx.AsyncClient, world: World) -> None:
    world.connections["c"] = Connection(connection_id="c", conn_type="http", host="h", port=1)
    body = {"connection_id": "c", "conn_type": "other", "host": "new"}
    await client.patch("/api/v1/connections/c?update_mask=host", json=body)
    assert world.connections["c"] == Connection(connection_id="c", conn_type="http", host="new", port=1)
    world.variables["k"] = Variable(key="k", value="v", description="d")
    await client.patch("/api/v1/variables/k?update_mask=value", json={"key": "k", "value": "w", "description": "x"})
    assert world.variables["k"] == Variable(key="k", value="w", description="d")


async def test_password_of_a_connection_goes_in_and_never_out(client: httpx.AsyncClient, world: World) -> None:
    body = {"connection_id": "c", "conn_type": "http", "password": "hunter2"}
    posted = await client.post("/api/v1/connections", json=body)
    read = await client.get("/api/v1/connections/c")
    listed = await client.get("/api/v1/connections")
    assert world.connections["c"].password == "hunter2"
    assert "hunter2" not in posted.text + read.text + listed.text


async def test_xcom_value_is_text_unless_asked_otherwise(client: httpx.AsyncClient, world: World) -> None:
    run = world.runs["hello", "scheduled__2026-11-20T00:00:00+00:00"]
    xcom = XCom(
        dag_id="hello", run_id=run.run_id, task_id="a", map_index=-1, key="k", value={"a": [1]}, timestamp=START
    )
    world.xcoms.append(xcom)
    path = f"/api/v1/dags/hello/dagRuns/{run.run_id}/taskInstances/a/xcomEntries"
    assert (await client.get(f"{path}/k")).json()["value"] == "{'a': [1]}"
    assert (await client.get(f"{path}/k?stringify=false")).json()["value"] == {"a": [1]}
    (entry,) = (await client.get(path)).json()["xcom_entries"]
    assert entry["execution_date"] == "2026-11-20T00:00:00+00:00"


async def test_tries_are_told_oldest_first(client: httpx.AsyncClient, world: World) -> None:
    run = world.runs["hello", "scheduled__2026-11-20T00:00:00+00:00"]
    world.put_instance(instance_of(run, "a", TaskState.SUCCESS, try_number=2))
    world.history["hello", run.run_id, "a", -1] = [instance_of(run, "a", TaskState.FAILED, try_number=1)]
    path = f"/api/v1/dags/hello/dagRuns/{run.run_id}/taskInstances/a/tries"
    states = [item["state"] for item in (await client.get(path)).json()["task_instances"]]
    assert states == ["failed", "success"]
    assert (await client.get(f"{path}/1")).json()["state"] == "failed"


# ---------------------------------------------------------------------------------------------------------------- logs


def logged(world: World, lines: list[bytes]) -> str:
    run = world.runs["hello", "scheduled__2026-11-20T00:00:00+00:00"]
    world.put_instance(instance_of(run, "a", TaskState.SUCCESS, hostname="here"))
    world.logs["hello", run.run_id, "a", -1, 1] = b"".join(line + b"\n" for line in lines)
    return f"/api/v1/dags/hello/dagRuns/{run.run_id}/taskInstances/a/logs"


LINE = b'{"timestamp":"2026-11-21T00:00:00Z","level":"info","logger":"task","event":"h\xc3\xa9llo","n":1}'
READABLE = "[2026-11-21T00:00:00Z] {task} INFO - héllo n=1\n"


async def test_log_is_a_python_list_of_host_and_text(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE, b"not json"])
    reply = await client.get(f"{path}/1")
    assert reply.json()["content"] == repr([("here", READABLE + "not json\n")])


async def test_log_as_text_is_streamed_whole(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE] * 500)
    reply = await client.get(f"{path}/1", headers={"accept": "text/plain"})
    assert reply.headers["content-type"] == "text/plain"
    assert reply.text == "here\n" + READABLE * 500 + "\n"


async def test_log_token_goes_on_where_the_last_piece_ended(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE])
    token = (await client.get(f"{path}/1")).json()["continuation_token"]
    logged(world, [LINE, b"more"])
    reply = await client.get(f"{path}/1", params={"token": token})
    assert reply.json()["content"] == repr([("here", "more\n")])


async def test_log_too_long_for_one_answer_comes_in_pieces(client: httpx.AsyncClient, world: World) -> None:
    lines = [b"%07d " % number + b"x" * 992 for number in range(2500)]
    path = logged(world, lines)
    token, text, pieces = "", "", 0
    while len(text) < 2_500_000:
        reply = (await client.get(f"{path}/1", params={"token": token} if token else {})).json()
        token, pieces = reply["continuation_token"], pieces + 1
        text += reply["content"].removeprefix("[('here', '").removesuffix("')]").replace("\\n", "\n")
    assert pieces == 3
    assert text.encode() == b"".join(line + b"\n" for line in lines)


async def test_unfinished_line_of_a_log_waits_for_its_end(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE])
    run_id = "scheduled__2026-11-20T00:00:00+00:00"
    world.logs["hello", run_id, "a", -1, 1] += b'{"event": "half'
    first = (await client.get(f"{path}/1")).json()
    assert first["content"] == repr([("here", READABLE)])
    world.logs["hello", run_id, "a", -1, 1] += b' done"}\n'
    then = (await client.get(f"{path}/1", params={"token": first["continuation_token"]})).json()
    assert then["content"] == repr([("here", "INFO - half done\n")])


async def test_full_content_starts_over_whatever_the_token_says(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE])
    token = (await client.get(f"{path}/1")).json()["continuation_token"]
    reply = await client.get(f"{path}/1", params={"token": token, "full_content": "true"})
    assert READABLE[:-1] in reply.json()["content"]


async def test_log_of_a_try_that_never_was_is_empty(client: httpx.AsyncClient, world: World) -> None:
    path = logged(world, [LINE])
    assert (await client.get(f"{path}/9")).json()["content"] == "[('here', '')]"


# -------------------------------------------------------------------------------------------------------- many requests


async def test_unexpected_values_never_break_the_server(world: World, sqlite_database: Database) -> None:
    """Every operation with a body, given every odd value for every field, answers with success or a client's error."""
    house = House(sqlite_database)
    client = connected(world, accounts=house.accounts, roles=house.roles, tokens=house.access)
    odd: list[Any] = [None, True, 0, -1, 10**18, 1.5, "", "~", "\0", "x" * 300, [], [1], [None], {}, {"a": 1}]
    odd.append("2021-11-16T11:34:00")
    await trigger(client, {"dag_run_id": "r1"})
    names = {"{dag_id}": "nosched", "{dag_run_id}": "r1", "{task_id}": "x", "{map_index:int}": "0"}
    for operation in STABLE_V1.operations:
        if operation.body is None:
            continue
        path = operation.path + ("?dag_id_pattern=x" if operation.path == "/dags" else "")
        for placeholder, name in names.items():
            path = path.replace(placeholder, name)
        for field in operation.body.fields:
            for value in odd:
                reply = await client.request(operation.method, "/api/v1" + path, json={field.name: value})
                assert reply.status_code < 500, (operation.path, field.name, value)
