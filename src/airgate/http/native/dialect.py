"""The native dialect as a table: the rows of each module, and the order in which a request is looked at.

Path, caller, rate limit, permission, query, body: whoever is not let in learns nothing of what an operation expects.
"""

from __future__ import annotations

from typing import Final

import msgspec

from airgate.http.native import (
    audit,
    block_windows,
    deliveries,
    deployments,
    hooks,
    jobs,
    keys,
    me,
    openapi,
    problems,
    roles,
    secrets,
    service_accounts,
    triggers,
    users,
    webhooks,
    workspaces,
)
from airgate.http.native.common import encode
from airgate.http.native.guard import ADMITTED, AUTHENTICATED, AUTHORIZED, LOCATED
from airgate.http.native.requests import BODY, QUERY
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, Dialect
from airgate.http.replies import Reply

PREFIX: Final = "/airgate/v1"


class Document(msgspec.Struct, frozen=True):
    """An OpenAPI document."""

    openapi: str


async def get_openapi(call: Call) -> Reply:
    """Describe this API, as an OpenAPI 3.1 document."""
    return encode(openapi.document(OPERATIONS, prefix=PREFIX, version=call.services.version))


OPERATIONS: Final[tuple[NativeOperation, ...]] = (
    *me.OPERATIONS,
    *users.OPERATIONS,
    *service_accounts.OPERATIONS,
    *keys.OPERATIONS,
    *roles.OPERATIONS,
    *deployments.OPERATIONS,
    *triggers.OPERATIONS,
    *workspaces.OPERATIONS,
    *secrets.OPERATIONS,
    *jobs.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *hooks.OPERATIONS,
    *block_windows.OPERATIONS,
    *audit.OPERATIONS,
    NativeOperation(
        method="GET", path="/openapi.json", handler=get_openapi, tag="document", answer=Document, reach=Reach.SCOPE,
        public=True,
    ),
)  # fmt: skip

NATIVE: Final = Dialect(
    name="native",
    prefix=PREFIX,
    operations=OPERATIONS,
    checks=(LOCATED, AUTHENTICATED, ADMITTED, AUTHORIZED, QUERY, BODY),
    encode=encode,
    explain=problems.explain,
    headers=((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")),
    per_deployment=False,
)
