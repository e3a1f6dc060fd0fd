"""Hooks as a dialect of one operation. Who sends proves it by a signature; no credential of Airgate's is asked for.

Whoever sends unsigned costs little: after some wrong signatures an address waits, and is refused before its body is
read. What a stranger is told of a refusal is that it is one; the audit log says why.
"""

from __future__ import annotations

import time
from datetime import datetime
from math import ceil
from typing import Any, Final

import msgspec

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.json_input import BadJson, read_json
from airgate.http.operations import Call, Check, Dialect, Operation
from airgate.http.replies import Reply
from airgate.model.errors import (
    AirgateError,
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Unavailable,
)
from airgate.model.job import dag_job_id
from airgate.model.states import RunState
from airgate.model.trigger import Accepted
from airgate.model.webhook import Hook
from airgate.orchestration.hooks import Hooks, Known
from airgate.orchestration.inbound import Inbound

PREFIX: Final = "/hooks"
_MEDIA_TYPE: Final = "application/problem+json"
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_STATUSES: Final[tuple[tuple[type[AirgateError], int], ...]] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)


class Started(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run of a delivery; `created` false: the delivery was taken before, and this is its run."""

    run_id: str
    dag_id: str
    created: bool
    blocked_until: datetime | None = None
    """When it may start, where a block window keeps it from starting now."""


async def receive_hook(call: Call) -> Reply:
    """Take one delivery: verify it, and start the run it asks for, once however often it is delivered."""
    known: Known = call.query
    hooks, hook = _hooks(call), known.hook
    try:
        wanted = hooks.read(known, Inbound(headers=_headers(call), body=call.raw_body), _json)
    except NotAuthenticated as error:
        call.services.floods.wrong(_sender(call), time.monotonic())
        call.about(reason=error.detail)
        raise
    call.services.floods.right(_sender(call))
    call.params = {**call.params, "deployment": hook.deployment}
    call.about(actor=f"hook {hook.name}", dag_id=hook.dag_id)
    if isinstance(wanted, dict):
        return _encode(wanted)
    deployment = call.services.deployments.get(hook.deployment)
    if deployment is None:
        raise Unavailable(f"The deployment '{hook.deployment}' of this hook is not here now.", retry_after=60)
    accepted = await call.services.triggers.accept(deployment, wanted, call.audit_entry())
    call.audited = True
    await hooks.used(hook)
    return _encode(_started(call, hook, accepted))


def _started(call: Call, hook: Hook, accepted: Accepted) -> Started:
    run, rooms, until = accepted.run, call.services.orchestration, None
    if rooms is not None and run.state is RunState.QUEUED:
        until = rooms.blocks.blocked_until(hook.workspace_id, dag_job_id(hook.deployment, hook.dag_id))
    return Started(run_id=run.run_id, dag_id=run.dag_id, created=accepted.created, blocked_until=until)


async def _let_in(call: Call) -> None:
    """Refuse who floods and who names no hook, before anything is read of the body."""
    wait = call.services.floods.delay(_sender(call), time.monotonic())
    if wait > 0:
        raise RateLimited("Too many requests without a good signature came from this address.", retry_after=wait)
    try:
        call.query = await _hooks(call).find(call.params["name"])
    except NotFound:
        call.services.floods.wrong(_sender(call), time.monotonic())
        raise


def _hooks(call: Call) -> Hooks:
    if call.services.orchestration is None:
        raise NotFound("There are no hooks here", code="hook_not_found")
    return call.services.orchestration.hooks


def _json(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except BadJson as error:
        raise ValueError(str(error)) from error


def _sender(call: Call) -> str:
    return f"{call.params['name']} {call.address}"


def _headers(call: Call) -> dict[str, str]:
    """The headers by name, as the server gives them; of several the first, as signatures are looked for there."""
    found: dict[str, str] = {}
    for name, value in call.headers:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def _encode(value: Any) -> Reply:
    return Reply(body=msgspec.json.encode(value))


def _explain(error: Exception) -> Reply:
    """Any error as a problem. Of signatures, and of what is unexpected, nothing is told but that it is so."""
    match error:
        case RouteNotFound():
            return _problem(404, "hook_not_found", "There is no such hook")
        case MethodNotAllowed():
            allow = ", ".join(error.allow)
            return _problem(405, "method_not_allowed", f"A hook takes {allow}", (b"allow", allow.encode()))
        case BodyTooLarge():
            return _problem(413, "body_too_large", f"The body is larger than {error.limit} bytes, which is the most")
        case NotAuthenticated():
            detail = "The request does not prove where it comes from; its signature is missing, wrong or too old"
            return _problem(401, "hook_signature", detail, (b"www-authenticate", b'Signature realm="airgate hooks"'))
        case RateLimited():
            return _problem(429, error.code, error.detail, _later(error))
        case AirgateError():
            status = next((status for branch, status in _STATUSES if isinstance(error, branch)), 500)
            later = (_later(error),) if isinstance(error, Unavailable) else ()
            return _problem(status, error.code, error.detail, *later)
        case _:
            return _problem(500, "internal_error", "Airgate failed at this, and its log says why")


def _later(error: RateLimited | Unavailable) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % max(1, ceil(error.retry_after))


def _problem(status: int, code: str, detail: str, *headers: tuple[bytes, bytes]) -> Reply:
    told = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail[:2000], "code": code}
    return Reply(status=status, body=msgspec.json.encode(told), media_type=_MEDIA_TYPE, headers=headers)


HOOKS: Final = Dialect(
    name="hooks",
    prefix=PREFIX,
    operations=(Operation(method="POST", path="/{name}", handler=receive_hook, body=bytes, event="receive_hook"),),
    checks=(Check(_let_in, lambda operation: True, early=True),),
    encode=_encode,
    explain=_explain,
    headers=((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")),
    per_deployment=False,
)
