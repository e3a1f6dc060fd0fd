"""Webhooks as the native dialect shows and reads them. Fields are called as in Erathos's API, whose bodies fit."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.http.native.common import Instant, given, shown
from airgate.http.native.paging import Next, Paged
from airgate.http.native.problems import wrong_body
from airgate.model.webhook import (
    Absence,
    Coalesce,
    DeliveryState,
    Gather,
    Method,
    Operation,
    Rule,
    SigningKey,
    Target,
    TargetKind,
    Watch,
    WatchKind,
    Webhook,
)

Weekday = Annotated[int, msgspec.Meta(ge=0, le=6, description="0 is Sunday, 6 is Saturday.")]
LocalTime = Annotated[
    str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", description="HH:MM, or HH:MM:SS.")
]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=7 * 86400)]
SchemeWord = Annotated[str, msgspec.Meta(description="v1 (HMAC-SHA256) or v1a (Ed25519).")]
HiddenSecret = Annotated[
    str, msgspec.Meta(min_length=1, max_length=1000, extra_json_schema={"format": "password", "writeOnly": True})
]
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


class RuleView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One condition on what ended. A value is text, whatever the variable's type; IN, NOT_IN, BETWEEN take several."""

    variable_name: str
    operation: Operation
    value: str | tuple[str, ...] | None = None


class TargetView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a webhook leads: `http`, `slack` and `discord` to its URL, `dag` to a run, `email` to mailboxes.

    Of a DAG, the webhook's body is the conf. `title` and `text` are templates of messages; null: the usual words.
    """

    kind: TargetKind
    deployment: str | None = None
    dag_id: str | None = None
    to: tuple[str, ...] = ()
    title: str | None = None
    text: str | None = None


class CoalesceView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many events, one delivery: those with equal keys (a template) within so many seconds of the first."""

    seconds: Seconds
    key: str = ""


class GatherView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the webhook's jobs within so many seconds, one delivery."""

    seconds: Seconds


class AbsenceView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None came by `at`, on these days, since `since` (which is of the day before unless it is earlier than `at`)."""

    at: LocalTime
    since: LocalTime
    weekdays: tuple[Weekday, ...] = EVERY_DAY


class WatchView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires not when a run ends, but once for each that runs longer than so many seconds, or begins so much late."""

    kind: WatchKind
    seconds: Seconds


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A request that leaves when one of its jobs ends and its rules hold: all `rules`, and of `any_of` one group.

    `failing_since` and `disabled_reason` say how its target does, and why Airgate itself switched it off.
    """

    id: UUID
    description: str
    is_active: bool
    method: Method
    url: str
    header: dict[str, str] | None
    body: Any
    rules: tuple[RuleView, ...]
    jobs: tuple[UUID, ...]
    any_of: tuple[tuple[RuleView, ...], ...]
    time_zone: str
    target: TargetView
    coalesce: CoalesceView | None
    gather: GatherView | None
    absence: AbsenceView | None
    watch: WatchView | None
    timeout: float
    max_concurrency: int
    max_per_second: float | None
    created_by: str
    created_at: Instant
    updated_at: Instant
    failing_since: Instant | None
    disabled_reason: str | None


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """A page of webhooks, the newest first."""

    items: tuple[WebhookView, ...]
    next: Next | None


class WebhooksQuery(Paged, frozen=True, kw_only=True):
    """A page of webhooks. `description` and `url` are looked for anywhere in theirs, in any case."""

    description: str | None = None
    url: str | None = None
    method: Method | None = None
    job: UUID | None = None
    is_active: bool | None = None


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to be made. `url`, `header` and `body` are templates."""

    description: str
    jobs: tuple[UUID, ...]
    is_active: bool = True
    method: Method = Method.POST
    url: str = ""
    header: dict[str, str] | None = None
    body: Any = None
    rules: tuple[RuleView, ...] = ()
    any_of: tuple[tuple[RuleView, ...], ...] = ()
    time_zone: str = "UTC"
    target: TargetView = TargetView(kind=TargetKind.HTTP)
    coalesce: CoalesceView | None = None
    gather: GatherView | None = None
    absence: AbsenceView | None = None
    watch: WatchView | None = None
    timeout: float = 15.0
    max_concurrency: int = 8
    max_per_second: float | None = None


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a webhook; what is left out stays. `is_active` switches it on and off."""

    description: str | UnsetType = UNSET
    jobs: tuple[UUID, ...] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    method: Method | UnsetType = UNSET
    url: str | UnsetType = UNSET
    header: dict[str, str] | UnsetType | None = UNSET
    body: Any = UNSET
    rules: tuple[RuleView, ...] | UnsetType = UNSET
    any_of: tuple[tuple[RuleView, ...], ...] | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    target: TargetView | UnsetType = UNSET
    coalesce: CoalesceView | UnsetType | None = UNSET
    gather: GatherView | UnsetType | None = UNSET
    absence: AbsenceView | UnsetType | None = UNSET
    watch: WatchView | UnsetType | None = UNSET
    timeout: float | UnsetType = UNSET
    max_concurrency: int | UnsetType = UNSET
    max_per_second: float | UnsetType | None = UNSET


class TrialRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to try a webhook out: on a past execution or a sample of one; `send`: for real, its rules notwithstanding."""

    execution_id: UUID | None = None
    send: bool = False


