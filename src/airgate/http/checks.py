"""Checks any dialect may put into its order: who asks, and whether they may."""

from __future__ import annotations

import math
from collections.abc import Awaitable

from airgate.access.decisions import Place, may
from airgate.access.permissions import Permission
from airgate.http.operations import Call, Check, Operation
from airgate.model.errors import NotAuthenticated, PermissionDenied, RateLimited


def _is_guarded(operation: Operation) -> bool:
    return operation.permission is not None


async def _authenticate(call: Call) -> None:
    call.caller = await call.services.access.authenticate(call.header(b"authorization"), call.address)
    if call.caller is None:
        raise NotAuthenticated("No credential, or one that is not known here")


def _admit(call: Call) -> None:
    caller = call.caller
    standing = None if caller is None else call.services.access.admit(caller)
    if standing is None:
        return
    limit = standing.limit
    call.reply_headers += (
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (limit.requests, limit.seconds)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (standing.remaining, math.ceil(standing.full_after))),
    )
    if not standing.admitted:
        raise RateLimited(
            f"'{call.user}' may ask {limit.requests} times in {limit.seconds} s, and has.",
            retry_after=standing.retry_after,
        )


def _authorize(call: Call) -> Awaitable[None] | None:
    permission = call.operation.permission
    assert permission is not None
    dag_id = call.params.get("dag_id")
    if call.caller is None or not may(call.caller, permission, call.place, None if dag_id == "~" else dag_id):
        raise PermissionDenied(f"This needs the permission {permission.value}")
    return None


def require_starting(call: Call, workspace: str) -> None:
    """Refuse a caller who could not start runs in the workspace themselves, and would have a webhook or hook do it.

    Raises:
        PermissionDenied: they may not.
    """
    if call.caller is None or not may(call.caller, Permission.RUNS_CREATE, Place("", workspace)):
        raise PermissionDenied(f"What starts runs needs the permission {Permission.RUNS_CREATE.value} besides")


AUTHENTICATED = Check(_authenticate, _is_guarded)
ADMITTED = Check(_admit, _is_guarded)
"""Directly after `AUTHENTICATED`: a request that is refused for what it asks has been asked all the same."""
AUTHORIZED = Check(_authorize, _is_guarded)
