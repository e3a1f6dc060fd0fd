"""`airgate hooks`: ways in for systems that can only send webhooks."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from airgate.cli.client import Call, command
from airgate.cli.output import when
from airgate.cli.register import option
from airgate.cli.workspace_options import (
    WORKSPACE,
    ValueStdin,
    below,
    changes,
    delete_all,
    find,
    hidden,
    json_of,
    listed,
    switch,
)

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep hooks: ways in for systems that can only send webhooks."
)

Hook = Annotated[str, typer.Argument(help="Name or id of the hook.", show_default=False)]

_FIELDS: Final = (
    option("conf", typer.Option("--conf", help="The run's conf: JSON with templates; without it, the payload.")),
    option("idempotency_key", typer.Option("--idempotency-key", help="Its template; else the sender's own id.")),
)


@command(app, "list", options=WORKSPACE)
def list_(call: Call) -> None:
    """List the hooks of a workspace."""
    found = listed(call, "hooks")
    call.out.rows(
        found,
        ("hook", "path", "scheme", "runs", "active", "last used"),
        (
            (
                one["name"],
                one["path"],
                one["scheme"],
                f"{one['deployment']}/{one['dag_id']}",
                one["is_active"],
                when(one["last_used_at"]),
            )
            for one in found
        ),
        empty="There are no hooks.",
    )


@command(app, options=WORKSPACE)
def show(call: Call, hook: Hook) -> None:
    """Show a hook."""
    known = find(call, "hooks", hook)
    call.out.facts(known, known.items())


@command(app, options=(*_FIELDS, *WORKSPACE))
def create(
    call: Call,
    name: Annotated[str, typer.Argument(help="Its name, the end of its path.", show_default=False)],
    dag: Annotated[str, typer.Option(help="Id of the DAG to run.", show_default=False)],
    scheme: Annotated[str, typer.Option(help="github, stripe, slack, standard or token.", show_default=False)],
    deployment: Annotated[str, typer.Option(help="Deployment of the DAG.")] = "local",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from the standard input; else one is made up.")
    ] = False,
) -> None:
    """Make a hook. Prints its secret, where it was made up: now and never again."""
    conf = call.given["conf"]
    body = changes(
        name=name,
        scheme=scheme,
        deployment=deployment,
        dag_id=dag,
        conf=None if conf is None else json_of("--conf", conf),
        idempotency_key=call.given["idempotency_key"],
        secret=hidden("Secret", from_stdin=True) if secret_stdin else None,
    )
    made = call.native.post(*below(call, "hooks"), body=body)
    if call.out.as_json:
        call.out.json(made)
        return
    call.out.remark(f"Created {name} at {made['path']}.")
    if not secret_stdin:
        call.out.remark("Its secret, shown this once:")
        call.out.text(made["secret"])


@command(app, "set-secret", options=WORKSPACE)
def set_secret(
    call: Call,
    hook: Hook,
    value_stdin: ValueStdin = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="The secret so far counts no more, not for a day.")
    ] = False,
) -> None:
    """Give a hook another secret. Asks for it."""
    known = find(call, "hooks", hook)
    body = {"secret": hidden("Secret", from_stdin=value_stdin), "at_once": at_once}
    changed = call.native.patch(*below(call, "hooks", known["id"]), body=body)
    call.out.done(changed, f"Set the secret of {known['name']}.")


@command(app, options=WORKSPACE)
def enable(call: Call, hook: Hook) -> None:
    """Switch a hook on."""
    switch(call, "hooks", hook, on=True)


@command(app, options=WORKSPACE)
def disable(call: Call, hook: Hook) -> None:
    """Switch a hook off."""
    switch(call, "hooks", hook, on=False)


@command(app, options=WORKSPACE)
def delete(call: Call, hooks: Annotated[list[str], typer.Argument(help="Names or ids.", show_default=False)]) -> None:
    """Delete hooks."""
    delete_all(call, "hooks", hooks)
