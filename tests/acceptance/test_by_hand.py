"""Changes made by hand on a real server: clearing, marking, notes, deleting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import Server


@pytest.fixture
def held(engine: Server, gate: Path) -> str:
    """A run of `gated` whose first task waits at the gate."""
    run_id = engine.trigger("gated", conf={"gate": str(gate)})
    engine.until_task("gated", run_id, "hold", "running")
    return run_id


@pytest.fixture
def broken(engine: Server, gate: Path, witness: Path) -> str:
    """A run of `fails_downstream` that has failed in its second task; it would succeed with the gate open."""
    run_id = engine.trigger("fails_downstream", conf={"gate": str(gate), "witness": str(witness)})
    assert engine.finished("fails_downstream", run_id)["state"] == "failed"
    assert engine.states("fails_downstream", run_id) == {
        "first": "success",
        "second": "failed",
        "third": "upstream_failed",
    }
    return run_id


def clear(server: Server, dag_id: str, run_id: str, **body: Any) -> set[str]:
    """Clear task instances; the tasks that were touched."""
    body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True, **body}
    found = server.send("POST", f"/dags/{dag_id}/clearTaskInstances", body)
    return {one["task_id"] for one in found["task_instances"]}


def mark(server: Server, dag_id: str, run_id: str, task_id: str, state: str, **more: Any) -> set[str]:
    """Mark task instances; the tasks that were touched."""
    body = {
        "dry_run": False,
        "dag_run_id": run_id,
        "task_id": task_id,
        "new_state": state,
        **{f"include_{which}": False for which in ("upstream", "downstream", "future", "past")},
        **more,
    }
    found = server.send("POST", f"/dags/{dag_id}/updateTaskInstancesState", body)
    return {one["task_id"] for one in found["task_instances"]}


# --- clearing ------------------------------------------------------------------------------------


def test_cleared_run_runs_all_of_it_again_and_keeps_its_tries(engine: Server) -> None:
    run_id = engine.trigger("one")
    engine.finished("one", run_id)
    engine.send("POST", f"/dags/one/dagRuns/{run_id}/clear", {"dry_run": False})
    engine.until_task("one", run_id, "say", "success")
    assert engine.finished("one", run_id)["state"] == "success"
    assert engine.tries("one", run_id, "say") == [(1, "success"), (2, "success")]
    assert engine.xcom("one", run_id, "say") == 42
    assert "hello from one" in engine.task_log("one", run_id, "say", 2)


def test_clearing_for_show_changes_nothing(engine: Server, broken: str) -> None:
    engine.send("POST", f"/dags/fails_downstream/dagRuns/{broken}/clear", {"dry_run": True})
    assert clear(engine, "fails_downstream", broken, dry_run=True) == {"first", "second", "third"}
    assert engine.run("fails_downstream", broken)["state"] == "failed"


def test_clearing_only_what_failed_leaves_the_rest(engine: Server, broken: str, gate: Path, witness: Path) -> None:
    gate.touch()
    assert clear(engine, "fails_downstream", broken, only_failed=True) == {"second", "third"}
    assert engine.finished("fails_downstream", broken)["state"] == "success"
    assert witness.read_text().split() == ["first", "second", "second", "third"]
    assert engine.tries("fails_downstream", broken, "second") == [(1, "failed"), (2, "success")]
    assert engine.tries("fails_downstream", broken, "first") == [(1, "success")]


def test_clearing_a_task_with_what_is_downstream_of_it(engine: Server, broken: str, gate: Path, witness: Path) -> None:
    gate.touch()
    touched = clear(engine, "fails_downstream", broken, task_ids=["second"], include_downstream=True)
    assert touched == {"second", "third"}
    assert engine.finished("fails_downstream", broken)["state"] == "success"
    again = clear(engine, "fails_downstream", broken, task_ids=["second"])
    assert again == {"second"}
    engine.until(lambda: len(witness.read_text().split()) == 5, "the second task runs once more")
    assert engine.finished("fails_downstream", broken)["state"] == "success"
    assert witness.read_text().split() == ["first", "second", "second", "third", "second"]


def test_cleared_task_that_runs_is_ended_and_runs_again(engine: Server, held: str, gate: Path) -> None:
    assert clear(engine, "gated", held, task_ids=["hold"]) == {"hold"}
    engine.until(lambda: len(engine.tries("gated", held, "hold")) == 2, "the second try")
    engine.until_task("gated", held, "hold", "running")
    gate.touch()
    assert engine.finished("gated", held)["state"] == "success"
    assert [number for number, _ in engine.tries("gated", held, "hold")] == [1, 2]


def test_clearing_twice_at_once_runs_once_more(engine: Server) -> None:
    run_id = engine.trigger("chain")
    engine.finished("chain", run_id)
    for _ in range(2):
        clear(engine, "chain", run_id, task_ids=["link__2"])
    engine.until_task("chain", run_id, "link__2", "success")
    assert engine.finished("chain", run_id)["state"] == "success"


# --- marking -------------------------------------------------------------------------------------


def test_run_marked_failed_ends_its_task_and_skips_what_has_not_begun(engine: Server, held: str) -> None:
    run = engine.send("PATCH", f"/dags/gated/dagRuns/{held}", {"state": "failed"})
    assert run["state"] == "failed"
    assert engine.states("gated", held) == {"hold": "failed", "after": "skipped"}
    pid = engine.get(f"/dags/gated/dagRuns/{held}/taskInstances/hold")["pid"]
    engine.until(lambda: not _runs(pid), "its process is gone", within=45)


def test_run_marked_success_while_it_runs_stays_so(engine: Server, held: str, gate: Path) -> None:
    assert engine.send("PATCH", f"/dags/gated/dagRuns/{held}", {"state": "success"})["state"] == "success"
    gate.touch()
    assert engine.states("gated", held) == {"hold": "success", "after": "skipped"}


def test_finished_run_is_marked_and_queued_again_by_hand(engine: Server) -> None:
    run_id = engine.trigger("one")
    engine.finished("one", run_id)
    assert engine.send("PATCH", f"/dags/one/dagRuns/{run_id}", {"state": "failed"})["state"] == "failed"
    engine.send("PATCH", f"/dags/one/dagRuns/{run_id}", {"state": "queued"})
    engine.until(lambda: len(engine.tries("one", run_id, "say")) == 2, "the second try")
    assert engine.finished("one", run_id)["state"] == "success"


def test_queued_run_marked_failed_never_runs(engine: Server) -> None:
    engine.pause("starts_paused")
    run_id = engine.trigger("starts_paused")
    engine.send("PATCH", f"/dags/starts_paused/dagRuns/{run_id}", {"state": "failed"})
    engine.pause("starts_paused", paused=False)
    last = engine.trigger("starts_paused")
    engine.finished("starts_paused", last)
    assert engine.run("starts_paused", run_id)["state"] == "failed"
    assert engine.states("starts_paused", run_id) == {}
    engine.pause("starts_paused")


def test_task_marked_success_while_it_runs_lets_the_run_go_on(engine: Server, held: str) -> None:
    assert mark(engine, "gated", held, "hold", "success") == {"hold"}
    assert engine.finished("gated", held)["state"] == "success"
    assert engine.states("gated", held) == {"hold": "success", "after": "success"}


def test_task_marked_success_afterwards_runs_what_is_downstream(engine: Server, broken: str, witness: Path) -> None:
    assert mark(engine, "fails_downstream", broken, "second", "success") == {"second"}
    assert engine.until_task("fails_downstream", broken, "third", "success")
    assert engine.finished("fails_downstream", broken)["state"] == "success"
    assert witness.read_text().split() == ["first", "second", "third"]


def test_task_marked_failed_while_it_runs_fails_the_run(engine: Server, held: str) -> None:
    mark(engine, "gated", held, "hold", "failed")
    assert engine.finished("gated", held)["state"] == "failed"
    assert engine.states("gated", held) == {"hold": "failed", "after": "upstream_failed"}


def test_task_that_ignores_sigterm_is_killed_after_the_grace_time(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("stubborn", conf={"witness": str(witness)})
    pid = int(engine.until(witness.read_text, "the task has told its pid", within=45))
    engine.send("PATCH", f"/dags/stubborn/dagRuns/{run_id}", {"state": "failed"})
    engine.until(lambda: not Path(f"/proc/{pid}").exists(), "its process is gone", within=45)
    assert engine.run("stubborn", run_id)["state"] == "failed"
    assert engine.tries("stubborn", run_id, "ignores_sigterm") == [(1, "failed")]


def test_program_a_task_has_started_ends_with_it(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("parent", conf={"witness": str(witness)})
    pid = int(engine.until(witness.read_text, "the task has told the program's pid", within=45))
    os.kill(pid, 0)
    engine.send("PATCH", f"/dags/parent/dagRuns/{run_id}", {"state": "failed"})
    engine.until(lambda: not _runs(pid), "the program is gone", within=45)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# --- notes, logs, deleting -----------------------------------------------------------------------


def test_notes_are_kept_while_a_run_runs_and_afterwards(engine: Server, held: str, gate: Path) -> None:
    run_path = f"/dags/gated/dagRuns/{held}"
    engine.send("PATCH", f"{run_path}/setNote", {"note": "while it runs"})
    engine.send("PATCH", f"{run_path}/taskInstances/hold/setNote", {"note": "of the task"})
    gate.touch()
    run = engine.finished("gated", held)
    assert run["note"] == "while it runs"
    assert engine.get(f"{run_path}/taskInstances/hold")["note"] == "of the task"
    engine.send("PATCH", f"{run_path}/setNote", {"note": "afterwards"})
    run = engine.run("gated", held)
    assert (run["note"], run["state"]) == ("afterwards", "success")


def test_note_on_a_queued_run_does_not_keep_it_from_starting(engine: Server) -> None:
    engine.pause("starts_paused")
    run_id = engine.trigger("starts_paused")
    engine.send("PATCH", f"/dags/starts_paused/dagRuns/{run_id}/setNote", {"note": "patience"})
    engine.pause("starts_paused", paused=False)
    run = engine.finished("starts_paused", run_id)
    assert (run["note"], run["state"]) == ("patience", "success")
    engine.pause("starts_paused")


def test_log_can_be_read_while_the_task_runs(engine: Server, held: str, gate: Path) -> None:
    engine.until(lambda: "waiting at the gate" in engine.task_log("gated", held, "hold"), "the log tells of it")
    assert engine.run("gated", held)["state"] == "running"
    gate.touch()


def test_deleted_run_is_gone_and_its_task_is_ended(engine: Server, held: str) -> None:
    pid = engine.get(f"/dags/gated/dagRuns/{held}/taskInstances/hold")["pid"]
    engine.send("DELETE", f"/dags/gated/dagRuns/{held}", expect=204)
    engine.send("GET", f"/dags/gated/dagRuns/{held}", expect=404)
    engine.until(lambda: not _runs(pid), "its process is gone", within=45)
    engine.send("DELETE", f"/dags/gated/dagRuns/{held}", expect=404)


def test_deleted_run_leaves_its_place_to_the_next(engine: Server, gate: Path) -> None:
    first, second = (engine.trigger("one_at_a_time", conf={"gate": str(gate)}) for _ in range(2))
    engine.until_task("one_at_a_time", first, "hold_one", "running")
    engine.send("DELETE", f"/dags/one_at_a_time/dagRuns/{first}", expect=204)
    engine.until_task("one_at_a_time", second, "hold_one", "running")
    gate.touch()
    engine.finished("one_at_a_time", second)


def test_run_id_of_a_deleted_run_may_be_used_again(engine: Server) -> None:
    for _ in range(2):
        engine.trigger("one", dag_run_id="used_again")
        assert engine.finished("one", "used_again")["state"] == "success"
        engine.send("DELETE", "/dags/one/dagRuns/used_again", expect=204)


def test_dag_is_not_deleted_while_a_task_of_it_runs(engine: Server, held: str, gate: Path) -> None:
    engine.send("DELETE", "/dags/gated", expect=409)
    gate.touch()
    assert engine.finished("gated", held)["state"] == "success"
