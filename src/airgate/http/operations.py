"""A dialect is a table: its operations, the order in which a request is checked, and how it speaks.

The runner (`airgate.http.runner`) knows no dialect. What differs between them, the order of checks above all, is data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from airgate.access.decisions import Caller, Place
from airgate.access.permissions import Permission
from airgate.access.ports import Accounts, Roles, Tokens
from airgate.access.rates import Standing
from airgate.access.throttle import Throttle
from airgate.deployments.ports import Deployment, Health
from airgate.http.addresses import DIRECT, Proxies
from airgate.http.audit_facts import claimed, fact, outcome, picked, short
from airgate.http.presence import Receive
from airgate.http.replies import Reply
from airgate.model.audit import AuditEntry, AuditFilter
from airgate.model.errors import AirgateError
from airgate.model.query import Listing, Order, Page
from airgate.model.trigger import Accepted, Followed, TriggerFilter, TriggerKey, TriggerRequest
from airgate.orchestration.service import Orchestration

FREE_FORGERIES: Final = 20
"""Deliveries without a good signature in a row that cost an address nothing: secrets are mistyped, and rotated."""


class Authenticator(Protocol):
    """What the server needs of `airgate.access` to let a request in."""

    async def authenticate(self, authorization: str | None, address: str | None = None) -> Caller | None:
        """Who sends this ``Authorization`` header; None where it proves nothing.

        Raises:
            PermissionDenied: a known identity, but not from this address.
            RateLimited: too many unknown keys came from this address.
        """

    def admit(self, caller: Caller) -> Standing | None:
        """Count a request against the caller's rate limit, and say how it stands; None: it has no limit."""


class Acceptor(Protocol):
    """What the server needs of `airgate.triggers`."""

    async def accept(
        self, deployment: Deployment, request: TriggerRequest, audit: AuditEntry | None = None
    ) -> Accepted:
        """Accept a trigger durably, and keep the audit entry with it (the run's id is filled in).

        Raises the error tree's InvalidInput, NotFound, Conflict and Unavailable.
        """

    async def accept_many(
        self, deployment: Deployment, requests: Sequence[TriggerRequest], audit: AuditEntry | None = None
    ) -> Sequence[Accepted | AirgateError]:
        """Accept many triggers in one transaction; each is answered by itself, in order.

        A request that is wrong, or clashes, has its error as its answer and keeps none of the others from being
        accepted. Raises Unavailable: nothing at all was kept.
        """

    async def get(self, deployment: str, trigger_id: UUID) -> Followed:
        """A trigger as it is now, with its run. Raises NotFound (code ``trigger_not_found``)."""

    async def list(
        self, deployment: str, which: TriggerFilter, limit: int, before: TriggerKey | None = None
    ) -> Sequence[Followed]:
        """The newest triggers that match, older than `before` where that is given, newest first."""


class Auditor(Protocol):
    """What the server needs of the audit log."""

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry; returns when it is durable."""

    def refused(self, entry: AuditEntry) -> None:
        """Keep an entry soon. Like refusals within a minute become one entry with a count. Never raises."""

    async def newest(self, which: AuditFilter, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """The newest `limit` entries that match, newest first; with `before`, of those older than that `seq`."""

    async def list_entries(self, which: AuditFilter, order: Order, page: Page) -> Listing[AuditEntry]:
        """One page of the entries that match. Raises InvalidInput (code ``order_field``) for an unknown field."""

    async def get(self, seq: int, which: AuditFilter) -> AuditEntry:
        """One entry that matches. Raises NotFound (code ``audit_entry_not_found``)."""


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers may use besides the deployment they speak for."""

    access: Authenticator
    accounts: Accounts
    roles: Roles
    tokens: Tokens
    triggers: Acceptor
    audit: Auditor
    clock: Callable[[], datetime]
    secret: bytes
    version: str
    health: Callable[[Deployment], Awaitable[Health]]
    deployments: Mapping[str, Deployment] = {}
    """By name: for dialects that have deployments in their paths."""
    default_deployment: str = ""
    """The name of the one that dialects serve at their usual paths."""
    base_path: str = ""
    """What comes before every path as clients see it, e.g. ``/airgate``: for whatever prints a URL."""
    proxies: Proxies = DIRECT
    orchestration: Orchestration | None = None
    floods: Throttle = msgspec.field(default_factory=lambda: Throttle(free=FREE_FORGERIES))
    """Who sends to hooks what nobody signed, by hook and address."""
    config: Mapping[str, Mapping[str, str]] = {}
    """Settings shown by dialects that can show them, by section. Never secrets."""
    page_limit: int = 100
    """Items in a page of a list where the request does not say."""
    max_page_limit: int = 100
    """The most items in a page, in dialects that know no such bound of their own."""


