"""Callbacks that no try can call: a DAG run's, and those of a try that died."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.sdk.fake_engine import FakeEngine, FileConnection

DAGS = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Variable


def tell(context):
    ti = context.get("ti")
    print("told", context["run_id"], context["reason"] if "reason" in context else None, ti and ti.task_id)


def ask(context):
    print("asked", Variable.get("name"))


def fail(context):
    raise ValueError("in the callback")


with DAG("both", schedule=None, on_success_callback=tell, on_failure_callback=[fail, ask]):
    PythonOperator(task_id="a", python_callable=lambda: None, on_failure_callback=[fail, tell], on_retry_callback=ask)
with DAG("neither", schedule=None):
    PythonOperator(task_id="a", python_callable=print)
"""


@pytest.fixture(scope="module")
def file(engine: FakeEngine) -> Iterator[FileConnection]:
    file = engine.fork_file(DAGS, name="ann")
    assert file.parsed()["error"] is None
    yield file
    file.connection.hang_up()


def test_a_dag_s_success_callback_gets_the_run_its_last_task_and_the_reason(file: FileConnection) -> None:
    outcome = file.run("both", "a", callback="dag_success", reason="success")

    assert outcome.events("task.stdout") == ["told manual__1 success a"]
    assert (outcome.messages, outcome.status) == ([], 0)


def test_a_dag_s_callback_runs_without_a_last_task(file: FileConnection) -> None:
    child = file.child()
    start = file.start_try("both", "a", callback="dag_success", reason="timed_out")
    del start.startup["ti"]
    child.send(start)

    assert child.until_end() == []
    with open(start.log_path) as log:  # noqa: PTH123
        assert "told manual__1 timed_out None" in log.read()


def test_a_callback_that_raises_is_logged_and_the_next_is_called(file: FileConnection) -> None:
    outcome = file.run("both", "a", callback="dag_failure", reason="task_failure")

    assert "Callback failed" in outcome.events("task")
    assert outcome.events("task.stdout") == ["asked ann"]
    assert "in the callback" in outcome.log
    assert outcome.status == 0


def test_the_failure_callbacks_of_a_dead_try_are_called(file: FileConnection) -> None:
    outcome = file.run("both", "a", callback="task_failure", reason="killed by signal 9")

    assert outcome.events("task.stdout") == ["told manual__1 None a"]
    assert "SucceedTask" not in outcome.types


def test_the_retry_callbacks_of_a_dead_try_are_called(file: FileConnection) -> None:
    outcome = file.run("both", "a", callback="task_retry")

    assert outcome.events("task.stdout") == ["asked ann"]


def test_a_dag_without_callbacks_is_left_alone(file: FileConnection) -> None:
    outcome = file.run("neither", "a", callback="dag_failure")

    assert "Callback requested, but dag didn't have any" in outcome.events("task")
    assert outcome.status == 0


def test_callbacks_run_in_a_child_that_is_used_again(file: FileConnection) -> None:
    child = file.child()
    first = file.run("both", "a", child, callback="dag_success", reuse=True)
    second = file.run("both", "a", child)

    assert first.status is None
    assert second.types[-1] == "SucceedTask"


@pytest.mark.parametrize(("dag_id", "kind"), [("missing", "dag_success"), ("both", "task_party")])
def test_a_callback_that_does_not_exist_ends_the_process_with_1(file: FileConnection, dag_id: str, kind: str) -> None:
    outcome = file.run(dag_id, "a", callback=kind)

    assert outcome.status == 1
    assert "Top level error" in outcome.events("task")
