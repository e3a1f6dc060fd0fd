"""Hooks: ways in for systems that can only send webhooks, as they are kept."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.http.checks import require_starting
from airgate.http.native.common import EVERY, Instant, created, given, id_in_path, rooms, shown, workspace_of
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.native.webhook_views import HiddenSecret
from airgate.http.native.workspaces import WORKSPACE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Order, Page
from airgate.model.webhook import Hook, HookScheme

_TAG: Final = "hooks"
_HOOKS: Final = f"{WORKSPACE}/hooks"
_HOOK: Final = f"{_HOOKS}/{{hook_id}}"
_NOTED: Final = ("name", "scheme", "is_active")

HookName = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
AtOnce = Annotated[
    bool, msgspec.Meta(description="The secret before this one counts no more; otherwise it does for a day.")
]


class HookView(msgspec.Struct, frozen=True, kw_only=True):
    """A way in at `path`: what its sender proves itself by is the `scheme`, what it becomes is a run of a DAG.

    `conf`, `run_id` and `idempotency_key` are templates over `${{payload.…}}` and `${{headers.…}}`; without a `conf`
    the payload is the conf. Until `previous_until` the secret before the present one counts too.
    """

    id: UUID
    name: str
    path: str
    scheme: HookScheme
    deployment: str
    dag_id: str
    conf: Any
    run_id: str | None
    idempotency_key: str | None
    shared_in: str
    is_active: bool
    created_by: str
    created_at: Instant
    updated_at: Instant
    last_used_at: Instant | None
    previous_until: Instant | None


class CreatedHook(HookView, frozen=True, kw_only=True):
    """A new hook. `secret` is shown this once and never again."""

    secret: str


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """A page of hooks, by name."""

    items: tuple[HookView, ...]
    next: Next | None


class NewHook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hook to be made. Its name is the end of its path. Without a `secret`, one is made up."""

    name: HookName
    scheme: HookScheme
    deployment: str
    dag_id: str
    conf: Any = None
    run_id: str | None = None
    idempotency_key: str | None = None
    shared_in: str = "x-airgate-token"
    is_active: bool = True
    secret: HiddenSecret | None = None


class HookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a hook; what is left out stays. A `secret` takes the place of the one before."""

    name: HookName | UnsetType = UNSET
    scheme: HookScheme | UnsetType = UNSET
    deployment: str | UnsetType = UNSET
    dag_id: str | UnsetType = UNSET
    conf: Any = UNSET
    run_id: str | UnsetType | None = UNSET
    idempotency_key: str | UnsetType | None = UNSET
    shared_in: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    secret: HiddenSecret | UnsetType = UNSET
    at_once: AtOnce = False


def _path(call: Call, hook: Hook) -> str:
    return f"{call.services.base_path}/hooks/{hook.name}"


def _view(call: Call, hook: Hook) -> HookView:
    return shown(HookView, hook, path=_path(call, hook))


def _id(call: Call) -> UUID:
    return id_in_path(call, "hook_id", "hook")


async def list_hooks(call: Call) -> Hooks:
    """List the hooks of a workspace, by name."""
    found = await rooms(call).hooks.list(workspace_of(call).id, Order("name"), Page(EVERY))
    page, following = page_of(call, found.items, lambda one: one.name)
    return Hooks(items=tuple(_view(call, one) for one in page), next=following)


async def get_hook(call: Call) -> HookView:
    """Show one hook."""
    return _view(call, await rooms(call).hooks.get(workspace_of(call).id, _id(call)))


async def post_hook(call: Call) -> Reply:
    """Make a hook.

    The answer is the only one that holds the secret.
    """
    now, workspace = call.services.clock(), workspace_of(call)
    require_starting(call, workspace.name)
    fields = given(call.body, but=("secret",))
    wanted = Hook(id=workspace.id, workspace_id=workspace.id, created_at=now, updated_at=now, **fields)
    made, secret = await rooms(call).hooks.create(workspace.id, wanted, call.body.secret, call.user)
    call.about(hook_id=str(made.id))
    return created(shown(CreatedHook, made, path=_path(call, made), secret=secret))


async def patch_hook(call: Call) -> HookView:
    """Change a hook, or switch it on or off."""
    require_starting(call, workspace_of(call).name)
    changed = await rooms(call).hooks.update(workspace_of(call).id, _id(call), **given(call.body))
    return _view(call, changed)


async def delete_hook(call: Call) -> None:
    """Delete a hook.

    What comes for it finds nothing any more.
    """
    await rooms(call).hooks.delete(workspace_of(call).id, _id(call))


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_HOOKS, handler=list_hooks, tag=_TAG, permission=Permission.WEBHOOKS_READ, query=Paged,
        answer=Hooks, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_HOOKS, handler=post_hook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, body=NewHook,
        status=201, answer=CreatedHook, errors=(409,), reach=Reach.WORKSPACE, noted=_NOTED, event="post_hook",
    ),
    NativeOperation(
        method="GET", path=_HOOK, handler=get_hook, tag=_TAG, permission=Permission.WEBHOOKS_READ, answer=HookView,
        reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_HOOK, handler=patch_hook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, body=HookChange,
        answer=HookView, errors=(409,), reach=Reach.WORKSPACE, noted=_NOTED, event="patch_hook",
    ),
    NativeOperation(
        method="DELETE", path=_HOOK, handler=delete_hook, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, status=204,
        reach=Reach.WORKSPACE, event="delete_hook",
    ),
)  # fmt: skip
