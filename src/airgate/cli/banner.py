"""What `airgate up` says once it answers. Plain text: the server starts without the library for tables."""

from __future__ import annotations

from collections.abc import Sequence

from airgate.access.service import Created


def first_start(url: str, created: Created) -> str:
    """The credentials of a new installation, shown this once, and a first request to try."""
    password = created.password if created.password is not None else "as you set it"
    rows = [
        "Airgate is ready. This is its first start, so note this down:",
        "it is shown once.",
        "",
        f"  user      {created.user}",
        f"  password  {password}",
        f"  token     {created.token}",
    ]
    return f"{_box(rows)}\n\n{example(url, created.token)}\n"


def example(url: str, token: str) -> str:
    """The request that starts a first run."""
    return (
        "Start a run:\n\n"
        f"  curl -X POST {url}/api/v1/dags/DAG_ID/dagRuns \\\n"
        f"    -H 'Authorization: Bearer {token}' \\\n"
        "    -H 'Content-Type: application/json' -d '{}'\n"
    )


def ready(url: str) -> str:
    """One line for every later start."""
    return f"Airgate is ready at {url}"


def _box(rows: Sequence[str]) -> str:
    width = max(len(row) for row in rows)
    edge = "─" * (width + 2)
    return "\n".join([f"╭{edge}╮", *(f"│ {row.ljust(width)} │" for row in rows), f"╰{edge}╯"])
