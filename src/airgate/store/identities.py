"""Identities and their keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from airgate.model.errors import Conflict, NotFound
from airgate.model.identity import ApiKey, Identity, IdentityKind, Profile, Scope, ScopeKind
from airgate.model.query import Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions, ordered, paged, sortable, total
from airgate.store.database import Tx

_IDENTITY = schema.identity
_KEY = schema.api_key
_KEYS = Mapping(ApiKey, _KEY)

_PLAIN: Final = (
    *("id", "name", "kind", "roles", "limits", "active"),
    *("label", "category", "created_at", "updated_at", "generation"),
)
"""Fields of an identity that have a column of their name; the fields of `scope` and `profile` have one each."""
_COLUMNS: Final = tuple(
    _IDENTITY.c[name] for name in (*_PLAIN, "scope_kind", "scope_name", "first_name", "last_name", "email")
)
_SORTABLE: Final = sortable(
    _IDENTITY, ["id", "name", "roles", "active", "first_name", "last_name", "email", "created_at"]
)

Scopes = Collection[Scope] | None
"""Scopes of which an identity has one; None: any scope at all."""


def create(tx: Tx, identity: Identity, password_hash: str | None) -> Identity:
    """Keep a new identity. Raises Conflict (code ``identity_exists``) if its name is taken."""
    row = {**_encode(identity), "password_hash": password_hash}
    if tx.run(tx.insert(_IDENTITY).values(row).on_conflict_do_nothing().returning(_IDENTITY.c.id)).first() is None:
        raise _taken(identity.name)
    return identity


def update(tx: Tx, identity: Identity) -> Identity:
    """Overwrite all but the password. Raises NotFound, and Conflict where a new name is taken."""
    namesake = select(_IDENTITY.c.id).where(_IDENTITY.c.name == identity.name, _IDENTITY.c.id != identity.id)
    if tx.run(namesake).first() is not None:
        raise _taken(identity.name)
    if tx.run(_IDENTITY.update().where(_IDENTITY.c.id == identity.id).values(_encode(identity))).rowcount == 0:
        raise _unknown(identity.id)
    return identity


def by_name(tx: Tx, name: str) -> tuple[Identity, str | None]:
    """An identity and its password hash. Raises NotFound (code ``identity_not_found``)."""
    row = tx.run(select(*_COLUMNS, _IDENTITY.c.password_hash).where(_IDENTITY.c.name == name)).first()
    if row is None:
        raise _unknown(name)
    return _decode(row[:-1]), row[-1]


def get(tx: Tx, identity_id: UUID) -> Identity:
    """One identity. Raises NotFound (code ``identity_not_found``)."""
    row = tx.run(select(*_COLUMNS).where(_IDENTITY.c.id == identity_id)).first()
    if row is None:
        raise _unknown(identity_id)
    return _decode(row)


def list_people(tx: Tx, scopes: Scopes = None, *, after: str | None = None, limit: int) -> tuple[Identity, ...]:
    """People by name, those after a name."""
    conditions = [*_of(IdentityKind.PERSON, scopes), *([] if after is None else [_IDENTITY.c.name > after])]
    return _decode_all(tx.run(select(*_COLUMNS).where(*conditions).order_by(_IDENTITY.c.name).limit(limit)))


def page_of_people(tx: Tx, scopes: Scopes, order: Order, page: Page) -> Listing[Identity]:
    """One page of the people, in any order. Raises InvalidInput (code ``order_field``) for an unknown field."""
    conditions = _of(IdentityKind.PERSON, scopes)
    by = ordered(order, _SORTABLE, [_IDENTITY.c.id])
    rows = tx.run(paged(select(*_COLUMNS).where(*conditions).order_by(*by), page))
    return Listing(_decode_all(rows), total(tx, _IDENTITY, conditions))


def list_service_accounts(
    tx: Tx, scopes: Scopes = None, *, after: UUID | None = None, limit: int
) -> tuple[Identity, ...]:
    """Service accounts, the newest first, those made before the one named by `after`."""
    conditions = [*_of(IdentityKind.SERVICE_ACCOUNT, scopes), *([] if after is None else [_IDENTITY.c.id < after])]
    return _decode_all(tx.run(select(*_COLUMNS).where(*conditions).order_by(_IDENTITY.c.id.desc()).limit(limit)))


def reaching_everything(tx: Tx) -> tuple[Identity, ...]:
    """The active identities that no scope confines, in a transaction that writes: no other changes them meanwhile.

    Reads them all: for what is done rarely.
    """
    conditions = (_IDENTITY.c.active.is_(True), _IDENTITY.c.scope_kind == ScopeKind.EVERYTHING)
    return _decode_all(tx.run(select(*_COLUMNS).where(*conditions).order_by(_IDENTITY.c.id).with_for_update()))


def email_is_taken(tx: Tx, email: str, besides: UUID | None = None) -> bool:
    """Whether a person, other than the one named, has this address; its case does not matter."""
    conditions = [func.lower(_IDENTITY.c.email) == func.lower(email), *_of(IdentityKind.PERSON, None)]
    if besides is not None:
        conditions.append(_IDENTITY.c.id != besides)
    return tx.run(select(_IDENTITY.c.id).where(*conditions).limit(1)).first() is not None


def count(tx: Tx) -> int:
    """How many identities there are."""
    return int(tx.run(select(func.count()).select_from(_IDENTITY)).scalar_one())


def set_password(tx: Tx, identity_id: UUID, password_hash: str | None) -> None:
    """Replace the password hash. Raises NotFound."""
    change = _IDENTITY.update().where(_IDENTITY.c.id == identity_id).values(password_hash=password_hash)
    if tx.run(change).rowcount == 0:
        raise _unknown(identity_id)


def delete(tx: Tx, identity_id: UUID) -> None:
    """Delete an identity and its keys. Raises NotFound."""
    if tx.run(_IDENTITY.delete().where(_IDENTITY.c.id == identity_id)).rowcount == 0:
        raise _unknown(identity_id)


# ----------------------------------------------------------------------------------------------------------------- keys


def add_key(tx: Tx, key: ApiKey) -> ApiKey:
    """Keep a key. Raises NotFound if its identity does not exist."""
    get(tx, key.identity_id)
    tx.run(_KEY.insert().values(_KEYS.encode(key)))
    return key


def by_key(tx: Tx, digest: bytes) -> tuple[Identity, ApiKey] | None:
    """Whose key has this digest, and the key."""
    statement = select(*_COLUMNS, *_KEYS.columns).where(_KEY.c.digest == digest, _KEY.c.identity_id == _IDENTITY.c.id)
    row = tx.run(statement).first()
    if row is None:
        return None
    return _decode(row[: len(_COLUMNS)]), _KEYS.decode(row[len(_COLUMNS) :])


def key(tx: Tx, key_id: UUID) -> ApiKey:
    """One key. Raises NotFound (code ``key_not_found``)."""
    row = tx.run(select(*_KEYS.columns).where(_KEY.c.id == key_id)).first()
    if row is None:
        raise _unknown_key()
    return _KEYS.decode(row)


def keys(tx: Tx, identity_id: UUID) -> tuple[ApiKey, ...]:
    """The keys of an identity, oldest first."""
    mine = select(*_KEYS.columns).where(_KEY.c.identity_id == identity_id)
    return _KEYS.decode_all(tx.run(mine.order_by(_KEY.c.created_at, _KEY.c.id)))


def touch_key(tx: Tx, key_id: UUID, at: datetime) -> None:
    """Note when a key was used last. A key revoked meanwhile is no error."""
    tx.run(_KEY.update().where(_KEY.c.id == key_id).values(last_used_at=at))


def delete_key(tx: Tx, key_id: UUID) -> None:
    """Revoke a key. Raises NotFound (code ``key_not_found``)."""
    if tx.run(_KEY.delete().where(_KEY.c.id == key_id)).rowcount == 0:
        raise _unknown_key()


# ----------------------------------------------------------------------------------------------------------------- rows


def _encode(identity: Identity) -> dict[str, Any]:
    return {
        **{name: getattr(identity, name) for name in _PLAIN},
        "scope_kind": identity.scope.kind,
        "scope_name": identity.scope.name,
        "first_name": identity.profile.first_name,
        "last_name": identity.profile.last_name,
        "email": identity.profile.email,
    }


def _decode(row: Sequence[Any]) -> Identity:
    *plain, scope_kind, scope_name, first_name, last_name, email = row
    return Identity(
        **dict(zip(_PLAIN, plain, strict=True)),
        scope=Scope(scope_kind, scope_name),
        profile=Profile(first_name=first_name, last_name=last_name, email=email),
    )


def _decode_all(rows: Any) -> tuple[Identity, ...]:
    return tuple(map(_decode, rows))


def _of(kind: IdentityKind, scopes: Scopes) -> Conditions:
    """The identities of one kind that have one of the scopes."""
    if scopes is None:
        return [_IDENTITY.c.kind == kind]
    among = [and_(_IDENTITY.c.scope_kind == scope.kind, _IDENTITY.c.scope_name == scope.name) for scope in scopes]
    return [_IDENTITY.c.kind == kind, or_(False, *among)]


def _taken(name: str) -> Conflict:
    return Conflict(f"There is an identity '{name}' already", code="identity_exists")


def _unknown(who: Any) -> NotFound:
    return NotFound(f"There is no identity '{who}'", code="identity_not_found")


def _unknown_key() -> NotFound:
    return NotFound("There is no such key", code="key_not_found")
