"""Secrets of a workspace, whose values go in and never come out."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.http.native.common import EVERY, Instant, created, given, rooms, shown, workspace_of
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.native.workspaces import WORKSPACE, Description, Name
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.query import Order, Page
from airgate.model.workspace import WorkspaceSecret
from airgate.orchestration.workspaces import LONGEST_VALUE

_TAG: Final = "secrets"
_SECRETS: Final = f"{WORKSPACE}/secrets"
_SECRET: Final = f"{_SECRETS}/{{secret}}"

HiddenValue = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=LONGEST_VALUE, extra_json_schema={"format": "password", "writeOnly": True}
    ),
]  # fmt: skip


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """A value that templates read as `${{secrets.name}}`, its name in any case, and nobody reads back."""

    id: UUID
    name: str
    description: str
    created_at: Instant
    updated_at: Instant


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """A page of secrets, by name."""

    items: tuple[SecretView, ...]
    next: Next | None


class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret to be kept. No other of its workspace has its name, in whatever case."""

    name: Name
    value: HiddenValue
    description: Description = ""


class SecretChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a secret; what is left out stays."""

    name: Name | UnsetType = UNSET
    value: HiddenValue | UnsetType = UNSET
    description: Description | UnsetType = UNSET


def _view(secret: WorkspaceSecret) -> SecretView:
    return shown(SecretView, secret)


async def _named(call: Call) -> WorkspaceSecret:
    return await rooms(call).secrets.find(workspace_of(call).id, call.params["secret"])


async def list_secrets(call: Call) -> Secrets:
    """List the secrets of a workspace, by name and without their values."""
    found = await rooms(call).secrets.list(workspace_of(call).id, Order("name"), Page(EVERY))
    page, following = page_of(call, found.items, lambda one: one.name)
    return Secrets(items=tuple(map(_view, page)), next=following)


async def get_secret(call: Call) -> SecretView:
    """Show one secret, without its value."""
    return _view(await _named(call))


async def post_secret(call: Call) -> Reply:
    """Keep a secret, encrypted.

    Wherever its value appears in what is kept or shown of requests and answers, it is masked.
    """
    return created(_view(await rooms(call).secrets.create(workspace_of(call).id, **given(call.body))))


async def patch_secret(call: Call) -> SecretView:
    """Change a secret.

    Deliveries that were not sent yet read it as it is when they are.
    """
    found, changes = await _named(call), given(call.body)
    return _view(await rooms(call).secrets.update(workspace_of(call).id, found.id, **changes))


async def delete_secret(call: Call) -> None:
    """Delete a secret.

    Deliveries of webhooks that read it stop, and say so.
    """
    await rooms(call).secrets.delete(workspace_of(call).id, (await _named(call)).id)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_SECRETS, handler=list_secrets, tag=_TAG, permission=Permission.VARIABLES_READ, query=Paged,
        answer=Secrets, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_SECRETS, handler=post_secret, tag=_TAG, permission=Permission.SECRETS_EDIT,
        body=NewSecret, status=201, answer=SecretView, errors=(409,), reach=Reach.WORKSPACE, noted=("name",),
        event="post_secret",
    ),
    NativeOperation(
        method="GET", path=_SECRET, handler=get_secret, tag=_TAG, permission=Permission.VARIABLES_READ,
        answer=SecretView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_SECRET, handler=patch_secret, tag=_TAG, permission=Permission.SECRETS_EDIT,
        body=SecretChange, answer=SecretView, errors=(409,), reach=Reach.WORKSPACE, noted=("name",),
        event="patch_secret",
    ),
    NativeOperation(
        method="DELETE", path=_SECRET, handler=delete_secret, tag=_TAG, permission=Permission.SECRETS_EDIT, status=204,
        reach=Reach.WORKSPACE, event="delete_secret",
    ),
)  # fmt: skip
