from __future__ import annotations

from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, listing, problem

RUN = "manual__2026-01-02T03:04:05+00:00"


def run(state: str = "success", run_id: str = RUN, **more: Any) -> dict[str, Any]:
    return {
        "dag_id": "hello",
        "dag_run_id": run_id,
        "state": state,
        "run_type": "manual",
        "start_date": "2026-01-02T03:04:05+00:00",
        "end_date": "2026-01-02T03:04:06.500000+00:00" if state in {"success", "failed"} else None,
        "logical_date": "2026-01-02T03:04:05+00:00",
        "conf": {"n": 1},
        "note": None,
        **more,
    }


def task(task_id: str, state: str | None, started: str | None = "2026-01-02T03:04:05+00:00", **more: Any) -> Any:
    return {
        "dag_id": "hello",
        "dag_run_id": RUN,
        "task_id": task_id,
        "state": state,
        "map_index": -1,
        "try_number": 0 if state is None else 1,
        "duration": None if state is None else 0.25,
        "start_date": started,
        "operator": "PythonOperator",
        **more,
    }


def at(path: str = "") -> str:
    return f"dags/hello/dagRuns/{RUN}{path}"


def test_trigger_posts_what_was_given_and_says_which_run_it_is(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(run("queued")))
    date = "2026-01-02T03:04:05Z"
    ended = ask("trigger", "hello", "--conf", '{"n": 1}', "--run-id", "r1", "--logical-date", date, "--note", "why")
    assert ended.code == 0
    assert RUN in ended.out
    assert server.bodies("POST") == [{"conf": {"n": 1}, "dag_run_id": "r1", "logical_date": date, "note": "why"}]


def test_trigger_posts_an_empty_object_when_nothing_is_given(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(run("queued")))
    assert ask("trigger", "hello", "--json").json["dag_run_id"] == RUN
    assert server.bodies("POST") == [{}]


def test_trigger_is_repeated_with_the_same_key_when_the_connection_breaks(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(drop=True), Answer(run("queued")))
    assert ask("trigger", "hello").code == 0
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_triggers_have_different_keys(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(run("queued")))
    ask("trigger", "hello")
    ask("trigger", "hello")
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


@pytest.mark.parametrize("conf", ["{", "[1]", "null", '"x"'])
def test_trigger_refuses_a_conf_that_is_no_object_without_asking(ask: Airgate, server: StandIn, conf: str) -> None:
    assert ask("trigger", "hello", "--conf", conf).code == ExitCode.USAGE
    assert server.asked == []


def test_trigger_of_a_run_that_exists_is_a_conflict(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", problem(409, "exists already"))
    assert ask("trigger", "hello", "--run-id", "r1").code == ExitCode.CONFLICT


@pytest.mark.parametrize(("state", "code"), [("success", ExitCode.OK), ("failed", ExitCode.FAILED)])
def test_waiting_trigger_shows_states_and_ends_as_the_run_ends(
    ask: Airgate, server: StandIn, state: str, code: ExitCode
) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(run("queued")))
    server.get(at(), run("queued", start_date=None), run("running"), run(state))
    server.get(
        at("/taskInstances"),
        listing("task_instances", [task("greet", None, None)]),
        listing("task_instances", [task("greet", "running")]),
        listing("task_instances", [task("greet", state)]),
    )
    ended = ask("trigger", "hello", "--wait")
    assert ended.code == code
    assert ended.out.splitlines() == [
        "run: queued",
        "greet: running",
        "run: running",
        f"greet: {state}",
        f"run: {state}",
    ]


def test_waiting_trigger_prints_json_alone_for_scripts(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "dags/hello/dagRuns", Answer(run("queued")))
    server.get(at(), run("failed"))
    server.get(at("/taskInstances"), listing("task_instances", [task("greet", "failed")]))
    ended = ask("trigger", "hello", "--wait", "--json")
    assert ended.code == ExitCode.FAILED
    assert ended.json["state"] == "failed"
    assert ended.json["task_instances"][0]["task_id"] == "greet"


def test_runs_are_listed_newest_first_of_all_dags_or_one(ask: Airgate, server: StandIn) -> None:
    server.get("dags/~/dagRuns", listing("dag_runs", [run()]))
    server.get("dags/hello/dagRuns", listing("dag_runs", [run()]))
    assert RUN in ask("runs", "list").out
    ask("runs", "list", "hello", "--state", "failed", "--state", "running", "--limit", "5")
    assert server.asked[0].query == {"order_by": ["-id"], "limit": ["25"]}
    assert server.asked[1].query == {"order_by": ["-id"], "limit": ["5"], "state": ["failed", "running"]}


