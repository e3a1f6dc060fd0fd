"""Identities and their tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from airgate.model.errors import Conflict, NotFound
from airgate.model.identity import ApiToken, Identity
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store.database import Tx

_IDENTITY = schema.identity
_TOKEN = schema.api_token
_IDENTITIES = Mapping(Identity, _IDENTITY)
_TOKENS = Mapping(ApiToken, _TOKEN)


def create(tx: Tx, identity: Identity, password_hash: str | None) -> Identity:
    """Keep a new identity. Raises Conflict (code ``identity_exists``) if its name is taken."""
    row = {**_IDENTITIES.encode(identity), "password_hash": password_hash}
    if tx.run(tx.insert(_IDENTITY).values(row).on_conflict_do_nothing().returning(_IDENTITY.c.id)).first() is None:
        raise Conflict(f"There is an identity '{identity.name}' already", code="identity_exists")
    return identity


def by_name(tx: Tx, name: str) -> tuple[Identity, str | None]:
    """An identity and its password hash. Raises NotFound (code ``identity_not_found``)."""
    row = tx.run(select(*_IDENTITIES.columns, _IDENTITY.c.password_hash).where(_IDENTITY.c.name == name)).first()
    if row is None:
        raise _unknown(name)
    return _IDENTITIES.decode(row[:-1]), row[-1]


def get(tx: Tx, identity_id: UUID) -> Identity:
    """One identity. Raises NotFound (code ``identity_not_found``)."""
    row = tx.run(select(*_IDENTITIES.columns).where(_IDENTITY.c.id == identity_id)).first()
    if row is None:
        raise _unknown(identity_id)
    return _IDENTITIES.decode(row)


def list_identities(tx: Tx) -> tuple[Identity, ...]:
    """All identities, by name."""
    return _IDENTITIES.decode_all(tx.run(select(*_IDENTITIES.columns).order_by(_IDENTITY.c.name)))


def count(tx: Tx) -> int:
    """How many identities there are."""
    return int(tx.run(select(func.count()).select_from(_IDENTITY)).scalar_one())


def add_token(tx: Tx, token: ApiToken) -> ApiToken:
    """Keep a token. Raises NotFound if its identity does not exist."""
    get(tx, token.identity_id)
    tx.run(_TOKEN.insert().values(_TOKENS.encode(token)))
    return token


def token(tx: Tx, digest: bytes) -> tuple[Identity, ApiToken] | None:
    """Whose token has this digest, and the token."""
    statement = select(*_IDENTITIES.columns, *_TOKENS.columns).where(
        _TOKEN.c.digest == digest, _TOKEN.c.identity_id == _IDENTITY.c.id
    )
    row = tx.run(statement).first()
    if row is None:
        return None
    split = len(_IDENTITIES.columns)
    return _IDENTITIES.decode(row[:split]), _TOKENS.decode(row[split:])


def tokens(tx: Tx, identity_id: UUID) -> tuple[ApiToken, ...]:
    """The tokens of an identity, oldest first."""
    mine = select(*_TOKENS.columns).where(_TOKEN.c.identity_id == identity_id)
    return _TOKENS.decode_all(tx.run(mine.order_by(_TOKEN.c.created_at, _TOKEN.c.id)))


def touch_token(tx: Tx, token_id: UUID, at: datetime) -> None:
    """Note when a token was used last. A token revoked meanwhile is no error."""
    tx.run(_TOKEN.update().where(_TOKEN.c.id == token_id).values(last_used_at=at))


def delete_token(tx: Tx, token_id: UUID) -> None:
    """Revoke a token. Raises NotFound (code ``token_not_found``)."""
    if tx.run(_TOKEN.delete().where(_TOKEN.c.id == token_id)).rowcount == 0:
        raise NotFound("There is no such token", code="token_not_found")


def set_password(tx: Tx, identity_id: UUID, password_hash: str | None) -> None:
    """Replace the password hash. Raises NotFound."""
    change = _IDENTITY.update().where(_IDENTITY.c.id == identity_id).values(password_hash=password_hash)
    if tx.run(change).rowcount == 0:
        raise _unknown(identity_id)


def delete(tx: Tx, identity_id: UUID) -> None:
    """Delete an identity and its tokens. Raises NotFound."""
    if tx.run(_IDENTITY.delete().where(_IDENTITY.c.id == identity_id)).rowcount == 0:
        raise _unknown(identity_id)


def _unknown(who: Any) -> NotFound:
    return NotFound(f"There is no identity '{who}'", code="identity_not_found")
