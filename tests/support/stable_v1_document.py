"""The OpenAPI document of v1, and whether something fits it."""

from __future__ import annotations

from typing import Any

from openapi_schema_validator import OAS30Validator, oas30_format_checker

from airgate.http.stable_v1.dialect import OPERATIONS
from airgate.http.stable_v1.openapi import document

DOCUMENT = document(OPERATIONS, server="/api/v1", version="0.0.0")
DESCRIBED = {
    (method.upper(), path): described
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
}


def strict(schema: Any) -> Any:
    """The schema, letting through no property it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(inside) for name, inside in schema.items()}
    if "properties" in found and "additionalProperties" not in found and isinstance(found.get("type"), str):
        found["additionalProperties"] = False
    return found


SCHEMAS = {"components": {"schemas": {name: strict(one) for name, one in DOCUMENT["components"]["schemas"].items()}}}


def misfit(schema: Any, value: Any) -> str | None:
    validator = OAS30Validator({**schema, **SCHEMAS}, format_checker=oas30_format_checker)
    error = next(iter(validator.iter_errors(value)), None)
    return None if error is None else f"{'/'.join(map(str, error.path))}: {error.message}"


def matching(method: str, path: str) -> tuple[str, str] | None:
    """The operation that a path is of; a literal segment wins over a placeholder."""
    segments = path.partition("?")[0].split("/")
    found = [
        (sum(part.startswith("{") for part in known.split("/")), known)
        for one, known in DESCRIBED
        if one == method
        and len(known.split("/")) == len(segments)
        and all(a == b or a.startswith("{") for a, b in zip(known.split("/"), segments, strict=True))
    ]
    return (method, min(found)[1]) if found else None


def misfit_of_answer(method: str, path: str, status: int, content_type: str | None, answer: Any) -> str | None:
    """How an answer to a request below the dialect's prefix is not as described; None: it is, or is of no operation."""
    key = matching("GET" if method == "HEAD" else method, path)
    if key is None:
        return None
    described = DESCRIBED[key]["responses"].get(str(status))
    if described is None:
        return f"{key} does not say that it answers {status}"
    if "$ref" in described:
        described = DOCUMENT["components"]["responses"][described["$ref"].rpartition("/")[2]]
    content = described.get("content", {}).get((content_type or "").partition(";")[0])
    if content is None or not isinstance(answer, dict):
        return None if answer is None or not described.get("content") or content else f"{key} with {content_type}"
    return misfit(content["schema"], answer)
