"""The keeping of people, service accounts and their keys."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET

from airgate.access import editing
from airgate.access.credentials import digest
from airgate.access.decisions import Caller
from airgate.access.editing import Asker
from airgate.access.forms import (
    check_expiry,
    check_limits,
    check_name,
    check_password,
    check_profile,
    check_scope,
    check_text,
    service_role,
)
from airgate.access.grants import Workspaces, require_edit, require_read, visible_scopes
from airgate.access.passwords import Passwords
from airgate.access.ports import (
    CreatedServiceAccount,
    IssuedKey,
    NewKey,
    NewPerson,
    NewServiceAccount,
    PersonChange,
    ServiceAccountChange,
)
from airgate.model.identity import ApiKey, Identity, IdentityKind, Scope
from airgate.model.query import Listing, Order, Page
from airgate.store import identities
from airgate.store.database import Database

T = TypeVar("T")

_PERSON: Final = IdentityKind.PERSON
_MACHINE: Final = IdentityKind.SERVICE_ACCOUNT
_SLUG: Final = re.compile(r"[^a-z0-9]+")


class Forget(Protocol):
    """Told when credentials of an identity, or one key, count no more as they did."""

    def __call__(self, *, identity_id: UUID | None = None, key_id: UUID | None = None) -> None:
        """What was verified is verified anew."""


class AccountKeeper:
    """Keeps identities and keys; see `airgate.access.ports.Accounts` for what each method promises.

    Args:
        database: where they are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        passwords: hashes passwords.
        forget: told of every change.
        workspaces: the workspace of each deployment, by name.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        passwords: Passwords,
        forget: Forget,
        workspaces: Workspaces,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._passwords = passwords
        self._forget = forget
        self._workspaces = workspaces

    async def get(self, by: Caller, identity_id: UUID) -> Identity:
        """One identity, of either kind."""
        return await self._database.read(editing.seen, self._asker(by), identity_id)

    async def person(self, by: Caller, name: str) -> Identity:
        """The person with this user name."""
        return await self._database.read(editing.seen_person, self._asker(by), name)

    async def list_people(self, by: Caller, *, after: str | None = None, limit: int) -> tuple[Identity, ...]:
        """People by name."""
        require_read(by, _PERSON)
        scopes = visible_scopes(by, self._workspaces)
        return await self._database.read(identities.list_people, scopes, after=after, limit=limit)

    async def page_of_people(self, by: Caller, order: Order, page: Page) -> Listing[Identity]:
        """One page of the people."""
        require_read(by, _PERSON)
        scopes = visible_scopes(by, self._workspaces)
        return await self._database.read(identities.page_of_people, scopes, order, page)

    async def create_person(self, by: Caller, new: NewPerson) -> Identity:
        """Make a person."""
        require_edit(by, _PERSON)
        check_name(new.name)
        check_profile(new.profile)
        check_scope(new.scope, self._workspaces)
        identity = Identity(
            id=self._new_id(),
            name=new.name,
            roles=tuple(dict.fromkeys(new.roles)),
            scope=new.scope,
            limits=check_limits(new.limits, self._clock()),
            active=new.active,
            profile=new.profile,
            created_at=self._clock(),
        )
        kept = None if new.password is None else await self._hash(new.password)
        return await self._write(editing.create, self._asker(by), identity, kept)

    async def update_person(self, by: Caller, identity_id: UUID, change: PersonChange) -> Identity:
        """Change a person."""
        own = by.identity.id == identity_id and by.identity.kind is _PERSON
        signed_in = by.key_id is None  # who found a key shall not become its owner
        if not (own and signed_in and _is_personal(change)):
            require_edit(by, _PERSON)
        changes = self._checked(change)
        password = changes.pop("password", None)
        kept = None if password is None else await self._hash(password)
        edit = partial(editing.update, asker=self._asker(by), identity_id=identity_id, kind=_PERSON)
        return await self._write(edit, changes=changes, password_hash=kept, changed=identity_id)

    async def list_service_accounts(
        self, by: Caller, *, scope: Scope | None = None, after: UUID | None = None, limit: int
    ) -> tuple[Identity, ...]:
        """Service accounts, the newest first."""
        require_read(by, _MACHINE)
        scopes = visible_scopes(by, self._workspaces)
        if scope is not None:
            scopes = (scope,) if scopes is None or scope in scopes else ()
        return await self._database.read(identities.list_service_accounts, scopes, after=after, limit=limit)

    async def create_service_account(self, by: Caller, new: NewServiceAccount) -> CreatedServiceAccount:
        """Make a service account and issue its first key."""
        require_edit(by, _MACHINE)
        check_text("label", new.label, least=1)
        check_text("category", new.category)
        check_scope(new.scope, self._workspaces)
        identity_id, now = self._new_id(), self._clock()
        identity = Identity(
            id=identity_id,
            name=_machine_name(new.label, identity_id),
            kind=_MACHINE,
            roles=(service_role(new.role, new.scope),),
            scope=new.scope,
            limits=check_limits(new.limits, now),
            label=new.label,
            category=new.category,
            created_at=now,
        )
        issued = self._issue(identity_id, NewKey(label="made with the account", batch=new.batch))
        await self._write(editing.create, self._asker(by), identity, None, issued.key)
        return CreatedServiceAccount(identity=identity, issued=issued)

    async def update_service_account(self, by: Caller, identity_id: UUID, change: ServiceAccountChange) -> Identity:
        """Change a service account."""
        require_edit(by, _MACHINE)
        changes = self._checked(change)
        edit = partial(editing.update, asker=self._asker(by), identity_id=identity_id, kind=_MACHINE)
        return await self._write(edit, changes=changes, changed=identity_id)

    async def delete(self, by: Caller, identity_id: UUID) -> Identity:
        """Delete an identity of either kind and its keys."""
        return await self._write(editing.delete, self._asker(by), identity_id, changed=identity_id)

    async def keys(self, by: Caller, identity_id: UUID) -> tuple[ApiKey, ...]:
        """The keys of an identity, oldest first."""
        return await self._database.read(editing.keys, self._asker(by), identity_id)

    async def issue_key(self, by: Caller, identity_id: UUID, new: NewKey) -> IssuedKey:
        """Issue another key."""
        check_text("label", new.label)
        if new.expires_at is not None:
            check_expiry("expires_at", new.expires_at, self._clock())
        issued = self._issue(identity_id, new)
        await self._write(editing.add_key, self._asker(by), issued.key)
        return issued

    async def revoke_key(self, by: Caller, identity_id: UUID, key_id: UUID) -> ApiKey:
        """Revoke a key of an identity."""
        return await self._write(editing.revoke_key, self._asker(by), identity_id, key_id, changed=identity_id)

    # ----------------------------------------------------------------------------------------------------------- shared

    def _asker(self, by: Caller) -> Asker:
        return Asker(by, self._workspaces, self._clock())

    def _issue(self, identity_id: UUID, new: NewKey) -> IssuedKey:
        secret = secrets.token_hex(16)
        key = ApiKey(
            id=self._new_id(),
            identity_id=identity_id,
            digest=digest(secret),
            label=new.label,
            created_at=self._clock(),
            expires_at=new.expires_at,
            batch=new.batch,
        )
        return IssuedKey(key=key, secret=secret)

    def _checked(self, change: PersonChange | ServiceAccountChange) -> dict[str, Any]:
        """What is given of a change, each value checked by itself."""
        given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
        if "name" in given:
            check_name(given["name"])
        if "label" in given:
            check_text("label", given["label"], least=1)
        if "category" in given:
            check_text("category", given["category"])
        if "profile" in given:
            check_profile(given["profile"])
        if "scope" in given:
            check_scope(given["scope"], self._workspaces)
        if "limits" in given:
            given["limits"] = check_limits(given["limits"], self._clock())
        if "roles" in given:
            given["roles"] = tuple(dict.fromkeys(given["roles"]))
        return given

    async def _hash(self, password: str) -> str:
        check_password(password)
        return await self._passwords.hash(password)

    async def _write(self, fn: Callable[..., T], *args: Any, changed: UUID | None = None, **more: Any) -> T:
        """Write, and forget what was verified of the `changed` identity even if the caller has gone meanwhile."""
        writing: asyncio.Future[T] = self._database.write(fn, *args, **more)
        if changed is not None:
            writing.add_done_callback(partial(self._after, changed))
        return await asyncio.shield(writing)

    def _after(self, identity_id: UUID, done: asyncio.Future[Any]) -> None:
        self._forget(identity_id=identity_id)
        if not done.cancelled():
            done.exception()


def _is_personal(change: PersonChange) -> bool:
    """Whether it changes only what people may change about themselves."""
    given = {name for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    return given <= {"password", "profile"}


def _machine_name(label: str, identity_id: UUID) -> str:
    """A unique user name for a service account that people recognise."""
    slug = _SLUG.sub("-", label.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'service-account'}-{identity_id.hex[-8:]}"
