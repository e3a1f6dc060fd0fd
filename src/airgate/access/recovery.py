"""A way back in for whoever holds the installation's own files, and has lost every other: offline, and in the log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from airgate.access.credentials import digest
from airgate.access.forms import check_password
from airgate.access.grants import is_administrator
from airgate.access.passwords import Passwords
from airgate.model.audit import AuditEntry, Outcome
from airgate.model.errors import InvalidInput, NotFound
from airgate.model.identity import EVERYWHERE, ApiKey, Identity, IdentityKind, Limits, Role
from airgate.store import audit, identities
from airgate.store.database import Database, Tx

_LABEL: Final = "recovered"


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """An administrator with a new key. This is the only time that the token can be shown."""

    user: str
    token: str


async def recover_administrator(
    database: Database,
    name: str | None = None,
    *,
    password: str | None = None,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    passwords: Passwords | None = None,
) -> Recovered:
    """Make an identity an active administrator of everything, without limits, and issue it a key.

    Keys it has keep counting. An entry of the audit log tells of it. A server that runs meanwhile knows the key at
    once, and the rest within a minute.

    Args:
        database: the installation's.
        name: whom; None: an administrator there is, a person where there is one.
        password: a new password for it; None: it keeps the one it has.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        passwords: hashes passwords.

    Raises:
        NotFound: nobody has that name, or there is nobody at all.
        InvalidInput: a password that cannot be one, or one for a service account.
    """
    password_hash = None
    if password is not None:
        check_password(password)
        password_hash = await (passwords or Passwords()).hash(password)
    secret = secrets.token_hex(16)
    now = clock()

    def recover(tx: Tx) -> Identity:
        found = _named(tx, name) if name is not None else _administrator(tx)
        restored = _restored(found, now, new_password=password_hash is not None)
        identities.update(tx, restored)
        if password_hash is not None:
            identities.set_password(tx, found.id, password_hash)
        key = ApiKey(id=new_id(), identity_id=found.id, digest=digest(secret), label=_LABEL, created_at=now)
        identities.add_key(tx, key)
        audit.append(tx, [_entry(restored, key)])
        return restored

    return Recovered(user=(await database.write(recover)).name, token=secret)


def _named(tx: Tx, name: str) -> Identity:
    try:
        return identities.by_name(tx, name)[0]
    except NotFound:
        people = ", ".join(person.name for person in identities.list_people(tx, limit=20))
        raise NotFound(
            f"There is no user '{name}'; there is: {people or 'nobody'}", code="identity_not_found"
        ) from None


def _administrator(tx: Tx) -> Identity:
    found = [identity for identity in identities.reaching_everything(tx) if is_administrator(identity)]
    if not found:
        raise NotFound("There is no administrator to recover: name a user", code="identity_not_found")
    return min(found, key=lambda identity: (identity.kind is not IdentityKind.PERSON, identity.created_at))


def _restored(identity: Identity, now: datetime, *, new_password: bool) -> Identity:
    if new_password and identity.kind is not IdentityKind.PERSON:
        raise InvalidInput(f"'{identity.name}' is a service account, which has no password", code="password")
    roles = identity.roles if Role.ADMIN in identity.roles else (*identity.roles, Role.ADMIN.value)
    renewed = new_password or not identity.active
    return msgspec.structs.replace(
        identity,
        active=True,
        roles=roles,
        scope=EVERYWHERE,
        limits=Limits(),
        updated_at=now,
        generation=identity.generation + (1 if renewed else 0),
    )


def _entry(identity: Identity, key: ApiKey) -> AuditEntry:
    return AuditEntry(
        at=key.created_at,
        event="recover",
        outcome=Outcome.DONE,
        status=200,
        dialect="cli",
        method="",
        path="",
        actor=identity.name,
        actor_id=identity.id,
        key_id=key.id,
    )
