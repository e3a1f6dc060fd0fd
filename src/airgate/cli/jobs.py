"""`airgate jobs`: DAGs and what reports from outside, started, reported, and looked back on."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any, Final

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import when
from airgate.cli.register import Option, option
from airgate.cli.workspace_options import WORKSPACE, Limit, below, changes, delete_all, find, json_of, listed

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See, start and register jobs, and report what external ones do."
)

Job = Annotated[str, typer.Argument(help="Name or id of the job.", show_default=False)]

_POLL_SECONDS: Final = 0.5
_PLACE: Final = (
    option("connection_id", typer.Option("--connection-id", help="Id of its connection.")),
    option("connection_name", typer.Option("--connection-name", help="Name of its connection.")),
    option("schema_name", typer.Option("--schema", help="Schema that it writes.")),
    option("table_name", typer.Option("--table", help="Table that it writes.")),
)
_TOLD: Final[tuple[Option, ...]] = (
    option("execution_id", typer.Option("--execution", help="Id of the execution; without it, a new one.")),
    option("schema_name", typer.Option("--schema", help="Schema that was written.")),
    option("table_name", typer.Option("--table", help="Table that was written.")),
    option("rows", typer.Option("--rows", min=0, help="Rows that were moved."), int),
    option("columns", typer.Option("--columns", min=0, help="Columns that were moved."), int),
    option("error", typer.Option("--error", help="What went wrong.")),
    option("started_at", typer.Option("--started-at", help="When it began, with an offset; by default now.")),
    option("ended_at", typer.Option("--ended-at", help="When it ended, with an offset; by default now.")),
)


@command(app, "list", options=WORKSPACE)
def list_(
    call: Call,
    name: Annotated[str | None, typer.Option(help="Only those with this in their name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only these: dag or external.")] = None,
) -> None:
    """List the jobs of a workspace: its DAGs, and those that were registered."""
    found = listed(call, "jobs", name=name, kind=kind)
    call.out.rows(
        found,
        ("job", "kind", "deployment", "active", "id"),
        ((one["name"], one["kind"], one["deployment"], one["is_active"], one["id"]) for one in found),
        empty="There are no jobs.",
    )


@command(app, options=WORKSPACE)
def run(
    call: Call,
    job: Job,
    conf: Annotated[str | None, typer.Option(help="The run's conf, a JSON object.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; fail if it fails.")] = False,
) -> None:
    """Start the job of a DAG. The request is safe to repeat: one command makes one run."""
    known = find(call, "jobs", job)
    body = {} if conf is None else {"conf": json_of("--conf", conf)}
    headers = {"Idempotency-Key": f"cli-{secrets.token_hex(16)}"}
    started = call.native.post(*below(call, "jobs", known["id"], "run"), body=body, headers=headers)
    if not wait:
        call.out.done(started, f"Started {known['name']}, execution {started['execution_id']}.")
        return
    ended = _ended(call, known["id"], started)
    call.out.done(ended, f"{known['name']}: {ended['status']}.")
    if ended["status"] != "FINISHED":
        raise typer.Exit(ExitCode.FAILED)


def _ended(call: Call, job_id: str, started: dict[str, Any]) -> dict[str, Any]:
    """The execution once it has ended: until then the server does not show it by itself."""
    while True:
        try:
            found: dict[str, Any] = call.native.get(*below(call, "jobs", job_id, "executions", started["execution_id"]))
        except Problem as problem:
            if problem.code is not ExitCode.NOT_FOUND:
                raise
        else:
            if found["status"] != "RUNNING":
                return found
        time.sleep(_POLL_SECONDS)


@command(app, options=(*_PLACE, *WORKSPACE))
def register(call: Call, name: Annotated[str, typer.Argument(help="Its name.", show_default=False)]) -> None:
    """Register an external job, which will report its executions."""
    place = {field.name: call.given[field.name] for field in _PLACE}
    made = call.native.post(*below(call, "jobs"), body=changes(name=name, **place))
    call.out.done(made, f"Registered {name}: {made['id']}.")


@command(app, options=WORKSPACE)
def delete(call: Call, jobs: Annotated[list[str], typer.Argument(help="Names or ids.", show_default=False)]) -> None:
    """Forget external jobs."""
    delete_all(call, "jobs", jobs)


@command(app, options=(*_TOLD, *WORKSPACE))
def report(
    call: Call,
    job: Job,
    status: Annotated[str, typer.Option(help="RUNNING, FINISHED, FAILED or CANCELLED.")] = "FINISHED",
) -> None:
    """Report an execution of an external job."""
    known = find(call, "jobs", job)
    told = {field.name: call.given[field.name] for field in _TOLD}
    body = changes(status=status.upper(), **told)
    kept = call.native.post(*below(call, "jobs", known["id"], "executions"), body=body)
    call.out.done(kept, f"Reported {known['name']}: {kept['status']}, execution {kept['execution_id']}.")


@command(app, options=WORKSPACE)
def executions(
    call: Call,
    job: Annotated[str | None, typer.Argument(help="Name or id of the job; without it, all jobs.")] = None,
    status: Annotated[str | None, typer.Option(help="Only these: RUNNING, FINISHED, FAILED or CANCELLED.")] = None,
    limit: Limit = 25,
) -> None:
    """List executions, newest first."""
    known = None if job is None else find(call, "jobs", job)["id"]
    wanted = None if status is None else status.upper()
    found = listed(call, "executions", limit=limit, job=known, status=wanted)
    call.out.rows(
        found,
        ("execution", "job", "status", "started", "ended", "table", "rows"),
        (
            (
                one["execution_id"],
                (one["run"] or {}).get("dag_id") or one["job_id"],
                one["status"],
                when(one["started_at"]),
                when(one["ended_at"]),
                one["table_name"],
                one["rows"],
            )
            for one in found
        ),
        empty="There are no executions.",
    )
