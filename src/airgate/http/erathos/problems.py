"""Errors as Django REST framework prints them: ``{"field": ["message"]}`` for fields, ``{"detail": …}`` otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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

NON_FIELD: Final = "non_field_errors"
_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (InvalidInput, 400),
    (NotAuthenticated, 401),
    (PermissionDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RateLimited, 429),
    (Unavailable, 503),
)


class Refused(Exception):
    """A request that the dialect itself refuses, with the body of the answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def wrong(faults: Sequence[tuple[str, str]]) -> Refused:
    """Fields are wrong: JSON pointers into the body, and what is wrong there."""
    return Refused(400, nested(faults))


def encode(value: Any, status: int = 200) -> Reply:
    """A value as this dialect prints it."""
    return Reply(status=status, body=msgspec.json.encode(value))


def explain(error: Exception) -> Reply:
    """Any error as a reply. Of an unexpected one nothing but its existence is told."""
    match error:
        case Refused():
            return encode(error.body, error.status)
        case InvalidFields():
            return encode(nested(error.faults), 400)
        case RouteNotFound():
            return _detail(404, "Not found.")
        case MethodNotAllowed():
            reply = _detail(405, f"Method not allowed. This path knows {', '.join(error.allow)}.")
            return msgspec.structs.replace(reply, headers=((b"allow", ", ".join(error.allow).encode()),))
        case BodyTooLarge():
            return _detail(413, f"The body is larger than {error.limit} bytes.")
        case NotAuthenticated():
            reply = _detail(401, "Authentication credentials were not provided, or are not known here.")
            return msgspec.structs.replace(reply, headers=((b"www-authenticate", b"Api-Key"),))
        case RateLimited() | Unavailable():
            reply = _detail(429 if isinstance(error, RateLimited) else 503, error.detail)
            wait = b"%d" % max(1, round(error.retry_after))
            return msgspec.structs.replace(reply, headers=((b"retry-after", wait),))
        case AirgateError():
            status = next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)
            return _detail(status, error.detail)
        case _:
            return _detail(500, "Airgate failed at this, and its log says why.")


def _detail(status: int, text: str) -> Reply:
    return encode({"detail": text}, status)


def nested(faults: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Faults by JSON pointer as the framework nests them: objects by key, items of lists by their number."""
    tree: dict[str, Any] = {}
    for pointer, message in faults:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.strip("/").split("/")]
        node = tree
        for step in steps[:-1]:
            below = node.get(step)
            if not isinstance(below, dict):
                below = node[step] = {} if below is None else {NON_FIELD: below}
            node = below
        last = steps[-1] or NON_FIELD
        present = node.get(last)
        if isinstance(present, dict):
            present.setdefault(NON_FIELD, []).append(message)
        else:
            node.setdefault(last, []).append(message)
    return tree
