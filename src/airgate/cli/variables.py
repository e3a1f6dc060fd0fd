"""`airgate variables`: keep variables."""

from __future__ import annotations

from typing import Annotated

import typer

from airgate.cli.client import Call, command
from airgate.cli.files import STANDARD, ExportFile, ImportFile, read_object, write_object
from airgate.cli.forms import variable_of, variables_form

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep variables. They are encrypted in the database."
)

Key = Annotated[str, typer.Argument(help="Key of the variable.", show_default=False)]


@command(app)
def get(call: Call, key: Key) -> None:
    """Print a variable's value."""
    variable = call.api.get("variables", key)
    if call.out.as_json:
        call.out.json(variable)
    else:
        call.out.text(variable["value"])


@command(app, "set")
def set_(
    call: Call,
    key: Key,
    value: Annotated[str, typer.Argument(help="Its value.", show_default=False)],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Set a variable, new or not."""
    body = {"key": key, "value": value}
    if description is not None:
        body["description"] = description
    kept = call.api.post("variables", body=body)
    call.out.done(kept, f"Set {key}.")


@command(app, "list")
def list_(call: Call) -> None:
    """List the variables; values only with --json."""
    found = list(call.api.everything("variables", key="variables"))
    call.out.rows(
        found,
        ("key", "description"),
        ((variable["key"], variable.get("description")) for variable in found),
        empty="There are no variables.",
    )


@command(app)
def delete(call: Call, keys: Annotated[list[str], typer.Argument(help="Keys.", show_default=False)]) -> None:
    """Delete variables."""
    for key in keys:
        call.api.delete("variables", key)
    call.out.done({"deleted": keys}, f"Deleted {', '.join(keys)}.")


@command(app, "import")
def import_(call: Call, file: ImportFile) -> None:
    """Set all variables of a file."""
    bodies = [variable_of(key, form) for key, form in read_object(file).items()]
    for body in bodies:
        call.api.post("variables", body=body)
    call.out.done({"imported": [body["key"] for body in bodies]}, f"Imported {len(bodies)} variables.")


@command(app)
def export(call: Call, file: ExportFile = STANDARD) -> None:
    """Write all variables to a file."""
    form = variables_form(call.api.everything("variables", key="variables"))
    write_object(file, form)
    if file != STANDARD:
        call.out.done({"exported": sorted(form)}, f"Exported {len(form)} variables to {file}.")
