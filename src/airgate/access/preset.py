"""A key that is set instead of issued: the secret that clients of the batch plugin share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from airgate.access.credentials import digest
from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.identity import ApiKey, Identity, IdentityKind, Role
from airgate.store import identities
from airgate.store.database import Database, Tx

NAME: Final = "batch-shared-secret"
"""The service account the key belongs to."""
_LABEL: Final = "batch.shared_secret"


async def preset_batch_key(
    database: Database, secret: str | None, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]
) -> None:
    """Let this secret, and none that was set before, be a batch key of an editor. None: let there be no such key.

    Made for the start, before anybody is let in: verified credentials are not forgotten.

    Raises:
        InvalidInput: the account's name is a person's, or the secret is somebody's key already.
    """
    wanted = None if secret is None else digest(secret)
    try:
        await database.write(_keep, wanted, clock(), new_id)
    except Conflict:  # another process that starts in this very moment made the account
        await database.write(_keep, wanted, clock(), new_id)


def _keep(tx: Tx, wanted: bytes | None, now: datetime, new_id: Callable[[], UUID]) -> None:
    account = _account(tx)
    if account is None:
        if wanted is None:
            return
        account = identities.create(tx, _new_account(now, new_id()), None)
    preset = [key for key in identities.keys(tx, account.id) if key.label == _LABEL]
    for key in preset:
        if key.digest != wanted:
            identities.delete_key(tx, key.id)
    if wanted is None or any(key.digest == wanted for key in preset):
        return
    if identities.by_key(tx, wanted) is not None:
        raise InvalidInput(f"{_LABEL} is a key that was issued already: choose another", code="key_taken")
    made = ApiKey(id=new_id(), identity_id=account.id, digest=wanted, label=_LABEL, created_at=now, batch=True)
    identities.add_key(tx, made)


def _account(tx: Tx) -> Identity | None:
    try:
        account, _ = identities.by_name(tx, NAME)
    except NotFound:
        return None
    if account.kind is not IdentityKind.SERVICE_ACCOUNT:
        raise InvalidInput(f"{_LABEL} needs the name {NAME}, which a person has: rename them", code="identity_exists")
    return account


def _new_account(now: datetime, account_id: UUID) -> Identity:
    return Identity(
        id=account_id,
        name=NAME,
        kind=IdentityKind.SERVICE_ACCOUNT,
        roles=(Role.USER.value,),
        label="Shared secret of the batch plugin's clients",
        created_at=now,
    )