def test_list_without_runs_says_so_but_not_to_scripts(ask: Airgate, server: StandIn) -> None:
    server.get("dags/~/dagRuns", listing("dag_runs", []))
    ended = ask("runs", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "no such runs" in ended.err
    scripted = ask("runs", "list", "--json")
    assert (scripted.json, scripted.err) == ([], "")


def test_run_is_shown_with_its_tasks_in_the_order_they_started(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run())
    tasks = [
        task("never", None, None),
        task("second", "success", "2026-01-02T03:04:06+00:00", map_index=3),
        task("first", "success"),
    ]
    server.get(at("/taskInstances"), listing("task_instances", tasks))
    shown = ask("runs", "show", "hello", RUN).out
    assert shown.index("first") < shown.index("second[3]") < shown.index("never")
    assert "1.50s" in shown
    assert ask("runs", "show", "hello", RUN, "--json").json["task_instances"][0]["task_id"] == "first"


def test_newest_run_is_meant_when_none_is_named(ask: Airgate, server: StandIn) -> None:
    server.get("dags/hello/dagRuns", listing("dag_runs", [run()]))
    server.get(at("/taskInstances"), listing("task_instances", []))
    assert ask("runs", "show", "hello", "--json").json["dag_run_id"] == RUN


def test_dag_without_runs_is_told_from_an_unknown_one(ask: Airgate, server: StandIn) -> None:
    server.get("dags/hello/dagRuns", listing("dag_runs", []))
    server.get("dags/hello", {})
    known = ask("runs", "show", "hello")
    assert known.code == ExitCode.NOT_FOUND
    assert "no runs yet" in known.err
    server.get("dags/nope/dagRuns", listing("dag_runs", []))
    assert "not found" in ask("runs", "show", "nope").err


def test_logs_of_all_tasks_that_ran_are_printed_under_their_names(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run())
    tasks = [task("a", "success"), task("b", "failed", try_number=2), task("c", None, None)]
    server.get(at("/taskInstances"), listing("task_instances", tasks))
    server.get(at("/taskInstances/a/logs/1"), "log of a")
    server.get(at("/taskInstances/b/logs/2"), "log of b\n")
    lines = ask("runs", "logs", "hello", RUN).out.splitlines()
    assert lines == ["── a · try 1 · success", "log of a", "── b · try 2 · failed", "log of b"]
    assert server.asked[-1].headers["accept"] == "text/plain"


def test_log_of_one_try_of_one_mapped_instance_is_printed_alone(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run())
    tasks = [task("a", "success", map_index=index, try_number=3) for index in range(3)]
    server.get(at("/taskInstances"), listing("task_instances", tasks))
    server.get(at("/taskInstances/a/logs/2"), "second try")
    ended = ask("runs", "logs", "hello", RUN, "--task", "a", "--try", "2", "--map-index", "1")
    assert ended.out == "second try\n"
    assert server.asked[-1].query["map_index"] == ["1"]


def test_log_of_an_unknown_task_is_not_found(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run())
    server.get(at("/taskInstances"), listing("task_instances", [task("a", "success")]))
    assert ask("runs", "logs", "hello", RUN, "--task", "z").code == ExitCode.NOT_FOUND


def test_cancel_marks_a_running_run_failed(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run("running"))
    server.on("PATCH", at(), Answer(run("failed")))
    assert ask("runs", "cancel", "hello", RUN).code == 0
    assert server.bodies("PATCH") == [{"state": "failed"}]


def test_cancel_of_a_run_that_has_ended_is_a_conflict_and_changes_nothing(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run("success"))
    assert ask("runs", "cancel", "hello", RUN).code == ExitCode.CONFLICT
    assert server.bodies("PATCH") == []


@pytest.mark.parametrize(
    ("flags", "only_failed", "dry_run"),
    [((), False, False), (("--only-failed",), True, False), (("--dry-run",), False, True)],
)
def test_clear_asks_for_the_tasks_of_this_run(
    ask: Airgate, server: StandIn, flags: tuple[str, ...], only_failed: bool, dry_run: bool
) -> None:
    server.get(at(), run("failed"))
    server.on("POST", "dags/hello/clearTaskInstances", Answer({"task_instances": [task("a", "failed")]}))
    ended = ask("runs", "clear", "hello", RUN, *flags)
    assert ended.out.startswith("Would clear a" if dry_run else "Cleared a")
    (body,) = server.bodies("POST")
    assert (body["dag_run_id"], body["only_failed"], body["dry_run"]) == (RUN, only_failed, dry_run)


def piece(text: str, token: str) -> dict[str, str]:
    return {"content": repr([("host", text)] if text else [("host", "")]), "continuation_token": token}


def test_logs_are_followed_from_where_they_were_read_to_until_the_run_ends(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run("running"), run("running"), run("success"))
    server.get(
        at("/taskInstances"),
        listing("task_instances", [task("a", "running"), task("b", None)]),
        listing("task_instances", [task("a", "success"), task("b", "running")]),
    )
    server.get(
        at("/taskInstances/a/logs/1"), piece("one\n", "t1"), piece("", "t1"), piece("two\n", "t2"), piece("", "t2")
    )
    server.get(at("/taskInstances/b/logs/1"), piece("of b\n", "t3"), piece("", "t3"))

    ended = ask("runs", "logs", "hello", RUN, "--follow")

    assert ended.code == 0
    assert ended.out.splitlines() == ["── a · try 1", "one", "two", "── b · try 1", "of b"]
    assert "success" in ended.err
    read = [asked.query.get("token") for asked in server.asked if asked.path.endswith("a/logs/1")]
    assert read == [None, ["t1"], ["t1"], ["t2"]]
    assert {asked.headers["accept"] for asked in server.asked} == {"application/json"}, (
        "text has no token to go on with"
    )


def test_log_of_an_earlier_try_is_followed_to_its_end(ask: Airgate, server: StandIn) -> None:
    server.get(at(), run("failed"))
    server.get(at("/taskInstances"), listing("task_instances", [task("a", "failed", try_number=2)]))
    server.get(at("/taskInstances/a/logs/1"), piece("first\n", "t1"), piece("", "t1"))
    server.get(at("/taskInstances/a/logs/2"), piece("second\n", "t2"), piece("", "t2"))
    said = ask("runs", "logs", "hello", RUN, "-f").out
    assert said.splitlines() == ["── a · try 1", "first", "── a · try 2", "second"]


@pytest.mark.parametrize("option", [("--json",), ("--try", "1")])
def test_follow_cannot_be_had_with_what_contradicts_it(ask: Airgate, server: StandIn, option: tuple[str, ...]) -> None:
    server.get(at(), run())
    assert ask("runs", "logs", "hello", RUN, "--follow", *option).code == ExitCode.USAGE
