"""A DAG-file process that is killed while it imports its file is no import error of that file."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import pytest

from benchmarks.peers.airgate import Airgate
from benchmarks.processes import wait_for
from tests.crash.server import Api

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

SLOW_FILE = """
import os
import time
from pathlib import Path

from airflow.sdk import DAG, task

importing = Path(os.environ["CRASH_OUT"])
importing.write_text(str(os.getpid()))
time.sleep(1.0)
importing.write_text("")

with DAG("slow_to_import", schedule=None):

    @task
    def only():
        return 1

    only()
"""


def kill_while_importing(importing: Path) -> None:
    """Wait until somebody imports the file, and kill it."""
    wait_for(lambda: importing.read_text().isdigit(), within=30, every=0.01, what="the file is imported again")
    psutil.Process(int(importing.read_text())).kill()
    importing.write_text("")


def test_waiting_run_ends_well_when_the_import_of_its_file_is_killed_twice(tmp_path: Path) -> None:
    dags, importing = tmp_path / "dags", tmp_path / "importing"
    dags.mkdir()
    (dags / "slow.py").write_text(SLOW_FILE, encoding="utf-8")
    with Airgate(dags, {"CRASH_OUT": str(importing)}, data=tmp_path / "data") as server:
        api = Api(server)
        server.wait_for_dags({"slow_to_import"})
        server.kill()
        server.start()
        assert api.trigger("slow_to_import", "waiting") == 200

        kill_while_importing(importing)
        kill_while_importing(importing)

        assert api.wait_for_run("slow_to_import", "waiting", within=60) == "success"
        assert api.get("/importErrors")["total_entries"] == 0
