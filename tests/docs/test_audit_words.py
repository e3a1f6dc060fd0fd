"""docs/audit.md names every event that the audit log may hold of a write, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from airgate.http.audit_facts import word, writes
from airgate.http.server import DIALECTS

_PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def test_every_event_of_a_write_is_documented_and_no_other() -> None:
    table = _PAGE.read_text(encoding="utf-8").partition("| event | what |")[2]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    documented = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    rows = [row for dialect in DIALECTS for row in dialect.operations]
    assert documented == {
        row.event or word(row.method, row.path) for row in rows if writes(row.method, row.event, row.permission)
    }
