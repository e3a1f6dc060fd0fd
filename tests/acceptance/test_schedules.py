"""Scheduled runs of a real server: which there are, what they are called, when they are made."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.server import RUNS_WITHIN, Server


def scheduled(server: Server, dag_id: str) -> list[dict[str, Any]]:
    """Scheduled runs of a DAG, oldest first."""
    found = server.get(f"/dags/{dag_id}/dagRuns", order_by="execution_date")["dag_runs"]
    return [run for run in found if run["run_type"] == "scheduled"]


def until_scheduled(server: Server, dag_id: str, number: int) -> list[dict[str, Any]]:
    """Wait for so many finished scheduled runs."""

    def there() -> list[dict[str, Any]] | None:
        found = scheduled(server, dag_id)
        done = [run for run in found if run["state"] in ("success", "failed")]
        return found if len(done) >= number else None

    return server.until(there, f"{number} scheduled runs of {dag_id}", within=RUNS_WITHIN)


def test_catching_up_makes_every_run_from_start_to_end_as_airflow_names_them(engine: Server) -> None:
    runs = until_scheduled(engine, "daily_catching_up", 4)
    dates = [f"2024-01-0{day}T00:00:00+00:00" for day in (1, 2, 3, 4)]
    assert [run["logical_date"] for run in runs] == dates
    assert [run["data_interval_start"] for run in runs] == dates
    # Airflow 3's own choice for a cron expression: a moment, not an interval.
    assert [run["data_interval_end"] for run in runs] == dates
    assert [run["dag_run_id"] for run in runs] == [f"scheduled__{date}" for date in dates]
    assert {run["external_trigger"] for run in runs} == {False}
    assert {run["state"] for run in runs} == {"success"}


def test_cron_expression_gives_its_intervals(engine: Server) -> None:
    runs = until_scheduled(engine, "cron_catching_up", 2)
    assert [run["logical_date"] for run in runs] == ["2024-01-01T04:30:00+00:00", "2024-01-02T04:30:00+00:00"]


def test_without_catching_up_only_the_newest_run_is_made(engine: Server) -> None:
    (run,) = until_scheduled(engine, "hourly_now", 1)
    end = datetime.fromisoformat(run["data_interval_end"])
    assert timedelta() <= datetime.now(UTC) - end < timedelta(hours=1, minutes=5)
    upcoming = engine.get("/dags/hourly_now")["next_dagrun_create_after"]
    assert datetime.fromisoformat(upcoming) == end + timedelta(hours=1)


def test_once_makes_one_run(engine: Server) -> None:
    (run,) = until_scheduled(engine, "once", 1)
    assert run["logical_date"] == "2024-01-01T00:00:00+00:00"
    assert engine.get("/dags/once")["next_dagrun"] is None


def test_timetable_of_the_dag_file_is_followed_until_the_dag_is_paused(engine: Server) -> None:
    runs = until_scheduled(engine, "own_timetable", 2)
    first, second = (datetime.fromisoformat(run["data_interval_start"]) for run in runs[:2])
    assert (second - first) % timedelta(seconds=2) == timedelta()
    engine.pause("own_timetable")
    engine.until(lambda: all(run["state"] == "success" for run in scheduled(engine, "own_timetable")), "all have ended")


def test_timetable_of_the_dag_file_gives_manual_runs_their_interval(engine: Server) -> None:
    engine.pause("own_timetable", paused=False)
    run_id = engine.trigger("own_timetable", logical_date="2023-03-03T03:03:03+00:00")
    run = engine.finished("own_timetable", run_id)
    assert run["data_interval_start"] == "2023-03-03T03:03:01+00:00"
    assert run["data_interval_end"] == "2023-03-03T03:03:03+00:00"
    engine.pause("own_timetable")


def test_timetable_that_fails_is_told_to_who_triggers_and_harms_nobody(engine: Server) -> None:
    answer = engine.client.post("/dags/failing_timetable/dagRuns", json={})
    assert answer.status_code == 400
    assert "no idea" in answer.json()["detail"]
    assert scheduled(engine, "failing_timetable") == []


def test_continuous_schedule_starts_a_run_when_the_one_before_has_ended(engine: Server) -> None:
    engine.pause("without_break", paused=False)
    runs = until_scheduled(engine, "without_break", 3)
    engine.pause("without_break")
    ended = [run for run in runs if run["end_date"]]
    for before, after in itertools.pairwise(ended):
        assert before["end_date"] <= after["start_date"]
        assert before["data_interval_end"] == after["data_interval_start"]


def test_schedule_that_ended_before_now_makes_no_run_without_catching_up(engine: Server) -> None:
    until_scheduled(engine, "once", 1)  # of the same file, and considered after it
    assert scheduled(engine, "ended_long_ago") == []


def test_paused_dag_makes_its_scheduled_run_once_unpaused(engine: Server) -> None:
    until_scheduled(engine, "once", 1)
    assert scheduled(engine, "paused_schedule") == []
    engine.pause("paused_schedule", paused=False)
    until_scheduled(engine, "paused_schedule", 1)
