"""`airgate workspace`: keys of machines that call all deployments of a workspace."""

from __future__ import annotations

import typer

from airgate.cli import service_accounts

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep service accounts of a workspace: of all its deployments."
)


@app.callback()
def workspace() -> None:
    """Keep service accounts of a workspace: of all its deployments."""


service_accounts.add_to(app, "workspace", "-w")
