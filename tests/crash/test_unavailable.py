"""A database that is locked, full or gone: new triggers are refused with the reason, what was accepted is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.postgres import Postgres
from benchmarks.processes import wait_for
from tests.crash.conftest import MakeServer
from tests.crash.server import Api

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

DAG_ID = "one_task"


def start(make_server: MakeServer, **arguments: Any) -> Api:
    server = make_server(**arguments)
    server.start()
    server.wait_for_dags({DAG_ID})
    return Api(server)


def post(api: Api, run_id: str, conf: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    return api.send("POST", f"/dags/{DAG_ID}/dagRuns", {"dag_run_id": run_id, "conf": conf or {}})


def assert_refused_with_reason(status: int, answer: dict[str, Any]) -> None:
    assert status == 503, answer
    assert answer["status"] == 503
    assert answer["detail"], "a refusal says why"


def assert_works_again(api: Api) -> None:
    wait_for(lambda: post(api, "after")[0] in {200, 409}, within=30, every=0.1, what="triggers are accepted again")
    assert api.wait_for_run(DAG_ID, "before", within=30) == "success"
    assert api.wait_for_run(DAG_ID, "after", within=30) == "success"


def test_triggers_are_refused_until_unlocked_when_another_process_locks_sqlite(make_server: MakeServer) -> None:
    api = start(make_server)
    assert post(api, "before")[0] == 200
    other = sqlite3.connect(api.server.data / "airgate.db", isolation_level=None)
    try:
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN IMMEDIATE")

        assert_refused_with_reason(*post(api, "during"))

        other.execute("ROLLBACK")
    finally:
        other.close()
    assert_works_again(api)
    assert api.send("GET", f"/dags/{DAG_ID}/dagRuns/during")[0] == 404, "a refused trigger leaves nothing"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "airgate-test", str(folder)],
            check=False,
            capture_output=True,
            text=True,
        )
        if shutil.which("mount")
        else None
    )
    if done is None or done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip() if done else 'no mount command'}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("log_on_disk", [False, True], ids=["log elsewhere", "log on it too"])
def test_triggers_are_refused_until_there_is_room_when_the_disk_is_full(
    make_server: MakeServer, small_disk: Path, log_on_disk: bool
) -> None:
    api = start(make_server, data=small_disk / "data", log=small_disk / "log" if log_on_disk else None)
    assert post(api, "before")[0] == 200
    assert api.wait_for_run(DAG_ID, "before", within=30) == "success"
    ballast = small_disk / "ballast"
    fill(ballast)
    large = {"text": os.urandom(50_000).hex()}

    accepted = 0
    while (refusal := post(api, f"during_{accepted}", large))[0] == 200:
        accepted += 1

    assert_refused_with_reason(*refusal)
    ballast.unlink()
    assert_works_again(api)
    for number in range(accepted):
        assert api.wait_for_run(DAG_ID, f"during_{number}", within=30) in {"success", "failed"}


def fill(ballast: Path) -> None:
    """Write until the file system has no room left."""
    block = bytes(2**16)
    with pytest.raises(OSError, match="No space left"):
        _write_forever(ballast, block)


def _write_forever(ballast: Path, block: bytes) -> None:
    with ballast.open("wb", buffering=0) as file:
        while True:
            file.write(block)


def test_triggers_are_refused_until_it_is_back_when_postgresql_is_gone(make_server: MakeServer) -> None:
    with Postgres.start() as postgres:
        api = start(make_server, database=postgres.url("airgate"))
        assert post(api, "before")[0] == 200
        postgres.crash()

        assert_refused_with_reason(*post(api, "during"))

        postgres.start_again()
        assert_works_again(api)
        api.server.stop()
