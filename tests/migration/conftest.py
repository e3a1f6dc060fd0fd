"""Empty databases of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from airgate.store._connect import Timeouts, backend_for
from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Connection]]:
    """Makes empty databases, each with a transaction open on it."""
    connections: list[Connection] = []

    def fresh() -> Connection:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / f'{len(connections)}.db'}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            url = server.url(server.new_database())
        backend = backend_for(url, Timeouts(lock=5))
        connection = backend.connect()
        connections.append(connection)
        backend.begin_write(connection)
        return connection

    yield fresh
    for connection in connections:
        connection.close()
