"""Identities and their tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from airgate.model.identity import ApiToken, Identity
from airgate.store.database import Tx


def create(tx: Tx, identity: Identity, password_hash: str | None) -> Identity:
    """Keep a new identity. Raises Conflict (code ``identity_exists``) if its name is taken."""
    raise NotImplementedError


def by_name(tx: Tx, name: str) -> tuple[Identity, str | None]:
    """An identity and its password hash. Raises NotFound (code ``identity_not_found``)."""
    raise NotImplementedError


def get(tx: Tx, identity_id: UUID) -> Identity:
    """One identity. Raises NotFound (code ``identity_not_found``)."""
    raise NotImplementedError


def list_identities(tx: Tx) -> tuple[Identity, ...]:
    """All identities, by name."""
    raise NotImplementedError


def count(tx: Tx) -> int:
    """How many identities there are."""
    raise NotImplementedError


def add_token(tx: Tx, token: ApiToken) -> ApiToken:
    """Keep a token. Raises NotFound if its identity does not exist."""
    raise NotImplementedError


def token(tx: Tx, digest: bytes) -> tuple[Identity, ApiToken] | None:
    """Whose token has this digest, and the token."""
    raise NotImplementedError


def tokens(tx: Tx, identity_id: UUID) -> tuple[ApiToken, ...]:
    """The tokens of an identity, oldest first."""
    raise NotImplementedError


def touch_token(tx: Tx, token_id: UUID, at: datetime) -> None:
    """Note when a token was used last. A token revoked meanwhile is no error."""
    raise NotImplementedError


def delete_token(tx: Tx, token_id: UUID) -> None:
    """Revoke a token. Raises NotFound (code ``token_not_found``)."""
    raise NotImplementedError


def set_password(tx: Tx, identity_id: UUID, password_hash: str | None) -> None:
    """Replace the password hash. Raises NotFound."""
    raise NotImplementedError


def delete(tx: Tx, identity_id: UUID) -> None:
    """Delete an identity and its tokens. Raises NotFound."""
    raise NotImplementedError
