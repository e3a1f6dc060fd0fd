from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from airgate.cli.root import app
from tests.unit.cli import stand_in
from tests.unit.cli.stand_in import StandIn


class Ended:
    """How a command ended, and what it said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Airgate = Callable[..., Ended]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in a folder of their own, without settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("AIRGATE_SERVER", "AIRGATE_TOKEN", "AIRGATE_DATA", "AIRGATE_CONFIG", "AIRGATE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in.running() as made:
        yield made


@pytest.fixture
def airgate() -> Airgate:
    """Runs a command line in this process."""

    def run(*arguments: str, stdin: str | None = None) -> Ended:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def ask(airgate: Airgate, server: StandIn) -> Airgate:
    """Runs a command against the stand-in."""

    def run(*arguments: str, stdin: str | None = None) -> Ended:
        return airgate(*arguments, "--server", server.url, "--token", "t0ken", stdin=stdin)

    return run
