"""Who lives how long: nursery, DAG-file processes, idle children and running tries, and who dies with whom."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from airgate.sdk import protocol
from tests.contract.sdk.fake_engine import FakeEngine, FileConnection, read_log

DAGS = '''
import os
import signal
import subprocess
import sys
import threading
import time

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, Variable


class Kind(BaseOperator):
    """Waits for ever, and ends itself when it is asked to."""

    def execute(self, context):
        self.child = subprocess.Popen(["sleep", "1000"])
        Variable.get("started")
        self.child.wait()
        raise RuntimeError("its child was ended")

    def on_kill(self):
        print("on_kill was called")
        self.child.terminate()


def stubborn():
    child = subprocess.Popen(["sleep", "1000"])
    open(os.environ["PIDS"], "w").write(f"{os.getpid()} {child.pid}")
    Variable.get("started")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()


with DAG("lives", schedule=None):
    Kind(task_id="kind")
    PythonOperator(task_id="stubborn", python_callable=stubborn)
    PythonOperator(task_id="detached", python_callable=lambda: subprocess.run(
        ["bash", "-c", "echo $$ > $PIDS; exec sleep 1000"], start_new_session=True))
    BashOperator(task_id="bash", bash_command="echo $$ > $PIDS; exec sleep 1000")
    PythonOperator(task_id="quick", python_callable=lambda: None)
    PythonOperator(task_id="prints", python_callable=lambda: [print("x" * 99) for _ in range(100_000)] and None)
    PythonOperator(task_id="long_line", python_callable=lambda: [print("y" * 999, end="") for _ in range(9999)] and 0)
'''


def loaded(engine: FakeEngine) -> FileConnection:
    file = engine.fork_file(DAGS)
    assert file.parsed()["error"] is None
    file.world.variables["started"] = "yes"
    return file


@pytest.fixture
def file(engine: FakeEngine) -> FileConnection:
    return loaded(engine)


def ended(pid: int) -> bool:
    """Whether the process has ended, or is a zombie nobody collects."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def open_files(pid: int) -> set[Path]:
    """The files this process has open."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(descriptor.readlink())
    return found


def until_ended(pid: int) -> None:
    """Block until the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(30_000), f"process {pid} is still there"
    os.close(descriptor)


# --- a running try -----------------------------------------------------------------------------------------------


def test_a_try_that_is_told_to_end_calls_on_kill_and_reports_how_it_ended(file: FileConnection) -> None:
    child = file.child()
    start = file.start_try("lives", "kind")
    child.send(start)
    child.expect("GetVariable")
    os.kill(child.pid, signal.SIGTERM)

    assert child.expect("TaskState")["state"] == "failed"
    assert file.gone(child.pid) == 0
    assert "on_kill was called" in read_log(start.log_path)


def test_a_try_that_ignores_sigterm_dies_with_its_children_by_a_signal_to_its_group(
    file: FileConnection, tmp_path: Path
) -> None:
    child = file.child()
    child.send(file.start_try("lives", "stubborn", env={"PIDS": str(tmp_path / "pids")}))
    child.expect("GetVariable")
    _, grandchild = map(int, (tmp_path / "pids").read_text().split())
    os.killpg(child.pid, signal.SIGKILL)

    assert file.gone(child.pid) == -signal.SIGKILL
    until_ended(grandchild)


def test_a_try_whose_engine_dies_is_ended_gently(file: FileConnection) -> None:
    child = file.child()
    start = file.start_try("lives", "kind")
    child.send(start)
    child.expect("GetVariable")
    child.hang_up()

    file.gone(child.pid)
    assert "on_kill was called" in read_log(start.log_path)


def test_a_stubborn_try_whose_engine_dies_is_killed_with_its_children(file: FileConnection, tmp_path: Path) -> None:
    child = file.child()
    child.send(file.start_try("lives", "stubborn", env={"PIDS": str(tmp_path / "pids")}))
    child.expect("GetVariable")
    _, grandchild = map(int, (tmp_path / "pids").read_text().split())
    child.hang_up()

    assert file.gone(child.pid) == -signal.SIGKILL
    until_ended(grandchild)


