"""What happens next in a run: pure, total, and settled in one call.

The shell calls `reconcile` when a run starts or moves to another DAG version, and `decide` after every event. It
commits what they return before acting upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from airgate.engine.snapshot import Key, RunSnapshot
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState


class RunCallback(msgspec.Struct, frozen=True):
    """The DAG's callback that is due: on success or failure, why, and the task instance that stands for it."""

    success: bool
    reason: str
    """``success``, ``task_failure``, ``all_tasks_deadlocked`` or ``timed_out``: Airflow's words."""
    relevant: Key | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a snapshot. Applying it and deciding again at the same time changes nothing."""

    snapshot: RunSnapshot
    """The run as it is now: `changed` and `run` applied."""
    changed: tuple[TaskInstance, ...] = ()
    """Instances to store, each once, in their new form. Those now ``SCHEDULED`` wait for `airgate.engine.allot`."""
    run_changed: bool = False
    """Whether the run's own row is to be stored."""
    ended: str | None = None
    """Why the run ended in this very decision (the words of `RunCallback.reason`), None while it goes on."""
    callback: RunCallback | None = None
    """Given only where the DAG has one for this end."""
    stops: tuple[UUID, ...] = ()
    """Instance ids of tries whose process must be ended; their instances are in their final state already."""
    wake_at: datetime | None = None
    """Decide again at this time even if nothing happens: a retry, a reschedule, a timeout, a date."""
    needs_past: bool = False
    """A task waits to hear of the run before: set `RunSnapshot.past` and decide again."""
    waits_for_past: bool = False
    """A task is held by the run before; decide again when that one changes."""

    @property
    def run(self) -> DagRun:
        """The run as it is now."""
        return self.snapshot.run


def decide(snapshot: RunSnapshot, now: datetime, *, changed: Collection[Key] | None = None) -> Decision:
    """Settle everything that can be settled at `now`.

    Only a run that is ``RUNNING`` is decided on; any other comes back as it is. With `changed`, only what these
    instances can have an effect on is looked at (and timers); the result is that of a full decision, provided that
    the snapshot was the result of a decision before those instances changed. Leave it None after anything else: a
    start, a new DAG version, news of the past, a pause.
    """
    raise NotImplementedError


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """A run brought in line with its DAG version."""

    snapshot: RunSnapshot
    created: tuple[TaskInstance, ...] = ()
    """To insert."""
    changed: tuple[TaskInstance, ...] = ()
    """To save: removed and restored ones."""
    stops: tuple[UUID, ...] = ()
    """Tries of tasks that are gone."""


def reconcile(snapshot: RunSnapshot, now: datetime, *, new_id: Callable[[], UUID]) -> Reconciled:
    """Create the instances the run lacks, mark those whose task is gone as removed, restore those that are back.

    Tasks whose start or end date excludes the run's logical date get no instance, except in a backfill.
    Mapped tasks get one instance at -1; their expansion will happen in `decide`, once the lengths are known.
    """
    raise NotImplementedError


def skip_downstream(
    snapshot: RunSnapshot, targets: Sequence[str | tuple[str, int]], now: datetime
) -> tuple[TaskInstance, ...]:
    """What the Task SDK's ``SkipDownstreamTasks`` changes: the targets, unless they run, succeeded or failed."""
    raise NotImplementedError


class Stopped(msgspec.Struct, frozen=True):
    """Instances changed by ending a run's tasks from outside, and the ids of tries whose process must be ended."""

    changed: tuple[TaskInstance, ...] = ()
    stops: tuple[UUID, ...] = ()


def fail_fast(snapshot: RunSnapshot, failed: Key, now: datetime) -> Stopped:
    """What a failed task of a ``fail_fast`` DAG does to the others: running ones fail, the rest are skipped.

    Call it when a try ended ``FAILED`` for good; empty unless the DAG asks for it. Teardowns are left alone.
    """
    raise NotImplementedError


def pauses_dag(recent: Sequence[RunState], limit: int) -> bool:
    """Whether a DAG is to be paused because its last `limit` runs (newest first) all failed; 0 means never.

    Ask when a run ended for ``task_failure``.
    """
    raise NotImplementedError
