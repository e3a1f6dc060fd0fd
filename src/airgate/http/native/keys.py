"""API keys of an identity: several, so that they can be rotated, and each revocable by itself."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from airgate.access.ports import IssuedKey, NewKey
from airgate.http.native.common import Instant, created, id_in_path, utc
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.model.identity import ApiKey

_TAG: Final = "keys"
_KEYS: Final = "/identities/{identity_id}/keys"


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret. `batch`: `GET /api/v1/dags` answers it in the batch dialect."""

    id: UUID
    label: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    batch: bool


class CreatedKey(KeyView, frozen=True, kw_only=True):
    """A new API key. `api_key` is the secret, which is shown this once and never again."""

    api_key: str


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """A page of API keys, the newest first."""

    items: tuple[KeyView, ...]
    next: Next | None


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be issued."""

    label: str = ""
    expires_at: Instant | None = None
    batch: bool = False


def key_view(key: ApiKey) -> KeyView:
    """All that is shown of a key."""
    return KeyView(
        id=key.id,
        label=key.label,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        batch=key.batch,
    )


def _created_view(issued: IssuedKey) -> CreatedKey:
    return CreatedKey(**msgspec.structs.asdict(key_view(issued.key)), api_key=issued.secret)


async def list_keys(call: Call) -> Keys:
    """List the API keys of an identity.

    One's own may always be listed. Those of other people need `users.read`, those of service accounts
    `service_accounts.read`.
    """
    found = await call.services.accounts.keys(caller_of(call), _owner(call))
    page, following = page_of(call, found, lambda key: str(key.id), descending=True)
    return Keys(items=tuple(map(key_view, page)), next=following)


async def post_key(call: Call) -> Reply:
    """Issue an API key.

    A person may always issue keys of their own; those of other people need `users.edit`, those of service accounts
    `service_accounts.edit`. The answer is the only one that holds the secret.
    """
    body: KeyRequest = call.body
    new = NewKey(label=body.label, expires_at=utc(body.expires_at, "#/expires_at"), batch=body.batch)
    return created(_created_view(await call.services.accounts.issue_key(caller_of(call), _owner(call), new)))


async def delete_key(call: Call) -> None:
    """Revoke an API key.

    It counts no more, at once. Who may issue it may revoke it.
    """
    key_id = id_in_path(call, "key_id", "key")
    await call.services.accounts.revoke_key(caller_of(call), _owner(call), key_id)


def _owner(call: Call) -> UUID:
    return id_in_path(call, "identity_id", "identity")


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_KEYS, handler=list_keys, tag=_TAG, query=Paged, answer=Keys, reach=Reach.SCOPE
    ),
    NativeOperation(
        method="POST", path=_KEYS, handler=post_key, tag=_TAG, body=KeyRequest, status=201, answer=CreatedKey,
        errors=(409,), reach=Reach.SCOPE, noted=("label", "expires_at"), event="post_key",
    ),
    NativeOperation(
        method="DELETE", path=f"{_KEYS}/{{key_id}}", handler=delete_key, tag=_TAG, status=204, reach=Reach.SCOPE,
        event="delete_key",
    ),
)  # fmt: skip
