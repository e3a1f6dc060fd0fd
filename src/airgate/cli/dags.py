"""`airgate dags`: see and pause DAGs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from airgate.cli.client import Call, command
from airgate.cli.output import table, when

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See and pause DAGs.")

DagId = Annotated[str, typer.Argument(help="Id of the DAG.", show_default=False)]
DagIds = Annotated[list[str], typer.Argument(help="Ids of DAGs.", show_default=False)]


@command(app, "list")
def list_(
    call: Call,
    pattern: Annotated[str | None, typer.Option(help="Only DAGs whose id contains this.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only DAGs with this tag (or one of these).")] = None,
    paused: Annotated[bool | None, typer.Option("--paused/--active", help="Only paused, or only active ones.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also DAGs whose file has vanished.")] = False,
) -> None:
    """List the DAGs."""
    found = list(
        call.api.everything(
            "dags",
            key="dags",
            dag_id_pattern=pattern,
            tags=",".join(tag) if tag else None,
            paused=None if paused is None else str(paused).lower(),
            only_active=str(not every).lower(),
        )
    )
    call.out.rows(
        found,
        ("DAG", "schedule", "paused", "next run", "tags", "state"),
        (
            (
                dag["dag_id"],
                _schedule(dag),
                dag["is_paused"],
                when(dag.get("next_dagrun_create_after")),
                ", ".join(tag["name"] for tag in dag.get("tags") or ()),
                _state(dag),
            )
            for dag in found
        ),
        empty="There are no such DAGs. `airgate dags errors` shows files that cannot be imported.",
    )


@command(app)
def show(call: Call, dag_id: DagId) -> None:
    """Show one DAG and its tasks."""
    dag = call.api.get("dags", dag_id, "details")
    tasks = call.api.get("dags", dag_id, "tasks")["tasks"]
    call.out.facts(
        {**dag, "tasks": tasks},
        [
            ("DAG", dag["dag_id"]),
            ("description", dag.get("description")),
            ("file", dag.get("fileloc")),
            ("schedule", _schedule(dag)),
            ("next run", when(dag.get("next_dagrun_create_after"))),
            ("paused", dag["is_paused"]),
            ("state", _state(dag)),
            ("owners", ", ".join(dag.get("owners") or ())),
            ("tags", ", ".join(tag["name"] for tag in dag.get("tags") or ())),
            ("params", {name: param.get("value") for name, param in (dag.get("params") or {}).items()}),
        ],
    )
    if not call.out.as_json:
        call.out.text("")
        call.out.console.print(
            table(
                ("task", "operator", "trigger rule", "then"),
                (
                    (
                        task["task_id"],
                        task.get("operator_name") or (task.get("class_ref") or {}).get("class_name"),
                        task.get("trigger_rule"),
                        ", ".join(task.get("downstream_task_ids") or ()),
                    )
                    for task in tasks
                ),
            )
        )


@command(app)
def pause(call: Call, dag_ids: DagIds) -> None:
    """Pause DAGs: nothing is scheduled, and triggered runs stay queued. Running ones go on."""
    _set_paused(call, dag_ids, paused=True)


@command(app)
def unpause(call: Call, dag_ids: DagIds) -> None:
    """Unpause DAGs."""
    _set_paused(call, dag_ids, paused=False)


@command(app)
def errors(call: Call) -> None:
    """Show the files that cannot be imported, and why."""
    found = list(call.api.everything("importErrors", key="import_errors"))
    if call.out.as_json:
        call.out.json(found)
        return
    for failure in found:
        call.out.console.print(f"{failure['filename']} ({failure['timestamp']})", style="bold red")
        call.out.text(failure["stack_trace"] + "\n")
    if not found:
        call.out.remark("Every DAG file can be imported.")


def _set_paused(call: Call, dag_ids: list[str], *, paused: bool) -> None:
    changed = [call.api.patch("dags", dag_id, body={"is_paused": paused}) for dag_id in dag_ids]
    call.out.done(changed, f"{'Paused' if paused else 'Unpaused'} {', '.join(dag_ids)}.")


def _schedule(dag: dict[str, Any]) -> str | None:
    """The schedule as its author wrote it, as far as the dialect tells."""
    schedule = dag.get("schedule_interval")
    if not isinstance(schedule, dict):
        return None
    if schedule.get("__type") == "CronExpression":
        return str(schedule["value"])
    return str(dag.get("timetable_description") or schedule.get("__type"))


def _state(dag: dict[str, Any]) -> str:
    if dag.get("has_import_errors"):
        return "import error"
    return "ok" if dag.get("is_active", True) else "file is gone"
