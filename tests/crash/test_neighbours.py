"""A task that misbehaves hurts nobody but itself."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import pytest

from benchmarks.processes import wait_for
from tests.crash.conftest import MakeServer
from tests.crash.server import Api

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

NEIGHBOURS = {"leaves_at_once", "reads_nothing", "talks_too_much", "will_not_stop", "works"}


@pytest.fixture
def api(make_server: MakeServer) -> Api:
    server = make_server(engine_kill_grace="1")
    server.start()
    server.wait_for_dags(NEIGHBOURS)
    return Api(server)


@pytest.mark.parametrize(
    ("dag_id", "reason"),
    [("leaves_at_once", "os._exit in the task"), ("reads_nothing", "a segmentation fault")],
)
def test_run_fails_and_others_go_on_when_a_task_dies(api: Api, dag_id: str, reason: str) -> None:
    assert api.trigger(dag_id, "bad") == 200
    assert api.trigger("works", "good") == 200

    assert api.wait_for_run("works", "good", within=30) == "success"
    assert api.wait_for_run(dag_id, "bad", within=30) == "failed", reason
    assert api.trigger(dag_id, "again") == 200
    assert api.wait_for_run(dag_id, "again", within=30) == "failed"


def test_server_stays_small_and_quick_when_a_task_prints_100_megabytes(api: Api) -> None:
    assert api.server.service is not None
    server = psutil.Process(api.server.service.process.pid)
    before = server.memory_info().rss
    assert api.trigger("talks_too_much", "loud") == 200
    number = 0

    def loud_run_has_ended() -> bool:
        nonlocal number
        number += 1
        assert api.trigger("works", f"beside_{number}") == 200
        assert api.wait_for_run("works", f"beside_{number}", within=15) == "success"
        return api.state("talks_too_much", "loud") in {"success", "failed"}

    wait_for(loud_run_has_ended, within=120, every=0.2, what="100 MB are printed")

    assert api.state("talks_too_much", "loud") == "success"
    assert server.memory_info().rss - before < 60 * 2**20


def test_task_is_killed_when_it_ignores_sigterm_and_its_run_is_failed(api: Api, witness_file: Path) -> None:
    assert api.trigger("will_not_stop", "stubborn") == 200
    wait_for(lambda: witness_file.exists() and bool(witness_file.read_text()), within=30, every=0.05, what="it runs")
    task = psutil.Process(int(witness_file.read_text()))

    status, answer = api.send("PATCH", "/dags/will_not_stop/dagRuns/stubborn", {"state": "failed"})

    assert (status, answer["state"]) == (200, "failed")
    assert api.trigger("works", "good") == 200
    assert api.wait_for_run("works", "good", within=30) == "success"
    wait_for(lambda: not task.is_running(), within=20, every=0.05, what="the task is gone")
    (instance,) = api.pages("/dags/will_not_stop/dagRuns/stubborn/taskInstances", "task_instances")
    assert instance["state"] == "failed"
