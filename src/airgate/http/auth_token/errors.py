"""Errors of the sign-in: ``{"detail": …}``, as Airflow 3 has them."""

from __future__ import annotations

from math import ceil
from typing import Final

import msgspec

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.replies import Reply
from airgate.model.errors import (
    AirgateError,
    InvalidInput,
    NotAuthenticated,
    PermissionDenied,
    RateLimited,
    Unavailable,
)

_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (NotAuthenticated, 401),
    (PermissionDenied, 403),
    (InvalidInput, 400),
    (RateLimited, 429),
    (Unavailable, 503),
)


class Refusal(Exception):
    """A request that is refused with a status and a text."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def explain(error: Exception) -> Reply:
    """Any error as a reply. Of an unexpected one nothing but its existence is told."""
    match error:
        case Refusal():
            return _reply(error.status, error.detail)
        case RouteNotFound():
            return _reply(404, "Not Found")
        case MethodNotAllowed():
            return _reply(405, "Method Not Allowed", (b"allow", ", ".join(error.allow).encode()))
        case BodyTooLarge():
            return _reply(413, f"The request body exceeds {error.limit} bytes")
        case RateLimited() | Unavailable():
            return _reply(_status(error), error.detail, (b"retry-after", b"%d" % max(1, ceil(error.retry_after))))
        case AirgateError():
            return _reply(_status(error), error.detail)
        case _:
            return _reply(500, "Internal Server Error")


def _status(error: AirgateError) -> int:
    return next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)


def _reply(status: int, detail: str, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status=status, body=msgspec.json.encode({"detail": detail}), headers=headers)
