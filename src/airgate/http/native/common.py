"""What native handlers share: types of fields, replies, and ids in paths."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from airgate.http.native.problems import wrong_body
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.errors import NotFound

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A date with an offset; printed in UTC, with a Z."""


def encode(value: Any, status: int = 200) -> Reply:
    """A value as the dialect prints it; None is nothing."""
    if value is None:
        return Reply(status=204, media_type=None)
    try:
        body = msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):  # a conf that came by another dialect: lone surrogates, huge integers
        body = json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()
    return Reply(status=status, body=body)


def created(value: Any) -> Reply:
    """The answer to a request that made something."""
    return encode(value, 201)


def id_in_path(call: Call, name: str, what: str, code: str | None = None) -> UUID:
    """An id of the path.

    Raises:
        NotFound: it cannot be one: there is no `what` with it. Its code is `code`, or made of `what`.
    """
    text = call.params[name]
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is no {what} with the id '{text}'", code=code or f"{what}_not_found") from None


def utc(moment: datetime | None, pointer: str) -> datetime | None:
    """A date of a body in UTC. Raises Refused for the first and last hours of the calendar, which UTC may not have."""
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError:
        raise wrong_body("This date cannot be said in UTC", pointer) from None
