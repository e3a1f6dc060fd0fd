"""Worlds that the tests of several dialects share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from airgate.store.database import Database
from tests.support.erathos_world import ErathosWorld
from tests.support.native_world import NativeWorld, native_world


@pytest.fixture
async def two_deployments(sqlite_database: Database) -> NativeWorld:
    return await native_world(sqlite_database)


@pytest.fixture
async def erathos(sqlite_database: Database) -> AsyncIterator[ErathosWorld]:
    world = ErathosWorld(await native_world(sqlite_database))
    yield world
    await world.sender.close()
