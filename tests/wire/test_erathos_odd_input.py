"""Whatever is sent to ``/developers``, on either database: never a 5xx, and never a secret in an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from airgate.http.erathos import bodies
from airgate.http.erathos.dialect import ERATHOS
from airgate.http.operations import Operation
from airgate.model.job import dag_job_id
from airgate.store.database import Database
from tests.support.erathos_world import HOME, Client, ErathosWorld, webhook
from tests.support.native_world import LOCAL, native_world

PLANTED = "planted-secret-9b1d"
NO_ID = "01a1fc77-0000-7000-8000-000000000000"
ODD = (
    *("null", "true", "-1", "0", "9223372036854775807", "1e308", '""', "[]", "{}", "[[]]", '{"": {"a": [null]}}'),
    *('"\\ud800"', '"${{"', '"${{run.conf.a.b}}"', '"{{secrets.token}}"', '"1970-01-01T00:00:00Z"', f'"{NO_ID}"'),
    *('"0001-01-01T00:00:00+14:00"', '["", 0, null, {"a": 1}]', f'"{"x" * 70_000}"', '"\\u202e\\ufffd"'),
    '[{"variable_name": "ROWS", "operation": "IN", "value": [[]]}]',
)
BASE: dict[str, dict[str, Any]] = {
    "workspaces": {"name": "odd"},
    "variables": {"name": "odd", "value": "v"},
    "secrets": {"name": "odd", "value": PLANTED},
    "jobs": {"name": "odd"},
    "run": {"conf": {}},
    "executions": {"status": "RUNNING"},
    "test": {},
    "keys": {},
    "replay": {"since": "2026-01-01T00:00:00Z"},
    "hooks": {"name": "odd", "scheme": "token", "deployment": LOCAL, "dag_id": "nosched", "secret": PLANTED},
    "block-windows": {"name": "odd", "days": [1], "start_time": "01:00", "end_time": "02:00"},
}
FIELDS = {
    "workspaces": bodies.WorkspaceBody,
    "variables": bodies.NamedBody,
    "secrets": bodies.NamedBody,
    "jobs": bodies.JobBody,
    "run": bodies.RunBody,
    "executions": bodies.ReportBody,
    "webhooks": bodies.WebhookBody,
    "test": bodies.TestBody,
    "keys": bodies.KeyBody,
    "replay": bodies.ReplayBody,
    "hooks": bodies.HookBody,
    "block-windows": bodies.BlockBody,
}
QUERIES = (
    "page=99999999999999999999&page_size=99999999999",
    "page=-1",
    "page_size=0",
    "ordering=-_id",
    "ordering=%00",
    "page=%F0%9F%92%A9",
    "state=%ff,dead",
    "status=,",
    "ended_at_gte=9999-12-31T23:59:59-14:00",
    "ended_at_gte=0001-01-01T00:00:00Z&ended_at_lte=9999-12-31T23:59:59Z",
    "description=%25_%27%22",
    "name=%ED%A0%80&dag_id=a%00b",
)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[ErathosWorld]:
    made = ErathosWorld(await native_world(database))
    yield made
    await made.sender.close()


async def furnished(client: Client) -> dict[str, str]:
    """One of everything: values of what paths name."""
    job = await client.job()
    secret = await client.post("secrets/", {"name": "token", "value": PLANTED})
    variable = await client.post("variables/", {"name": "host", "value": "example.com"})
    hook = await client.post("orchestration/hooks/", BASE["hooks"] | {"name": "first"})
    header = {"Authorization": "Bearer ${{secrets.token}}"}
    made = await client.webhook(job, header=header, url="https://127.0.0.1:1/${{secrets.token}}")
    key = await client.post(f"orchestration/webhooks/{made['_id']}/keys/", {"scheme": "v1"})
    window = await client.post("block-windows/", BASE["block-windows"] | {"name": "first"})
    await client.post(f"jobs/{job}/executions/", {"status": "FINISHED", "table_name": "t"})
    return {
        "workspace_id": HOME.strip("/").rpartition("/")[2],
        "job_id": job,
        "secret_id": secret["_id"],
        "variable_id": variable["_id"],
        "hook_id": hook["_id"],
        "webhook_id": made["_id"],
        "signing_key_id": key["_id"],
        "block_window_id": window["_id"],
        "delivery_id": NO_ID,
    }


def filled(operation: Operation, values: dict[str, str]) -> str:
    path = f"{ERATHOS.prefix}{operation.path}"
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def noun(operation: Operation) -> str:
    return [part for part in operation.path.split("/") if part and not part.startswith("{")][-1]


def odd_bodies(operation: Operation, job: str) -> Iterator[bytes]:
    name = noun(operation)
    base = webhook(job) if name == "webhooks" else BASE[name]
    yield from (b"", b"[", b"null", b'"x"', b"{}", b"\xff\xfe", b"[" * 10_000, b'{"a": 1' + b"0" * 400 + b"}")
    for number, field in enumerate(FIELDS[name].__struct_fields__):
        others = {other: value for other, value in base.items() if other != field}
        text = json.dumps(others)[1:-1]
        # Every field meets a quarter of what is odd, and each of that meets several fields of every kind.
        yield from (f'{{"{field}": {odd}{", " if text else ""}{text}}}'.encode() for odd in ODD[number % 4 :: 4])


async def test_odd_bodies_are_refused_or_taken_and_secrets_stay_untold(world: ErathosWorld) -> None:
    headers = {"content-type": "application/json"}
    async with world.client() as client:
        values = await furnished(client)
        world.answers.clear()
        for operation in ERATHOS.operations:
            if operation.body is None:
                continue
            for values_now in (values, values | {"job_id": str(dag_job_id(LOCAL, "nosched"))}):
                path = filled(operation, values_now)
                if values_now is not values and path == filled(operation, values):
                    continue
                for body in odd_bodies(operation, values["job_id"]):
                    await client.ask(operation.method, path, body, headers=headers)
        for operation in ERATHOS.operations:
            if operation.method == "GET":
                await client.ask("GET", filled(operation, values))
    told = [answer for answer in world.answers if PLANTED in answer]
    assert all('"secret":' in answer and '"scheme":' in answer for answer in told)  # the making of a hook shows its own


async def test_odd_paths_and_queries_are_refused_or_taken(world: ErathosWorld) -> None:
    async with world.client() as client:
        values = await furnished(client)
        for operation in ERATHOS.operations:
            for odd in ("x", NO_ID, "%00", "%F0%9F%92%A9", "..", "%2e%2e", "a" * 5000):
                for name in values:
                    if f"{{{name}}}" in operation.path and operation.method != "DELETE":
                        await client.ask(operation.method, filled(operation, values | {name: odd}))
            if operation.method == "GET":
                for query in QUERIES:
                    await client.ask("GET", f"{filled(operation, values)}?{query}")


async def test_every_list_ends(world: ErathosWorld) -> None:
    lists = [
        operation
        for operation in ERATHOS.operations
        if operation.method == "GET" and not operation.path.rstrip("/").endswith("}")
    ]
    async with world.client() as client:
        values = await furnished(client)
        for operation in lists:
            page: int | None = 1
            seen = count = 0
            while page is not None:
                listed = await client.get(f"{filled(operation, values)}?page_size=1&page={page}")
                count, page = listed["count"], listed["next_page"]
                seen += len(listed["results"])
            assert seen == count, operation.path
    assert len(lists) == 12
