"""`airgate connections`: keep connections."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.files import STANDARD, ExportFile, ImportFile, read_object, write_object
from airgate.cli.forms import connection_of, connections_form, of_uri
from airgate.cli.register import option

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Keep connections. Passwords and extras are encrypted in the database.",
)

ConnectionId = Annotated[str, typer.Argument(help="Id of the connection.", show_default=False)]

_HELP: Final = {
    "conn_type": ("--type", "Its type, such as postgres or http."),
    "description": ("--description", "What it is for."),
    "host": ("--host", "Host."),
    "login": ("--login", "User name."),
    "password": ("--password", "Password; - asks for it, so that no other user of this machine sees it."),
    "schema": ("--schema", "Schema, or whatever the type takes for it."),
    "port": ("--port", "Port."),
    "extra": ("--extra", "Further fields, a JSON object."),
}
FIELDS: Final = [option(name, typer.Option(flag, help=text)) for name, (flag, text) in _HELP.items()]


@command(app)
def get(call: Call, connection_id: ConnectionId) -> None:
    """Show a connection. Its password is never shown, nor are secrets in its extra."""
    connection = call.api.get("connections", connection_id)
    call.out.facts(connection, connection.items())


@command(app, "set", options=FIELDS)
def set_(
    call: Call,
    connection_id: ConnectionId,
    uri: Annotated[str | None, typer.Option(help="All of it, as an Airflow connection URI.")] = None,
) -> None:
    """Set a connection, new or not. What is not given stays as it is."""
    fields: dict[str, Any] = of_uri(uri) if uri else {}
    fields |= {name: value for name, value in call.given.items() if value is not None}
    if fields.get("password") == "-":
        fields["password"] = typer.prompt("Password", hide_input=True, err=True)
    kept = _put(call, connection_id, fields)
    call.out.done(kept, f"Set {connection_id}.")


@command(app, "list")
def list_(call: Call) -> None:
    """List the connections."""
    found = list(call.api.everything("connections", key="connections"))
    columns = ("connection_id", "conn_type", "host", "port", "login", "description")
    call.out.rows(
        found,
        ("connection", "type", "host", "port", "login", "description"),
        ([connection.get(column) for column in columns] for connection in found),
        empty="There are no connections.",
    )


@command(app)
def delete(call: Call, connection_ids: Annotated[list[str], typer.Argument(help="Ids.", show_default=False)]) -> None:
    """Delete connections."""
    for connection_id in connection_ids:
        call.api.delete("connections", connection_id)
    call.out.done({"deleted": connection_ids}, f"Deleted {', '.join(connection_ids)}.")


@command(app, "import")
def import_(call: Call, file: ImportFile) -> None:
    """Set all connections of a file, each a URI or an object."""
    bodies = [connection_of(connection_id, form) for connection_id, form in read_object(file).items()]
    for body in bodies:
        _put(call, body["connection_id"], body)
    call.out.done({"imported": [body["connection_id"] for body in bodies]}, f"Imported {len(bodies)} connections.")


@command(app)
def export(call: Call, file: ExportFile = STANDARD) -> None:
    """Write all connections to a file. The server gives no passwords, and masks secrets in extras."""
    ids = [connection["connection_id"] for connection in call.api.everything("connections", key="connections")]
    form = connections_form(call.api.get("connections", connection_id) for connection_id in ids)
    write_object(file, form)
    if file != STANDARD:
        call.out.done({"exported": sorted(form)}, f"Exported {len(form)} connections to {file}.")
    if form:
        call.out.remark("Passwords are not in it: the server does not give them.")


def _put(call: Call, connection_id: str, fields: dict[str, Any]) -> Any:
    """Create the connection, or change the one that is there."""
    whole = {name: value for name, value in fields.items() if name != "connection_id"}
    if "conn_type" not in whole:
        known = call.api.get("connections", connection_id)
        whole["conn_type"] = known["conn_type"]
    body = connection_of(connection_id, whole)
    try:
        return call.api.post("connections", body=body)
    except Problem as problem:
        if problem.code is not ExitCode.CONFLICT:
            raise
    return call.api.patch("connections", connection_id, body=body)
