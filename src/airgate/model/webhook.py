"""Webhooks, their deliveries and attempts; hooks that come in; windows in which jobs may not start."""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class Method(StrEnum):
    """Methods a webhook may send."""

    DELETE = "DELETE"
    GET = "GET"
    PATCH = "PATCH"
    POST = "POST"
    PUT = "PUT"


class Operation(StrEnum):
    """Comparisons. The first six are Erathos's; the others are Airgate's own."""

    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    IN = "IN"
    NOT_IN = "NOT_IN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN = "GREATER_THAN"
    LESS_OR_EQUAL = "LESS_OR_EQUAL"
    GREATER_OR_EQUAL = "GREATER_OR_EQUAL"
    BETWEEN = "BETWEEN"
    CONTAINS = "CONTAINS"
    MATCHES = "MATCHES"
    IS_NULL = "IS_NULL"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `value` is text or a list of texts, as in Erathos's API; typing is the variable's."""

    variable_name: str
    operation: Operation
    value: str | tuple[str, ...] | None = None


class TargetKind(StrEnum):
    """What a webhook does when it fires."""

    HTTP = "http"
    DAG = "dag"
    SLACK = "slack"
    DISCORD = "discord"
    EMAIL = "email"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a webhook leads, where not to a plain URL.

    DAG: `deployment` and `dag_id`; the webhook's body, rendered, is the conf. SLACK, DISCORD: the webhook's url.
    EMAIL: `to`. `title` and `text` are templates; None: the default texts.
    """

    kind: TargetKind
    deployment: str | None = None
    dag_id: str | None = None
    to: tuple[str, ...] = ()
    title: str | None = None
    text: str | None = None


class Coalesce(msgspec.Struct, frozen=True, kw_only=True):
    """Many events, one delivery: the first opens a window for its key; what comes within it is only counted."""

    seconds: int
    key: str = ""
    """A template; events with equal keys share a window. Empty: all of the webhook's."""


class Gather(msgspec.Struct, frozen=True, kw_only=True):
    """All of the webhook's jobs within a window: fires once each has matched since the last time it fired."""

    seconds: int


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """None came by then: fires when by `at`, on `weekdays`, no matching event came since `since`.

    Both are local times of the webhook; a `since` that is not before `at` is of the day before.
    """

    at: time
    since: time
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 is Sunday, as in FINISHED_AT_WEEKDAY."""


class WatchKind(StrEnum):
    """What a webhook watches for."""

    DURATION = "duration"
    """A run that takes longer than so many seconds: while it still runs."""
    LATE = "late"
    """A scheduled run that has not started so many seconds after it was due."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Fires not when a run ends, but once for each run that takes too long, or does not start in time."""

    kind: WatchKind
    seconds: int


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A registered outgoing request with rules.

    `rules` all hold (AND) and, where there are `any_of` groups, at least one group holds wholly. `header` and `body`
    are templates at any depth.
    """

    id: UUID
    workspace_id: UUID
    description: str
    is_active: bool
    method: Method = Method.POST
    url: str = ""
    header: dict[str, str] | None = None
    body: Any = None
    rules: tuple[Rule, ...] = ()
    jobs: tuple[UUID, ...] = ()
    any_of: tuple[tuple[Rule, ...], ...] = ()
    time_zone: str = "UTC"
    target: Target = Target(kind=TargetKind.HTTP)
    coalesce: Coalesce | None = None
    gather: Gather | None = None
    absence: Absence | None = None
    watch: Watch | None = None
    timeout: float = 15.0
    max_concurrency: int = 8
    max_per_second: float | None = None
    created_by: str = ""
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None = None
    """When the first of the attempts failed since one arrived; None while the newest arrived."""
    disabled_reason: str | None = None
    """Why Airgate switched it off itself; None where a person did, or where it is on."""


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs a webhook's deliveries; the secret itself is kept apart, encrypted.

    `scheme` is ``v1`` (HMAC-SHA256) or ``v1a`` (Ed25519). Keys that are retired are used along with the new one until
    `expires_at`.
    """

    id: UUID
    webhook_id: UUID
    scheme: str
    created_at: datetime
    expires_at: datetime | None = None
    public: str | None = None


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    """Due now, or at `next_attempt_at`."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """All attempts failed, or the target said for good that it will not have it. May be replayed."""
    STOPPED = "stopped"
    """Never sent: a template could not be resolved, or the target is not allowed. `reason` says which."""
    CANCELLED = "cancelled"
    """The webhook was deleted or switched off before it was sent."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a webhook. Its id is sent as ``webhook-id`` with every attempt.

    (webhook, cause) is unique, which is what makes evaluation repeatable: `cause` names the event, table, window or
    replay it was made of. Templates are rendered from the execution as it was told, so that a replay sends the same.
    """

    id: UUID
    webhook_id: UUID
    workspace_id: UUID
    execution: UUID
    """`id` of the stored execution; several deliveries share it."""
    cause: str
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: int = 0
    last_status: int | None = None
    reason: str | None = None
    count: int = 1
    """Events it stands for, where the webhook coalesces."""
    replay_of: UUID | None = None
    finished_at: datetime | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP try of a delivery. Request and response are masked and cut before they are kept."""

    id: UUID
    delivery_id: UUID
    number: int
    at: datetime
    latency: float
    """Seconds."""
    status: int | None = None
    error: str | None = None
    request: dict[str, Any] = {}
    response: dict[str, Any] = {}


class HookScheme(StrEnum):
    """How an inbound hook proves where it comes from."""

    GITHUB = "github"
    STRIPE = "stripe"
    SLACK = "slack"
    STANDARD = "standard"
    TOKEN = "token"  # noqa: S105 - the word of a scheme


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /hooks/{name}``: a way in for systems that can only send webhooks. Its secret is kept apart, encrypted.

    `conf`, `run_id` and `idempotency_key` are templates over ``${{payload.…}}`` and ``${{headers.…}}``; without an own
    key, the sender's delivery id is one.
    """

    id: UUID
    workspace_id: UUID
    name: str
    scheme: HookScheme
    deployment: str
    dag_id: str
    conf: Any = None
    run_id: str | None = None
    idempotency_key: str | None = None
    shared_in: str = "x-airgate-token"
    """With TOKEN: the header that carries the shared token."""
    is_active: bool = True
    created_by: str = ""
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = None
    previous_until: datetime | None = None
    """Until when the secret before this one is good too, where it was changed."""


class BlockWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Times in which jobs may not start: on `weekdays` (0 is Sunday) from `start` to `end`, local to `time_zone`.

    A window whose end is not after its start lasts until that time of the next day. `jobs` empty: every job of the
    workspace.
    """

    id: UUID
    workspace_id: UUID
    name: str
    weekdays: tuple[int, ...]
    start: time
    end: time
    time_zone: str = "UTC"
    jobs: tuple[UUID, ...] = ()
    allow_manual: bool = False
    cancel_running: bool = False
    is_active: bool = True
    created_at: datetime
    updated_at: datetime


class WebhookWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook that coalesces, gathers or waits for absence remembers, under a key, until `due_at`."""

    webhook_id: UUID
    key: str
    opened_at: datetime
    due_at: datetime | None
    count: int = 0
    execution: UUID | None = None
    """The stored execution a delivery will be made of."""
    seen: tuple[str, ...] = ()
    """Jobs that have matched, where all of them have to."""
