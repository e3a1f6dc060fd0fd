"""Who the caller is."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from airgate.http.native.deployments import visible_deployments
from airgate.http.native.identities import IdentityView, identity_view
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The caller: who, by which key, and what it may do where."""

    identity: IdentityView
    key_id: UUID | None
    permissions: tuple[str, ...]
    deployments: tuple[str, ...]


async def get_me(call: Call) -> Me:
    """Show who the caller is, and what it may do.

    `key_id` is null where a password or a token proved it. `deployments` are those that the caller's scope covers.
    """
    caller = caller_of(call)
    return Me(
        identity=identity_view(caller.identity),
        key_id=caller.key_id,
        permissions=tuple(sorted(permission.value for permission in caller.permissions)),
        deployments=tuple(deployment.name for deployment in visible_deployments(call)),
    )


OPERATIONS: Final = (
    NativeOperation(method="GET", path="/me", handler=get_me, tag="identities", answer=Me, reach=Reach.SCOPE),
)
