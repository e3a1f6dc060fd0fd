"""What native handlers share: types of fields, replies, and ids in paths."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET

from airgate.deployments.ports import Runs
from airgate.http.native.problems import wrong_body
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.errors import NotFound, Unavailable
from airgate.model.workspace import Workspace
from airgate.orchestration.service import Orchestration

V = TypeVar("V", bound=msgspec.Struct)

EVERY: Final = 100_000
"""More than a short list ever has: what is kept by hand is read as a whole, and paged here."""

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


async def until_ended(runs: Runs, dag_id: str, run_id: str, seconds: float) -> None:
    """Wait for the end of a run, or so long. Whatever else ends the waiting is found out by looking again."""
    with suppress(TimeoutError, NotFound, Unavailable):
        async with asyncio.timeout(seconds), aclosing(runs.follow(dag_id, run_id)) as states:
            async for _ in states:
                pass


def rooms(call: Call) -> Orchestration:
    """The room of workspaces, jobs and webhooks. Raises NotFound on a server that has none."""
    found = call.services.orchestration
    if found is None:
        raise NotFound("This server has no workspaces", code="workspace_not_found")
    return found


def workspace_of(call: Call) -> Workspace:
    """The workspace that the path names, in an operation that reaches one."""
    found: Workspace = call.found
    return found


def given(body: msgspec.Struct, but: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of a body that are given, without those in `but`."""
    values = {name: getattr(body, name) for name in body.__struct_fields__ if name not in but}
    return {name: value for name, value in values.items() if value is not UNSET}


def shown(kind: type[V], noun: msgspec.Struct, **more: Any) -> V:
    """A noun as `kind` shows it: fields of the same names, and those given besides or instead.

    What is nested is shown as it is: its fields are called alike in both.
    """
    fields = {name: getattr(noun, name) for name in kind.__struct_fields__ if name not in more}
    return kind(**fields, **more)
