"""`airgate audit`: every write and every refusal."""

from __future__ import annotations

import itertools
import json
from typing import Annotated, Any, Final

import typer

from airgate.cli import moments
from airgate.cli.api import LARGE_PAGE
from airgate.cli.client import Call, command
from airgate.cli.output import when
from airgate.cli.register import option

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Read the audit log: every write and every refusal.")

_COLUMNS: Final = ("at", "actor", "event", "outcome", "status", "about", "from", "key", "times")


@app.callback()
def audit() -> None:
    """Read the audit log: every write and every refusal."""


_FILTERS: Final = (
    option("since", typer.Option("--since", help="From when on: 1h (ago), 2026-01-31, or a date with an offset.")),
    option("until", typer.Option("--until", help="Before when, in the same forms.")),
    option("actor", typer.Option("--actor", help="Name of who did it.")),
    option("event", typer.Option("--event", help="What was done, such as post_dag_run.")),
    option("outcome", typer.Option("--outcome", help="What became of it: done, refused or failed.")),
    option("deployment", typer.Option("--deployment-id", "-d", help="In this deployment.")),
    option("dag_id", typer.Option("--dag", help="Id of the DAG it was about.")),
    option("run_id", typer.Option("--run", help="Id of the run it was about.")),
)


@command(app, "list", options=_FILTERS, alias="ls")
def list_(
    call: Call, limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 100
) -> None:
    """List entries, newest first. With --json each is a line of its own."""
    filters = call.given
    for name in ("since", "until"):
        if filters[name] is not None:
            filters[name] = moments.earlier(f"--{name}", filters[name], call.now)
    entries = call.native.everything("audit", page_size=min(limit, LARGE_PAGE), **filters)
    found = list(itertools.islice(entries, limit))
    if not call.out.as_json:
        call.out.rows(found, _COLUMNS, map(_row, found), empty="There are no such entries.")
        return
    for entry in found:
        call.out.text(json.dumps(entry, ensure_ascii=False))


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    return (
        when(entry["at"]),
        entry["actor"],
        entry["event"],
        entry["outcome"],
        entry["status"],
        " ".join(entry[name] for name in ("deployment", "dag_id", "run_id", "task_id") if entry[name]) or None,
        entry["address"],
        entry["key_id"],
        None if entry["count"] == 1 else entry["count"],
    )
