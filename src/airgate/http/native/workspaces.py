"""Workspaces, and the variables in them that templates read."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.decisions import Place
from airgate.access.permissions import Permission
from airgate.http.native.common import EVERY, Instant, created, given, rooms, shown, workspace_of
from airgate.http.native.guard import covers
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.model.query import Order, Page
from airgate.model.workspace import Workspace, WorkspaceVariable
from airgate.orchestration.workspaces import LONGEST_VALUE

_TAG: Final = "workspaces"
WORKSPACE: Final = "/workspaces/{workspace}"
_VARIABLES: Final = f"{WORKSPACE}/variables"
_VARIABLE: Final = f"{_VARIABLES}/{{variable}}"

WorkspaceName = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern="^[a-z0-9][a-z0-9-]*$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern="^[A-Za-z_][A-Za-z0-9_-]*$")]
Value = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_VALUE)]
Description = Annotated[str, msgspec.Meta(max_length=1000)]
Networks = Annotated[tuple[str, ...], msgspec.Meta(max_length=100)]


class WorkspaceView(msgspec.Struct, frozen=True, kw_only=True):
    """The outer scope: it holds deployments, variables, secrets, jobs, webhooks, hooks and block windows.

    `private_targets` are the networks that its deliveries may go to although they are private, loopback or link-local.
    """

    id: UUID
    name: str
    private_targets: tuple[str, ...]
    created_at: Instant
    updated_at: Instant


class Workspaces(msgspec.Struct, frozen=True, kw_only=True):
    """A page of workspaces, by name."""

    items: tuple[WorkspaceView, ...]
    next: Next | None


class NewWorkspace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace to be made. It keeps its name, which paths and scopes of identities hold."""

    name: WorkspaceName
    private_targets: Networks = ()


class WorkspaceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a workspace."""

    private_targets: Networks | UnsetType = UNSET


class VariableView(msgspec.Struct, frozen=True, kw_only=True):
    """A value that templates read as `${{variables.name}}`, its name in any case."""

    id: UUID
    name: str
    value: str
    description: str
    created_at: Instant
    updated_at: Instant


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """A page of variables, by name."""

    items: tuple[VariableView, ...]
    next: Next | None


class NewVariable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable to be made. No other of its workspace has its name, in whatever case."""

    name: Name
    value: Value
    description: Description = ""


class VariableChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a variable; what is left out stays."""

    name: Name | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    description: Description | UnsetType = UNSET


def _view(workspace: Workspace) -> WorkspaceView:
    return shown(WorkspaceView, workspace)


async def list_workspaces(call: Call) -> Workspaces:
    """List the workspaces that the caller's scope covers."""
    caller = caller_of(call)
    found = [one for one in await rooms(call).workspaces.list() if covers(caller, Place("", one.name))]
    page, following = page_of(call, found, lambda one: one.name)
    return Workspaces(items=tuple(map(_view, page)), next=following)


async def get_workspace(call: Call) -> WorkspaceView:
    """Show one workspace."""
    return _view(workspace_of(call))


async def post_workspace(call: Call) -> Reply:
    """Make a workspace.

    What may be reached from a workspace concerns the whole server, and so do making and deleting one.
    """
    return created(_view(await rooms(call).workspaces.create(call.body.name, call.body.private_targets)))


async def patch_workspace(call: Call) -> WorkspaceView:
    """Change where deliveries of a workspace may go besides public addresses."""
    workspace = await rooms(call).workspaces.by_name(call.params["workspace"])
    return _view(await rooms(call).workspaces.update(workspace.id, **given(call.body)))


async def delete_workspace(call: Call) -> None:
    """Delete a workspace, with its variables and secrets.

    It holds nothing else: no deployments, jobs, webhooks, hooks or block windows. The first one stays.
    """
    workspace = await rooms(call).workspaces.by_name(call.params["workspace"])
    await rooms(call).workspaces.delete(workspace.id)


# ----------------------------------------------------------------------------------------------------------- variables


def _variable_view(variable: WorkspaceVariable) -> VariableView:
    return shown(VariableView, variable)


async def _named(call: Call) -> WorkspaceVariable:
    return await rooms(call).workspaces.find_variable(workspace_of(call).id, call.params["variable"])


async def list_workspace_variables(call: Call) -> Variables:
    """List the variables of a workspace, by name."""
    found = await rooms(call).workspaces.list_variables(workspace_of(call).id, Order("name"), Page(EVERY))
    page, following = page_of(call, found.items, lambda one: one.name)
    return Variables(items=tuple(map(_variable_view, page)), next=following)


async def get_workspace_variable(call: Call) -> VariableView:
    """Show one variable of a workspace."""
    return _variable_view(await _named(call))


async def post_workspace_variable(call: Call) -> Reply:
    """Make a variable of a workspace."""
    made = await rooms(call).workspaces.create_variable(workspace_of(call).id, **given(call.body))
    return created(_variable_view(made))


async def patch_workspace_variable(call: Call) -> VariableView:
    """Change a variable of a workspace.

    Deliveries that were not sent yet read it as it is when they are.
    """
    found, changes = await _named(call), given(call.body)
    return _variable_view(await rooms(call).workspaces.update_variable(workspace_of(call).id, found.id, **changes))


async def delete_workspace_variable(call: Call) -> None:
    """Delete a variable of a workspace.

    Deliveries of webhooks that read it stop, and say so.
    """
    await rooms(call).workspaces.delete_variable(workspace_of(call).id, (await _named(call)).id)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/workspaces", handler=list_workspaces, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        query=Paged, answer=Workspaces, reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="POST", path="/workspaces", handler=post_workspace, tag=_TAG, permission=Permission.WORKSPACES_EDIT,
        body=NewWorkspace, status=201, answer=WorkspaceView, errors=(409,), noted=("name", "private_targets"),
        event="post_workspace",
    ),
    NativeOperation(
        method="GET", path=WORKSPACE, handler=get_workspace, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        answer=WorkspaceView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=WORKSPACE, handler=patch_workspace, tag=_TAG, permission=Permission.WORKSPACES_EDIT,
        body=WorkspaceChange, answer=WorkspaceView, noted=("private_targets",), event="patch_workspace",
    ),
    NativeOperation(
        method="DELETE", path=WORKSPACE, handler=delete_workspace, tag=_TAG, permission=Permission.WORKSPACES_EDIT,
        status=204, errors=(409,), event="delete_workspace",
    ),
    NativeOperation(
        method="GET", path=_VARIABLES, handler=list_workspace_variables, tag=_TAG,
        permission=Permission.VARIABLES_READ, query=Paged, answer=Variables, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_VARIABLES, handler=post_workspace_variable, tag=_TAG,
        permission=Permission.VARIABLES_EDIT, body=NewVariable, status=201, answer=VariableView, errors=(409,),
        reach=Reach.WORKSPACE, noted=("name",), event="post_workspace_variable",
    ),
    NativeOperation(
        method="GET", path=_VARIABLE, handler=get_workspace_variable, tag=_TAG,
        permission=Permission.VARIABLES_READ, answer=VariableView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_VARIABLE, handler=patch_workspace_variable, tag=_TAG,
        permission=Permission.VARIABLES_EDIT, body=VariableChange, answer=VariableView, errors=(409,),
        reach=Reach.WORKSPACE, noted=("name",), event="patch_workspace_variable",
    ),
    NativeOperation(
        method="DELETE", path=_VARIABLE, handler=delete_workspace_variable, tag=_TAG,
        permission=Permission.VARIABLES_EDIT, status=204, reach=Reach.WORKSPACE, event="delete_workspace_variable",
    ),
)  # fmt: skip
