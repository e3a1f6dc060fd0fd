"""Webhooks that do not fire at once: many events as one, all of several jobs, or none by then. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from airgate.model.job import Execution, ExecutionStatus
from airgate.model.webhook import Webhook, WebhookWindow

GATHERING: Final = "gather"
ABSENCE: Final = "absence"
"""Keys of the one window that webhooks of these kinds have. Windows of those that coalesce have ``coalesce:`` first."""

_DAY: Final = timedelta(days=1)
_DAYS_AHEAD: Final = 16
"""A week until the next day that is watched, one more where the span has begun, and the days at both ends."""


class Step(msgspec.Struct, frozen=True):
    """What becomes of a window: `window` None closes it; `fires` is the stored execution a delivery is made of now."""

    window: WebhookWindow | None
    fires: UUID | None = None
    count: int = 1


def coalesced(webhook: Webhook, key: str, window: WebhookWindow | None, execution: UUID, now: datetime) -> Step:
    """An event for a webhook that coalesces: the first opens a window, later ones are counted; it fires at the end."""
    assert webhook.coalesce is not None
    if window is None:
        due = now + timedelta(seconds=webhook.coalesce.seconds)
        return Step(
            WebhookWindow(webhook_id=webhook.id, key=key, opened_at=now, due_at=due, count=1, execution=execution)
        )
    return Step(msgspec.structs.replace(window, count=window.count + 1, execution=execution))


def gathered(webhook: Webhook, job: UUID, window: WebhookWindow | None, execution: UUID, at: datetime) -> Step:
    """An event, of `at`, for a webhook that wants all its jobs: it fires with the last one's, if all came in time."""
    assert webhook.gather is not None
    span = timedelta(seconds=webhook.gather.seconds)
    if window is None or at - window.opened_at > span:
        window = WebhookWindow(webhook_id=webhook.id, key=GATHERING, opened_at=at, due_at=at + span)
    seen = tuple(dict.fromkeys((*window.seen, str(job))))
    if set(seen) >= {str(wanted) for wanted in webhook.jobs}:
        return Step(None, execution, window.count + 1)
    return Step(msgspec.structs.replace(window, seen=seen, count=window.count + 1, execution=execution))


def came(window: WebhookWindow, at: datetime) -> WebhookWindow:
    """An event for a webhook that waits for absence: it counts if it came within the span that is watched."""
    return msgspec.structs.replace(window, count=window.count + 1) if at >= window.opened_at else window


def over(window: WebhookWindow, at: datetime) -> bool:
    """Whether the span of a window is over at a moment."""
    return window.due_at is not None and window.due_at <= at


def next_absence(webhook: Webhook, now: datetime, *, whole: bool = False) -> WebhookWindow:
    """The span a webhook watches next: the first whose end lies ahead; `whole`: whose beginning does not lie behind.

    Where the clocks go forward, a time that does not exist that day begins a span before the gap, and ends one after.
    """
    absence = webhook.absence
    assert absence is not None
    zone = ZoneInfo(webhook.time_zone)
    today = now.astimezone(zone).date()
    for offset in range(_DAYS_AHEAD):
        day = today + offset * _DAY
        if day.isoweekday() % 7 not in absence.weekdays:
            continue
        due = datetime.combine(day, absence.at, zone).astimezone(UTC)
        first_day = day if absence.since < absence.at else day - _DAY
        since = datetime.combine(first_day, absence.since, zone)
        opened = since.replace(fold=int(_in_gap(since))).astimezone(UTC)
        if due > now and (opened >= now or not whole):
            return WebhookWindow(webhook_id=webhook.id, key=ABSENCE, opened_at=opened, due_at=due)
    raise AssertionError("a webhook that waits for absence names a day of the week")


def fits(webhook: Webhook, window: WebhookWindow) -> bool:
    """Whether a window for absence is one of those that the webhook watches now."""
    wanted = next_absence(webhook, window.opened_at, whole=True)
    return (wanted.opened_at, wanted.due_at) == (window.opened_at, window.due_at)


def _in_gap(local: datetime) -> bool:
    """Whether a local time does not exist, as the clocks go forward then."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None)


def missed(webhook: Webhook, window: WebhookWindow, new_id: UUID) -> Execution:
    """The execution that did not come, for templates to read."""
    return Execution(
        id=new_id,
        execution_id=new_id,
        job_id=webhook.jobs[0],
        workspace_id=webhook.workspace_id,
        status=ExecutionStatus.MISSED,
        started_at=window.opened_at,
        ended_at=window.due_at,
        error=f"None came between {window.opened_at:%Y-%m-%d %H:%M} and {window.due_at:%Y-%m-%d %H:%M} UTC",
    )
