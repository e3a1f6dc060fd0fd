"""`airgate workspaces`: the outer scopes."""

from __future__ import annotations

from typing import Annotated

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import when

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Keep workspaces: each holds deployments, variables, secrets, jobs, webhooks, hooks and block windows.",
)

Name = Annotated[str, typer.Argument(help="Name of the workspace.", show_default=False)]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--private-target",
        help="Network that deliveries may go to although it is private, e.g. 10.0.0.0/8. Repeatable.",
    ),
]


@command(app, "list")
def list_(call: Call) -> None:
    """List the workspaces."""
    found = list(call.native.everything("workspaces"))
    call.out.rows(
        found,
        ("workspace", "private targets", "created"),
        ((one["name"], ", ".join(one["private_targets"]) or None, when(one["created_at"])) for one in found),
        empty="There are no workspaces.",
    )


@command(app)
def create(call: Call, name: Name, private_target: Networks = None) -> None:
    """Make a workspace."""
    made = call.native.post("workspaces", body={"name": name, "private_targets": private_target or []})
    call.out.done(made, f"Created {name}.")


@command(app)
def update(
    call: Call,
    name: Name,
    private_target: Networks = None,
    no_private_targets: Annotated[
        bool, typer.Option("--no-private-targets", help="Deliveries go to public addresses only.")
    ] = False,
) -> None:
    """Change where deliveries of a workspace may go besides public addresses."""
    if bool(private_target) == no_private_targets:
        raise Problem("give each --private-target, or --no-private-targets", ExitCode.USAGE)
    changed = call.native.patch("workspaces", name, body={"private_targets": private_target or []})
    call.out.done(changed, f"Changed {name}.")


@command(app)
def delete(call: Call, name: Name) -> None:
    """Delete a workspace that holds nothing but variables and secrets."""
    call.native.delete("workspaces", name)
    call.out.done({"deleted": [name]}, f"Deleted {name}.")
