"""The page about the dialect names exactly the operations that there are."""

from __future__ import annotations

import re
from pathlib import Path

from airgate.http.stable_v1.dialect import STABLE_V1

PAGE = Path(__file__).parents[2] / "docs" / "dialects" / "stable-v1.md"
ROW = re.compile(r"^\| ((?:`[A-Z]+` ?)+) \| `(/[^`]*)` \|$", re.MULTILINE)


def test_documented_operations_are_those_of_the_table() -> None:
    documented = {
        (method, path)
        for methods, path in ROW.findall(PAGE.read_text(encoding="utf-8"))
        for method in re.findall("[A-Z]+", methods)
    }
    served = {(operation.method, operation.path.replace(":int}", "}")) for operation in STABLE_V1.operations}
    assert documented == served
