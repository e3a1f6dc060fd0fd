"""The page of the native API names every operation, what it needs, and codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

from airgate.http.native.dialect import OPERATIONS
from airgate.http.native.table import NativeOperation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()


def needs(operation: NativeOperation) -> str:
    if operation.public:
        return "nothing"
    return "to be known" if operation.permission is None else f"`{operation.permission.value}`"


def test_every_operation_is_listed_with_what_it_needs() -> None:
    listed = re.findall(r"^\| `([A-Z]+)` \| `(/[^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted((row.method, row.path, needs(row)) for row in OPERATIONS)


def test_every_code_that_is_named_is_one_the_source_knows() -> None:
    table = PAGE.partition("| status | `code` | |")[2]
    codes = {
        code for line in re.findall(r"^\| \d+ \| ([^|]+) \|", table, re.MULTILINE) for code in line.split("`")[1::2]
    }
    source = "\n".join(file.read_text() for file in (ROOT / "src" / "airgate").rglob("*.py"))
    assert len(codes) > 15
    assert {code for code in codes if f'"{code}"' not in source} == set()
