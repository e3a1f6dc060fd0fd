"""The engine's shell, ready to be driven."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgate.store.database import Database
from tests.contract.engine.shell import Shell
from tests.support.clock import Clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "airgate.db"


@pytest.fixture
async def store(file: Path, store_secret: bytes) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{file}", secret=store_secret, lock_timeout=0.1)
    yield opened
    await opened.close()


@pytest.fixture
async def shell(store: Database, tmp_path: Path, clock: Clock) -> AsyncIterator[Shell]:
    """A shell that has begun. No DAG is known yet."""
    shell = Shell(store, tmp_path, clock)
    await shell.begin()
    yield shell
    await shell.stop()
