from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.sdk.fake_engine import FakeEngine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    """An engine with a nursery that tests may fork DAG-file processes from. It must outlive every test."""
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[FakeEngine]:
    """An engine of the test's own, to be broken."""
    with running_engine(tmp_path) as running:
        yield running
