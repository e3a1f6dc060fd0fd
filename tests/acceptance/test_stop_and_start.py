"""A real server that is stopped, killed and started again, and one that cannot run DAG code."""

from __future__ import annotations

import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import pytest

from tests.acceptance.server import Server

DAGS = """
import os, signal, time
from pathlib import Path
from airflow.sdk import DAG, get_current_context, task

def conf():
    return get_current_context()["dag_run"].conf

def wait_for_gate():
    while not Path(conf()["gate"]).exists():
        time.sleep(0.02)

def call_back(context):
    with Path(context["dag_run"].conf["witness"]).open("a") as file:
        file.write("called back\\n")

with DAG("works", max_active_runs=2):
    @task
    def work():
        with Path(conf()["witness"]).open("a") as file:
            file.write(get_current_context()["run_id"] + "\\n")
        if "gate" in conf():
            wait_for_gate()
    @task
    def more():
        pass
    work() >> more()

with DAG("retries"):
    @task(retries=1, retry_delay=0)
    def again():
        wait_for_gate()
    again()

with DAG("gives_up"):
    @task(on_failure_callback=call_back)
    def once():
        wait_for_gate()
    once()
"""


@pytest.fixture
def running(start: Callable[..., Server]) -> Server:
    server = start({"dags.py": DAGS}, AIRGATE_ENGINE_KILL_GRACE="1")
    server.wait_for_dag("gives_up")
    return server


def folders() -> set[str]:
    """Temporary folders of servers."""
    return {str(path) for path in Path(tempfile.gettempdir()).glob("airgate-*")}


def gone(processes: list[psutil.Process]) -> bool:
    return not any(map(lives, processes))


