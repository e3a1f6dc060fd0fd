"""Runs of a real server: what they accept, when they start, how they end."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.server import PASSWORD, USER, Server


def post(server: Server, dag_id: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return server.client.post(f"/dags/{dag_id}/dagRuns", json=body, headers=headers)


def test_run_succeeds_and_leaves_xcom_and_log(engine: Server) -> None:
    run_id = engine.trigger("one")
    assert engine.finished("one", run_id)["state"] == "success"
    assert engine.xcom("one", run_id, "say") == 42
    assert "hello from one" in engine.task_log("one", run_id, "say")


def test_run_passes_xcoms_along_a_chain(engine: Server) -> None:
    run_id = engine.trigger("chain")
    assert engine.finished("chain", run_id)["state"] == "success"
    assert engine.xcom("chain", run_id, "link__2") == 3


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({}, "must"),
        ({"must": "c"}, "must"),
        ({"must": "a", "count": 0}, "count"),
        ({"must": "a", "count": "many"}, "count"),
    ],
)
def test_conf_that_does_not_fit_the_params_is_refused(engine: Server, conf: dict[str, Any], says: str) -> None:
    answer = post(engine, "with_params", {"conf": conf})
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_conf_overrides_params_and_adds_to_them(engine: Server) -> None:
    run_id = engine.trigger("with_params", conf={"must": "b", "count": 7, "more": [1, {"deep": None}]})
    assert engine.finished("with_params", run_id)["state"] == "success"
    expected = {"count": 7, "name": "nobody", "must": "b", "more": [1, {"deep": None}]}
    assert engine.xcom("with_params", run_id, "show") == expected


@pytest.mark.parametrize("value", [2**63, 2**70, -(2**70), 1e308, "\ud800", "\x00", "ü" * 1000, [[[[[[]]]]]]])
def test_conf_of_odd_values_is_refused_or_the_run_ends(engine: Server, value: Any) -> None:
    text = json.dumps({"conf": {"value": value}})  # ASCII, so that half a surrogate pair gets through
    headers = {"Content-Type": "application/json"}
    answer = engine.client.post("/dags/one/dagRuns", content=text, headers=headers)
    if answer.status_code == 200:
        assert engine.finished("one", answer.json()["dag_run_id"])["state"] in ("success", "failed")
    else:
        assert answer.status_code == 400


def test_run_id_of_greatest_length_has_a_log(engine: Server) -> None:
    run_id = engine.trigger("one", dag_run_id="r" * 250)
    assert engine.finished("one", run_id)["state"] == "success"
    assert "hello from one" in engine.task_log("one", run_id, "say")


def test_runs_start_in_order_under_max_active_runs(engine: Server, gate: Path) -> None:
    run_ids = [engine.trigger("one_at_a_time", conf={"gate": str(gate)}) for _ in range(4)]
    engine.until_task("one_at_a_time", run_ids[0], "hold_one", "running")
    states = [engine.run("one_at_a_time", run_id)["state"] for run_id in run_ids]
    assert states == ["running", "queued", "queued", "queued"]
    gate.touch()
    runs = [engine.finished("one_at_a_time", run_id) for run_id in run_ids]
    starts = [run["start_date"] for run in runs]
    ends = [run["end_date"] for run in runs]
    assert starts == sorted(starts)
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))


def test_runs_of_a_paused_dag_wait_until_it_is_unpaused(engine: Server) -> None:
    assert engine.get("/dags/starts_paused")["is_paused"] is True
    run_id = engine.trigger("starts_paused")
    done = engine.trigger("one")
    engine.finished("one", done)
    assert engine.run("starts_paused", run_id)["state"] == "queued"
    engine.pause("starts_paused", paused=False)
    assert engine.finished("starts_paused", run_id)["state"] == "success"
    engine.pause("starts_paused")


def test_pausing_holds_the_tasks_that_have_not_begun(engine: Server, gate: Path) -> None:
    run_id = engine.trigger("gated", conf={"gate": str(gate)})
    engine.until_task("gated", run_id, "hold", "running")
    engine.pause("gated")
    gate.touch()
    engine.until_task("gated", run_id, "hold", "success")
    assert engine.run("gated", run_id)["state"] == "running"
    engine.pause("gated", paused=False)
    assert engine.finished("gated", run_id)["state"] == "success"


def test_run_that_takes_too_long_fails_and_its_task_is_ended(engine: Server, gate: Path) -> None:
    run_id = engine.trigger("impatient", conf={"gate": str(gate)})
    assert engine.finished("impatient", run_id)["state"] == "failed"
    assert engine.states("impatient", run_id) == {"too_long": "skipped", "never": "skipped"}


def test_dag_whose_runs_keep_failing_is_paused(engine: Server) -> None:
    for _ in range(2):
        engine.finished("fails_and_pauses", engine.trigger("fails_and_pauses"))
    engine.until(lambda: engine.get("/dags/fails_and_pauses")["is_paused"], "the DAG is paused")


def test_run_has_the_dates_it_was_asked_for(engine: Server) -> None:
    date = "2024-05-06T07:08:09+00:00"
    run_id = engine.trigger("dated", logical_date=date)
    run = engine.finished("dated", run_id)
    assert (run["logical_date"], run["data_interval_start"], run["data_interval_end"]) == (date, date, date)
    assert run_id == f"manual__{date}"
    assert engine.xcom("dated", run_id, "date") == ["2024-05-06 07:08:09+00:00"] * 3


# --- the same trigger twice ----------------------------------------------------------------------


def test_repeated_key_with_the_same_body_gives_the_same_run(engine: Server) -> None:
    answers = [post(engine, "one", {"conf": {"n": 1}}, key="same-key-same-body") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["dag_run_id"] for answer in answers}) == 1


def test_repeated_key_with_another_body_is_refused(engine: Server) -> None:
    assert post(engine, "one", {"conf": {"n": 1}}, key="key-two-bodies").status_code == 200
    assert post(engine, "one", {"conf": {"n": 2}}, key="key-two-bodies").status_code == 409
    assert post(engine, "chain", {"conf": {"n": 1}}, key="key-two-bodies").status_code == 409


def test_run_id_twice_is_refused(engine: Server) -> None:
    assert post(engine, "one", {"dag_run_id": "twice"}).status_code == 200
    assert post(engine, "one", {"dag_run_id": "twice"}).status_code == 409


@pytest.mark.parametrize("named_by", ["key", "run id"])
def test_many_identical_triggers_at_once_make_one_run(engine: Server, named_by: str) -> None:
    body = {"conf": {"which": named_by}} | ({"dag_run_id": "crowd"} if named_by == "run id" else {})
    key = "crowd" if named_by == "key" else None

    def send(_: int) -> tuple[int, str | None]:
        with httpx.Client(base_url=f"{engine.url}/api/v1", auth=(USER, PASSWORD), timeout=60) as client:
            headers = {"Idempotency-Key": key} if key else {}
            answer = client.post("/dags/one/dagRuns", json=body, headers=headers)
            return answer.status_code, answer.json().get("dag_run_id")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(50)))
    accepted = [run_id for status, run_id in answers if status == 200]
    assert len(set(accepted)) == 1
    assert len(accepted) == (50 if key else 1)
    assert {status for status, _ in answers} <= {200, 409}
    listed = engine.get("/dags/one/dagRuns", limit=100)["dag_runs"]
    assert sum(1 for run in listed if run["conf"] == body["conf"]) == 1
