"""What a try's end makes of its task instance: retried, and when, or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from airgate.model.dag import TaskSpec
from airgate.model.run import TaskInstance


class Succeeded(msgspec.Struct, frozen=True):
    """The task said so."""

    ended_at: datetime
    rendered_map_index: str | None = None


class Failed(msgspec.Struct, frozen=True):
    """The task said that it failed for good: no retry is left, or it does not want one."""

    ended_at: datetime
    rendered_map_index: str | None = None


class Skipped(msgspec.Struct, frozen=True):
    """The task skipped itself."""

    ended_at: datetime
    rendered_map_index: str | None = None


class AsksRetry(msgspec.Struct, frozen=True):
    """The task failed and is to be tried again; `delay` (seconds) overrides the task's own delay."""

    ended_at: datetime
    delay: float | None = None
    rendered_map_index: str | None = None


class Rescheduled(msgspec.Struct, frozen=True):
    """A sensor wants to look again at `resume_at`. The try goes on: its number does not change."""

    ended_at: datetime
    resume_at: datetime
    rendered_map_index: str | None = None


class Deferred(msgspec.Struct, frozen=True):
    """The task waits for a trigger. The try goes on."""

    next_method: str
    next_kwargs: dict[str, Any] | None = None
    rendered_map_index: str | None = None


class Killed(msgspec.Struct, frozen=True):
    """The process ended without a word: the engine decides between a retry and failure."""

    ended_at: datetime
    reason: str


Outcome: TypeAlias = Succeeded | Failed | Skipped | AsksRetry | Rescheduled | Deferred | Killed


class AfterTry(msgspec.Struct, frozen=True):
    """The instance as it is now, and the try that goes to history (None: the present row still tells of it)."""

    instance: TaskInstance
    archived: TaskInstance | None = None


def may_retry(instance: TaskInstance, task: TaskSpec | None) -> bool:
    """Whether a failure of the present try leads to another one (the Task SDK's ``should_retry`` at start)."""
    raise NotImplementedError


def retry_at(
    instance: TaskInstance, task: TaskSpec, *, logical_date: datetime | None, ended_at: datetime
) -> datetime:
    """When the next try may start, after the present one (`instance.try_number`) ended. Deterministic, jitter included."""
    raise NotImplementedError


def after_try(
    instance: TaskInstance,
    outcome: Outcome,
    task: TaskSpec | None,
    *,
    logical_date: datetime | None,
    now: datetime,
    new_id: Callable[[], UUID],
) -> AfterTry:
    """The instance after its try ended. `task` is None where the DAG no longer has it.

    An instance that is not in a try any more (marked by hand, timed out, removed) comes back as it is. One that was
    cleared while it ran (``RESTARTING``) goes back to no state, with its retries renewed, whatever the outcome.
    A retried instance gets a new id: each try has one of its own.
    """
    raise NotImplementedError
