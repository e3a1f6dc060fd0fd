"""Trigger rules: what the states of a task's upstream instances mean for the task.

Rules see counts only, never tasks, so that mapped upstreams need no rule of their own: whoever counts decides which
instances are relevant (`airgate.engine.decide` counts all of them; a mapped task group will count those that share
the map index).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from airgate.model.states import TaskState, TriggerRule

Verdict: TypeAlias = TaskState | None
"""None: wait. ``SCHEDULED``: may run. ``SKIPPED``, ``UPSTREAM_FAILED``, ``REMOVED``: ends so without running."""

WAIT: Verdict = None
READY: Verdict = TaskState.SCHEDULED
SKIP: Verdict = TaskState.SKIPPED
FAIL: Verdict = TaskState.UPSTREAM_FAILED


class Counts(NamedTuple):
    """Upstream instances by finished state. `upstream` is how many there are in all, finished or not.

    The last three count the setups among them.
    """

    upstream: int = 0
    success: int = 0
    skipped: int = 0
    failed: int = 0
    upstream_failed: int = 0
    removed: int = 0
    upstream_setup: int = 0
    success_setup: int = 0
    skipped_setup: int = 0

    @property
    def done(self) -> int:
        """How many have finished."""
        return self.success + self.skipped + self.failed + self.upstream_failed + self.removed

    @property
    def bad(self) -> int:
        """How many failed, themselves or through their upstream."""
        return self.failed + self.upstream_failed

    @property
    def complete(self) -> bool:
        """Whether all have finished."""
        return self.done >= self.upstream


def judge(rule: TriggerRule, counts: Counts, *, map_index: int = -1) -> Verdict:
    """What a trigger rule makes of its direct upstream instances. A task without upstream tasks is ready: do not ask.

    `map_index` of the task itself: a mapped instance beyond its upstream's successes is ``REMOVED``.
    """
    if rule is TriggerRule.ALL_SUCCESS:
        return _all_success(counts, map_index)
    return _RULES[rule](counts)


def judge_setups(counts: Counts, *, map_index: int = -1) -> Verdict:
    """What a task's indirect setups mean for it: all must succeed, and the first failure or skip settles it."""
    if counts.bad:
        return FAIL
    if counts.skipped:
        return SKIP
    if _is_surplus(counts, map_index):
        return TaskState.REMOVED
    # Unlike an upstream task, a removed setup is no success to an unmapped task: it did not set anything up.
    missing = counts.upstream - counts.success - (counts.removed if map_index >= 0 else 0)
    return WAIT if missing > 0 else READY


def _is_surplus(counts: Counts, map_index: int) -> bool:
    return map_index >= 0 and counts.removed > 0 and 0 < counts.success <= map_index


def _all_success(counts: Counts, map_index: int) -> Verdict:
    if counts.bad:
        return FAIL
    if counts.skipped:
        return SKIP
    if _is_surplus(counts, map_index):
        return TaskState.REMOVED
    return READY if counts.success + counts.removed >= counts.upstream else WAIT


def _all_failed(counts: Counts) -> Verdict:
    if counts.success or counts.skipped:
        return SKIP
    return READY if counts.bad + counts.removed >= counts.upstream else WAIT


def _all_done(counts: Counts) -> Verdict:
    return READY if counts.complete else WAIT


def _all_done_min_one_success(counts: Counts) -> Verdict:
    if counts.skipped:
        return SKIP
    if not counts.complete:
        return WAIT
    return READY if counts.success else FAIL


def _all_done_setup_success(counts: Counts) -> Verdict:
    if not counts.complete:
        return WAIT
    if counts.upstream_setup and counts.skipped_setup >= counts.upstream_setup:
        return SKIP
    return FAIL if counts.upstream_setup and not counts.success_setup else READY


def _one_success(counts: Counts) -> Verdict:
    if counts.success:
        return READY
    if not counts.complete:
        return WAIT
    return SKIP if counts.done == counts.skipped else FAIL


def _one_failed(counts: Counts) -> Verdict:
    if counts.bad:
        return READY
    return SKIP if counts.complete else WAIT


def _one_done(counts: Counts) -> Verdict:
    if counts.success or counts.failed:
        return READY
    return SKIP if counts.complete else WAIT


def _none_failed(counts: Counts) -> Verdict:
    if counts.bad:
        return FAIL
    return READY if counts.complete else WAIT


def _none_failed_min_one_success(counts: Counts) -> Verdict:
    if counts.bad:
        return FAIL
    if not counts.complete:
        return WAIT
    if counts.success:
        return READY
    return SKIP if counts.skipped == counts.upstream else FAIL


def _none_skipped(counts: Counts) -> Verdict:
    if counts.skipped:
        return SKIP
    return READY if counts.complete else WAIT


def _all_skipped(counts: Counts) -> Verdict:
    if counts.success or counts.bad:
        return SKIP
    return READY if counts.skipped >= counts.upstream else WAIT


def _always(_: Counts) -> Verdict:
    return READY


_RULES: dict[TriggerRule, Callable[[Counts], Verdict]] = {
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ALL_DONE: _all_done,
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS: _all_done_min_one_success,
    TriggerRule.ALL_DONE_SETUP_SUCCESS: _all_done_setup_success,
    TriggerRule.ONE_SUCCESS: _one_success,
    TriggerRule.ONE_FAILED: _one_failed,
    TriggerRule.ONE_DONE: _one_done,
    TriggerRule.NONE_FAILED: _none_failed,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    TriggerRule.NONE_SKIPPED: _none_skipped,
    TriggerRule.ALL_SKIPPED: _all_skipped,
    TriggerRule.ALWAYS: _always,
}
