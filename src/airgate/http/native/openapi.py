"""The OpenAPI 3.1 document of the native dialect, made from its rows: what is served and what is said are one table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from airgate.http.native import problems
from airgate.http.native.table import NativeOperation, Reach

_REFERENCE: Final = "#/components/schemas/{name}"
_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"basic": []}, {"key": []}]
_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a token from /auth/token.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "Name and password of a person."},
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "An API key alone, without a word before it.",
    },
}
_DESCRIPTION: Final = """\
Airgate in front of Apache Airflow: identities and their keys, deployments, triggers, and the audit log.

Errors are problems as of RFC 9457, with a stable `code`. Lists are paged by key: `next` of a page is `after` of the
next one. A request is looked at in this order: path, caller, rate limit, permission, query, body. Unknown parameters
and unknown fields are refused. Dates are RFC 3339, and answered in UTC."""
_SUFFIX: Final = re.compile(rb'("(?:#/components/schemas/)?[A-Z][A-Za-z]+)View"')
"""What sets a Struct's name apart from the model's is no word for clients."""
_PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")
_RETRY_AFTER: Final = {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}}
_TEXT: Final = {"schema": {"type": "string"}}
_LIMITED: Final = {
    "RateLimit-Policy": {"description": "The rate limit of the caller, where it has one."} | _TEXT,
    "RateLimit": {"description": "What is left of it."} | _TEXT,
}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": _TEXT},
    429: {"Retry-After": _RETRY_AFTER, **_LIMITED},
    503: {"Retry-After": _RETRY_AFTER},
}


def document(operations: Sequence[NativeOperation], *, prefix: str, version: str) -> dict[str, Any]:
    """The document, as JSON values.

    Args:
        operations: the dialect's rows.
        prefix: the path they are served under.
        version: of the server.
    """
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = _PLACEHOLDER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas)
    refusals = {status for operation in operations for status in errors(operation)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Airgate", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": prefix}],
        "security": _SECURITY,
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {str(status): _refusal(status, schemas) for status in sorted(refusals)},
            "securitySchemes": _SCHEMES,
        },
    }


class _Schemas:
    """The schema of each Struct that a row names."""

    def __init__(self, operations: Iterable[NativeOperation]) -> None:
        queries = dict.fromkeys(row.query for row in operations if row.query is not None)
        answers = dict.fromkeys([problems.Problem, *(kind for row in operations for kind in _types(row))])
        types = [*queries, *answers]
        schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
        self.components = msgspec.json.decode(_SUFFIX.sub(rb'\1"', msgspec.json.encode(components)))
        for component in self.components.values():
            description = inspect.cleandoc(component.get("description", ""))
            # Words are the model's: what comes after the first paragraph is said to who reads the code.
            component["description"] = description.partition("\n\n")[0] if "enum" in component else description
        self._by_type = dict(zip(types, schemas, strict=True))
        self._queries = {query: self.components.pop(query.__name__) for query in queries}

    def query(self, query: Any) -> dict[str, Any]:
        """The schema of a query, which is no component: each of its properties is a parameter."""
        schema: dict[str, Any] = self._queries[query]
        return schema

    def of(self, kind: Any) -> dict[str, Any]:
        """A reference to the Struct's component."""
        reference: str = self._by_type[kind]["$ref"]
        return {"$ref": reference.removesuffix("View")}


def _types(operation: NativeOperation) -> Iterator[Any]:
    yield from (kind for kind in (operation.body, operation.answer, *operation.also.values()) if kind is not None)


def _operation(operation: NativeOperation, schemas: _Schemas) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(operation.handler.__doc__ or "").partition("\n")
    described: dict[str, Any] = {
        "operationId": operation_id(operation),
        "tags": [operation.tag],
        "summary": summary.rstrip("."),
        "parameters": [
            *_path_parameters(operation),
            *_query_parameters(operation, schemas),
            *_header_parameters(operation),
        ],
        "responses": {str(status): reply for status, reply in sorted(_responses(operation, schemas).items())},
    }
    if description.strip():
        described["description"] = description.strip()
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.of(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.public:
        described["security"] = []
    if operation.permission is not None:
        described["x-permission"] = operation.permission.value
    return described


def operation_id(operation: NativeOperation) -> str:
    """The operation's stable name: that of its handler."""
    return operation.handler.__name__


def _path_parameters(operation: NativeOperation) -> Iterator[dict[str, Any]]:
    for name, kind in _PLACEHOLDER.findall(operation.path):
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if kind == "int":
            schema = {"type": "integer", "minimum": 0}
        elif name.endswith("_id"):
            schema = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: NativeOperation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    schema = schemas.query(operation.query)
    required = schema.get("required", ())
    for name, described in schema["properties"].items():
        plain = _without_null(described)
        description = plain.pop("description", None)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": plain}
        yield parameter if description is None else {**parameter, "description": description}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be absent is never null."""
    plain = {key: value for key, value in schema.items() if key != "anyOf"}
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        plain |= options[0]
    elif options:
        plain["anyOf"] = options
    if plain.get("default", 0) is None:
        del plain["default"]
    return plain


def _header_parameters(operation: NativeOperation) -> Iterator[dict[str, Any]]:
    for header in operation.headers:
        yield {"name": header.name, "in": "header", "required": False, "description": header.description} | _TEXT


def _responses(operation: NativeOperation, schemas: _Schemas) -> dict[int, dict[str, Any]]:
    replies: dict[int, dict[str, Any]] = {}
    for status, answer in {operation.status: operation.answer, **operation.also}.items():
        replies[status] = {"description": HTTPStatus(status).phrase}
        if not operation.public:
            replies[status]["headers"] = _LIMITED
        if answer is not None:
            replies[status]["content"] = {operation.media_type: {"schema": schemas.of(answer)}}
    return replies | {status: {"$ref": f"#/components/responses/{status}"} for status in errors(operation)}


def _refusal(status: int, schemas: _Schemas) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "description": problems.TITLES[status],
        "content": {problems.MEDIA_TYPE: {"schema": schemas.of(problems.Problem)}},
    }
    return reply | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def errors(operation: NativeOperation) -> tuple[int, ...]:
    """Every status an operation may refuse with."""
    statuses = {400, 500, 503, *operation.errors}  # even where nothing is expected, an unknown parameter may be given
    if not operation.public:
        statuses |= {401, 403, 429}
    if operation.body is not None:
        statuses |= {413, 415}
    if "{" in operation.path or operation.reach is Reach.DEPLOYMENT:
        statuses.add(404)
    return tuple(sorted(statuses))
