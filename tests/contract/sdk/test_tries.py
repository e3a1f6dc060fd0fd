"""What a try says to its engine, writes to its log and leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contract.sdk.fake_engine import FakeEngine, FileConnection

DAGS = """
import logging
import os
import subprocess
import sys
import warnings
from datetime import datetime

import structlog
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, ExternalPythonOperator, PythonOperator
from airflow.sdk import DAG, Connection, Param, Variable, dag, get_current_context, task

LOADED_IN = os.getpid()


def told(name):
    def callback(context):
        print(f"{name} called for {context['ti'].task_id}: {context.get('exception')!r}")
    return callback


with DAG("classic", schedule=None, params={"x": Param(3, type="integer")}):
    def speak():
        print("to stdout")
        print("to stderr", file=sys.stderr)
        print("no end", end="")
        logging.getLogger("my.logger").warning("by %s", "logging")
        structlog.get_logger("mine").info("by structlog", number=1)
        os.write(1, b"raw words\\n")
        subprocess.run(["echo", "from a subprocess"], check=True)
        warnings.warn("mind this")

    def fail():
        raise ValueError("it broke")

    def skip():
        raise AirflowSkipException("not today")

    def never_again():
        raise AirflowFailException("never")

    def secrets():
        password = Connection.get("db").password
        print("the password is", password)
        logging.getLogger("my.logger").info("again %s", password)
        return Variable.get("greeting")

    def surroundings():
        return {
            "env": {k: v for k, v in os.environ.items() if k.startswith(("AIRGATE", "AIRFLOW_CTX", "FOR_"))},
            "environ": open("/proc/self/environ", errors="replace").read(),
            "stdin": sys.stdin.read() if sys.stdin else "",
            "leader": os.getsid(0) == os.getpid() == os.getpgid(0),
            "forked": os.getpid() != LOADED_IN,
        }

    PythonOperator(task_id="speak", python_callable=speak)
    PythonOperator(task_id="fail", python_callable=fail, retries=1, on_failure_callback=told("failure"),
                   on_retry_callback=told("retry"))
    PythonOperator(task_id="skip", python_callable=skip, on_skipped_callback=told("skipped"))
    PythonOperator(task_id="never_again", python_callable=never_again, retries=5)
    PythonOperator(task_id="secrets", python_callable=secrets)
    PythonOperator(task_id="surroundings", python_callable=surroundings)
    PythonOperator(task_id="exits", python_callable=lambda: sys.exit(3))
    PythonOperator(task_id="vanishes", python_callable=lambda: os._exit(9))
    PythonOperator(task_id="crashes", python_callable=lambda: os.kill(os.getpid(), 11))
    PythonOperator(task_id="succeeds", python_callable=lambda: None, on_success_callback=told("success"))
    PythonOperator(task_id="elsewhere", python_callable=lambda: None, run_as_user="somebody_else")
    BashOperator(task_id="bash", bash_command="echo run {{ run_id }} at {{ ds }} with {{ params.x }}")
    BashOperator(task_id="template_file", bash_command="said.sh")
    def inner(greeting):
        import logging
        from airflow.sdk import Connection, Variable
        logging.getLogger("inner").warning("knows %s", Connection.get("db").password)
        print("printed inside")
        return [greeting, Variable.get("greeting")]

    ExternalPythonOperator(task_id="external", python=sys.executable, python_callable=inner, op_args=["{{ ds }}"])
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda: "left")
    branch >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]


