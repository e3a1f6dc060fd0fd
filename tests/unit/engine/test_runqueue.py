"""Queued runs, and which of them may start."""

from __future__ import annotations

from datetime import timedelta

from airgate.engine.runqueue import LOOKED_AT, RunQueue
from airgate.model.dag import Dag, DagVersion
from airgate.model.states import RunState
from tests.unit.engine.make import NOW, Ids, dag, later, run, task


def listed(**more: object) -> Dag:
    spec = dag(task("t"), **more)
    version = DagVersion(id=Ids()(), dag_id="d", number=1, created_at=NOW, spec=spec, digest="")
    return Dag(
        dag_id="d",
        version=version,
        file="d.py",
        is_paused=False,
        is_active=True,
        has_import_errors=False,
        last_parsed_at=NOW,
    )


def queue_of(*run_ids: str, ahead: float = 0) -> RunQueue:
    queue = RunQueue()
    for number, run_id in enumerate(run_ids):
        queued = run(RunState.QUEUED, run_id=run_id, run_after=later(ahead), seq=number)
        queue.add(queued, fresh=True)
    return queue


def started(queue: RunQueue, now: float = 0, running: int = 0, **more: object) -> list[str]:
    return [one.run_id for one, _ in queue.start(listed(**more), running, later(now)).runs]


def test_queue_starts_as_many_as_the_limit_leaves_in_order() -> None:
    queue = queue_of("a", "b", "c")
    assert started(queue, running=1, max_active_runs=3) == ["a", "b"]
    assert started(queue, running=3, max_active_runs=3) == []
    assert started(queue, running=2, max_active_runs=3) == ["c"]
    assert queue.count("d") == 0


def test_queue_wakes_for_the_earliest_run_whose_date_lies_ahead() -> None:
    queue = queue_of("a", ahead=60)
    queue.add(run(RunState.QUEUED, run_id="b", run_after=later(30)), fresh=True)
    starting = queue.start(listed(), 0, NOW)
    assert starting.runs == ()
    assert starting.wake_at == NOW + timedelta(seconds=30)
    assert started(queue, now=30) == ["b"]
    assert started(queue, now=60) == ["a"]


def test_queue_starts_what_is_due_behind_many_that_are_not() -> None:
    queue = queue_of(*(str(number) for number in range(LOOKED_AT + 1)), ahead=60)
    queue.add(run(RunState.QUEUED, run_id="due"), fresh=True)
    assert started(queue) == ["due"]


def test_queue_starts_no_run_that_is_held() -> None:
    queue = queue_of("a", "b")
    queue.hold("d", "a")
    assert started(queue) == ["b"]
    queue.let_go("d", "a")
    assert started(queue) == ["a"]


def test_queue_keeps_the_place_of_a_run_that_is_replaced() -> None:
    queue = queue_of("a", "b")
    queue.replace(run(RunState.QUEUED, run_id="a", note="new"))
    assert started(queue, max_active_runs=1) == ["a"]


def test_queue_gives_a_withdrawn_run_once() -> None:
    queue = queue_of("a", ahead=60)
    found = queue.withdraw("d", "a")
    assert found is not None
    assert queue.withdraw("d", "a") is None
    assert queue.start(listed(), 0, NOW).wake_at is None
    assert queue.dag_ids() == []
