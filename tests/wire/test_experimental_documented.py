"""What is promised of the experimental API is what the documentation says."""

from __future__ import annotations

from pathlib import Path

from airgate.http.experimental.dialect import EXPERIMENTAL
from tests.conformance.wire.beside import table
from tests.conformance.wire.experimental import REQUESTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_conformance_page_has_the_table_of_what_is_compared() -> None:
    assert "\n".join(table(REQUESTS)) in (DOCS / "conformance.md").read_text()


def test_every_operation_is_compared_with_airflow() -> None:
    compared = {request.operation for request in REQUESTS}
    assert {f"{operation.method} {operation.path}" for operation in EXPERIMENTAL.operations} <= compared


def test_every_operation_is_documented() -> None:
    page = (DOCS / "dialects" / "experimental.md").read_text()
    for operation in EXPERIMENTAL.operations:
        rows = [line for line in page.splitlines() if f"| `{operation.path}` |" in line]
        assert any(f"`{operation.method}`" in row for row in rows), operation.path