def lives(process: psutil.Process) -> bool:
    """Whether it runs; whoever looks may see it end."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def open_folder(server: Server) -> Path:
    """The temporary folder this server has its socket in."""
    return Path((server.data / "engine.lock").read_text())


def test_stop_leaves_no_process_and_no_temporary_folder(running: Server) -> None:
    running.finished("works", running.trigger("works", conf={"witness": str(running.data / "witness")}))
    tree, socket_folder = running.tree(), open_folder(running)
    assert tree
    assert socket_folder.is_dir()
    assert running.stop() == 0
    running.until(lambda: gone(tree), "all processes have ended", within=45)
    assert not socket_folder.exists()


def test_server_does_not_gather_open_files(running: Server) -> None:
    witness = str(running.data / "witness")
    assert running.process is not None
    process = psutil.Process(running.process.pid)

    def work_off() -> int:
        for run_id in [running.trigger("works", conf={"witness": witness}) for _ in range(10)]:
            running.finished("works", run_id)
        return int(process.num_fds())

    before = work_off()
    running.until(lambda: work_off() <= before + 4, "as few open files as before", within=45)


def test_task_that_runs_at_a_stop_is_recorded_as_killed(running: Server, gate: Path, witness: Path) -> None:
    given = {"gate": str(gate), "witness": str(witness)}
    retried, failed = running.trigger("retries", conf=given), running.trigger("gives_up", conf=given)
    running.until_task("retries", retried, "again", "running")
    running.until_task("gives_up", failed, "once", "running")
    assert running.stop() == 0
    assert witness.read_text() == "called back\n"
    gate.touch()
    running.start()
    assert running.finished("retries", retried)["state"] == "success"
    assert running.tries("retries", retried, "again") == [(1, "failed"), (2, "success")]
    assert running.finished("gives_up", failed)["state"] == "failed"
    assert running.tries("gives_up", failed, "once") == [(1, "failed")]


def test_queued_runs_go_on_after_a_stop(running: Server, gate: Path, witness: Path) -> None:
    given = {"gate": str(gate), "witness": str(witness)}
    run_ids = [running.trigger("works", conf=given) for _ in range(6)]
    running.until(lambda: len(witness.read_text().split()) == 2, "two runs work")
    running.stop()
    gate.touch()
    running.start()
    states = [running.finished("works", run_id)["state"] for run_id in run_ids]
    assert Counter(states) == {"failed": 2, "success": 4}  # the two that ran have no retries
    assert Counter(witness.read_text().split()) == Counter(run_ids)


def test_killed_server_finishes_every_accepted_run_once_started_again(
    running: Server, gate: Path, witness: Path
) -> None:
    given = {"gate": str(gate), "witness": str(witness)}
    run_ids = [running.trigger("works", conf=given) for _ in range(6)]
    retried, failed = running.trigger("retries", conf=given), running.trigger("gives_up", conf=given)
    running.until_task("retries", retried, "again", "running")
    running.until_task("gives_up", failed, "once", "running")
    running.until(lambda: len(witness.read_text().split()) == 2, "two runs work")
    tree, socket_folder = running.tree(), open_folder(running)
    running.kill()
    gate.touch()
    running.start()
    states = [running.finished("works", run_id)["state"] for run_id in run_ids]
    assert states.count("success") >= 4
    assert Counter(line for line in witness.read_text().split("\n") if line in run_ids) == Counter(run_ids)
    assert running.finished("retries", retried)["state"] == "success"
    assert len(running.tries("retries", retried, "again")) == 2
    assert running.finished("gives_up", failed)["state"] == "failed"
    # A try that died with the server could not call back for itself.
    running.until(lambda: "called back" in witness.read_text(), "its callback has run")
    assert gone(tree)
    assert not socket_folder.exists()


def test_known_dags_can_be_triggered_with_the_first_answer(running: Server, witness: Path) -> None:
    running.finished("works", running.trigger("works", conf={"witness": str(witness)}))
    running.stop()
    running.start()
    run_id = running.trigger("works", conf={"witness": str(witness)})
    assert running.finished("works", run_id)["state"] == "success"


@pytest.mark.parametrize("code", ["time.sleep(600)", "\nwhile True: pass"])
def test_import_that_hangs_outlives_neither_a_stop_nor_a_kill(start: Callable[..., Server], code: str) -> None:
    server = start({"good.py": DAGS, "hangs.py": f"import time; 'airflow dag'; {code}"})
    for end in (server.kill, server.stop):
        tree = hanging(server)
        end()
        server.until(lambda found=tree: gone(found), "all processes have ended", within=45)  # type: ignore[misc]
        if end == server.kill:
            server.start()


def hanging(server: Server) -> list[psutil.Process]:
    """Wait until the file that hangs is being imported; the tree with the process that does."""

    def found() -> list[psutil.Process] | None:
        tree = server.tree()
        return tree if any("hangs.py" in command_of(one) for one in tree) else None

    return server.until(found, "a process imports the file that hangs", within=45)


def command_of(process: psutil.Process) -> str:
    """Its command line; of one that has ended since it was found, nothing."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_server_whose_interpreter_has_no_airflow_serves_and_says_so(
    start: Callable[..., Server], tmp_path: Path, witness: Path
) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    server = start({"dags.py": DAGS})
    server.wait_for_dag("works")
    server.stop()
    server.options = ["--python", str(bare / "bin" / "python")]
    server.start()
    run_id = server.trigger("works", conf={"witness": str(witness)})

    def unhealthy() -> bool:
        return bool(server.get("/health")["dag_processor"]["status"] == "unhealthy")

    server.until(unhealthy, "health tells of it", within=45)
    assert server.run("works", run_id)["state"] in ("queued", "running")
    said = server.log.read_text()
    assert f"The DAG interpreter {bare / 'bin' / 'python'} cannot be started" in said or "Nursery failed" in said
    assert "ModuleNotFoundError" in said
    assert said.count("DAG file not imported") <= 2
    server.stop()
    server.options = ["--python", sys.executable]
    server.start()
    assert server.finished("works", run_id)["state"] == "success"
