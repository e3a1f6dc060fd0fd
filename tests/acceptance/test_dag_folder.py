"""The DAG folder of a real server: what changes in it counts within moments, and what is wrong in it harms nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from tests.acceptance.server import Server

HEAD = """
import time
from pathlib import Path
from airflow.sdk import DAG, get_current_context, task

def wait_for_gate():
    while not Path(get_current_context()["dag_run"].conf["gate"]).exists():
        time.sleep(0.02)
"""


class Folder:
    """A DAG folder and the server that watches it."""

    def __init__(self, path: Path, server: Server) -> None:
        self.path = path
        self.server = server

    def write(self, name: str, text: str) -> None:
        """Write a file, all at once, as editors and checkouts do."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        draft.write_text(dedent(text))
        draft.replace(target)

    def error(self, name: str) -> str | None:
        """The import error of a file."""
        found = self.server.get("/importErrors", limit=100)["import_errors"]
        return next((one["stack_trace"] for one in found if one["filename"].endswith(name)), None)

    def until_error(self, name: str) -> str:
        """Wait for the import error of a file."""
        return self.server.until(lambda: self.error(name), f"{name} has an import error", within=45)

    def until_good(self, name: str) -> None:
        """Wait until a file has no import error any more."""
        self.server.until(lambda: self.error(name) is None, f"{name} is good again", within=45)

    def until_says(self, dag_id: str, word: Any) -> None:
        """Wait until a run of a one-task DAG gives this."""

        def says() -> bool:
            run_id = self.server.trigger(dag_id)
            self.server.finished(dag_id, run_id)
            return bool(self.server.xcom(dag_id, run_id, "say") == word)

        self.server.until(says, f"{dag_id} says {word}", within=45)

    def until_active(self, dag_id: str, *, active: bool) -> None:
        """Wait until a DAG is, or is not, defined by some file."""
        self.server.until(lambda: self._is_active(dag_id) is active, f"{dag_id} active: {active}", within=45)

    def _is_active(self, dag_id: str) -> bool:
        answer = self.server.client.get(f"/dags/{dag_id}")
        return answer.status_code == 200 and bool(answer.json()["is_active"])


def says(dag_id: str, expression: str = "1", top: str = "") -> str:
    """A DAG file with one task that gives the value of an expression."""
    return f"{HEAD}{top}\nwith DAG({dag_id!r}):\n    @task\n    def say():\n        return {expression}\n    say()\n"


def with_tasks(dag_id: str, *task_ids: str) -> str:
    """A DAG file with tasks that all wait for the first, which waits at the gate."""
    body = "".join(f"@task(task_id={one!r})\ndef t():\n    pass\nt() << first\n" for one in task_ids)
    first = "@task\ndef hold():\n    wait_for_gate()\nfirst = hold()\n"
    return f"{HEAD}\nwith DAG({dag_id!r}):\n{indent(first + body, '    ')}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    path = tmp_path_factory.mktemp("folder") / "dags"
    path.mkdir()
    environment = {"AIRGATE_ENGINE_IMPORT_TIMEOUT": "3", "AIRGATE_ENGINE_KILL_GRACE": "1"}
    with Server(dags=path, data=path.parent / "data", environment=environment) as server:
        watched = Folder(path, server)
        watched.write("bystander.py", says("bystander", "'here'"))
        server.wait_for_dag("bystander")
        yield watched
        assert "made a mistake" not in server.log.read_text()


@pytest.fixture
def still_works(folder: Folder) -> Iterator[Callable[[], None]]:
    """Afterwards, and whenever called: another file's DAG runs as ever."""

    def check() -> None:
        run_id = folder.server.trigger("bystander")
        assert folder.server.finished("bystander", run_id)["state"] == "success"

    yield check
    check()


def test_new_file_counts_and_its_changes_too(folder: Folder) -> None:
    folder.write("fresh.py", says("fresh", "'first'"))
    folder.server.wait_for_dag("fresh")
    folder.until_says("fresh", "first")
    folder.write("fresh.py", says("fresh", "'second'"))
    folder.until_says("fresh", "second")


def test_changed_helper_module_counts_for_the_files_that_import_it(folder: Folder) -> None:
    folder.write("helpers/words.py", "WORD = 'old'\n")
    folder.write("helped.py", says("helped", "words.WORD", top="\nfrom helpers import words\n"))
    folder.server.wait_for_dag("helped")
    folder.until_says("helped", "old")
    folder.write("helpers/words.py", "WORD = 'new'\n")
    folder.until_says("helped", "new")


