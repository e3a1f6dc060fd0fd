"""`airgate whoami`: which server answers, and whether it knows the token."""

from __future__ import annotations

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem

app = typer.Typer(add_completion=False)


@command(app)
def whoami(call: Call) -> None:
    """Say which server answers, and whether the token counts; fail if it does not."""
    version = call.api.get("version")["version"]
    refusal = _refusal(call)
    answer = {"server": call.api.target.server, "airflow_version": version, "authenticated": refusal is None}
    call.out.facts(
        answer,
        [
            ("server", answer["server"]),
            ("speaks", f"Airflow {version}"),
            ("token", "is known" if refusal is None else refusal.message),
        ],
    )
    if refusal is not None:
        raise typer.Exit(refusal.code)


def _refusal(call: Call) -> Problem | None:
    """Why the server refuses a request that every role may make; None if it does not."""
    try:
        call.api.get("dags", limit=1)
    except Problem as problem:
        if problem.code is not ExitCode.REFUSED:
            raise
        return problem
    return None
