"""Tasks of a real server: retries, limits, rules, surroundings, callbacks."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.server import Server


def lines(witness: Path) -> list[str]:
    return witness.read_text().splitlines()


def most_at_once(events: list[str]) -> int:
    """Of a list of ``in`` and ``out``, how many were in at the same time."""
    inside = most = 0
    for event in events:
        inside += 1 if event == "in" else -1
        most = max(most, inside)
    return most


def test_failed_try_is_repeated_after_its_delay_and_both_are_kept(engine: Server) -> None:
    run_id = engine.trigger("retries_once")
    assert engine.finished("retries_once", run_id)["state"] == "success"
    assert engine.tries("retries_once", run_id, "second_time_lucky") == [(1, "failed"), (2, "success")]
    for number in (1, 2):
        assert f"this is try {number}" in engine.task_log("retries_once", run_id, "second_time_lucky", number)
    path = f"/dags/retries_once/dagRuns/{run_id}/taskInstances/second_time_lucky/tries"
    first, second = engine.get(path)["task_instances"]
    assert second["start_date"] > first["end_date"]


def test_task_is_ended_when_it_takes_longer_than_it_may(engine: Server) -> None:
    run_id = engine.trigger("limited_time")
    assert engine.finished("limited_time", run_id)["state"] == "failed"
    assert "AirflowTaskTimeout" in engine.task_log("limited_time", run_id, "sleeper")


def test_pool_lets_no_more_in_than_it_has_slots(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("pooled", conf={"witness": str(witness)})
    assert engine.finished("pooled", run_id)["state"] == "success"
    assert lines(witness) == ["in", "out"] * 3


def test_pool_serves_the_most_urgent_task_first(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("by_priority", conf={"witness": str(witness)})
    assert engine.finished("by_priority", run_id)["state"] == "success"
    assert lines(witness) == ["5", "3", "1"]


def test_larger_pool_lets_more_in(engine: Server, witness: Path, gate: Path) -> None:
    engine.send("PATCH", "/pools/narrow", {"name": "narrow", "slots": 3})
    try:
        run_id = engine.trigger("pooled", conf={"witness": str(witness)})
        assert engine.finished("pooled", run_id)["state"] == "success"
        assert most_at_once(lines(witness)) > 1
    finally:
        engine.send("PATCH", "/pools/narrow", {"name": "narrow", "slots": 1})


def test_run_has_no_more_tasks_at_once_than_its_dag_allows(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("few_at_once", conf={"witness": str(witness)})
    assert engine.finished("few_at_once", run_id)["state"] == "success"
    assert most_at_once(lines(witness)) <= 2
    assert len(lines(witness)) == 8


def test_branch_and_short_circuit_skip_what_they_do_not_choose(engine: Server) -> None:
    run_id = engine.trigger("branches")
    assert engine.finished("branches", run_id)["state"] == "success"
    skipped = {"right", "cut_off"}
    states = engine.states("branches", run_id)
    assert {task_id for task_id, state in states.items() if state == "skipped"} == skipped
    assert {states[task_id] for task_id in states.keys() - skipped} == {"success"}


def test_teardown_runs_after_a_failure_which_still_fails_the_run(engine: Server) -> None:
    run_id = engine.trigger("sets_up")
    assert engine.finished("sets_up", run_id)["state"] == "failed"
    assert engine.states("sets_up", run_id) == {"make": "success", "work": "failed", "tidy": "success"}


def test_task_triggers_a_run_and_waits_for_it(engine: Server) -> None:
    run_id = engine.trigger("triggers_one", conf={"target": "made_by_a_task"})
    assert engine.finished("triggers_one", run_id)["state"] == "success"
    made = engine.run("one", "made_by_a_task")
    assert (made["state"], made["conf"]) == ("success", {"from": "triggers_one"})


def test_task_fails_when_the_run_it_triggers_exists(engine: Server) -> None:
    engine.finished("one", engine.trigger("one", dag_run_id="in_the_way"))
    run_id = engine.trigger("triggers_one", conf={"target": "in_the_way"})
    assert engine.finished("triggers_one", run_id)["state"] == "failed"
    assert engine.tries("one", "in_the_way", "say") == [(1, "success")]


def test_task_runs_the_run_again_that_it_triggers_with_reset(engine: Server) -> None:
    engine.finished("one", engine.trigger("one", dag_run_id="to_be_reset"))
    run_id = engine.trigger("triggers_again", conf={"target": "to_be_reset"})
    assert engine.finished("triggers_again", run_id)["state"] == "success"
    engine.until(lambda: len(engine.tries("one", "to_be_reset", "say")) == 2, "the second try")
    assert engine.finished("one", "to_be_reset")["state"] == "success"


def test_variables_and_connections_come_from_the_store_and_the_environment(engine: Server) -> None:
    run_id = engine.trigger("surroundings")
    assert engine.finished("surroundings", run_id)["state"] == "success"
    assert engine.xcom("surroundings", run_id, "read") == {
        "stored": "a variable of the store",
        "from_environment": "a variable of the environment",
        "absent": "nothing",
        "connection": "host.of.store",
        "connection_from_environment": "host.of.environment",
        "server_secrets": [],
    }
    assert engine.get("/variables/written")["value"] == "by a task"


def test_secrets_are_masked_in_logs(engine: Server) -> None:
    run_id = engine.trigger("surroundings")
    engine.finished("surroundings", run_id)
    text = engine.task_log("surroundings", run_id, "read")
    assert "the password is ***" in text
    assert "printed too: ***" in text
    assert "hunter-2-secret" not in text
    assert "never-to-be-seen" not in text


def test_templates_are_rendered(engine: Server) -> None:
    run_id = engine.trigger("templates", conf={"who": "reader"})
    assert engine.finished("templates", run_id)["state"] == "success"
    assert engine.xcom("templates", run_id, "render") == f"reader {run_id} 1"
    instance = engine.get(f"/dags/templates/dagRuns/{run_id}/taskInstances/render")
    assert instance["rendered_fields"]["bash_command"] == f"echo reader {run_id} 1"


def test_xcoms_of_all_kinds_are_passed_on(engine: Server) -> None:
    run_id = engine.trigger("xcoms")
    assert engine.finished("xcoms", run_id)["state"] == "success"
    assert engine.xcom("xcoms", run_id, "pull") == [[1, {"c": None}], "own value"]
    assert engine.xcom("xcoms", run_id, "several", "a") == 1
    assert engine.xcom("xcoms", run_id, "push") == "own value"


def test_callbacks_run_for_tasks_that_fail_are_killed_or_succeed_and_for_the_dag(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("calls_back", conf={"witness": str(witness)})
    assert engine.finished("calls_back", run_id)["state"] == "failed"
    expected = {
        "callback of raises",
        "callback of is_killed",
        "callback of succeeds",
        "callback of the DAG: task_failure",
    }
    engine.until(lambda: set(lines(witness)) >= expected, "all callbacks have run")
    assert sorted(lines(witness)) == sorted(expected)


def test_callback_of_a_dag_runs_when_it_succeeds(engine: Server, witness: Path) -> None:
    run_id = engine.trigger("calls_back_on_success", conf={"witness": str(witness)})
    assert engine.finished("calls_back_on_success", run_id)["state"] == "success"
    engine.until(lambda: lines(witness) == ["callback of the DAG: success"], "the callback has run")


# --- tasks that behave badly ---------------------------------------------------------------------


def test_task_that_leaves_its_process_has_failed_and_says_how(engine: Server) -> None:
    run_id = engine.trigger("exits")
    assert engine.finished("exits", run_id)["state"] == "failed"
    assert engine.states("exits", run_id) == {"exits_with_one": "failed", "exits_politely": "failed"}


def test_task_that_segfaults_is_tried_again(engine: Server) -> None:
    run_id = engine.trigger("segfaults")
    assert engine.finished("segfaults", run_id)["state"] == "success"
    assert engine.tries("segfaults", run_id, "reads_address_zero") == [(1, "failed"), (2, "success")]


def test_task_that_prints_100_mb_has_a_log_and_disturbs_nobody(engine: Server) -> None:
    run_id = engine.trigger("talks")
    neighbours = [engine.trigger("one") for _ in range(3)]
    for neighbour in neighbours:
        assert engine.finished("one", neighbour)["state"] == "success"
    assert engine.finished("talks", run_id, within=100)["state"] == "success"
    path = f"/dags/talks/dagRuns/{run_id}/taskInstances/prints_a_lot/logs/1"
    size, tail = 0, b""
    with engine.client.stream("GET", path, headers={"Accept": "text/plain"}, timeout=100) as answer:
        for chunk in answer.iter_bytes():
            size += len(chunk)
            tail = (tail + chunk)[-10_000:]
    assert size > 100_000_000
    assert b"the end of it" in tail