def test_broken_file_shows_its_error_and_its_last_good_version_goes_on(
    folder: Folder, gate: Path, still_works: Callable[[], None]
) -> None:
    folder.write("breaks.py", with_tasks("breaks", "later"))
    folder.server.wait_for_dag("breaks")
    run_id = folder.server.trigger("breaks", conf={"gate": str(gate)})
    folder.server.until_task("breaks", run_id, "hold", "running")
    folder.write("breaks.py", with_tasks("breaks", "later") + "\nraise ValueError('it is broken')\n")
    assert "it is broken" in folder.until_error("breaks.py")
    refused = folder.server.client.post("/dags/breaks/dagRuns", json={})
    assert refused.status_code == 400
    assert "import errors" in refused.json()["detail"]
    assert folder.server.get("/dags/breaks")["has_import_errors"] is True
    gate.touch()
    assert folder.server.finished("breaks", run_id)["state"] == "success"
    folder.write("breaks.py", with_tasks("breaks", "later"))
    folder.until_good("breaks.py")
    again = folder.server.trigger("breaks", conf={"gate": str(gate)})
    assert folder.server.finished("breaks", again)["state"] == "success"


def test_schedule_of_a_broken_file_goes_on(folder: Folder) -> None:
    text = """
        import datetime
        from airflow.sdk import DAG, task

        with DAG("ticks", schedule="@continuous", start_date=datetime.datetime(2024, 1, 1), max_active_runs=1):
            @task
            def tick():
                pass
            tick()
    """
    folder.write("ticks.py", text)
    folder.server.wait_for_dag("ticks")
    folder.write("ticks.py", "from airflow.sdk import DAG\nthis is no Python\n")
    assert "SyntaxError" in folder.until_error("ticks.py")

    def count() -> int:
        return int(folder.server.get("/dags/ticks/dagRuns", state="success")["total_entries"])

    before = count()
    folder.server.until(lambda: count() >= before + 3, "three more runs", within=45)
    (folder.path / "ticks.py").unlink()
    folder.until_active("ticks", active=False)


def test_vanished_file_makes_its_dags_inactive_and_keeps_their_history(folder: Folder) -> None:
    folder.write("comes_and_goes.py", says("comes_and_goes"))
    folder.server.wait_for_dag("comes_and_goes")
    run_id = folder.server.trigger("comes_and_goes")
    folder.server.finished("comes_and_goes", run_id)
    (folder.path / "comes_and_goes.py").unlink()
    folder.until_active("comes_and_goes", active=False)
    assert folder.server.run("comes_and_goes", run_id)["state"] == "success"
    folder.server.send("POST", "/dags/comes_and_goes/dagRuns", {}, expect=404)
    folder.write("comes_and_goes.py", says("comes_and_goes", "2"))
    folder.until_active("comes_and_goes", active=True)
    folder.until_says("comes_and_goes", 2)
    assert folder.server.run("comes_and_goes", run_id)["state"] == "success"


def test_run_waits_while_its_file_is_away(folder: Folder, gate: Path) -> None:
    folder.write("away.py", with_tasks("away", "later"))
    folder.server.wait_for_dag("away")
    run_id = folder.server.trigger("away", conf={"gate": str(gate)})
    folder.server.until_task("away", run_id, "hold", "running")
    (folder.path / "away.py").unlink()
    folder.until_active("away", active=False)
    gate.touch()
    folder.server.until_task("away", run_id, "hold", "success")
    folder.write("away.py", with_tasks("away", "later"))
    assert folder.server.finished("away", run_id)["state"] == "success"


@pytest.mark.parametrize(
    ("name", "code", "says_so"),
    [
        ("leaves", "import sys; sys.exit(3)", "sys.exit(3)"),
        ("drops_dead", "import os; os._exit(1)", "its process ended while importing it"),
        ("segfaults", "import ctypes; ctypes.string_at(0)", "its process ended while importing it"),
        ("hangs", "import time; time.sleep(600)", "took longer than 3 s"),
        ("spins", "while True: pass", "took longer than 3 s"),
        ("imports_nothing", "import no_such_module", "No module named 'no_such_module'"),
        ("cycles", "\nwith DAG('cycles'):\n  @task\n  def a(): pass\n  x = a(); y = a(); x >> y >> x", "Cycle"),
    ],
)
def test_file_that_misbehaves_at_import_has_an_error_that_says_so(
    folder: Folder, still_works: Callable[[], None], name: str, code: str, says_so: str
) -> None:
    folder.write(f"{name}.py", f"{HEAD}\n{code}\n")
    still_works()
    assert says_so in folder.until_error(f"{name}.py")
    (folder.path / f"{name}.py").unlink()
    folder.until_good(f"{name}.py")


