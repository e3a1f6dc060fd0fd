"""`airgate deliveries`: what webhooks have sent, and sending it again."""

from __future__ import annotations

from typing import Annotated

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.moments import earlier
from airgate.cli.output import table, when
from airgate.cli.workspace_options import WORKSPACE, Limit, below, find, listed

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See what webhooks have sent, and send it again.")

Delivery = Annotated[str, typer.Argument(help="Id of the delivery.", show_default=False)]


@command(app, "list", options=WORKSPACE)
def list_(
    call: Call,
    webhook: Annotated[str | None, typer.Option(help="Only of this one: its description or id.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only these: pending, delivered, dead, stopped or cancelled.")
    ] = None,
    limit: Limit = 25,
) -> None:
    """List deliveries, newest first."""
    known = None if webhook is None else find(call, "webhooks", webhook, "description")["id"]
    found = listed(call, "deliveries", limit=limit, webhook=known, state=state)
    call.out.rows(
        found,
        ("delivery", "state", "attempts", "status", "created", "next attempt", "reason"),
        (
            (
                one["id"],
                one["state"],
                one["attempts"],
                one["last_status"],
                when(one["created_at"]),
                when(one["next_attempt_at"]),
                one["reason"],
            )
            for one in found
        ),
        empty="There are no deliveries.",
    )


@command(app, options=WORKSPACE)
def show(call: Call, delivery: Delivery) -> None:
    """Show a delivery and its attempts."""
    found = call.native.get(*below(call, "deliveries", delivery))
    call.out.facts(found, ((name, value) for name, value in found.items() if name != "attempted"))
    if not call.out.as_json:
        attempts = found["attempted"]
        rows = ((one["number"], when(one["at"]), one["latency"], one["status"], one["error"]) for one in attempts)
        call.out.console.print(table(("attempt", "at", "took", "status", "error"), rows))


@command(app, options=WORKSPACE)
def replay(
    call: Call,
    delivery: Annotated[str | None, typer.Argument(help="Id of one delivery.")] = None,
    webhook: Annotated[str | None, typer.Option(help="Those of this one, its description or id; with --since.")] = None,
    since: Annotated[str | None, typer.Option(help="Those made since: 2h, 3d, 2026-03-01, or a date.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Those in this state; by default dead and stopped. Repeatable.")
    ] = None,
) -> None:
    """Send a delivery again, or all of a webhook since a moment."""
    if delivery is not None and webhook is None and since is None:
        again = call.native.post(*below(call, "deliveries", delivery, "replay"), body={})
        call.out.done(again, f"Sent again as {again['id']}.")
        return
    if delivery is not None or webhook is None or since is None:
        raise Problem("give the id of a delivery, or --webhook and --since", ExitCode.USAGE)
    known = find(call, "webhooks", webhook, "description")
    body = {"since": earlier("--since", since, call.now)} | ({"states": state} if state else {})
    done = call.native.post(*below(call, "webhooks", known["id"], "replay"), body=body)
    call.out.done(done, f"Sent {done['replayed']} again.")