class TrialView(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook would send, or has sent for trial, with secrets masked. `fires`: its rules hold."""

    fires: bool
    sent: bool
    request: dict[str, Any]
    response: dict[str, Any]
    error: str | None
    latency: float | None


class ReplaySince(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries of a webhook to send again: those made since then, in one of these states."""

    since: Instant
    states: Annotated[tuple[DeliveryState, ...], msgspec.Meta(min_length=1, max_length=len(DeliveryState))] = (
        DeliveryState.DEAD,
        DeliveryState.STOPPED,
    )


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are sent again."""

    replayed: int


class SigningKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs deliveries, without its secret. `public_key` is what receivers check v1a signatures with."""

    id: UUID
    scheme: str
    public_key: str | None
    created_at: Instant
    expires_at: Instant | None


class CreatedSigningKey(SigningKeyView, frozen=True, kw_only=True):
    """A new signing key. `secret` is shown this once and never again."""

    secret: str


class SigningKeys(msgspec.Struct, frozen=True, kw_only=True):
    """A page of signing keys, the newest first."""

    items: tuple[SigningKeyView, ...]
    next: Next | None


class SigningKeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signing key to be made. Without a `secret`, one is made up."""

    scheme: SchemeWord = "v1"
    secret: HiddenSecret | None = None


_NESTED = {
    "rules": tuple[Rule, ...],
    "any_of": tuple[tuple[Rule, ...], ...],
    "target": Target,
    "coalesce": Coalesce | None,
    "gather": Gather | None,
    "watch": Watch | None,
}


def webhook_view(webhook: Webhook) -> WebhookView:
    """A webhook as it is shown."""
    absence = webhook.absence
    seen = None
    if absence is not None:
        seen = AbsenceView(at=clock_view(absence.at), since=clock_view(absence.since), weekdays=absence.weekdays)
    return shown(WebhookView, webhook, absence=seen)


def key_view(key: SigningKey) -> SigningKeyView:
    """A signing key as it is shown."""
    return shown(SigningKeyView, key, public_key=key.public)


def fields_of(body: NewWebhook | WebhookChange) -> dict[str, Any]:
    """The fields of a webhook that a body gives, as the model has them. Raises Refused."""
    fields = given(body)
    for name, kind in _NESTED.items():
        if name in fields:
            fields[name] = msgspec.convert(fields[name], kind, from_attributes=True)
    absence = fields.get("absence")
    if isinstance(absence, AbsenceView):
        at, since = clock_of(absence.at, "#/absence/at"), clock_of(absence.since, "#/absence/since")
        fields["absence"] = Absence(at=at, since=since, weekdays=absence.weekdays)
    return fields


def clock_view(moment: time) -> str:
    """A time of day as it is shown: with seconds only where it has any."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def clock_of(text: str, pointer: str) -> time:
    """A time of day that a body gives. Raises Refused."""
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise wrong_body("This is no time of day; write one like 08:30", pointer) from None
