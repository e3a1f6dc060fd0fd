"""Who may do it, and where. Deployments and workspaces are part of native paths, and scopes may end before them.

Whoever may not see a deployment or a workspace cannot tell it from one that does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from airgate.access.decisions import Caller, Place, may
from airgate.access.permissions import VERBS, Permission
from airgate.http import checks
from airgate.http.native.common import rooms
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, Check, Operation
from airgate.model.errors import NotFound, PermissionDenied
from airgate.model.identity import ScopeKind


def _is_located(operation: Operation) -> bool:
    return isinstance(operation, NativeOperation) and operation.reach is Reach.DEPLOYMENT


def _is_guarded(operation: Operation) -> bool:
    return not (isinstance(operation, NativeOperation) and operation.public)


def _locate(call: Call) -> None:
    """Find the deployment that the path names. That there is none is said later, to those who may hear it."""
    call.deployment = call.services.deployments.get(call.params["deployment"], call.deployment)


def _authorize(call: Call) -> Awaitable[None] | None:
    operation = call.operation
    assert isinstance(operation, NativeOperation)
    assert call.caller is not None
    match operation.reach:
        case Reach.SERVER:
            _for_server(call.caller, operation.permission)
        case Reach.DEPLOYMENT:
            _for_deployment(call, call.caller, operation.permission)
        case Reach.WORKSPACE:
            return _for_workspace(call, call.caller, operation.permission)
        case Reach.SCOPE:
            _has(call.caller, operation.permission)
    return None


def _has(caller: Caller, permission: Permission | None) -> None:
    """The caller may do this somewhere."""
    if permission is None:
        return
    if permission not in caller.permissions:
        raise _lacking(permission)
    if caller.identity.limits.dags is not None and permission not in VERBS:
        raise PermissionDenied(f"This needs {permission.value}, which an identity limited to some DAGs never has")


def _for_server(caller: Caller, permission: Permission | None) -> None:
    _has(caller, permission)
    if permission is not None and caller.identity.scope.kind is not ScopeKind.EVERYTHING:
        raise PermissionDenied("This concerns the whole server, which the scope of this identity does not cover")


def _for_deployment(call: Call, caller: Caller, permission: Permission | None) -> None:
    name = call.params["deployment"]
    deployment = call.services.deployments.get(name)
    if permission is not None and permission not in caller.permissions:
        raise _lacking(permission)
    if not covers(caller, None if deployment is None else Place(deployment.name, deployment.workspace)):
        raise PermissionDenied(f"The scope of this identity does not cover a deployment '{name}'")
    if deployment is None:
        raise NotFound(f"There is no deployment '{name}'", code="deployment_not_found")
    if permission is not None and not may(caller, permission, call.place):
        raise _lacking(permission)


async def _for_workspace(call: Call, caller: Caller, permission: Permission | None) -> None:
    """Find the workspace that the path names, for those who may do this in it."""
    name = call.params["workspace"]
    place = Place("", name)
    if permission is not None and permission not in caller.permissions:
        raise _lacking(permission)
    if not covers(caller, place):
        raise PermissionDenied(f"The scope of this identity does not cover a workspace '{name}'")
    if permission is not None and not may(caller, permission, place):
        raise _lacking(permission)
    call.found = await rooms(call).workspaces.by_name(name)


def _lacking(permission: Permission) -> PermissionDenied:
    return PermissionDenied(f"This needs the permission {permission.value}")


def covers(caller: Caller, place: Place | None) -> bool:
    """Whether the caller's scope reaches a place; None, a place that does not exist, is for unlimited scopes alone."""
    scope = caller.identity.scope
    if place is None:
        return scope.kind is ScopeKind.EVERYTHING
    return scope.covers(deployment=place.deployment, workspace=place.workspace)


LOCATED: Final = Check(_locate, _is_located)
AUTHENTICATED: Final = Check(checks.AUTHENTICATED.run, _is_guarded)
ADMITTED: Final = Check(checks.ADMITTED.run, _is_guarded)
AUTHORIZED: Final = Check(_authorize, _is_guarded)
