"""The OpenAPI document of v1, made from the dialect's own tables: what is not served is not in it, and the reverse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from airgate.http.operations import Call, Operation
from airgate.http.params import Param, compiled
from airgate.http.replies import Reply, pretty_json
from airgate.http.stable_v1.described import DESCRIBED, PARAMETERS, Described
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import AIRFLOW_VERSION
from airgate.http.stable_v1.schemas import SCHEMAS, Schema, ref

_PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS: Final[dict[str, Schema]] = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "date-time": {"type": "string", "format": "date-time"},
    "list": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
    "array": {"type": "array", "items": {"type": "string"}},
    "date-time or naive": {"type": "string"},
    "datetime": {"type": "string"},
}
_ITEMS: Final = {
    ("ListTaskInstanceForm", "state"): ref("TaskState"),
    ("WriteUser", "roles"): ref("RoleName"),
    ("WriteRole", "actions"): ref("ActionResource"),
}
"""Arrays of a body whose items are more than strings."""

_STATUSES: Final = {
    400: "The request is wrong.",
    401: "No credential, or one that is not known.",
    403: "Whoever asks may not do that.",
    404: "Something that is named does not exist.",
    406: "None of the media types that are offered is accepted.",
    409: "It exists already, or its state forbids the change.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    429: "Too many requests; `Retry-After` says when to ask again.",
    503: "Not possible at the moment; `Retry-After` says when to ask again, and nothing of the request was kept.",
}
_BARE: Final = frozenset({406})
"""Statuses whose answer is no problem document."""

_DESCRIPTION: Final = (
    f"The REST API of Airflow 2, as Airflow {AIRFLOW_VERSION} speaks it, served by Airgate, whose documentation "
    "says what differs from Airflow."
)
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same request answers with the same run, however often it is sent.",
    "schema": {"type": "string", "maxLength": 255},
}


def document(operations: Iterable[Operation], *, server: str, version: str) -> dict[str, Any]:
    """The document, as JSON values.

    Args:
        operations: the dialect's rows, each of which `described` knows.
        server: the URL, or its path, that the operations' paths follow.
        version: of Airgate.
    """
    paths: dict[str, dict[str, Any]] = {}
    bodies: dict[str, Form] = {}
    for operation in operations:
        path = _PLACEHOLDER.sub(r"{\1}", operation.path)
        row = DESCRIBED[operation.method, path]
        if row.body is not None:
            bodies[row.body] = operation.body
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, row)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Airgate: Airflow's stable REST API",
            "version": AIRFLOW_VERSION,
            "description": _DESCRIPTION,
            "x-airgate-version": version,
        },
        "servers": [{"url": server}],
        "security": [{"Basic": []}, {"Bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted({**SCHEMAS, **{name: _body(name, form) for name, form in bodies.items()}}.items())),
            "responses": {str(status): _response(status) for status in _STATUSES},
            "securitySchemes": {
                "Basic": {"type": "http", "scheme": "basic"},
                "Bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(operation: Operation, row: Described) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": row.operation_id,
        "summary": row.summary,
        "tags": [_tag(operation.path)],
        "parameters": [*_in_path(operation.path), *_in_query(operation.query)],
        "responses": {**_success(operation, row), **_errors(operation, row)},
    }
    if row.operation_id == "post_dag_run":
        described["parameters"].append(_IDEMPOTENCY)
    if operation.permission is None:
        described["security"] = []
    if row.body is not None:
        described["requestBody"] = {"required": True, "content": _content("application/json", ref(row.body))}
    return described


_TAGS: Final = {
    "/taskInstances": "TaskInstance",
    "/dagRuns": "DAGRun",
    "/datasets": "Dataset",
    "/connections": "Connection",
    "/pools": "Pool",
    "/variables": "Variable",
    "/users": "User",
    "/roles": "Role",
    "/permissions": "Permission",
    "/eventLogs": "EventLog",
    "/importErrors": "ImportError",
    "/config": "Config",
    "/health": "Monitoring",
    "/version": "Monitoring",
    "/providers": "Provider",
    "/plugins": "Plugin",
    "/dagStats": "DagStats",
    "/dagWarnings": "DagWarning",
}


def _tag(path: str) -> str:
    if path.endswith(("/xcomEntries", "/xcomEntries/{xcom_key}")):
        return "XCom"
    return next((tag for part, tag in _TAGS.items() if part in path), "DAG")


def _in_path(path: str) -> list[dict[str, Any]]:
    found = []
    for name, kind in _PLACEHOLDER.findall(path):
        schema: Schema = {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string"}
        found.append({"name": name, "in": "path", "required": True, "description": PARAMETERS[name], "schema": schema})
    return found


def _in_query(query: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    defaults = {field.name: field.default for field in msgspec.structs.fields(query)}
    return [_parameter(param, defaults[param.name]) for param in compiled(query)]


def _parameter(param: Param, default: Any) -> dict[str, Any]:
    schema = dict(_KINDS[param.kind])
    if param.minimum is not None:
        schema["minimum"] = int(param.minimum)
    if isinstance(default, bool | int | float | str):
        schema["default"] = default
    described: dict[str, Any] = {
        "name": param.name,
        "in": "query",
        "description": PARAMETERS[param.name],
        "schema": schema,
    }
    if param.required:
        described["required"] = True
    if param.kind == "list":
        described["explode"] = False
    return described


def _success(operation: Operation, row: Described) -> dict[str, Any]:
    if row.answer is None:
        return {("204" if operation.method == "DELETE" else "201"): {"description": "Done."}}
    content = _content("application/json", ref(row.answer))
    if row.texts:
        content |= _content("text/plain", {"type": "string"})
    return {"200": {"description": "Done.", "content": content}}


def _errors(operation: Operation, row: Described) -> dict[str, Any]:
    statuses = {400, 503, *row.also}
    if operation.permission is not None:
        statuses |= {401, 403, 429}
    if operation.body is not None:
        statuses |= {413, 415}
    if "{" in operation.path:
        statuses.add(404)
    found: dict[str, Any] = {str(s): {"$ref": f"#/components/responses/{s}"} for s in sorted(statuses)}
    if row.operation_id == "test_connection":
        content = _content("application/problem+json", ref("Problem")) | _content("text/html", {"type": "string"})
        found["403"] = {"description": "Trying connections is switched off, or not permitted.", "content": content}
    return found


def _response(status: int) -> dict[str, Any]:
    if status in _BARE:
        return {"description": _STATUSES[status]}
    return {"description": _STATUSES[status], "content": _content("application/problem+json", ref("Problem"))}


def _content(media_type: str, schema: Schema) -> dict[str, Any]:
    return {media_type: {"schema": schema}}


def _body(name: str, form: Form) -> Schema:
    properties = {field.name: _property(field, _ITEMS.get((name, field.name))) for field in form.fields}
    described: Schema = {"type": "object", "properties": properties}
    required = [field.name for field in form.fields if field.demanded or field.required]
    if required:
        described["required"] = required
    return described


def _property(field: Field, items: Schema | None) -> Schema:
    schema = dict(_KINDS[field.kind])
    if items is not None:
        schema["items"] = items
    if field.nullable:
        schema["nullable"] = True
    if field.read_only:
        schema["readOnly"] = True
    if field.choices is not None:
        schema["enum"] = list(field.choices)
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.longest is not None:
        schema["maxLength"] = field.longest
    if field.nonempty:
        schema["minItems" if field.kind == "array" else "minLength"] = 1
    if field.secret:
        schema |= {"format": "password", "writeOnly": True}
    return schema


def document_rows(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The rows that serve the document of these operations, as JSON and as YAML, to everybody."""

    def described(call: Call) -> dict[str, Any]:
        return document(operations, server=_server(call), version=call.services.version)

    async def as_json(call: Call) -> Reply:
        return Reply(body=pretty_json(described(call)))

    async def as_yaml(call: Call) -> Reply:
        return Reply(body="".join(yaml_lines(described(call))).encode(), media_type="text/yaml; charset=utf-8")

    return tuple(
        Operation(method="GET", path=path, handler=handler)
        for path, handler in (("/openapi.json", as_json), ("/openapi.yaml", as_yaml))
    )


def _server(call: Call) -> str:
    """The path that the document was asked under, which its operations' paths follow."""
    path: str = call.scope["path"]
    prefix, base = path[: path.rindex("/")], call.services.base_path
    return prefix if prefix.startswith(f"{base}/") else base + prefix


def yaml_lines(value: Mapping[str, Any] | Sequence[Any], indent: str = "") -> Iterable[str]:
    """A JSON value as YAML, block by block. Scalars are written as JSON, which YAML reads as what they are."""
    is_map = isinstance(value, Mapping)
    entries = value.items() if isinstance(value, Mapping) else (("-", item) for item in value)
    for name, inside in entries:
        head = f"{indent}{json.dumps(name)}:" if is_map else f"{indent}-"
        if isinstance(inside, dict | list | tuple) and inside:
            yield f"{head}\n"
            yield from yaml_lines(inside, indent + "  ")
        else:
            yield f"{head} {json.dumps(inside)}\n"
