"""Errors of the native dialect: problems as of RFC 9457, with a machine word, and a pointer to what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

import msgspec

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.replies import Reply
from airgate.model.errors import (
    AirgateError,
    Conflict,
    InvalidFields,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_TYPES: Final = "/airgate/v1/problems/"
_LONGEST_DETAIL: Final = 2000
_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (InvalidInput, 400),
    (NotAuthenticated, 401),
    (PermissionDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RateLimited, 429),
    (Unavailable, 503),
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong: `pointer` leads to it in the body, `parameter` names it in the query or a header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error. `code` and `type` are stable and for machines, `title` and `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[Fault, ...] = ()


class Refused(Exception):
    """A request that the dialect itself refuses."""

    def __init__(self, status: int, code: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)


def wrong_body(detail: str, pointer: str = "#") -> Refused:
    """The body is wrong at a place, given as a JSON pointer in a URI fragment: ``#/conf``."""
    return Refused(400, "invalid_body", f"{pointer}: {detail}", [Fault(detail=detail, pointer=pointer)])


def wrong_parameter(detail: str, name: str) -> Refused:
    """A query parameter or header is wrong."""
    return wrong_parameters([Fault(detail=detail, parameter=name)])


def wrong_parameters(faults: Sequence[Fault]) -> Refused:
    """Query parameters or headers are wrong. The detail of a fault goes on after the name of the parameter."""
    said = "; ".join(f"`{fault.parameter}` {fault.detail}" for fault in faults)
    return Refused(400, "invalid_parameter", said, faults)


def problem_of(error: Exception) -> Problem:
    """The problem that tells of an error. Of an unexpected one nothing but its existence is told."""
    match error:
        case Refused():
            return _problem(error.status, error.code, error.detail, error.faults)
        case RouteNotFound():
            return _problem(404, "route_not_found", "Nothing has this path; openapi.json says what there is")
        case MethodNotAllowed():
            return _problem(405, "method_not_allowed", f"This path knows the methods {', '.join(error.allow)}")
        case BodyTooLarge():
            return _problem(413, "body_too_large", f"The body is larger than {error.limit} bytes, which is the most")
        case InvalidFields():
            faults = tuple(Fault(detail=detail, pointer="#" + pointer.rstrip("/")) for pointer, detail in error.faults)
            return _problem(400, error.code, error.detail, faults)
        case AirgateError():
            status = next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)
            return _problem(status, error.code, error.detail)
        case _:
            return _problem(500, "internal_error", "Airgate failed at this, and its log says why")


def _problem(status: int, code: str, detail: str, faults: tuple[Fault, ...] = ()) -> Problem:
    if len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + "…"
    return Problem(type=_TYPES + code, title=TITLES[status], status=status, detail=detail, code=code, errors=faults)


def explain(error: Exception) -> Reply:
    """Any error as a reply."""
    problem = problem_of(error)
    return Reply(
        status=problem.status, body=msgspec.json.encode(problem), media_type=MEDIA_TYPE, headers=_headers(error)
    )


def _headers(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    match error:
        case NotAuthenticated():
            return ((b"www-authenticate", b'Bearer realm="airgate"'),)
        case MethodNotAllowed():
            return ((b"allow", ", ".join(error.allow).encode()),)
        case RateLimited() | Unavailable():
            return ((b"retry-after", b"%d" % max(1, ceil(error.retry_after))),)
        case _:
            return ()