class Call:
    """One request on its way through a dialect: what is known of it so far."""

    __slots__ = (
        "address",
        "audited",
        "body",
        "caller",
        "deployment",
        "dialect",
        "event",
        "facts",
        "found",
        "headers",
        "operation",
        "params",
        "query",
        "raw_body",
        "raw_query",
        "receive",
        "reply_headers",
        "scope",
        "services",
        "writes",
    )

    def __init__(self, services: Services, deployment: Deployment, headers: list[tuple[bytes, bytes]]) -> None:
        self.services = services
        self.deployment = deployment
        self.headers = headers
        self.operation: Operation
        self.params: dict[str, Any] = {}
        self.raw_query: bytes = b""
        self.query: Any = None
        self.raw_body: bytes = b""
        self.body: Any = None
        self.found: Any = None
        """What the dialect's checks have found out for its handlers."""
        self.caller: Caller | None = None
        self.address: str | None = None
        self.dialect: Dialect
        self.scope: Mapping[str, Any] = {}
        """The request as the server gives it."""
        self.receive: Receive
        """What comes from the client after the request: that it has gone (see `airgate.http.presence`)."""
        self.event = ""
        """What the audit log calls the operation; empty until it is known which one it is."""
        self.writes = False
        """Whether the operation is audited when it is done. Refusals are, whatever it is."""
        self.facts: dict[str, Any] = {}
        self.audited = False
        """The entry of this call is in the log, or on its way there with the change itself."""
        self.reply_headers: tuple[tuple[bytes, bytes], ...] = ()
        """Sent with the reply whatever becomes of the request."""

    def header(self, name: bytes) -> str | None:
        """A header's value by its lower-case name; the first one where there are several."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None

    @property
    def user(self) -> str:
        """Name of the authenticated caller."""
        return self.caller.name if self.caller else "anonymous"

    def about(self, **facts: Any) -> None:
        """Say more for the audit log than path and table do: nothing that may be a secret, or hold one.

        `dag_id`, `run_id`, `task_id`, `map_index`, `logical_date` and `actor` have fields of their own there, all else
        is extra.
        """
        self.facts = {**self.facts, **facts}

    async def accept(self, request: TriggerRequest, status: int = 200) -> Accepted:
        """Accept a trigger and, in the same transaction, the audit entry of this call, answered with `status`.

        Raises what `Acceptor.accept` raises.
        """
        try:
            accepted = await self.services.triggers.accept(self.deployment, request, self.audit_entry(status))
        except AirgateError:
            self.about(run_id=request.run_id, logical_date=request.logical_date)
            raise
        self.audited = True
        return accepted

    def audit_entry(self, status: int = 200) -> AuditEntry:
        """This call for the audit log, as answered with `status`."""
        facts = self._told()
        caller, known = self.caller, self.params.get
        map_index = facts.pop("map_index", known("map_index"))
        actor = caller.name if caller else claimed(self.header(b"authorization"))
        return AuditEntry(
            at=self.services.clock(),
            event=self.event,
            outcome=outcome(status),
            status=status,
            dialect=self.dialect.name,
            method=self.scope["method"],
            path=short(self.scope["path"]),
            actor=_one(facts.pop("actor", None)) or actor,
            actor_id=caller.identity.id if caller else None,
            key_id=caller.key_id if caller else None,
            address=self.address,
            deployment=self.deployment.name if self.dialect.per_deployment else known("deployment"),
            dag_id=_one(facts.pop("dag_id", known("dag_id"))),
            run_id=_one(facts.pop("run_id", known("dag_run_id", known("run_id", facts.pop("dag_run_id", None))))),
            task_id=_one(facts.pop("task_id", known("task_id"))),
            map_index=map_index if isinstance(map_index, int) else None,
            logical_date=facts.pop("logical_date", None),
            extra={name: fact(value) for name, value in facts.items()},
        )

    def _told(self) -> dict[str, Any]:
        named = {name: value for name, value in self.params.items() if name not in _OWN_FIELDS}
        return {**named, **picked(self.operation.noted, self.body, self.query), **self.facts}

    @property
    def place(self) -> Place:
        """Where the operation acts."""
        return Place(self.deployment.name, self.deployment.workspace)


def caller_of(call: Call) -> Caller:
    """Who asks, in an operation that nobody reaches unauthenticated."""
    assert call.caller is not None
    return call.caller


_OWN_FIELDS: Final = frozenset({"dag_id", "dag_run_id", "run_id", "task_id", "map_index", "deployment"})


def _one(name: Any) -> str | None:
    """The id a path or handler gives; ``~`` stands for all of them, and names none."""
    return None if name is None or name == "~" else short(str(name))


Handler = Callable[[Call], Awaitable[Any]]
"""Gives a `Reply`, or a value for the dialect to encode."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dialect's table.

    `path` is relative to the dialect's prefix; ``{name}`` stands for one segment, ``{name:int}`` for one of digits,
    ``{name:path}`` for all that is left.
    `query` and `body` are whatever the dialect's checks understand; None: nothing is expected. `permission` None: for
    everybody.
    """

    method: str
    path: str
    handler: Handler
    permission: Permission | None = None
    query: Any = None
    body: Any = None
    event: str | None = None
    """What the audit log calls it: the same word in every dialect. None: a word made of method and path."""
    noted: tuple[str, ...] = ()
    """Fields of body or query that the audit log keeps: never one that may hold a secret."""


class Check(msgspec.Struct, frozen=True):
    """One step between route and handler: raises what is wrong, fills in `Call` what it has found out."""

    run: Callable[[Call], Awaitable[None] | None]
    applies: Callable[[Operation], bool]
    early: bool = False
    """Before the body is read: what it refuses costs no more than its headers."""


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """How a dialect is served at the prefix of another as well.

    `segments`: paths that begin with one of these are the guest's. `preferred`: operations, as (method, path), that
    both dialects have; they are the guest's for callers whose key asks for it (`Caller.batch`), else the host's.
    """

    prefix: str
    segments: tuple[str, ...] = ()
    preferred: tuple[tuple[str, str], ...] = ()


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One wire protocol.

    `checks` run in their order, each where it applies. `encode` turns a handler's value into a reply, `explain` an
    exception (of `airgate.http.errors`, of `airgate.model.errors`, of the dialect itself, or any other: a bug).
    """

    name: str
    prefix: str
    operations: tuple[Operation, ...]
    checks: tuple[Check, ...]
    encode: Callable[[Any], Reply]
    explain: Callable[[Exception], Reply]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with every reply."""
    per_deployment: bool = True
    """Served for each deployment. False: once, with deployments in its paths."""
    trailing_slash: bool = False
    """Its paths end with a slash; requests may leave that out."""
    guest: Guest | None = None
    """Where else it is served, besides at its prefix."""
