"""What a try's end makes of its task instance: retried, and when, or not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec.structs import replace

from airgate.model.dag import TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState


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


MAX_DELAY = 24 * 60 * 60
"""Seconds; no backoff grows beyond it (Airflow's ``max_task_retry_delay``)."""

_IN_TRY = (TaskState.RUNNING, TaskState.QUEUED)


def may_retry(instance: TaskInstance, task: TaskSpec | None) -> bool:
    """Whether a failure of the present try leads to another one (the Task SDK's ``should_retry`` at start)."""
    if instance.state is TaskState.RESTARTING:
        return True
    if task is not None and not task.retries:
        return False
    return instance.max_tries != 0 and instance.try_number <= instance.max_tries


def retry_at(instance: TaskInstance, task: TaskSpec, *, logical_date: datetime | None, ended_at: datetime) -> datetime:
    """When the next try may start, after the present one (`instance.try_number`) ended.

    Deterministic, jitter included: the same try always waits equally long.
    """
    factor = task.retry_exponential_backoff
    if factor <= 0 or factor == 1.0:
        return ended_at + timedelta(seconds=task.retry_delay)
    delay = float(min(_grown(instance, task, logical_date), MAX_DELAY))
    if task.max_retry_delay:
        delay = min(delay, task.max_retry_delay)
    return ended_at + timedelta(seconds=delay)


def _grown(instance: TaskInstance, task: TaskSpec, logical_date: datetime | None) -> int:
    """Seconds of backoff before any cap: the delay grown once per try, and less than as much again by chance."""
    try:
        least = max(1, math.ceil(task.retry_delay * task.retry_exponential_backoff ** (instance.try_number - 1)))
    except OverflowError:
        least = MAX_DELAY
    # The very text Airflow hashes, so that a moved DAG keeps its rhythm.
    text = f"{instance.dag_id}#{instance.task_id}#{logical_date}#{instance.try_number}"
    dice = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16)
    return least + dice % least


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
    if instance.state is TaskState.RESTARTING:
        retries = task.retries if task is not None else 0
        return AfterTry(replace(instance, state=None, max_tries=instance.try_number + retries, updated_at=now))
    if instance.state not in _IN_TRY:
        return AfterTry(instance)
    if isinstance(outcome, Rescheduled | Deferred):
        return AfterTry(_paused(instance, outcome, now))
    if isinstance(outcome, Killed):
        instance = replace(instance, end_reason=outcome.reason)
        retried = may_retry(instance, task)
    else:
        instance = _named(instance, outcome.rendered_map_index)
        retried = isinstance(outcome, AsksRetry)
    ended = replace(instance, end_date=outcome.ended_at, updated_at=now, next_method=None, next_kwargs=None)
    if not retried:
        return AfterTry(replace(ended, state=_FINAL[type(outcome)]))
    delay = outcome.delay if isinstance(outcome, AsksRetry) else None
    return AfterTry(_retried(ended, task, delay, logical_date, new_id), replace(ended, state=TaskState.FAILED))


_FINAL: dict[type, TaskState] = {
    Succeeded: TaskState.SUCCESS,
    Skipped: TaskState.SKIPPED,
    Failed: TaskState.FAILED,
    Killed: TaskState.FAILED,
}


def _named(instance: TaskInstance, rendered_map_index: str | None) -> TaskInstance:
    return instance if rendered_map_index is None else replace(instance, rendered_map_index=rendered_map_index)


def _paused(instance: TaskInstance, outcome: Rescheduled | Deferred, now: datetime) -> TaskInstance:
    """The try goes on later: same number, same id."""
    instance = replace(_named(instance, outcome.rendered_map_index), updated_at=now)
    if isinstance(outcome, Deferred):
        method, kwargs = outcome.next_method, outcome.next_kwargs
        return replace(instance, state=TaskState.DEFERRED, next_method=method, next_kwargs=kwargs)
    return replace(
        instance,
        state=TaskState.UP_FOR_RESCHEDULE,
        end_date=outcome.ended_at,
        retry_at=outcome.resume_at,
        reschedule_count=instance.reschedule_count + 1,
        next_method=None,
        next_kwargs=None,
    )


def _retried(
    ended: TaskInstance,
    task: TaskSpec | None,
    delay: float | None,
    logical_date: datetime | None,
    new_id: Callable[[], UUID],
) -> TaskInstance:
    assert ended.end_date is not None
    if delay is not None or task is None:
        due = ended.end_date + timedelta(seconds=delay or 0.0)
    else:
        due = retry_at(ended, task, logical_date=logical_date, ended_at=ended.end_date)
    return replace(
        ended,
        id=new_id(),
        state=TaskState.UP_FOR_RETRY,
        retry_at=due,
        reschedule_count=0,
        end_reason=None,
    )
