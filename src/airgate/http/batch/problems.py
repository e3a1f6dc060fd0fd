"""Errors of the batch plugin: an object with one sentence in it."""

from __future__ import annotations

import json
import math
from typing import Any

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.replies import Reply
from airgate.model.errors import (
    AirgateError,
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
)

_STATUSES: tuple[tuple[type[AirgateError], int], ...] = ((InvalidInput, 400), (NotFound, 404), (Conflict, 409))
_UNAUTHORIZED = "You are not authorized to use this resource"
"""The plugin's own words, for whoever has no credential or a wrong one."""
_FORBIDDEN = "You are not allowed to do this. Ask for a role, or for grants, that include it"
_LONGEST = 4000


def encode(value: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """A handler's value in the plugin's envelope, as Python's own JSON prints it."""
    return Reply(status=status, body=json.dumps({"response": value}).encode(), headers=headers)


def explain(error: Exception) -> Reply:
    """Any error as a reply. Of an unexpected one nothing but its existence is told."""
    match error:
        case RouteNotFound():
            return _reply(404, "There is no such path: it is dags, dag_runs or dag_runs/<dag run id>")
        case MethodNotAllowed():
            allowed = ", ".join(error.allow)
            return _reply(405, f"This path takes {allowed}", (b"allow", allowed.encode()))
        case BodyTooLarge():
            return _reply(413, f"The request body exceeds {error.limit} bytes")
        case NotAuthenticated():
            return _reply(401, _UNAUTHORIZED)
        case PermissionDenied():
            return _reply(403, _FORBIDDEN)
        case RateLimited():
            return _reply(429, error.detail, _retry_after(error.retry_after))
        case Unavailable():
            return _reply(503, error.detail, _retry_after(error.retry_after))
        case AirgateError():
            status = next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)
            return _reply(status, error.detail)
        case _:
            return _reply(500, "Something went wrong in the server; its log says what")


def _reply(status: int, message: str, *headers: tuple[bytes, bytes]) -> Reply:
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "…"
    return encode({"error": message}, status, headers)


def _retry_after(seconds: float) -> tuple[bytes, bytes]:
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))
