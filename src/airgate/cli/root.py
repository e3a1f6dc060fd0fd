"""The command tree. Modules of commands are imported when their command runs, and only then.

This is the one place where modules of Airgate are imported late: starting the server must not pay for the tables and
the HTTP client of the other commands, nor these for the server.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS: Final = {
    "up": "Start the server.",
    "demo": "Start a server on example DAGs, trigger one, and watch it run.",
    "trigger": "Start a run of a DAG.",
    "dags": "See and pause DAGs.",
    "runs": "See, stop and repeat DAG runs, and read their logs.",
    "variables": "Keep variables.",
    "connections": "Keep connections.",
    "pools": "Keep pools.",
    "deployment": "See deployments, and keep their service accounts: keys for machines.",
    "workspace": "Keep service accounts of a workspace.",
    "keys": "Keep API keys.",
    "users": "Keep people: who may sign in, and what they may do.",
    "audit": "Read the audit log: every write and every refusal.",
    "workspaces": "Keep workspaces.",
    "workspace-variables": "Keep variables of a workspace, which webhooks read.",
    "secrets": "Keep secrets, which webhooks read.",
    "jobs": "See, start and register jobs, and report what external ones do.",
    "webhooks": "Keep webhooks: requests that leave when a job ends.",
    "deliveries": "See what webhooks have sent, and send it again.",
    "hooks": "Keep hooks: ways in for systems that can only send webhooks.",
    "block-windows": "Keep block windows: times in which jobs may not start.",
    "whoami": "Say which server answers, and who the token makes you.",
    "recover": "Let a locked-out administrator in again.",
    "version": "Show the version.",
}
"""Every command, with its summary. Each has a module of its name in this package, whose `app` it is."""


class LazyGroup(TyperGroup):
    """A group whose commands are known by name and summary until one of them is to run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in, good for lists of commands."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, for it is to run (or to be completed)."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest


def load(name: str) -> Any:
    """Import the module of a command."""
    module = importlib.import_module(f"airgate.cli.{name.replace('-', '_')}")
    command = get_command(module.app)
    command.name = name
    return command


app = typer.Typer(
    name="airgate",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """The front door to Apache Airflow: start DAG runs with one POST, on an engine of its own."""


def main() -> None:
    """Run the command line; the process ends with an exit code of `airgate.cli.exits`."""
    app()
