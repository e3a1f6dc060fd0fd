"""Odd requests to every v1 operation of a running server: a client's error or success, never a 5xx, never a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from airgate.http.operations import Operation
from airgate.http.params import compiled
from airgate.http.stable_v1.dialect import STABLE_V1
from tests.acceptance.server import PASSWORD, USER, Server
from tests.support.postgres import PostgresServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dags"

ODD_VALUES: list[Any] = [
    None, True, 0, -1, 10**18, 10**30, 1.5, "", "~", "%", "\0", "\u20ac" * 300, "x" * 70_000, [], [1], [None], ["\0"],
    {}, {"a": "\0"}, {"a": {"b": [1]}}, "2021-11-16T11:34:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "none",
]  # fmt: skip
ODD_TEXTS = [
    "", "~", "0", "-1", "99999999999999999999", "nan", "1e400", "%00", "%ff", "a,b", "%F0%9F%98%80", "'", '"', "--",
    "true", "null", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x" * 5000, "%2e%2e%2f",
]  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that knows the DAG `hello` and its finished run `odd`."""
    with ExitStack() as stack:
        environment = {}
        if request.param == "postgresql":
            postgres = PostgresServer()
            stack.callback(postgres.remove)
            postgres.create()
            postgres.start()
            environment["AIRGATE_DATABASE"] = postgres.url(postgres.new_database())
        data = tmp_path_factory.mktemp(request.param) / "data"
        server = stack.enter_context(Server(dags=EXAMPLES, data=data, environment=environment))
        server.wait_for_dag("hello")
        server.finished("hello", server.trigger("hello", dag_run_id="odd"))
        yield stack.enter_context(httpx.Client(base_url=f"{server.url}/api/v1", auth=(USER, PASSWORD), timeout=30))


def path_of(operation: Operation, **names: str) -> str:
    """The operation's path, every name a real one but for those given."""
    real = {"dag_id": "hello", "dag_run_id": "odd", "task_id": "greet", "map_index": "0", "task_try_number": "1"}
    path = operation.path.replace(":int}", "}")
    for name, value in (real | names).items():
        path = path.replace("{" + name + "}", value)
    return path.replace("{", "").replace("}", "")


COMPLETE = {"name": "odd", "slots": 1, "key": "odd", "value": "v", "connection_id": "odd", "conn_type": "c"}
"""What bodies need so that one odd value more is looked at to the end."""


def is_fine(reply: httpx.Response) -> bool:
    return reply.status_code < 500 and "Traceback" not in reply.text


ALL = [pytest.param(operation, id=f"{operation.method} {operation.path}") for operation in STABLE_V1.operations]
READING = [parameter for parameter in ALL if parameter.values[0].method == "GET"]  # type: ignore[union-attr]
WRITING = [parameter for parameter in ALL if parameter.values[0].body is not None]  # type: ignore[union-attr]


@pytest.mark.parametrize("operation", READING)
def test_odd_query_parameters_are_answered(client: httpx.Client, operation: Operation) -> None:
    if operation.query is None:
        return
    for parameter in compiled(operation.query):
        for text in ODD_TEXTS:
            reply = client.get(f"{path_of(operation)}?{parameter.name}={text}")
            assert is_fine(reply), (parameter.name, text, reply.text)


@pytest.mark.parametrize("operation", ALL)
def test_odd_names_in_the_path_are_answered(client: httpx.Client, operation: Operation) -> None:
    for placeholder in ("dag_id", "dag_run_id", "task_id", "pool_name", "variable_key", "connection_id", "file_token"):
        if "{" + placeholder + "}" not in operation.path:
            continue
        for text in ODD_TEXTS:
            path = path_of(operation, **{placeholder: text.replace("?", "")})
            reply = client.request(operation.method, path, json=None if operation.body is None else {})
            assert is_fine(reply), (path, reply.text)


@pytest.mark.parametrize("operation", WRITING)
def test_odd_values_in_the_body_are_answered(client: httpx.Client, operation: Operation) -> None:
    path = path_of(operation, dag_run_id="nope") + ("?dag_id_pattern=nope" if operation.path == "/dags" else "")
    names = {field.name for field in operation.body.fields}
    complete = {name: value for name, value in COMPLETE.items() if name in names}
    for name in sorted(names):
        for value in ODD_VALUES:
            reply = client.request(operation.method, path, json=complete | {name: value})
            assert is_fine(reply), (name, value, reply.text[:500])


def test_bodies_too_large_or_too_deep_are_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    large = client.post("/dags/hello/dagRuns", content=b'{"note": "' + b"x" * 11_000_000 + b'"}', headers=headers)
    deep = client.post("/dags/hello/dagRuns", content=b'{"conf": {"a": ' + b"[" * 100_000, headers=headers)
    assert (large.status_code, deep.status_code) == (413, 400)
    assert msgspec.json.decode(large.content)["type"] == "about:blank"


def test_conf_of_many_megabytes_is_kept(client: httpx.Client) -> None:
    conf = {"name": "Ada", "payload": "x" * 9_000_000}
    reply = client.post("/dags/hello/dagRuns", json={"conf": conf})
    assert reply.status_code == 200
    run_id = reply.json()["dag_run_id"]
    assert client.get(f"/dags/hello/dagRuns/{run_id}").json()["conf"] == conf