@dag(schedule=None)
def flow():
    @task
    def extract():
        return {"n": 20}

    @task(multiple_outputs=True)
    def split(given):
        return {"half": given["n"] // 2, "rest": get_current_context()["run_id"]}

    split(extract())


flow()
"""


@pytest.fixture(scope="module")
def file(engine: FakeEngine) -> Iterator[FileConnection]:
    (engine.dags / "said.sh").write_text("echo said {{ ts }}")
    file = engine.fork_file(DAGS)
    parsed = file.parsed()
    assert parsed["error"] is None
    file.world.connections["db"] = {
        "conn_type": "postgres", "host": "h", "schema": None, "login": "me", "password": "hunter2secret", "port": 1,
        "extra": None,
    }  # fmt: skip
    file.world.variables["greeting"] = "hello there"
    yield file
    file.connection.hang_up()


def test_a_task_reports_its_fields_its_result_and_its_success(file: FileConnection) -> None:
    outcome = file.run("classic", "bash")

    assert outcome.types == ["SetRenderedFields", "SetXCom", "SucceedTask"]
    assert outcome.message("SetRenderedFields")["rendered_fields"]["bash_command"] == (
        "echo run manual__1 at 2026-01-02 with 3"
    )
    assert outcome.message("SetXCom")["value"] == "run manual__1 at 2026-01-02 with 3"
    assert outcome.status == 0


def test_conf_overrides_a_param(file: FileConnection) -> None:
    outcome = file.run("classic", "bash", conf={"x": 8})

    assert outcome.message("SetXCom")["value"].endswith("with 8")


def test_a_param_that_conf_breaks_ends_the_process_with_1(file: FileConnection) -> None:
    outcome = file.run("classic", "bash", conf={"x": "eight"})

    assert outcome.status == 1
    assert outcome.messages == []
    assert "Top level error" in outcome.events("task")


def test_everything_a_task_says_is_in_its_log_with_its_origin(file: FileConnection) -> None:
    outcome = file.run("classic", "speak")

    assert outcome.events("task.stdout") == ["to stdout", "no end"]
    assert outcome.events("task.stderr") == ["to stderr"]
    assert outcome.events("my.logger") == ["by logging"]
    assert outcome.events("mine") == ["by structlog"]
    assert outcome.events("py.warnings") == ["mind this"]
    raw = [line for line in outcome.log.splitlines() if not line.startswith("{")]
    assert raw == ["raw words", "from a subprocess"]
    for line in outcome.lines:
        assert {"timestamp", "level", "event", "logger"} <= line.keys()


def test_groups_of_the_log_are_opened_and_closed_as_airflow_does(file: FileConnection) -> None:
    outcome = file.run("classic", "succeeds")

    marks = [event for event in outcome.events("task") if event.startswith("::")]
    assert marks == ["::group::Pre Execute", "::endgroup::", "::group::Post Execute", "::endgroup::"]


def test_nothing_of_the_warm_up_reaches_engine_or_log(file: FileConnection, engine: FakeEngine) -> None:
    before = engine.output.read_text()
    child = file.child()
    outcome = file.run("classic", "succeeds", child)

    assert outcome.types == ["SetRenderedFields", "SucceedTask"]
    assert "warm_up" not in outcome.log
    assert "warm_up" not in engine.output.read_text()[len(before) :]


def test_a_failing_task_without_retries_left_fails_and_calls_back(file: FileConnection) -> None:
    outcome = file.run("classic", "fail")

    assert outcome.message("TaskState")["state"] == "failed"
    assert outcome.events("task.stdout") == ["failure called for fail: ValueError('it broke')"]
    detail = next(line for line in outcome.lines if "error_detail" in line)["error_detail"]
    assert (detail[0]["exc_type"], detail[0]["exc_value"]) == ("ValueError", "it broke")
    assert outcome.status == 0


def test_a_failing_task_with_retries_left_asks_for_one_and_calls_back(file: FileConnection) -> None:
    outcome = file.run("classic", "fail", should_retry=True)

    assert "RetryTask" in outcome.types
    assert outcome.events("task.stdout") == ["retry called for fail: ValueError('it broke')"]


def test_a_task_that_forbids_retries_fails_though_some_are_left(file: FileConnection) -> None:
    outcome = file.run("classic", "never_again", should_retry=True)

    assert outcome.message("TaskState")["state"] == "failed"


def test_a_skipping_task_is_skipped(file: FileConnection) -> None:
    outcome = file.run("classic", "skip")

    assert outcome.message("TaskState")["state"] == "skipped"
    assert outcome.events("task.stdout") == ["skipped called for skip: None"]


def test_a_branch_skips_the_ways_not_taken(file: FileConnection) -> None:
    outcome = file.run("classic", "branch")

    assert outcome.message("SkipDownstreamTasks")["tasks"] == [["right", -1]]
    assert outcome.types[-1] == "SucceedTask"


def test_values_pass_between_taskflow_tasks(file: FileConnection) -> None:
    file.run("flow", "extract")
    outcome = file.run("flow", "split")

    pushed = {m["key"]: m["value"] for m in outcome.messages if m["type"] == "SetXCom"}
    assert pushed == {"half": 10, "rest": "manual__1", "return_value": {"half": 10, "rest": "manual__1"}}


def test_variables_and_connections_come_from_the_engine_and_secrets_are_masked(file: FileConnection) -> None:
    outcome = file.run("classic", "secrets")

    assert outcome.message("SetXCom")["value"] == "hello there"
    assert outcome.events("task.stdout") == ["the password is ***"]
    assert outcome.events("my.logger") == ["again ***"]
    assert "hunter2secret" not in outcome.log


def test_a_python_that_a_task_starts_reaches_the_engine_and_the_log(file: FileConnection) -> None:
    outcome = file.run("classic", "external")

    assert outcome.message("SetXCom")["value"] == ["2026-01-02", "hello there"], outcome.log
    assert outcome.events("inner") == ["knows ***"]
    assert any(line["event"] == "printed inside" for line in outcome.lines)
    assert "hunter2secret" not in outcome.log


def test_the_environment_has_what_the_try_was_given_and_none_of_the_engine(file: FileConnection) -> None:
    outcome = file.run("classic", "surroundings", env={"FOR_ME": "yes"})

    found = outcome.message("SetXCom")["value"]
    assert found["env"]["FOR_ME"] == "yes"
    assert found["env"]["AIRFLOW_CTX_DAG_ID"] == "classic"
    assert not any(name.startswith("AIRGATE") for name in found["env"])
    assert file.engine.token not in found["environ"]
    assert (found["stdin"], found["leader"], found["forked"]) == ("", True, True)


def test_a_template_file_is_read_anew_for_every_try(file: FileConnection, engine: FakeEngine) -> None:
    first = file.run("classic", "template_file")
    (engine.dags / "said.sh").write_text("echo now {{ ds }}")
    second = file.run("classic", "template_file")

    assert first.message("SetXCom")["value"] == "said 2026-01-02T03:04:05+00:00"
    assert second.message("SetXCom")["value"] == "now 2026-01-02"


def test_a_task_that_calls_sys_exit_fails_by_itself(file: FileConnection) -> None:
    outcome = file.run("classic", "exits")

    assert outcome.message("TaskState")["state"] == "failed"
    assert outcome.status == 0


@pytest.mark.parametrize(("task_id", "status"), [("vanishes", 9), ("crashes", -11)])
def test_a_task_that_loses_its_process_is_reported_with_its_status(
    file: FileConnection, task_id: str, status: int
) -> None:
    outcome = file.run("classic", task_id)

    assert outcome.status == status
    assert "SucceedTask" not in outcome.types


def test_a_task_the_file_does_not_have_ends_the_process_with_1(file: FileConnection) -> None:
    outcome = file.run("classic", "nowhere", task_reschedule_count=9)

    assert outcome.status == 1
    assert "Task not found in Dag during start up" in outcome.events("task")


def test_a_task_for_another_user_fails_and_says_why(file: FileConnection) -> None:
    outcome = file.run("classic", "elsewhere")

    assert outcome.message("TaskState")["state"] == "failed"
    assert any("run_as_user is not supported" in event for event in outcome.events("task"))


def test_a_try_whose_log_cannot_be_opened_does_not_run(file: FileConnection) -> None:
    child = file.child()
    start = file.start_try("classic", "succeeds")
    start.log_path = "/nowhere/at/all.log"
    child.send(start)

    assert child.until_end() == []
    assert file.gone(child.pid) == 1


def test_the_title_of_a_try_names_it(file: FileConnection) -> None:
    child = file.child()
    child.answer = None  # so the task waits for its first answer
    child.send(file.start_try("classic", "bash"))
    child.expect("SetRenderedFields")

    with open(f"/proc/{child.pid}/cmdline") as title:  # noqa: PTH123
        assert title.read().startswith("airgate: task classic.bash manual__1 try 1")
    os.kill(child.pid, 9)
    assert file.gone(child.pid) == -9
