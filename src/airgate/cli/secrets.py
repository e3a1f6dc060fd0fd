"""`airgate secrets`: what webhooks read and nobody reads back."""

from __future__ import annotations

from typing import Annotated

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import when
from airgate.cli.workspace_options import WORKSPACE, ValueStdin, below, changes, hidden, listed

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep secrets, whose values webhooks read and nobody reads back."
)


@command(app, "list", options=WORKSPACE)
def list_(call: Call) -> None:
    """List the secrets of a workspace, without their values."""
    found = listed(call, "secrets")
    call.out.rows(
        found,
        ("secret", "description", "updated"),
        ((one["name"], one["description"] or None, when(one["updated_at"])) for one in found),
        empty="There are no secrets.",
    )


@command(app, "set", options=WORKSPACE)
def set_(
    call: Call,
    name: Annotated[str, typer.Argument(help="Name of the secret.", show_default=False)],
    value_stdin: ValueStdin = False,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Set a secret, new or not. Asks for its value, which is never part of a command line."""
    body = changes(name=name, value=hidden("Value", from_stdin=value_stdin), description=description)
    try:
        kept = call.native.post(*below(call, "secrets"), body=body)
    except Problem as problem:
        if problem.code is not ExitCode.CONFLICT:
            raise
        kept = call.native.patch(*below(call, "secrets", name), body=body)
    call.out.done(kept, f"Set {name}.")


@command(app, options=WORKSPACE)
def delete(call: Call, names: Annotated[list[str], typer.Argument(help="Names.", show_default=False)]) -> None:
    """Delete secrets. Webhooks that read them send nothing more, and say why."""
    for name in names:
        call.native.delete(*below(call, "secrets", name))
    call.out.done({"deleted": names}, f"Deleted {', '.join(names)}.")
