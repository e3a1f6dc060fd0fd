"""An `Access` on a real store, with a clock to turn, hashes that cost nothing, and somebody who may do everything."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher
from uuid_utils.compat import uuid7

from airgate.access.decisions import Caller
from airgate.access.passwords import Passwords
from airgate.access.permissions import Permission
from airgate.access.ports import CreatedServiceAccount, NewKey, NewPerson, NewServiceAccount
from airgate.access.service import Access, AccessConfig
from airgate.model.identity import EVERYWHERE, Identity, Limits, Role, Scope, ScopeKind
from airgate.store.database import Database

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PASSWORD = "right"
UNLIMITED = Limits()
LOCAL = Scope(ScopeKind.DEPLOYMENT, "local")
REMOTE = Scope(ScopeKind.DEPLOYMENT, "remote")
ELSEWHERE = Scope(ScopeKind.DEPLOYMENT, "elsewhere")
TEAM = Scope(ScopeKind.WORKSPACE, "team")
WORKSPACES = {"local": "team", "remote": "team", "elsewhere": "others"}


class CountingPasswords(Passwords):
    """Cheap hashes, counted."""

    def __init__(self) -> None:
        super().__init__(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.verified = 0

    async def verify(self, kept: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(kept, password)


class House:
    """Three deployments: `local` and `remote` of the workspace `team`, `elsewhere` of the workspace `others`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.steady = 1000.0
        self.now = NOW
        self.passwords = CountingPasswords()
        self.access = self.another()
        self.accounts = self.access.accounts
        self.roles = self.access.roles
        nobody_stored = Identity(id=UUID(int=1), name="root", roles=(Role.ADMIN,), created_at=NOW)
        self.root = Caller(identity=nobody_stored, permissions=frozenset(Permission))

    def another(self, secret: bytes = b"one secret of the whole installation") -> Access:
        """Another process on the same store."""
        return Access(
            self.database,
            AccessConfig(secret=secret, token_seconds=600.0, cli_token_seconds=60.0, workspaces=WORKSPACES),
            clock=lambda: self.now,
            new_id=uuid7,
            passwords=self.passwords,
            steady=lambda: self.steady,
        )

    async def person(
        self, name: str = "ada", role: str = Role.USER, password: str | None = PASSWORD, **more: Any
    ) -> Identity:
        """A new person."""
        return await self.accounts.create_person(
            self.root, NewPerson(name=name, password=password, roles=(role,), **more)
        )

    async def caller(self, name: str, role: str, scope: Scope = EVERYWHERE, limits: Limits = UNLIMITED) -> Caller:
        """A new person who has signed in."""
        await self.person(name, role, PASSWORD, scope=scope, limits=limits)
        found = await self.access.authenticate(login(name, PASSWORD), "10.0.0.1")
        assert found is not None
        return found

    async def machine(
        self, label: str = "Loader", role: str = "editor", scope: Scope = LOCAL, **more: Any
    ) -> CreatedServiceAccount:
        """A new service account."""
        return await self.accounts.create_service_account(
            self.root, NewServiceAccount(label=label, role=role, scope=scope, **more)
        )

    async def key(self, identity: Identity, **more: Any) -> str:
        """The secret of a new key."""
        return (await self.accounts.issue_key(self.root, identity.id, NewKey(**more))).secret

    async def known(self, authorization: str | None, address: str | None = None) -> Identity | None:
        """Whose credential it is."""
        caller = await self.access.authenticate(authorization, address)
        return None if caller is None else caller.identity


def login(name: str, password: str) -> str:
    """The header of Basic credentials."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
