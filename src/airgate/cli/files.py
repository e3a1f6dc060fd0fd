"""Reading and writing the files of `import` and `export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from airgate.cli.exits import ExitCode, Problem

STANDARD: Final = "-"

ImportFile = Annotated[str, typer.Argument(help="JSON file, as Airflow exports it; - is the standard input.")]
ExportFile = Annotated[str, typer.Argument(help="JSON file to write, as Airflow imports it; - is the standard output.")]


def read_object(name: str) -> dict[str, Any]:
    """The JSON object in a file. Raises Problem where there is none."""
    try:
        text = sys.stdin.read() if name == STANDARD else Path(name).read_text(encoding="utf-8")
        value = json.loads(text, object_pairs_hook=_unambiguous)
    except OSError as error:
        raise Problem(f"cannot read {name}: {error.strerror or error}", ExitCode.USAGE) from error
    except ValueError as error:
        raise Problem(f"{name} is not JSON: {error}", ExitCode.USAGE) from error
    if not isinstance(value, dict):
        raise Problem(f"{name} must hold one JSON object", ExitCode.USAGE)
    return value


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError("given twice: " + ", ".join(sorted({name for name in names if names.count(name) > 1})))
    return made


def write_object(name: str, value: dict[str, Any]) -> None:
    """Write a JSON object as Airflow does, readable by this user alone: it may hold secrets."""
    text = json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    if name == STANDARD:
        sys.stdout.write(text)
        return
    try:
        path = Path(name)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problem(f"cannot write {name}: {error.strerror or error}", ExitCode.USAGE) from error
