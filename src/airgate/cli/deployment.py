"""`airgate deployment`: the deployments behind the door, and the keys of machines that call them."""

from __future__ import annotations

from typing import Any

import typer

from airgate.cli import service_accounts
from airgate.cli.client import Call, command

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See deployments, and keep their service accounts.")

_COLUMNS = ("NAME", "DEPLOYMENT ID", "WORKSPACE", "KIND", "HEALTH", "DEFAULT")


@command(app, "list", alias="ls")
def list_(call: Call) -> None:
    """List the deployments that you reach. Their ids are their names."""
    found = list(call.native.everything("deployments"))
    rows = ((one["name"], one["name"], one["workspace"], one["kind"], _health(one), one["default"]) for one in found)
    call.out.rows(found, _COLUMNS, rows, empty="You reach no deployment.")


def _health(deployment: dict[str, Any]) -> str:
    """Whether it works; else which of its parts do not. Parts it does not have are null."""
    parts = {name: works for name, works in deployment["health"].items() if not name.endswith("_heartbeat")}
    broken = [name.replace("_", " ") for name, works in parts.items() if works is False]
    return f"no {', no '.join(broken)}" if broken else "healthy"


service_accounts.add_to(app, "deployment", "-d")
