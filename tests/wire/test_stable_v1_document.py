"""The OpenAPI document is the dialect's table, Airflow's own answers fit it, and the dialect's page names it all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from airgate.http.params import compiled
from airgate.http.server import build_app
from airgate.http.stable_v1.dialect import OPERATIONS, STABLE_V1
from tests.conformance.wire.beside import table
from tests.conformance.wire.stable_v1 import REQUESTS
from tests.support.stable_v1_document import DESCRIBED, DOCUMENT, matching, misfit
from tests.support.stable_v1_world import recorded_world, services_for

PAGE = Path(__file__).parents[2] / "docs" / "dialects" / "stable-v1.md"
ROW = re.compile(r"^\| ((?:`[A-Z]+` ?)+) \| `(/[^`]*)` \|$", re.MULTILINE)
RECORDINGS = Path(__file__).parent.parent / "golden" / "stable_v1" / "exchanges.jsonl"
UNFAITHFUL = {
    (
        "GET",
        "/users",
    ): "Airflow's own document calls a counter otherwise than it sends it; here it is sent under both names",
    ("POST", "/datasets/events"): "events are refused",
}


def plain(path: str) -> str:
    return path.replace(":int}", "}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    world = recorded_world()
    local = world.deployment()
    far = world.deployment("far")
    app = build_app(
        deployments={"local": local, "far": far}, default="local", services=services_for(world), max_body=1_000
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airgate") as opened:
        yield opened


def test_documented_operations_are_those_of_the_table() -> None:
    documented = {
        (method, path)
        for methods, path in ROW.findall(PAGE.read_text(encoding="utf-8"))
        for method in re.findall("[A-Z]+", methods)
    }
    served = {(operation.method, plain(operation.path)) for operation in STABLE_V1.operations}
    assert documented == served


def test_conformance_page_has_the_table_of_what_is_compared() -> None:
    page = (PAGE.parents[1] / "conformance.md").read_text(encoding="utf-8")
    assert "\n".join(table(REQUESTS)) in page


def test_every_operation_is_compared_with_airflow() -> None:
    compared = {request.operation for request in REQUESTS}
    assert {f"{operation.method} {plain(operation.path)}" for operation in OPERATIONS} <= compared


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_document_describes_every_operation_of_airflow_and_no_other() -> None:
    assert DESCRIBED.keys() == {(operation.method, plain(operation.path)) for operation in OPERATIONS}
    assert len(DESCRIBED) == 89


def test_document_gives_every_operation_an_id_of_its_own() -> None:
    ids = [described["operationId"] for described in DESCRIBED.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_document_knows_what_an_operation_takes(operation: Any) -> None:
    described = DESCRIBED[operation.method, plain(operation.path)]
    in_query = {one["name"]: one.get("required", False) for one in described["parameters"] if one["in"] == "query"}
    declared = () if operation.query is None else compiled(operation.query)
    assert in_query == {param.name: param.required for param in declared}
    assert ("requestBody" in described) == (operation.body is not None)
    if operation.body is not None:
        name = described["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        properties = DOCUMENT["components"]["schemas"][name]["properties"]
        assert list(properties) == [field.name for field in operation.body.fields]
        assert {name for name, known in properties.items() if known.get("readOnly")} == {
            field.name for field in operation.body.fields if field.read_only
        }
    assert ("401" in described["responses"]) == (operation.permission is not None)


def exchanges() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in RECORDINGS.read_bytes().splitlines()]


@pytest.mark.parametrize(
    "exchange",
    [one for one in exchanges() if one["status"] < 300 and isinstance(one["answer"], dict)],
    ids=lambda one: f"{one['method']} {one['path']}",
)
def test_what_airflow_answered_fits_the_document(exchange: dict[str, Any]) -> None:
    key = matching(exchange["method"], exchange["path"])
    if key is None or key in UNFAITHFUL or "application/json" not in exchange["content_type"]:
        pytest.skip("not an answer in JSON of an operation")
    content = DESCRIBED[key]["responses"]["200"]["content"]
    assert misfit(content["application/json"]["schema"], exchange["answer"]) is None


@pytest.mark.parametrize(
    "exchange",
    [one for one in exchanges() if one["status"] >= 400 and isinstance(one["answer"], dict)],
    ids=lambda one: f"{one['method']} {one['path']}",
)
def test_what_airflow_refused_fits_the_document(exchange: dict[str, Any]) -> None:
    assert misfit({"$ref": "#/components/schemas/Problem"}, exchange["answer"]) is None


async def test_document_is_served_to_everybody_as_json_and_as_yaml(client: httpx.AsyncClient) -> None:
    as_json = await client.get("/api/v1/openapi.json")
    as_yaml = await client.get("/api/v1/openapi.yaml")
    assert (as_json.status_code, as_yaml.status_code) == (200, 200)
    assert as_json.json() == yaml.safe_load(as_yaml.text) == DOCUMENT
    assert as_yaml.headers["content-type"].startswith("text/yaml")


async def test_document_names_the_server_it_was_asked_of(client: httpx.AsyncClient) -> None:
    reply = await client.get("/far/airflow/api/v1/openapi.json")
    assert reply.json()["servers"] == [{"url": "/far/airflow/api/v1"}]


@pytest.mark.parametrize("path", ["/ui", "/ui/"])
async def test_page_lists_every_operation_and_loads_nothing(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get("/api/v1" + path)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert all(described["summary"].replace("'", "&#x27;") in reply.text for described in DESCRIBED.values())
    assert not re.search(r"(?:src|href)=", reply.text)
