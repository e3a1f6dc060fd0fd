"""Changes of identities and keys inside a transaction, each held against the rules by what is stored at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from airgate.access.decisions import Caller
from airgate.access.forms import service_role
from airgate.access.grants import Workspaces, check_within, is_administrator, require_edit, require_read, sees
from airgate.access.roles import check_exist, permissions_of
from airgate.model.errors import Conflict, NotFound
from airgate.model.identity import ApiKey, Identity, IdentityKind
from airgate.store import identities
from airgate.store.database import Tx

MOST_KEYS: Final = 100


class Asker(NamedTuple):
    """Who asks, when, and what they know of deployments."""

    by: Caller
    workspaces: Workspaces
    now: datetime


def seen(tx: Tx, asker: Asker, identity_id: UUID) -> Identity:
    """An identity the asker may read; everybody may read themselves."""
    identity = _subject(tx, asker, identity_id)
    if identity.id != asker.by.identity.id:
        require_read(asker.by, identity.kind)
    return identity


def seen_person(tx: Tx, asker: Asker, name: str) -> Identity:
    """A person the asker may read, by user name."""
    if name != asker.by.identity.name:
        require_read(asker.by, IdentityKind.PERSON)
    identity, _ = identities.by_name(tx, name)
    if identity.kind is not IdentityKind.PERSON or not _exists_for(asker, identity):
        raise _unknown(name)
    return identity


def create(tx: Tx, asker: Asker, identity: Identity, password_hash: str | None, key: ApiKey | None = None) -> Identity:
    """Keep a new identity, with its first key where it gets one."""
    check_exist(tx, identity.roles)
    check_within(asker.by, identity, permissions_of(tx, identity.roles), asker.workspaces)
    _check_email(tx, identity)
    identities.create(tx, identity, password_hash)
    if key is not None:
        identities.add_key(tx, key)
    return identity


def update(
    tx: Tx,
    *,
    asker: Asker,
    identity_id: UUID,
    kind: IdentityKind,
    changes: Mapping[str, Any],
    password_hash: str | None = None,
) -> Identity:
    """Change an identity of this kind. Who has no permission for others may be here for themselves."""
    before = _subject(tx, asker, identity_id)
    if before.kind is not kind:
        raise _unknown(identity_id)
    check_within(asker.by, before, permissions_of(tx, before.roles), asker.workspaces)
    after = _changed(before, changes, asker.now, password_changes=password_hash is not None)
    if after.roles != before.roles:
        check_exist(tx, after.roles)
    check_within(asker.by, after, permissions_of(tx, after.roles), asker.workspaces)
    if not is_administrator(after):
        _check_not_last(tx, before)
    if after.profile.email != before.profile.email:
        _check_email(tx, after)
    identities.update(tx, after)
    if password_hash is not None:
        identities.set_password(tx, identity_id, password_hash)
    return after


def delete(tx: Tx, asker: Asker, identity_id: UUID) -> Identity:
    """Delete an identity and its keys."""
    identity = _editable(tx, asker, identity_id)
    _check_not_last(tx, identity)
    identities.delete(tx, identity_id)
    return identity


def keys(tx: Tx, asker: Asker, identity_id: UUID) -> tuple[ApiKey, ...]:
    """The keys of an identity the asker may read."""
    seen(tx, asker, identity_id)
    return identities.keys(tx, identity_id)


def add_key(tx: Tx, asker: Asker, key: ApiKey) -> ApiKey:
    """Keep another key of an identity."""
    _own_or_editable(tx, asker, key.identity_id)
    if len(identities.keys(tx, key.identity_id)) >= MOST_KEYS:
        raise Conflict(f"It has {MOST_KEYS} keys already; revoke those that are not needed.", code="keys_exceeded")
    return identities.add_key(tx, key)


def revoke_key(tx: Tx, asker: Asker, identity_id: UUID, key_id: UUID) -> ApiKey:
    """Revoke a key of an identity."""
    _own_or_editable(tx, asker, identity_id)
    key = identities.key(tx, key_id)
    if key.identity_id != identity_id:
        raise NotFound("There is no such key", code="key_not_found")
    identities.delete_key(tx, key_id)
    return key


def _subject(tx: Tx, asker: Asker, identity_id: UUID) -> Identity:
    """The identity, if it exists for the asker."""
    identity = identities.get(tx, identity_id)
    if not _exists_for(asker, identity):
        raise _unknown(identity_id)
    return identity


def _exists_for(asker: Asker, identity: Identity) -> bool:
    return identity.id == asker.by.identity.id or sees(asker.by, identity, asker.workspaces)


def _editable(tx: Tx, asker: Asker, identity_id: UUID) -> Identity:
    identity = _subject(tx, asker, identity_id)
    require_edit(asker.by, identity.kind)
    check_within(asker.by, identity, permissions_of(tx, identity.roles), asker.workspaces)
    return identity


def _own_or_editable(tx: Tx, asker: Asker, identity_id: UUID) -> Identity:
    """People keep their own keys; all others need to be allowed to."""
    mine = asker.by.identity
    if identity_id == mine.id and mine.kind is IdentityKind.PERSON:
        return identities.get(tx, identity_id)
    return _editable(tx, asker, identity_id)


def _changed(before: Identity, changes: Mapping[str, Any], now: datetime, *, password_changes: bool) -> Identity:
    """The identity as it shall be. A service account's role is a word that has to fit its scope."""
    given = dict(changes)
    word = given.pop("role", None)
    after = replace(before, **given, updated_at=now)
    if word is not None:
        after = replace(after, roles=(service_role(word, after.scope),))
    if password_changes or after.active != before.active:
        after = replace(after, generation=before.generation + 1)
    return after


def _check_not_last(tx: Tx, leaving: Identity) -> None:
    if not is_administrator(leaving):
        return
    others = (other for other in identities.reaching_everything(tx) if other.id != leaving.id)
    if not any(map(is_administrator, others)):
        raise Conflict(
            f"'{leaving.name}' is the last active administrator of everything; make another one first.",
            code="last_administrator",
        )


def _check_email(tx: Tx, identity: Identity) -> None:
    email = identity.profile.email
    if email and identities.email_is_taken(tx, email, besides=identity.id):
        raise Conflict(f"The e-mail address '{email}' is taken.", code="email_exists")


def _unknown(who: UUID | str) -> NotFound:
    return NotFound(f"There is no identity '{who}'", code="identity_not_found")