def test_files_that_hang_do_not_hold_up_a_file_that_changes(folder: Folder) -> None:
    folder.write("meanwhile.py", says("meanwhile", "'old'"))
    folder.server.wait_for_dag("meanwhile")
    for number in range(4):
        folder.write(f"hanging_{number}.py", f"{HEAD}\ntime.sleep(600)\n")
    folder.write("meanwhile.py", says("meanwhile", "'new'"))
    folder.until_says("meanwhile", "new")
    for number in range(4):
        (folder.path / f"hanging_{number}.py").unlink()


def test_second_file_with_a_dag_id_is_refused_until_the_first_lets_go_of_it(folder: Folder) -> None:
    folder.write("owner.py", says("shared_id", "'owner'"))
    folder.server.wait_for_dag("shared_id")
    folder.write("pretender.py", says("shared_id", "'pretender'"))
    error = folder.until_error("pretender.py")
    assert "shared_id" in error
    assert "owner.py" in error
    folder.until_says("shared_id", "owner")
    (folder.path / "owner.py").unlink()
    folder.until_good("pretender.py")
    folder.until_says("shared_id", "pretender")


def test_dag_that_left_its_file_is_inactive(folder: Folder) -> None:
    folder.write("two.py", says("stays") + says("leaves_its_file"))
    folder.server.wait_for_dag("leaves_its_file")
    folder.write("two.py", says("stays"))
    folder.until_active("leaves_its_file", active=False)
    folder.until_active("stays", active=True)


def test_ignored_files_define_nothing(folder: Folder) -> None:
    folder.write("sub/.airflowignore", "ignored_*.py\n!\n")
    folder.write("sub/ignored_one.py", says("ignored"))
    folder.write("sub/seen.py", says("seen_beside_ignored"))
    folder.server.wait_for_dag("seen_beside_ignored")
    folder.server.send("GET", "/dags/ignored", expect=404)
    folder.write("sub/.airflowignore", "nothing\n")
    folder.server.wait_for_dag("ignored")


def test_run_takes_over_the_tasks_of_a_changed_dag(folder: Folder, gate: Path) -> None:
    folder.write("changes.py", with_tasks("changes", "kept", "taken_away"))
    folder.server.wait_for_dag("changes")
    run_id = folder.server.trigger("changes", conf={"gate": str(gate)})
    folder.server.until_task("changes", run_id, "hold", "running")
    folder.write("changes.py", with_tasks("changes", "kept", "added"))
    folder.server.until(lambda: "added" in folder.server.states("changes", run_id), "the added task is there")
    gate.touch()
    assert folder.server.finished("changes", run_id)["state"] == "success"
    assert folder.server.states("changes", run_id) == {
        "hold": "success",
        "kept": "success",
        "added": "success",
        "taken_away": "removed",
    }


def test_files_that_change_under_load_fail_no_run(folder: Folder) -> None:
    folder.write("busy.py", says("busy", "0"))
    folder.server.wait_for_dag("busy")
    run_ids = []
    for number in range(1, 9):
        run_ids += [folder.server.trigger("busy") for _ in range(5)]
        folder.write("busy.py", says("busy", str(number)))
        folder.until_says("busy", number)
    assert {folder.server.finished("busy", run_id)["state"] for run_id in run_ids} == {"success"}
    assert all(len(folder.server.tries("busy", run_id, "say")) == 1 for run_id in run_ids)


def test_deleted_dag_comes_back_without_its_history(folder: Folder) -> None:
    folder.write("returns.py", says("returns"))
    folder.server.wait_for_dag("returns")
    run_id = folder.server.trigger("returns")
    folder.server.finished("returns", run_id)
    folder.server.send("DELETE", "/dags/returns", expect=204)
    folder.server.send("GET", f"/dags/returns/dagRuns/{run_id}", expect=404)
    folder.write("stirs.py", says("stirs"))  # the next reading of the folder
    folder.server.wait_for_dag("returns")
    folder.until_says("returns", 1)
