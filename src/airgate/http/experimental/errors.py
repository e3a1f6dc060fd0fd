"""Errors of the experimental dialect: ``{"error": TEXT}``, always as JSON, also where Airflow 1.10 fell into HTML."""

from __future__ import annotations

from math import ceil
from typing import Final

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.replies import Reply, compact_json
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

_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 400),  # what exists already is a bad request here: the dialect knows no 409
    (NotAuthenticated, 401),
    (PermissionDenied, 403),
    (RateLimited, 429),
    (Unavailable, 503),
)
_LONGEST: Final = 4000

Headers = tuple[tuple[bytes, bytes], ...]


class WrongCredential(PermissionDenied):
    """A credential was sent, and proves nothing. The dialect tells this (403) from having sent none (401)."""


class Refusal(Exception):
    """An error in the dialect's own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def bad_request(text: str) -> Refusal:
    """The request is wrong."""
    return Refusal(400, text)


def no_dag(dag_id: str) -> Refusal:
    """No DAG of that id was ever seen."""
    return Refusal(404, f"Dag id {dag_id} not found in DagModel")


def explain(error: Exception) -> Reply:
    """Any error as a reply. Of an unexpected one nothing but its existence is told."""
    match error:
        case Refusal():
            return _reply(error.status, error.text)
        case RouteNotFound():
            return _reply(404, "There is no such URL in the experimental API")
        case MethodNotAllowed():
            allowed = ", ".join(error.allow)
            return _reply(405, f"This URL has other methods: {allowed}", ((b"allow", allowed.encode()),))
        case BodyTooLarge():
            return _reply(413, f"The request body exceeds {error.limit} bytes")
        case AirgateError():
            return _reply(_status(error), error.detail, _headers(error))
        case _:
            return _reply(500, "Internal Server Error")


def _status(error: AirgateError) -> int:
    return next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)


def _headers(error: AirgateError) -> Headers:
    match error:
        case NotAuthenticated():
            return ((b"www-authenticate", b"Basic"),)
        case RateLimited() | Unavailable():
            return ((b"retry-after", b"%d" % max(1, ceil(error.retry_after))),)
        case _:
            return ()


def _reply(status: int, text: str, headers: Headers = ()) -> Reply:
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return Reply(status=status, body=compact_json({"error": text}), headers=headers)
