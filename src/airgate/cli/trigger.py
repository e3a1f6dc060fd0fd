"""`airgate trigger`: start a run of a DAG."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

import typer

from airgate.cli import watch
from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem

app = typer.Typer(add_completion=False)


@command(app)
def trigger(
    call: Call,
    dag_id: Annotated[str, typer.Argument(help="Id of the DAG.", show_default=False)],
    conf: Annotated[str | None, typer.Option(help="The run's conf, a JSON object.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the run; by default one is made from the date.")] = None,
    logical_date: Annotated[
        str | None, typer.Option(help="Logical date with offset, such as 2026-01-31T00:00:00Z; by default now.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="A note kept with the run.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the run until it ends; fail if it fails.")] = False,
) -> None:
    """Start a run of a DAG.

    The request is safe to repeat: should the connection break, it is sent again and still makes one run.
    """
    body: dict[str, Any] = {"dag_run_id": run_id, "logical_date": logical_date, "note": note}
    body = {name: value for name, value in body.items() if value is not None}
    if conf is not None:
        body["conf"] = _object(conf)
    started = call.api.post(
        "dags", dag_id, "dagRuns", body=body, headers={"Idempotency-Key": f"cli-{secrets.token_hex(16)}"}
    )
    if not wait:
        call.out.done(started, f"Started {dag_id}, run {started['dag_run_id']} ({started['state']}).")
        return
    run, tasks = watch.show(call.api, call.out, dag_id, started["dag_run_id"])
    if call.out.as_json:
        call.out.json({**run, "task_instances": tasks})
    if run["state"] != "success":
        raise typer.Exit(ExitCode.FAILED)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Problem(f"--conf is not JSON: {error}", ExitCode.USAGE) from error
    if not isinstance(value, dict):
        raise Problem('--conf must be a JSON object, such as \'{"name": "value"}\'', ExitCode.USAGE)
    return value
