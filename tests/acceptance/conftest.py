"""A real server in a process of its own, as a user starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.server import Server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dags"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server on the example DAGs, for tests that only add runs of their own."""
    folder = tmp_path_factory.mktemp("server")
    with Server(dags=EXAMPLES, data=folder / "data") as started:
        started.wait_for_dag("my_example_dag")
        yield started


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own: ``start({"name.py": "..."}, AIRGATE_ENGINE_SPARES="0")``."""
    started: list[Server] = []

    def begin(files: dict[str, str], **environment: str) -> Server:
        dags = tmp_path / "dags"
        dags.mkdir(exist_ok=True)
        for name, text in files.items():
            (dags / name).write_text(text)
        server = Server(dags=dags, data=tmp_path / "data", environment=environment)
        started.append(server)
        server.start()
        return server

    yield begin
    for server in started:
        server.stop()
