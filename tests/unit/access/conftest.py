from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet

from airgate.store.database import Database
from tests.support.access_house import House


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path / 'airgate.db'}", secret=Fernet.generate_key())
    yield opened
    await opened.close()


@pytest.fixture
def house(database: Database) -> House:
    return House(database)
