"""Block windows: times in which jobs of a workspace may not start."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.http.native.common import EVERY, Instant, created, given, id_in_path, rooms, shown, workspace_of
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.native.webhook_views import LocalTime, Weekday, clock_of, clock_view
from airgate.http.native.workspaces import WORKSPACE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Order, Page
from airgate.model.webhook import BlockWindow

_TAG: Final = "block windows"
_WINDOWS: Final = f"{WORKSPACE}/block-windows"
_WINDOW: Final = f"{_WINDOWS}/{{block_window_id}}"
_NOTED: Final = ("name", "is_active")

Weekdays = Annotated[tuple[Weekday, ...], msgspec.Meta(min_length=1, max_length=7)]
WindowName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
JobIds = Annotated[tuple[UUID, ...], msgspec.Meta(max_length=1000, description="Empty: every job of the workspace.")]


class BlockWindowView(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which jobs may not start: on these days from `start` to `end`, local to `time_zone`.

    One whose end is not after its start lasts until that time of the next day. `allow_manual`: runs that somebody asked
    for start all the same; `cancel_running`: what runs when it begins is ended.
    """

    id: UUID
    name: str
    weekdays: tuple[Weekday, ...]
    start: LocalTime
    end: LocalTime
    time_zone: str
    jobs: tuple[UUID, ...]
    allow_manual: bool
    cancel_running: bool
    is_active: bool
    created_at: Instant
    updated_at: Instant


class BlockWindows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of block windows, by name."""

    items: tuple[BlockWindowView, ...]
    next: Next | None


class NewBlockWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A block window to be made."""

    name: WindowName
    weekdays: Weekdays
    start: LocalTime
    end: LocalTime
    time_zone: str = "UTC"
    jobs: JobIds = ()
    allow_manual: bool = False
    cancel_running: bool = False
    is_active: bool = True


class BlockWindowChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a block window; what is left out stays."""

    name: WindowName | UnsetType = UNSET
    weekdays: Weekdays | UnsetType = UNSET
    start: LocalTime | UnsetType = UNSET
    end: LocalTime | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    jobs: JobIds | UnsetType = UNSET
    allow_manual: bool | UnsetType = UNSET
    cancel_running: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


def _view(window: BlockWindow) -> BlockWindowView:
    return shown(BlockWindowView, window, start=clock_view(window.start), end=clock_view(window.end))


def _fields(body: NewBlockWindow | BlockWindowChange) -> dict[str, Any]:
    fields = given(body)
    return fields | {name: clock_of(fields[name], f"#/{name}") for name in ("start", "end") if name in fields}


def _id(call: Call) -> UUID:
    return id_in_path(call, "block_window_id", "block window", "block_window_not_found")


async def list_block_windows(call: Call) -> BlockWindows:
    """List the block windows of a workspace, by name."""
    found = await rooms(call).blocks.list(workspace_of(call).id, Order("name"), Page(EVERY))
    page, following = page_of(call, found.items, lambda one: [one.name, str(one.id)])
    return BlockWindows(items=tuple(map(_view, page)), next=following)


async def get_block_window(call: Call) -> BlockWindowView:
    """Show one block window."""
    return _view(await rooms(call).blocks.get(workspace_of(call).id, _id(call)))


async def post_block_window(call: Call) -> Reply:
    """Make a block window."""
    now, workspace = call.services.clock(), workspace_of(call)
    wanted = BlockWindow(
        id=workspace.id, workspace_id=workspace.id, created_at=now, updated_at=now, **_fields(call.body)
    )
    made = await rooms(call).blocks.create(workspace.id, wanted)
    call.about(block_window_id=str(made.id))
    return created(_view(made))


async def patch_block_window(call: Call) -> BlockWindowView:
    """Change a block window, or switch it on or off."""
    fields = _fields(call.body)
    return _view(await rooms(call).blocks.update(workspace_of(call).id, _id(call), **fields))


async def delete_block_window(call: Call) -> None:
    """Delete a block window.

    What waited for its end starts, unless another window covers the moment.
    """
    await rooms(call).blocks.delete(workspace_of(call).id, _id(call))


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_WINDOWS, handler=list_block_windows, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        query=Paged, answer=BlockWindows, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_WINDOWS, handler=post_block_window, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=NewBlockWindow, status=201, answer=BlockWindowView, reach=Reach.WORKSPACE, noted=_NOTED,
        event="post_block_window",
    ),
    NativeOperation(
        method="GET", path=_WINDOW, handler=get_block_window, tag=_TAG, permission=Permission.WEBHOOKS_READ,
        answer=BlockWindowView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_WINDOW, handler=patch_block_window, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        body=BlockWindowChange, answer=BlockWindowView, reach=Reach.WORKSPACE, noted=_NOTED,
        event="patch_block_window",
    ),
    NativeOperation(
        method="DELETE", path=_WINDOW, handler=delete_block_window, tag=_TAG, permission=Permission.WEBHOOKS_EDIT,
        status=204, reach=Reach.WORKSPACE, event="delete_block_window",
    ),
)  # fmt: skip
