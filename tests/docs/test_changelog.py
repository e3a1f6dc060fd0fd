"""The changelog keeps step with the version."""

from __future__ import annotations

import re
from pathlib import Path

import airgate

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
HEADING = re.compile(r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<date>\d{4}-\d\d-\d\d|unreleased)$")


def _headings() -> list[str]:
    return [line for line in CHANGELOG.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]


def test_every_heading_is_a_version_and_a_date() -> None:
    assert [heading for heading in _headings() if not HEADING.match(heading)] == []


def test_the_newest_heading_is_the_version_of_the_code() -> None:
    newest = HEADING.match(_headings()[0])
    assert newest is not None
    assert newest["version"] == airgate.__version__


def test_only_the_newest_version_may_be_unreleased() -> None:
    assert [heading for heading in _headings()[1:] if heading.endswith("unreleased")] == []


def test_versions_go_down_the_page() -> None:
    versions = [tuple(map(int, re.findall(r"\d+", heading)[:3])) for heading in _headings()]
    assert versions == sorted(set(versions), reverse=True)
