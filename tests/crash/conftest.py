"""Servers that may be treated badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.peers.airgate import Airgate
from tests.crash.server import DAGS

MakeServer = Callable[..., Airgate]


@pytest.fixture
def witness_file(tmp_path: Path) -> Path:
    """Where tasks leave their lines."""
    return tmp_path / "witness"


@pytest.fixture
def make_server(tmp_path: Path, witness_file: Path) -> Iterator[MakeServer]:
    """Makes servers on the crash DAGs, not yet started, and ends what is left of them."""
    made: list[Airgate] = []

    def make(
        *, data: Path | None = None, database: str | None = None, log: Path | None = None, **settings: str
    ) -> Airgate:
        extra = {"CRASH_OUT": str(witness_file), **{f"AIRGATE_{key.upper()}": value for key, value in settings.items()}}
        log = log or tmp_path / "server.log"
        server = Airgate(DAGS, extra, database=database, data=data or tmp_path / "data", log=log)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop(grace=5)
