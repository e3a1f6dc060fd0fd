"""The engine's rules against the answers of Airflow's own code (see tests/golden/generate_engine.py)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from airgate.engine.clearing import related
from airgate.engine.decide import Decision, decide, skip_downstream
from airgate.engine.retry import Failed, Outcome, Skipped, Succeeded, retry_at
from airgate.engine.settle import Settling
from airgate.engine.snapshot import Graph, RunSnapshot, SkipChoice
from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.run import TaskInstance
from airgate.model.states import RunState, TaskState, TriggerRule
from tests.unit.engine.make import NOW, dag, finish, run, started, states

GOLDEN = Path(__file__).parents[2] / "golden"
LETTERS = {
    "-": None,
    "s": TaskState.SUCCESS,
    "f": TaskState.FAILED,
    "k": TaskState.SKIPPED,
    "u": TaskState.UPSTREAM_FAILED,
    "r": TaskState.REMOVED,
    "y": TaskState.SCHEDULED,
}


def golden(name: str) -> list[Any]:
    rows: list[Any] = json.loads((GOLDEN / name).read_text())
    return rows


def instance(task_id: str, state: TaskState | None, map_index: int = -1) -> TaskInstance:
    return TaskInstance(id=UUID(int=1), dag_id="d", run_id="r", task_id=task_id, map_index=map_index, state=state)


def asked(row: list[Any], rule: str) -> TaskState | None:
    """The verdict on a task in the surroundings that a golden row describes."""
    direct, setups, scope, map_index = row[:4]
    tasks: list[TaskSpec] = []
    instances: list[TaskInstance] = []

    def add(prefix: str, letters: str) -> tuple[str, ...]:
        names = []
        for number, letter in enumerate(letters):
            name = f"{prefix}{number}"
            names.append(name)
            tasks.append(TaskSpec(task_id=name, is_setup=prefix == "setup" or letter.isupper() or letter == "+"))
            instances.append(instance(name, LETTERS[letter.lower().replace("+", "-")]))
        return tuple(names)

    target = TaskSpec(
        task_id="target",
        upstream=add("up", direct),
        setups=add("setup", setups),
        teardown_scope=add("between", scope),
        trigger_rule=TriggerRule(rule),
        is_teardown=bool(scope),
    )
    snapshot = RunSnapshot.of(run(), Graph(dag(*tasks, target)), instances)
    return Settling(snapshot, NOW).verdict(target, map_index)


def test_verdict_is_airflows_for_every_rule_and_surrounding() -> None:
    rules, *rows = golden("trigger_rules.json")
    assert set(rules) == {rule.value for rule in TriggerRule}

    wrong = [
        (rule, row, got)
        for row in rows
        for rule, letter in zip(rules, row[4], strict=True)
        if letter != "." and (got := asked(row, rule)) is not LETTERS[letter]
    ]

    assert wrong == []


def test_retry_time_is_airflows_to_the_microsecond() -> None:
    for row in golden("retry_times.json"):
        task = TaskSpec(
            task_id=row["task_id"],
            retry_delay=row["retry_delay"],
            retry_exponential_backoff=row["factor"],
            max_retry_delay=row["max_retry_delay"],
        )
        tried = TaskInstance(
            id=UUID(int=1), dag_id=row["dag_id"], run_id="r", task_id=row["task_id"], try_number=row["try_number"]
        )
        logical = row["logical_date"] and datetime.fromisoformat(row["logical_date"])
        due = retry_at(tried, task, logical_date=logical, ended_at=datetime.fromisoformat(row["ended_at"]))
        assert due == datetime.fromisoformat(row["retry_at"]), row


def spec_of(rows: list[dict[str, Any]]) -> DagSpec:
    return DagSpec(dag_id="d", tasks=msgspec.convert(rows, tuple[TaskSpec, ...]))


@pytest.mark.parametrize("row", golden("related_tasks.json"))
def test_clearing_touches_the_tasks_airflow_touches(row: dict[str, Any]) -> None:
    graph = Graph(spec_of(row["tasks"]))
    for answer in row["answers"]:
        found = related(graph, row["chosen"], upstream=answer["upstream"], downstream=answer["downstream"])
        assert sorted(found) == answer["tasks"], answer


OUTCOMES: dict[str, Outcome] = {"success": Succeeded(NOW), "failed": Failed(NOW), "skipped": Skipped(NOW)}


def branch(decision: Decision, task_id: str, followed: list[str]) -> RunSnapshot:
    """What a branch tells the engine before it succeeds."""
    snapshot = decision.snapshot
    targets = [other for other in snapshot.graph.downstream[task_id] if other not in followed]
    choice = SkipChoice.from_xcom({"followed": followed})
    assert choice is not None
    chosen = RunSnapshot.of(
        snapshot.run,
        snapshot.graph,
        snapshot.instances.values(),
        choices={**snapshot.choices, (task_id, -1): choice},
    )
    skipped = skip_downstream(chosen, targets, NOW)
    return decide(chosen.with_instances(skipped), NOW, changed=[(one.task_id, -1) for one in skipped]).snapshot


@pytest.mark.parametrize("row", golden("whole_runs.json"))
def test_run_ends_as_it_does_in_airflow_when_its_tries_end_in_the_same_order(row: dict[str, Any]) -> None:
    decision = decide(started(spec_of(row["tasks"])), NOW)

    for task_id in row["order"]:
        snapshot = decision.snapshot
        if task_id in row["followed"]:
            snapshot = branch(decision, task_id, row["followed"][task_id])
        decision = finish(snapshot, task_id, OUTCOMES[row["outcomes"][task_id]])

    assert states(decision.snapshot) == {
        task_id: state and TaskState(state) for task_id, state in row["states"].items()
    }
    assert decision.run.state is RunState(row["run"])
