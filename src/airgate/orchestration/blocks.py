"""Block windows: times in which jobs may not start. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from airgate.model.webhook import BlockWindow

_DAY = timedelta(days=1)


def blocked_until(windows: Iterable[BlockWindow], job_id: UUID, now: datetime, *, manual: bool) -> datetime | None:
    """When the job may start again; None: it may start now. Windows that touch or overlap are one block."""
    relevant = [window for window in windows if _concerns(window, job_id, manual=manual)]
    until: datetime | None = None
    moment = now
    while (end := _latest_end(relevant, moment)) is not None:
        until = moment = end
        if until - now > 8 * _DAY:  # blocked on every day of the week, all day
            return until
    return until


def is_blocked(windows: Iterable[BlockWindow], job_id: UUID, now: datetime, *, manual: bool) -> bool:
    """Whether the job may not start now."""
    return any(_concerns(window, job_id, manual=manual) and end_of(window, now) is not None for window in windows)


def canceller(windows: Iterable[BlockWindow], job_id: UUID, now: datetime, *, manual: bool) -> BlockWindow | None:
    """The window because of which executions of the job that run now are to be ended; None: they go on."""
    relevant = (window for window in windows if window.cancel_running and _concerns(window, job_id, manual=manual))
    return next((window for window in relevant if end_of(window, now) is not None), None)


def end_of(window: BlockWindow, now: datetime) -> datetime | None:
    """When the window that covers this moment ends, in UTC; None: it does not cover it. Its end is not part of it."""
    zone = ZoneInfo(window.time_zone)
    local = now.astimezone(zone)
    for day in (local.date(), local.date() - _DAY):
        if day.isoweekday() % 7 not in window.weekdays:
            continue
        start = datetime.combine(day, window.start, zone)
        last_day = day if window.end > window.start else day + _DAY
        end = datetime.combine(last_day, window.end, zone)
        if start.astimezone(UTC) <= now < end.astimezone(UTC):
            return end.astimezone(UTC)
    return None


def next_change(windows: Iterable[BlockWindow], now: datetime) -> datetime | None:
    """The next moment at which any active window begins or ends, within eight days."""
    moments = [moment for window in windows if window.is_active for moment in _edges(window, now) if moment > now]
    return min(moments, default=None)


def _edges(window: BlockWindow, now: datetime) -> Iterable[datetime]:
    zone = ZoneInfo(window.time_zone)
    today = now.astimezone(zone).date()
    for offset in range(-1, 9):
        day = today + offset * _DAY
        if day.isoweekday() % 7 in window.weekdays:
            yield datetime.combine(day, window.start, zone).astimezone(UTC)
            last_day = day if window.end > window.start else day + _DAY
            yield datetime.combine(last_day, window.end, zone).astimezone(UTC)


def _latest_end(windows: Iterable[BlockWindow], moment: datetime) -> datetime | None:
    ends = [end for window in windows if (end := end_of(window, moment)) is not None]
    return max(ends, default=None)


def _concerns(window: BlockWindow, job_id: UUID, *, manual: bool) -> bool:
    return window.is_active and _of_job(window, job_id) and not (manual and window.allow_manual)


def _of_job(window: BlockWindow, job_id: UUID) -> bool:
    return not window.jobs or job_id in window.jobs
