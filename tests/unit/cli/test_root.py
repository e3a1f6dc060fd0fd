from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airgate import __version__
from airgate.access.service import Created
from airgate.cli import banner, root
from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate

DOCS = Path(__file__).parents[3] / "docs"


def commands(names: Iterable[str] = root.COMMANDS) -> Iterator[tuple[str, Any]]:
    """Every command that can be run and that help lists, by its words."""
    for name in names:
        yield from within(name, root.load(name))


def within(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield words, command
        return
    for name, made in subcommands.items():
        if not made.hidden:
            yield from within(f"{words} {name}", made)


def test_version_is_shown(airgate: Airgate) -> None:
    assert __version__ in airgate("version").out
    assert airgate("version", "--json").json["airgate"] == __version__


def test_help_lists_every_command_without_importing_any() -> None:
    script = (
        "import sys\n"
        "from airgate.cli.root import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('airgate.cli.')), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    for name, summary in root.COMMANDS.items():
        assert name in ended.stdout
        assert summary.split(",")[0] in ended.stdout
    assert ended.stderr.strip() == "['airgate.cli.root']"


def test_server_starts_without_the_libraries_of_the_other_commands() -> None:
    script = (
        "import sys, airgate.cli.root as root\n"
        "root.load('up')\n"
        "print([name for name in ('airgate.cli.output', 'httpx', 'airflow', 'pydantic') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]"


def test_unknown_command_is_a_usage_error_that_suggests(airgate: Airgate) -> None:
    ended = airgate("dgas")
    assert ended.code == ExitCode.USAGE
    assert "dgas" in ended.err


def test_no_command_shows_the_help(airgate: Airgate) -> None:
    assert "trigger" in airgate().out + airgate().err


@pytest.mark.parametrize("name", root.COMMANDS)
def test_command_explains_itself_and_its_options(name: str) -> None:
    for words, command in commands([name]):
        assert command.help
        for parameter in command.params:
            assert parameter.help, f"{words}: {parameter.name}"


@pytest.mark.parametrize("name", sorted(root.COMMANDS.keys() - {"up", "demo"}))
def test_command_can_speak_json(name: str) -> None:
    for words, command in commands([name]):
        assert "--json" in [option for parameter in command.params for option in parameter.opts], words


def test_every_command_and_its_own_options_are_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    shared = {"--server", "--token", "--json"}
    for words, command in commands():
        noun, _, verb = words.partition(" ")
        assert f"airgate {words}" in text or (f"airgate {noun} get\\|" in text and verb in text), words
        if noun in {"up", "connections", "pools", "variables", "demo"}:
            continue  # settings have a page of their own, and the others explain themselves
        own = {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - shared
        assert [option for option in own if option not in text] == []


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert [code for code in ExitCode if f"\n| {code.value} | " not in text] == []


def test_first_start_shows_credentials_and_a_request_in_a_box() -> None:
    said = banner.first_start("http://127.0.0.1:8080", Created("admin", "pa55", "t0ken"))
    box = [line for line in said.splitlines() if line[:1] in "╭│╰" and line]
    assert len({len(line) for line in box}) == 1
    for fact in ("admin", "pa55", "t0ken", "curl -X POST http://127.0.0.1:8080/api/v1/dags/DAG_ID/dagRuns"):
        assert fact in said


def test_first_start_does_not_repeat_a_preset_password() -> None:
    assert "as you set it" in banner.first_start("http://h", Created("admin", None, "t0ken"))


def test_json_of_version_is_one_object(airgate: Airgate) -> None:
    assert set(json.loads(airgate("version", "--json").out)) == {"airgate", "python"}
