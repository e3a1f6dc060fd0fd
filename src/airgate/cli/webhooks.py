"""`airgate webhooks`: what leaves when a job ends."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from airgate.cli.client import Call, command
from airgate.cli.files import read_object
from airgate.cli.output import when
from airgate.cli.workspace_options import WORKSPACE, below, delete_all, find, hidden, listed, switch

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep webhooks: requests that leave when a job ends."
)

Webhook = Annotated[str, typer.Argument(help="Description or id of the webhook.", show_default=False)]
File = Annotated[
    str, typer.Option("--file", "-f", help="JSON file with its fields; - is the standard input.", show_default=False)
]


@command(app, "list", options=WORKSPACE)
def list_(
    call: Call, active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only these.")] = None
) -> None:
    """List the webhooks of a workspace, newest first."""
    found = listed(call, "webhooks", is_active=None if active is None else str(active).lower())
    call.out.rows(
        found,
        ("webhook", "active", "leads to", "failing since", "id"),
        ((one["description"], one["is_active"], _goal(one), when(one["failing_since"]), one["id"]) for one in found),
        empty="There are no webhooks.",
    )


def _goal(webhook: dict[str, Any]) -> str:
    target = webhook["target"]
    match target["kind"]:
        case "dag":
            return f"DAG {target['deployment']}/{target['dag_id']}"
        case "email":
            return ", ".join(target["to"])
        case _:
            return f"{webhook['method']} {webhook['url']}"


@command(app, options=WORKSPACE)
def show(call: Call, webhook: Webhook) -> None:
    """Show a webhook."""
    known = find(call, "webhooks", webhook, "description")
    call.out.facts(known, known.items())


@command(app, options=WORKSPACE)
def create(call: Call, file: File) -> None:
    """Make a webhook of a file with the fields that the API has."""
    made = call.native.post(*below(call, "webhooks"), body=read_object(file))
    call.out.done(made, f"Created {made['description']}: {made['id']}.")


@command(app, options=WORKSPACE)
def update(call: Call, webhook: Webhook, file: File) -> None:
    """Change the fields of a webhook that a file gives."""
    fields = read_object(file)
    known = find(call, "webhooks", webhook, "description")
    changed = call.native.patch(*below(call, "webhooks", known["id"]), body=fields)
    call.out.done(changed, f"Changed {changed['description']}.")


@command(app, options=WORKSPACE)
def enable(call: Call, webhook: Webhook) -> None:
    """Switch a webhook on."""
    switch(call, "webhooks", webhook, on=True, by="description")


@command(app, options=WORKSPACE)
def disable(call: Call, webhook: Webhook) -> None:
    """Switch a webhook off."""
    switch(call, "webhooks", webhook, on=False, by="description")


@command(app, options=WORKSPACE)
def delete(
    call: Call, webhooks: Annotated[list[str], typer.Argument(help="Descriptions or ids.", show_default=False)]
) -> None:
    """Delete webhooks. What they had still to send is cancelled."""
    delete_all(call, "webhooks", webhooks, "description")


@command(app, "test", options=WORKSPACE)
def try_out(
    call: Call,
    webhook: Webhook,
    execution: Annotated[str | None, typer.Option(help="Id of a past execution; by default a sample.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Really send it.")] = False,
) -> None:
    """Show what a webhook would send, with secrets masked; with --send, send it."""
    known = find(call, "webhooks", webhook, "description")
    trial = call.native.post(
        *below(call, "webhooks", known["id"], "test"), body={"execution_id": execution, "send": send}
    )
    call.out.facts(trial, trial.items())


@command(app, "rotate-key", options=WORKSPACE)
def rotate_key(
    call: Call,
    webhook: Webhook,
    scheme: Annotated[str, typer.Option(help="v1 (HMAC-SHA256) or v1a (Ed25519).")] = "v1",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from the standard input; else one is made up.")
    ] = False,
) -> None:
    """Sign with a new key, and for a day with those before it too. Prints its secret: now and never again."""
    known = find(call, "webhooks", webhook, "description")
    body = {"scheme": scheme} | ({"secret": hidden("Secret", from_stdin=True)} if secret_stdin else {})
    key = call.native.post(*below(call, "webhooks", known["id"], "signing-keys"), body=body)
    if call.out.as_json:
        call.out.json(key)
        return
    call.out.remark(f"{known['description']} is signed with a new key ({key['scheme']}).")
    if key["public_key"] is not None:
        call.out.remark(f"Receivers check it with {key['public_key']}.")
    if not secret_stdin:
        call.out.remark("Its secret, shown this once:")
        call.out.text(key["secret"])
