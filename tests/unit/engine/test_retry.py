from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from airgate.engine.retry import (
    AfterTry,
    AsksRetry,
    Deferred,
    Failed,
    Killed,
    Outcome,
    Rescheduled,
    Skipped,
    Succeeded,
    after_try,
    may_retry,
)
from airgate.model.dag import TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState
from tests.unit.engine.make import NOW, Ids, later, task

S = TaskState
AT_WORK = TaskInstance(
    id=UUID(int=900), dag_id="d", run_id="r", task_id="a", state=S.RUNNING, try_number=1, max_tries=2, start_date=NOW
)
PATIENT = task("a", retries=2, retry_delay=30.0)


def ended(outcome: Outcome, instance: TaskInstance = AT_WORK, spec: TaskSpec | None = PATIENT) -> AfterTry:
    return after_try(instance, outcome, spec, logical_date=NOW, now=later(9), new_id=Ids())


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Succeeded(later(8)), S.SUCCESS), (Failed(later(8)), S.FAILED), (Skipped(later(8)), S.SKIPPED)],
)
def test_what_the_task_says_of_itself_is_final(outcome: Outcome, state: TaskState) -> None:
    after = ended(outcome)

    assert after.archived is None
    assert after.instance == replace(AT_WORK, state=state, end_date=later(8), updated_at=later(9))
    assert after.instance.duration == 8.0


def test_retry_has_an_id_of_its_own_and_the_try_before_goes_to_history() -> None:
    after = ended(AsksRetry(later(8)))

    assert after.instance.state is S.UP_FOR_RETRY
    assert (after.instance.retry_at, after.instance.try_number) == (later(38), 1)
    assert after.instance.id != AT_WORK.id
    assert after.archived == replace(AT_WORK, state=S.FAILED, end_date=later(8), updated_at=later(9))


def test_delay_the_task_asks_for_overrides_its_own() -> None:
    assert ended(AsksRetry(later(8), delay=2.5)).instance.retry_at == later(10.5)


@pytest.mark.parametrize(
    ("number", "allowed", "state"), [(1, 2, S.UP_FOR_RETRY), (2, 2, S.UP_FOR_RETRY), (3, 2, S.FAILED), (1, 0, S.FAILED)]
)
def test_killed_try_is_retried_while_tries_are_left(number: int, allowed: int, state: TaskState) -> None:
    instance = replace(AT_WORK, try_number=number, max_tries=allowed)

    after = ended(Killed(later(8), "killed by signal 9"), instance)

    assert after.instance.state is state
    told = after.archived or after.instance
    assert (told.end_reason, told.state) == ("killed by signal 9", S.FAILED)


def test_try_killed_before_it_ran_is_accounted_for_too() -> None:
    after = ended(Killed(later(8), "gone"), replace(AT_WORK, state=S.QUEUED, start_date=None))

    assert after.instance.state is S.UP_FOR_RETRY
    assert after.archived is not None


def test_task_without_retries_is_not_retried_even_if_its_instance_says_otherwise() -> None:
    assert not may_retry(AT_WORK, task("a"))
    assert may_retry(AT_WORK, None)
    assert ended(Killed(later(8), "gone"), spec=task("a")).instance.state is S.FAILED


def test_rescheduled_try_goes_on_under_its_id() -> None:
    after = ended(Rescheduled(later(8), later(60)))

    assert (after.instance.state, after.instance.retry_at, after.instance.id) == (
        S.UP_FOR_RESCHEDULE,
        later(60),
        AT_WORK.id,
    )
    assert (after.instance.reschedule_count, after.archived) == (1, None)


def test_deferred_try_remembers_where_it_goes_on() -> None:
    after = ended(Deferred("resume", {"x": 1}))

    assert (after.instance.state, after.instance.next_method, after.instance.next_kwargs) == (
        S.DEFERRED,
        "resume",
        {"x": 1},
    )
    assert (after.instance.end_date, after.archived) == (None, None)


@pytest.mark.parametrize("outcome", [Succeeded(later(8)), Killed(later(8), "stopped"), AsksRetry(later(8))])
def test_instance_cleared_while_it_ran_starts_afresh_whatever_its_end(outcome: Outcome) -> None:
    after = ended(outcome, replace(AT_WORK, state=S.RESTARTING, try_number=4))

    assert (after.instance.state, after.instance.try_number, after.instance.max_tries) == (None, 4, 6)
    assert after.archived is None


@pytest.mark.parametrize("state", [S.SUCCESS, S.FAILED, S.SKIPPED, S.REMOVED, None])
def test_instance_that_is_in_no_try_any_more_keeps_its_state(state: TaskState | None) -> None:
    moved_on = replace(AT_WORK, state=state)

    assert ended(Succeeded(later(8)), moved_on) == AfterTry(moved_on)
