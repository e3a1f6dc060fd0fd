"""Errors of the v1 dialect: RFC 7807 problems, with the titles and links of Airflow 2.11."""

from __future__ import annotations

import math
from typing import Final

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.replies import Reply, pretty_json
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

AIRFLOW_VERSION: Final = "2.11.2"
"""The Airflow whose v1 this dialect is: its links name it, and ``/version`` answers it."""

_LINK: Final = (
    f"https://airflow.apache.org/docs/apache-airflow/{AIRFLOW_VERSION}/stable-rest-api-ref.html#section/Errors/"
)
_ANCHORS: Final = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "AlreadyExists",
    500: "Unknown",
}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (PermissionDenied, 403),
    (NotAuthenticated, 401),
    (Unavailable, 503),
)
_LONGEST_DETAIL: Final = 4000
_STANDARD_TITLE: Final = "\0"

_NO_SUCH_URL: Final = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling "
    "and try again."
)
_NO_SUCH_METHOD: Final = "The method is not allowed for the requested URL."


class Problem(Exception):
    """An error in the dialect's own form.

    `title` and `detail` may be None, which the wire then says. `linked` False: the error is Flask's, not Airflow's,
    and its type is ``about:blank``.
    """

    def __init__(
        self, status: int, detail: str | None = None, *, title: str | None = _STANDARD_TITLE, linked: bool = True
    ) -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = _TITLES.get(status) if title is _STANDARD_TITLE else title
        self.detail = detail
        self.linked = linked


def bad_request(detail: str | None, title: str = "Bad Request") -> Problem:
    """The request is wrong."""
    return Problem(400, detail, title=title)


def not_found(detail: str | None = None, title: str = "Not Found") -> Problem:
    """Something named by the request does not exist."""
    return Problem(404, detail, title=title)


def explain(error: Exception) -> Reply:
    """Any error as a reply. Of an unexpected one nothing but its existence is told."""
    match error:
        case Problem():
            return _reply(error)
        case RouteNotFound():
            return _reply(Problem(404, _NO_SUCH_URL, linked=False))
        case MethodNotAllowed():
            problem = Problem(405, _NO_SUCH_METHOD, title="Method Not Allowed", linked=False)
            return _reply(problem, (b"allow", ", ".join(error.allow).encode()))
        case BodyTooLarge():
            return _reply(Problem(413, f"The request body exceeds {error.limit} bytes.", linked=False))
        case NotAuthenticated():
            return _reply(Problem(401), (b"www-authenticate", b"Basic"))
        case PermissionDenied():
            return _reply(Problem(403))
        case Unavailable():
            retry_after = b"%d" % max(1, round(error.retry_after))
            return _reply(Problem(503, error.detail, linked=False), (b"retry-after", retry_after))
        case RateLimited():
            later = b"%d" % max(1, math.ceil(error.retry_after))
            return _reply(Problem(429, error.detail, linked=False), (b"retry-after", later))
        case AirgateError():
            return _reply(_of_model(error))
        case _:
            return _reply(Problem(500))


def _of_model(error: AirgateError) -> Problem:
    for branch, status in _STATUSES:
        if isinstance(error, branch):
            return Problem(status, error.detail, title=error.title or _TITLES[status])
    return Problem(500)


def _reply(problem: Problem, *headers: tuple[bytes, bytes]) -> Reply:
    anchor = _ANCHORS.get(problem.status) if problem.linked else None
    detail = problem.detail
    if detail is not None and len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + "…"
    body = {
        "detail": detail,
        "status": problem.status,
        "title": problem.title,
        "type": "about:blank" if anchor is None else _LINK + anchor,
    }
    return Reply(
        status=problem.status, body=pretty_json(body), media_type="application/problem+json", headers=tuple(headers)
    )