def test_a_running_bash_command_ends_with_its_try_when_the_engine_dies(file: FileConnection, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pids")
    child = file.child()
    child.send(file.start_try("lives", "bash", env={"PIDS": str(tmp_path / "pids")}))
    bash = int((tmp_path / "pids").read_text())
    child.hang_up()

    file.gone(child.pid)
    until_ended(bash)


def test_a_running_try_survives_its_file_process_and_the_nursery_tells_its_end(own_engine: FakeEngine) -> None:
    file = loaded(own_engine)
    child = file.child()
    child.answer = None  # the engine has not answered yet
    child.send(file.start_try("lives", "kind"))
    frame_id, body = child.frames.get(timeout=30)
    assert body is not None
    os.kill(file.connection.pid, signal.SIGKILL)
    assert own_engine.nursery.expect("ChildGone") == {
        "type": "ChildGone", "pid": file.connection.pid, "status": -signal.SIGKILL,
    }  # fmt: skip
    while body["type"] != "GetVariable":
        child.reply(frame_id, None, None)
        frame_id, body = child.frames.get(timeout=30)
        assert body is not None
    os.killpg(child.pid, signal.SIGKILL)

    assert own_engine.nursery.expect("ChildGone")["pid"] == child.pid


def test_a_running_try_outlives_the_shutdown_of_its_file(file: FileConnection) -> None:
    child = file.child()
    child.send(file.start_try("lives", "kind"))
    child.expect("GetVariable")
    file.connection.send(protocol.Shutdown())
    file.connection.until_end()

    assert not ended(child.pid)
    os.killpg(child.pid, signal.SIGKILL)
    until_ended(child.pid)


def test_what_a_task_started_in_a_session_of_its_own_is_killed_too_when_the_engine_dies(
    file: FileConnection, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pids")
    child = file.child()
    child.send(file.start_try("lives", "detached", env={"PIDS": str(tmp_path / "pids")}))
    detached = int((tmp_path / "pids").read_text())
    child.hang_up()

    assert file.gone(child.pid) == -signal.SIGKILL
    until_ended(detached)


# --- idle children, files and nursery ----------------------------------------------------------------------------


def test_an_idle_child_exits_when_its_connection_closes(file: FileConnection) -> None:
    child = file.child()
    child.hang_up()

    assert file.gone(child.pid) == 0


def test_an_idle_child_exits_when_its_file_process_dies(file: FileConnection) -> None:
    child = file.child()
    os.kill(file.connection.pid, signal.SIGKILL)

    assert child.until_end() == []
    until_ended(child.pid)


def test_as_many_children_as_ordered_are_forked(file: FileConnection) -> None:
    file.connection.send(protocol.Warm(spares=3))
    children = [file.engine.accept("try", file.key) for _ in range(3)]

    assert len({child.pid for child in children}) == 3
    for child in children:
        child.hang_up()


def test_the_whole_tree_is_gone_once_the_engine_is(own_engine: FakeEngine, tmp_path: Path) -> None:
    file = loaded(own_engine)
    idle, running = file.child(), file.child()
    running.send(file.start_try("lives", "stubborn", env={"PIDS": str(tmp_path / "pids")}))
    running.expect("GetVariable")
    own_engine.hang_up()

    own_engine.tree_gone()
    assert own_engine.wait_for_nursery() == 0
    for pid in (file.connection.pid, idle.pid, running.pid):
        until_ended(pid)  # what holds the lock no more is dying, but may not be dead yet


def test_the_lock_of_the_tree_is_not_passed_to_what_tasks_start(own_engine: FakeEngine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pids")
    file = loaded(own_engine)
    child = file.child()
    child.send(file.start_try("lives", "bash", env={"PIDS": str(tmp_path / "pids")}))
    bash = int((tmp_path / "pids").read_text())

    assert own_engine.lock_path not in open_files(bash)
    assert own_engine.lock_path in open_files(child.pid)


def test_the_nursery_leaves_when_told_to(own_engine: FakeEngine) -> None:
    own_engine.nursery.send(protocol.Shutdown())

    assert own_engine.wait_for_nursery() == 0


def test_children_leave_no_descriptors_behind_in_their_file_process(file: FileConnection) -> None:
    file.run("lives", "quick")
    before = open_files(file.connection.pid)
    for _ in range(5):
        file.run("lives", "quick")

    assert open_files(file.connection.pid) == before


# --- output ------------------------------------------------------------------------------------------------------


def test_a_task_that_prints_ten_megabytes_is_neither_held_up_nor_cut(file: FileConnection) -> None:
    outcome = file.run("lives", "prints")

    assert outcome.types[-1] == "SucceedTask"
    assert len(outcome.events("task.stdout")) == 100_000


def test_a_line_without_an_end_is_logged_in_parts(file: FileConnection) -> None:
    outcome = file.run("lives", "long_line")

    parts = outcome.events("task.stdout")
    assert sum(map(len, parts)) == 999 * 9999
    assert len(parts) > 10


# --- one child, many tries ---------------------------------------------------------------------------------------

LEAKY = """
import contextvars
import logging
import os
import signal
import sys

import structlog
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

MARK = contextvars.ContextVar("MARK", default="clean")


def leak():
    os.environ["LEAKED"] = "yes"
    os.environ.pop("HOME", None)
    structlog.contextvars.bind_contextvars(leaked=True)
    MARK.set("dirty")
    sys.stdout = open(os.devnull, "w")
    print("unfinished", end="", file=sys.stderr)


def look(params):
    logging.getLogger("look").info("here")
    print("seen")
    return {
        "pid": os.getpid(),
        "leaked": os.environ.get("LEAKED"),
        "given": os.environ.get("GIVEN"),
        "home": "HOME" in os.environ,
        "mark": MARK.get(),
        "handlers": len(logging.getLogger().handlers),
        "task": os.environ["AIRFLOW_CTX_TASK_ID"],
        "param": params["p"],
    }


with DAG("leaky", schedule=None, params={"p": Param(1, type="integer")}):
    PythonOperator(task_id="leak", python_callable=leak)
    PythonOperator(task_id="look", python_callable=look)
"""


def test_a_child_that_is_used_again_knows_nothing_of_the_try_before(engine: FakeEngine) -> None:
    file = engine.fork_file(LEAKY)
    file.parsed()
    child = file.child()
    first = file.run("leaky", "look", child, reuse=True, env={"GIVEN": "1"}, conf={"p": 7})
    file.run("leaky", "leak", child, reuse=True)
    second = file.run("leaky", "look", child)

    before, after = (outcome.message("SetXCom")["value"] for outcome in (first, second))
    assert before["pid"] == after["pid"] == child.pid
    assert (before["given"], before["param"]) == ("1", 7)
    assert after == {
        **before, "given": None, "leaked": None, "home": True, "mark": "clean", "task": "look", "param": 1,
    }  # fmt: skip
    assert second.events("task.stdout") == ["seen"]
    assert all("leaked" not in line for line in second.lines)
    assert "unfinished" not in second.log
    assert (first.status, second.status) == (None, 0)


def test_a_child_that_fails_a_task_can_be_used_again(engine: FakeEngine) -> None:
    file = engine.fork_file(LEAKY.replace('return {\n        "pid"', 'raise ValueError\n    return {\n        "pid"'))
    file.parsed()
    child = file.child()
    outcomes = [file.run("leaky", "look", child, reuse=True) for _ in range(2)]

    assert [outcome.types[-1] for outcome in outcomes] == ["TaskState", "TaskState"]
    assert [outcome.status for outcome in outcomes] == [None, None]
