"""A server of two deployments with real identities, in memory but for them: for tests of who may do what, where."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import httpx
from argon2 import PasswordHasher
from msgspec.structs import replace
from starlette.types import ASGIApp

from airgate.access.audit import AuditLog
from airgate.access.decisions import Caller
from airgate.access.passwords import Passwords
from airgate.access.ports import NewKey, NewPerson, NewServiceAccount
from airgate.access.service import Access, AccessConfig
from airgate.deployments.ports import Deployment
from airgate.http.server import build_app
from airgate.model.identity import Identity, Role, Scope, ScopeKind
from airgate.store.database import Database
from tests.support.memory_deployment import new_id
from tests.support.memory_triggers import MemoryTriggers
from tests.support.orchestration import orchestration_over
from tests.support.stable_v1_world import SteppingClock, recorded_world, services_for

LOCAL, FAR = "local", "far"
WORKSPACES = {LOCAL: "default", FAR: "lab"}
AT_LOCAL = Scope(ScopeKind.DEPLOYMENT, LOCAL)
AT_FAR = Scope(ScopeKind.DEPLOYMENT, FAR)
IN_LAB = Scope(ScopeKind.WORKSPACE, "lab")
SECRET = b"a secret of the tests"
MAX_BODY = 100_000


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


ADMIN = basic("admin", "admin")


class NativeWorld:
    """Two deployments, of two workspaces, and whoever a test lets in. `admin` / `admin` is there from the start."""

    def __init__(self, database: Database, local: Deployment | None = None) -> None:
        self.clock = SteppingClock()
        self.database = database
        self.world = recorded_world()
        self.far_world = recorded_world()
        self.deployments: dict[str, Deployment] = {
            LOCAL: local or self.world.deployment(LOCAL),
            FAR: replace(self.far_world.deployment(FAR), workspace=WORKSPACES[FAR]),
        }
        self.access = Access(
            database,
            AccessConfig(secret=SECRET, workspaces=WORKSPACES),
            clock=self.clock,
            new_id=new_id,
            passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        )
        self.audit = AuditLog(database, clock=self.clock, days=0)
        self.triggers = MemoryTriggers(self.world)
        self.orchestration = orchestration_over(
            database, self.deployments, embedded=LOCAL, triggers=self.triggers, clock=self.clock
        )
        self.root: Caller

    async def begin(self) -> None:
        await self.access.first_administrator("admin", "admin")
        found = await self.access.authenticate(ADMIN)
        assert found is not None
        self.root = found

    def app(self, **changes: Any) -> ASGIApp:
        given: dict[str, Any] = {
            "access": self.access,
            "accounts": self.access.accounts,
            "roles": self.access.roles,
            "tokens": self.access,
            "audit": self.audit,
            "triggers": self.triggers,
            "orchestration": self.orchestration,
            "deployments": self.deployments,
            "default_deployment": LOCAL,
        }
        services = services_for(self.world, **(given | changes))
        return build_app(deployments=self.deployments, default=LOCAL, services=services, max_body=MAX_BODY)

    def client(self, authorization: str | None = ADMIN, **changes: Any) -> httpx.AsyncClient:
        headers = {} if authorization is None else {"authorization": authorization}
        transport = httpx.ASGITransport(app=self.app(**changes), raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://airgate", headers=headers)

    async def person(self, name: str, *roles: Role | str, **more: Any) -> tuple[Identity, str]:
        """A person, and what they prove themselves with."""
        new = NewPerson(name=name, password="pw", roles=tuple(map(str, roles)), **more)
        return await self.access.accounts.create_person(self.root, new), basic(name, "pw")

    async def key_of(self, identity: Identity, **more: Any) -> str:
        issued = await self.access.accounts.issue_key(self.root, identity.id, NewKey(**more))
        return f"Bearer {issued.secret}"

    async def machine(self, label: str, role: str, scope: Scope, **more: Any) -> tuple[Identity, str]:
        """A service account, and what it proves itself with."""
        new = NewServiceAccount(label=label, role=role, scope=scope, **more)
        made = await self.access.accounts.create_service_account(self.root, new)
        return made.identity, f"Bearer {made.issued.secret}"


async def native_world(database: Database, local: Deployment | None = None) -> NativeWorld:
    """The world, with its first administrator. `local` is in memory unless it is given."""
    world = NativeWorld(database, local)
    await world.begin()
    return world
