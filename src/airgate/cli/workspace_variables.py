"""`airgate workspace-variables`: what webhooks of a workspace read."""

from __future__ import annotations

from typing import Annotated

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.workspace_options import WORKSPACE, below, changes, listed

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep variables of a workspace, which its webhooks read."
)

Variable = Annotated[str, typer.Argument(help="Name of the variable.", show_default=False)]


@command(app, "list", options=WORKSPACE)
def list_(call: Call) -> None:
    """List the variables of a workspace."""
    found = listed(call, "variables")
    call.out.rows(
        found,
        ("variable", "value", "description"),
        ((one["name"], one["value"], one["description"] or None) for one in found),
        empty="There are no variables.",
    )


@command(app, "set", options=WORKSPACE)
def set_(
    call: Call,
    name: Variable,
    value: Annotated[str, typer.Argument(help="Its value.", show_default=False)],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Set a variable of a workspace, new or not."""
    body = changes(name=name, value=value, description=description)
    try:
        kept = call.native.post(*below(call, "variables"), body=body)
    except Problem as problem:
        if problem.code is not ExitCode.CONFLICT:
            raise
        kept = call.native.patch(*below(call, "variables", name), body=body)
    call.out.done(kept, f"Set {name}.")


@command(app, options=WORKSPACE)
def delete(call: Call, names: Annotated[list[str], typer.Argument(help="Names.", show_default=False)]) -> None:
    """Delete variables of a workspace."""
    for name in names:
        call.native.delete(*below(call, "variables", name))
    call.out.done({"deleted": names}, f"Deleted {', '.join(names)}.")
