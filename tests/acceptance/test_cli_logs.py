"""Logs by the command line while their task runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.server import Server

DAG = """
import time
from pathlib import Path
from airflow.sdk import DAG, task

with DAG("talker"):
    @task
    def talk():
        print("before the gate", flush=True)
        while not Path({gate!r}).exists():
            time.sleep(0.01)
        print("behind the gate", flush=True)
    talk()
"""


def test_follow_prints_lines_as_they_come_and_ends_with_the_run(start: Callable[..., Server], gate: Path) -> None:
    server = start({"talker.py": DAG.format(gate=str(gate))})
    server.wait_for_dag("talker")
    run_id = server.trigger("talker")
    command = [str(Path(sys.executable).with_name("airgate")), "runs", "logs", "talker", run_id, "--follow"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRGATE_")}
    with subprocess.Popen(
        command, env=env | {"AIRGATE_DATA": str(server.data)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        seen = next(line for line in following.stdout if "before the gate" in line)
        gate.touch()
        rest, remarks = following.communicate(timeout=60)

    assert following.returncode == 0
    assert "behind the gate" not in seen
    assert rest.count("behind the gate") == 1
    assert "before the gate" not in rest
    assert "has ended: success" in remarks
