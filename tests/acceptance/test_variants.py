"""What matters most, once more: on PostgreSQL, and with processes that run many tries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import DAGS, SURROUNDINGS, furnish
from tests.acceptance.server import Server
from tests.support.postgres import PostgresServer

REUSE = {"AIRGATE_ENGINE_ISOLATION": "reuse", "AIRGATE_ENGINE_REUSE_LIMIT": "5"}


@pytest.fixture(
    scope="module",
    params=["postgresql", "reuse"],
)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = dict(SURROUNDINGS)
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        environment["AIRGATE_DATABASE"] = postgres.url(postgres.new_database())
    else:
        environment |= REUSE
    folder = tmp_path_factory.mktemp("variant")
    with Server(dags=DAGS, data=folder / "data", environment=environment) as server:
        furnish(server)
        yield server
        assert "made a mistake" not in server.log.read_text()


def test_many_runs_at_once_all_end_once(variant: Server, witness: Path) -> None:
    run_ids = [variant.trigger("few_at_once", conf={"witness": str(witness)}) for _ in range(8)]
    assert {variant.finished("few_at_once", run_id)["state"] for run_id in run_ids} == {"success"}
    assert Counter(witness.read_text().split()) == {"in": 32, "out": 32}
    for run_id in run_ids:
        assert variant.tries("few_at_once", run_id, "crowd_0") == [(1, "success")]


def test_chain_passes_its_values_along(variant: Server) -> None:
    run_id = variant.trigger("chain")
    assert variant.finished("chain", run_id)["state"] == "success"
    assert variant.xcom("chain", run_id, "link__2") == 3


def test_params_of_one_run_are_not_those_of_the_next(variant: Server) -> None:
    given: list[dict[str, object]] = [{"must": "b", "count": 7}, {"must": "a"}, {"must": "a", "name": "me"}] * 3
    run_ids = [variant.trigger("with_params", conf=conf) for conf in given]
    for run_id, conf in zip(run_ids, given, strict=True):
        assert variant.finished("with_params", run_id)["state"] == "success"
        assert variant.xcom("with_params", run_id, "show") == {"count": 1, "name": "nobody", **conf}


def test_logs_of_tries_in_one_process_are_kept_apart(variant: Server) -> None:
    run_ids = [variant.trigger("templates", conf={"who": f"reader-{number}"}) for number in range(4)]
    for number, run_id in enumerate(run_ids):
        variant.finished("templates", run_id)
        text = variant.task_log("templates", run_id, "render")
        assert f"reader-{number}" in text
        assert not any(f"reader-{other}" in text for other in range(4) if other != number)


def test_failed_killed_and_retried_tasks_end_as_they_should(variant: Server, witness: Path) -> None:
    retried, crashed = variant.trigger("retries_once"), variant.trigger("segfaults")
    failed = variant.trigger("calls_back", conf={"witness": str(witness)})
    assert variant.finished("retries_once", retried)["state"] == "success"
    assert variant.finished("segfaults", crashed)["state"] == "success"
    assert variant.finished("calls_back", failed)["state"] == "failed"
    assert variant.tries("retries_once", retried, "second_time_lucky") == [(1, "failed"), (2, "success")]
    assert variant.tries("segfaults", crashed, "reads_address_zero") == [(1, "failed"), (2, "success")]
    variant.until(lambda: len(witness.read_text().splitlines()) == 4, "all callbacks have run")


def test_surroundings_are_found_and_masked(variant: Server) -> None:
    run_id = variant.trigger("surroundings")
    assert variant.finished("surroundings", run_id)["state"] == "success"
    assert variant.xcom("surroundings", run_id, "read")["connection"] == "host.of.store"
    assert "hunter-2-secret" not in variant.task_log("surroundings", run_id, "read")


def test_runs_are_cleared_marked_and_deleted(variant: Server, gate: Path) -> None:
    run_id = variant.trigger("gated", conf={"gate": str(gate)})
    variant.until_task("gated", run_id, "hold", "running")
    variant.send("PATCH", f"/dags/gated/dagRuns/{run_id}", {"state": "failed"})
    gate.touch()
    variant.send("POST", f"/dags/gated/dagRuns/{run_id}/clear", {"dry_run": False})
    assert variant.finished("gated", run_id)["state"] == "success"
    assert [number for number, _ in variant.tries("gated", run_id, "hold")] == [1, 2]
    variant.send("DELETE", f"/dags/gated/dagRuns/{run_id}", expect=204)
    variant.send("GET", f"/dags/gated/dagRuns/{run_id}", expect=404)


def test_values_that_have_no_place_anywhere_harm_only_their_task(variant: Server) -> None:
    run_id = variant.trigger("odd_values")
    variant.finished("odd_values", run_id)
    states = variant.states("odd_values", run_id)
    assert set(states.values()) <= {"success", "failed"}
    assert states["nul"] == "success"
    assert variant.xcom("odd_values", run_id, "nul") == "a\x00b"


def test_schedule_catches_up(variant: Server) -> None:
    def done() -> bool:
        return bool(variant.get("/dags/daily_catching_up/dagRuns", state="success")["total_entries"] == 4)

    variant.until(done, "four scheduled runs", within=45)


def test_killed_server_loses_and_doubles_nothing(variant: Server, gate: Path, witness: Path) -> None:
    given = {"gate": str(gate), "witness": str(witness)}
    before = variant.get("/dags/few_at_once/dagRuns")["total_entries"]
    held = variant.trigger("gated", conf=given)
    variant.until_task("gated", held, "hold", "running")
    run_ids = [variant.trigger("few_at_once", conf=given) for _ in range(4)]
    variant.kill()
    gate.touch()
    variant.start()
    assert variant.finished("gated", held)["state"] == "failed"
    ended = [variant.finished("few_at_once", run_id) for run_id in run_ids]
    assert {run["state"] for run in ended} <= {"success", "failed"}
    assert variant.get("/dags/few_at_once/dagRuns")["total_entries"] == before + 4
