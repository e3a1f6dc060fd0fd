"""Trigger rules: what the states of a task's upstream instances mean for the task.

Rules see counts only, never tasks, so that mapped upstreams need no rule of their own: whoever counts decides which
instances are relevant (`airgate.engine.decide` counts all of them; a mapped task group will count those that share
the map index).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from airgate.model.states import TaskState, TriggerRule

Verdict: TypeAlias = TaskState | None
"""None: wait. ``SCHEDULED``: may run. ``SKIPPED``, ``UPSTREAM_FAILED``, ``REMOVED``: ends so without running."""

WAIT: Verdict = None
READY: Verdict = TaskState.SCHEDULED


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


def judge(rule: TriggerRule, counts: Counts, *, map_index: int = -1) -> Verdict:
    """What a trigger rule makes of its direct upstream instances. A task without upstream tasks is ready: do not ask.

    `map_index` of the task itself: a mapped instance beyond its upstream's successes is ``REMOVED``.
    """
    raise NotImplementedError


def judge_setups(counts: Counts, *, map_index: int = -1) -> Verdict:
    """What a task's indirect setups mean for it: all must succeed, and the first failure or skip settles it."""
    raise NotImplementedError
