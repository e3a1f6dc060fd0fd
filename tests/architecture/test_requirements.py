"""The locked requirements are complete, hashed, and leave open which index serves them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.imports import ROOT
from tools.lock import LOCKS, packages

FILES = [ROOT / "requirements" / lock.name for lock in LOCKS]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_package_is_pinned_and_hashed(file: Path) -> None:
    for line, following in _pins(file):
        assert "==" in line, line
        assert following.strip().startswith("--hash=sha256:"), line


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_index_host_is_named(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", text) == []


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("run.txt", [*DECLARED["project"]["dependencies"], *DECLARED["project"]["optional-dependencies"]["engine"]]),
        ("run.txt", DECLARED["dependency-groups"]["build"]),
        ("dev.txt", DECLARED["dependency-groups"]["dev"]),
        ("bench.txt", DECLARED["dependency-groups"]["bench"]),
    ],
)
def test_everything_declared_is_locked(name: str, declared: list[str | dict[str, str]]) -> None:
    wanted = {re.split(r"[\[<>=;! ]", entry)[0] for entry in declared if isinstance(entry, str)}
    assert wanted - {package.partition("==")[0] for package in packages(name)} == set()


def _pins(file: Path) -> list[tuple[str, str]]:
    """Each line that names a package, with the line after it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    pairs = zip(lines, [*lines[1:], ""], strict=True)
    return [(line, following) for line, following in pairs if line and line[0].isalnum()]
