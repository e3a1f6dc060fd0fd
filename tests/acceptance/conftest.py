"""A real server in a process of its own, as a user starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.server import Server

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "dags"
DAGS = ROOT / "tests" / "dags" / "engine"
SURROUNDINGS = {
    "AIRGATE_ENGINE_KILL_GRACE": "1",
    "AIRFLOW_VAR_FROM_ENVIRONMENT": "a variable of the environment",
    "AIRFLOW_CONN_FROM_ENVIRONMENT": "http://host.of.environment",
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server on the example DAGs, for tests that only add runs of their own."""
    folder = tmp_path_factory.mktemp("server")
    with Server(dags=EXAMPLES, data=folder / "data") as started:
        started.wait_for_dag("my_example_dag")
        yield started


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server on the DAGs of `tests/dags/engine`, for tests that only add runs of their own."""
    with Server(dags=DAGS, data=tmp_path_factory.mktemp("engine") / "data", environment=SURROUNDINGS) as started:
        furnish(started)
        yield started
        assert "made a mistake" not in started.log.read_text()


def furnish(server: Server) -> None:
    """Wait for the DAGs of `tests/dags/engine`, and store what they ask for."""
    for dag_id in ("one", "once", "retries_once", "stubborn"):
        server.wait_for_dag(dag_id)
    server.send("POST", "/pools", {"name": "narrow", "slots": 1})
    for key, value in (("stored", "a variable of the store"), ("stored_secret", "never-to-be-seen")):
        server.send("POST", "/variables", {"key": key, "value": value})
    server.send(
        "POST",
        "/connections",
        {"connection_id": "stored", "conn_type": "http", "host": "host.of.store", "password": "hunter-2-secret"},
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own: ``start({"name.py": "..."}, AIRGATE_ENGINE_SPARES="0")``."""
    started: list[Server] = []

    def begin(files: dict[str, str], *options: str, **environment: str) -> Server:
        dags = tmp_path / "dags"
        dags.mkdir(exist_ok=True)
        for name, text in files.items():
            (dags / name).write_text(text)
        server = Server(dags=dags, data=tmp_path / "data", environment=environment, options=options)
        started.append(server)
        server.start()
        return server

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that tasks wait for: ``touch`` it to let them go on."""
    return tmp_path / "gate"


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A file that tasks write lines to."""
    path = tmp_path / "witness"
    path.touch()
    return path
