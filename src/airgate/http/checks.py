"""Checks any dialect may put into its order: who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable

from airgate.access.decisions import may
from airgate.http.operations import Call, Check, Operation
from airgate.model.errors import NotAuthenticated, PermissionDenied


def _is_guarded(operation: Operation) -> bool:
    return operation.permission is not None


async def _authenticate(call: Call) -> None:
    call.caller = await call.services.access.authenticate(call.header(b"authorization"), call.address)
    if call.caller is None:
        raise NotAuthenticated("No credential, or one that is not known here")


def _authorize(call: Call) -> Awaitable[None] | None:
    permission = call.operation.permission
    assert permission is not None
    dag_id = call.params.get("dag_id")
    if call.caller is None or not may(call.caller, permission, call.place, None if dag_id == "~" else dag_id):
        raise PermissionDenied(f"This needs the permission {permission.value}")
    return None


AUTHENTICATED = Check(_authenticate, _is_guarded)
AUTHORIZED = Check(_authorize, _is_guarded)
