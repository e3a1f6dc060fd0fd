from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgate import settings
from airgate.access.service import Created
from airgate.cli import demo, local, up
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.ports import check_port
from tests.unit.cli.conftest import Airgate


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_folder_that_does_not_exist_is_told_with_what_to_do(airgate: Airgate, folder: Path) -> None:
    ended = airgate("up")
    assert ended.code == ExitCode.USAGE
    assert str(folder / "dags") in ended.err
    assert "--dags" in ended.err


def test_port_that_is_taken_is_told_with_what_to_do(airgate: Airgate, folder: Path, busy_port: int) -> None:
    (folder / "dags").mkdir()
    for command in (["up"], ["demo", "--dags", "dags"]):
        ended = airgate(*command, "--port", str(busy_port))
        assert ended.code == ExitCode.UNAVAILABLE
        assert f"port {busy_port}" in ended.err
        assert "--port" in ended.err


@pytest.mark.parametrize(
    ("arguments", "source"),
    [
        (["--engine-parallelism", "x"], "option --engine-parallelism"),
        (["-p", "-1"], "option --port"),
        (["--config", "missing.toml"], "missing.toml"),
    ],
)
def test_bad_setting_is_one_line_that_names_its_source(airgate: Airgate, arguments: list[str], source: str) -> None:
    ended = airgate("up", *arguments)
    assert ended.code == ExitCode.USAGE
    assert source in ended.err
    assert ended.err.count("\n") == 1


def test_database_that_cannot_be_opened_is_one_line(airgate: Airgate, folder: Path) -> None:
    (folder / "dags").mkdir()
    ended = airgate("up", "--port", "0", "--database", "postgresql://nobody@127.0.0.1:1/nothing")
    assert ended.code == ExitCode.UNAVAILABLE
    assert ended.err.splitlines()[-1].startswith("airgate: ")


def test_misspelt_variable_is_pointed_out(airgate: Airgate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRGATE_LOG_LEVLE", "debug")
    ended = airgate("up")
    assert "AIRGATE_LOG_LEVLE; did you mean AIRGATE_LOG_LEVEL?" in ended.err


def test_help_names_every_setting_that_has_an_option(airgate: Airgate) -> None:
    said = re.sub(r"\s+", " ", airgate("up", "--help").out)
    assert [each.option for each in settings.TABLE if each.option and each.option not in said] == []


def test_first_start_leaves_address_and_token_for_this_user_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = settings.load(options={"data": "."}, environment={}, folder=folder)
    up.announce(chosen, "http://127.0.0.1:9", Created("admin", "pa55", "t0ken"))
    assert local.read(folder) == local.LocalServer("http://127.0.0.1:9", "t0ken")
    assert stat.S_IMODE((folder / local.NAME).stat().st_mode) == 0o600
    assert "pa55" in capsys.readouterr().out

    up.announce(chosen, "http://127.0.0.1:10", None)
    assert local.read(folder) == local.LocalServer("http://127.0.0.1:10", "t0ken")
    assert capsys.readouterr().out == "Airgate is ready at http://127.0.0.1:10\n"


def test_demo_knows_its_examples() -> None:
    assert (demo.examples() / f"{demo.DAG}.py").is_file()


def test_demo_tells_why_its_server_ended(airgate: Airgate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dags").mkdir()
    monkeypatch.setenv("AIRGATE_ENGINE_SPARES", "x")
    ended = airgate("demo", "--once", "--dags", "dags", "--port", str(free_port()))
    assert ended.code == ExitCode.UNAVAILABLE
    assert "AIRGATE_ENGINE_SPARES" in ended.err


def test_demo_uses_no_database_or_file_of_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRGATE_DATABASE", "postgresql://elsewhere/db")
    monkeypatch.setenv("AIRGATE_CONFIG", "elsewhere.toml")
    assert {name for name in demo._environment() if name in {"AIRGATE_DATABASE", "AIRGATE_CONFIG"}} == set()
    assert demo._environment()["PATH"] == os.environ["PATH"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_port_check_leaves_a_free_port_free() -> None:
    port = free_port()
    check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(Problem, match=re.escape("192.0.2.1")):
        check_port("192.0.2.1", 0)
