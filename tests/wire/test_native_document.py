"""The native dialect's document is right as OpenAPI, and says what the table says."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from airgate.access.permissions import Permission
from airgate.http.native import openapi, problems
from airgate.http.native.dialect import NATIVE, OPERATIONS, PREFIX
from airgate.http.native.openapi import operation_id
from airgate.http.native.requests import parameters
from airgate.http.native.table import NativeOperation
from tests.support.native_world import NativeWorld

DOCUMENT = openapi.document(OPERATIONS, prefix=PREFIX, version="1.2.3")
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=map(operation_id, OPERATIONS))


def described(operation: NativeOperation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def parameters_in(operation: NativeOperation, place: str) -> dict[str, Any]:
    return {one["name"]: one for one in described(operation)["parameters"] if one["in"] == place}


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["version"] == "1.2.3"


async def test_document_is_served_to_everybody(two_deployments: NativeWorld) -> None:
    async with two_deployments.client(None) as client:
        reply = await client.get(f"{PREFIX}/openapi.json")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json() == openapi.document(OPERATIONS, prefix=PREFIX, version="0.0.0")


def test_document_has_the_operations_of_the_table_and_no_others() -> None:
    said = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert said == {(operation.method, operation.path) for operation in NATIVE.operations}


def test_operation_ids_are_unique() -> None:
    assert len(set(map(operation_id, OPERATIONS))) == len(OPERATIONS)


@EACH
def test_operation_is_described_by_its_handler(operation: NativeOperation) -> None:
    assert described(operation)["operationId"] == operation_id(operation)
    assert re.fullmatch(r"[A-Z][^\n]{5,120}[^.\n]", described(operation)["summary"])


@EACH
def test_operation_says_its_parameters(operation: NativeOperation) -> None:
    assert set(parameters_in(operation, "path")) == set(re.findall(r"\{(\w+)\}", operation.path))
    assert all(one["required"] for one in parameters_in(operation, "path").values())
    known = parameters(operation.query) if operation.query else {}
    assert set(parameters_in(operation, "query")) == set(known)
    assert set(parameters_in(operation, "header")) == {header.name for header in operation.headers}
    assert not any("null" in str(one["schema"]) for one in parameters_in(operation, "query").values())


@EACH
def test_operation_says_its_body_and_that_it_takes_no_other_fields(operation: NativeOperation) -> None:
    body = described(operation).get("requestBody")
    assert (body is None) == (operation.body is None)
    if body is None:
        return
    assert body["required"] is True
    schema = resolved(body["content"]["application/json"]["schema"])
    assert set(schema["properties"]) == set(operation.body.__struct_encode_fields__)
    assert schema["additionalProperties"] is False


@EACH
def test_operation_says_every_status(operation: NativeOperation) -> None:
    said = described(operation)["responses"]
    assert set(said) == {str(status) for status in {operation.status, *operation.also, *openapi.errors(operation)}}
    success = said[str(operation.status)]
    if operation.answer is None:
        assert "content" not in success
    else:
        schema = resolved(success["content"][operation.media_type]["schema"])
        assert schema["title"].removesuffix("View") == operation.answer.__name__.removesuffix("View")
    for status in openapi.errors(operation):
        response = DOCUMENT["components"]["responses"][str(status)]
        assert said[str(status)] == {"$ref": f"#/components/responses/{status}"}
        assert response["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@EACH
def test_operation_says_who_may(operation: NativeOperation) -> None:
    said = described(operation)
    if operation.public:
        assert said["security"] == []
    else:
        assert "security" not in said
        assert {"401", "403", "429"} <= set(said["responses"])
    assert said.get("x-permission") == (operation.permission and operation.permission.value)


def test_credentials_are_those_that_are_taken() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name: (one["type"], one.get("scheme", one.get("name"))) for name, one in schemes.items()} == {
        "bearer": ("http", "bearer"),
        "basic": ("http", "basic"),
        "key": ("apiKey", "Authorization"),
    }
    assert [set(one) for one in DOCUMENT["security"]] == [{"bearer"}, {"basic"}, {"key"}]


def test_components_have_words_for_clients() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert not [name for name in schemas if name.endswith("View")]
    assert set(schemas["Permission"]["enum"]) == {permission.value for permission in Permission}
    assert set(schemas["Problem"]["properties"]) == set(problems.Problem.__struct_fields__)
    assert all(schema.get("description") for schema in schemas.values())


def test_no_component_shows_a_secret_but_those_of_creation() -> None:
    assert having("api_key") == {"CreatedServiceAccount", "CreatedKey"}
    assert having("password") == {"NewUser", "UserChange"}
    assert having("secret") == {"NewHook", "HookChange", "CreatedHook", "SigningKeyRequest", "CreatedSigningKey"}
    assert having("value") == {"NewSecret", "SecretChange", "NewVariable", "VariableChange", "Variable", "Rule"}
    assert not having("digest")


def having(name: str) -> set[str]:
    schemas = DOCUMENT["components"]["schemas"]
    return {component for component, schema in schemas.items() if name in schema.get("properties", ())}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return found


def test_document_is_plain_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT)) == DOCUMENT
