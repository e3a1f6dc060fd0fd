"""`airgate pools`: keep pools."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.files import STANDARD, ExportFile, ImportFile, read_object, write_object
from airgate.cli.forms import pool_of, pools_form

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep pools: named numbers of slots that tasks share."
)

Name = Annotated[str, typer.Argument(help="Name of the pool.", show_default=False)]

_USE = ("slots", "running_slots", "queued_slots", "scheduled_slots", "deferred_slots", "open_slots", "description")


@command(app)
def get(call: Call, name: Name) -> None:
    """Show a pool and how much of it is in use."""
    pool = call.api.get("pools", name)
    call.out.facts(pool, pool.items())


@command(app, "set", negative_numbers=True)
def set_(
    call: Call,
    name: Name,
    slots: Annotated[int, typer.Argument(min=-1, help="Slots; -1 is no limit.", show_default=False)],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    include_deferred: Annotated[
        bool | None, typer.Option("--include-deferred/--exclude-deferred", help="Whether deferred tasks take slots.")
    ] = None,
) -> None:
    """Set a pool, new or not. What is not given stays as it is."""
    body: dict[str, Any] = {"name": name, "slots": slots}
    body |= {} if description is None else {"description": description}
    body |= {} if include_deferred is None else {"include_deferred": include_deferred}
    kept = _put(call, body)
    call.out.done(kept, f"Set {name} to {slots} slots.")


@command(app, "list")
def list_(call: Call) -> None:
    """List the pools and how much of them is in use."""
    found = list(call.api.everything("pools", key="pools"))
    call.out.rows(
        found,
        ("pool", "slots", "running", "queued", "scheduled", "deferred", "open", "description"),
        ([pool["name"], *(pool.get(column) for column in _USE)] for pool in found),
        empty="There are no pools.",
    )


@command(app)
def delete(call: Call, names: Annotated[list[str], typer.Argument(help="Names.", show_default=False)]) -> None:
    """Delete pools."""
    for name in names:
        call.api.delete("pools", name)
    call.out.done({"deleted": names}, f"Deleted {', '.join(names)}.")


@command(app, "import")
def import_(call: Call, file: ImportFile) -> None:
    """Set all pools of a file."""
    bodies = [pool_of(name, form) for name, form in read_object(file).items()]
    for body in bodies:
        _put(call, body)
    call.out.done({"imported": [body["name"] for body in bodies]}, f"Imported {len(bodies)} pools.")


@command(app)
def export(call: Call, file: ExportFile = STANDARD) -> None:
    """Write all pools to a file."""
    form = pools_form(call.api.everything("pools", key="pools"))
    write_object(file, form)
    if file != STANDARD:
        call.out.done({"exported": sorted(form)}, f"Exported {len(form)} pools to {file}.")


def _put(call: Call, body: dict[str, Any]) -> Any:
    """Create the pool, or change the one that is there."""
    try:
        return call.api.post("pools", body=body)
    except Problem as problem:
        if problem.code is not ExitCode.CONFLICT:
            raise
    # Airflow guards the default pool's name and description: only fields that are named in the mask count.
    changed = {name: value for name, value in body.items() if name != "name"}
    if body["name"] == "default_pool":
        changed.pop("description", None)
    return call.api.patch("pools", body["name"], body=body, update_mask=",".join(changed))
