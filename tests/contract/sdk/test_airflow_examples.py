"""Airflow's own example DAGs, unchanged: every file is imported and described without an error."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.sdk.fake_engine import FakeEngine, decode_spec, running_engine

_AIRFLOW = importlib.util.find_spec("airflow")
assert _AIRFLOW is not None
assert _AIRFLOW.origin is not None
EXAMPLES = Path(_AIRFLOW.origin).with_name("example_dags")
STANDARD = Path(_AIRFLOW.origin).parent / "providers" / "standard" / "example_dags"
FILES = sorted(path for folder in (EXAMPLES, STANDARD) for path in folder.glob("*.py") if path.name != "__init__.py")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    """An engine with the plugins that the examples bring."""
    plugins = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(EXAMPLES / "plugins")}
    with running_engine(tmp_path_factory.mktemp("examples"), **plugins) as running:
        yield running


def test_airflow_still_brings_examples() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_described_without_an_error(engine: FakeEngine, path: Path) -> None:
    file = engine.fork_file(path, path.parent)
    body = file.parsed()
    file.connection.hang_up()

    if body["error"] is not None and "ModuleNotFoundError: No module named" in body["error"]:
        pytest.skip(body["error"].strip().splitlines()[-1])
    assert body["error"] is None
    for spec in body["dags"]:
        assert decode_spec(spec).dag_id
