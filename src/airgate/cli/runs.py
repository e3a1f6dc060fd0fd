"""`airgate runs`: see, stop and repeat DAG runs, and read their logs."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from airgate.cli import watch
from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.follow import Chosen, Follower
from airgate.cli.output import table, when

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See, stop and repeat DAG runs, and read their logs."
)

DagId = Annotated[str, typer.Argument(help="Id of the DAG.", show_default=False)]
RunId = Annotated[str | None, typer.Argument(help="Id of the run; by default the newest.", show_default=False)]


@command(app, "list")
def list_(
    call: Call,
    dag_id: Annotated[str, typer.Argument(help="Id of the DAG; by default all.", show_default=False)] = "~",
    state: Annotated[list[str] | None, typer.Option(help="Only runs in this state (or one of these).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 25,
) -> None:
    """List runs, newest first."""
    found = call.api.get("dags", dag_id, "dagRuns", order_by="-id", limit=limit, state=state)["dag_runs"]
    call.out.rows(
        found,
        ("DAG", "run", "state", "type", "started", "took"),
        (
            (run["dag_id"], run["dag_run_id"], run["state"], run.get("run_type"), when(run["start_date"]), took(run))
            for run in found
        ),
        empty="There are no such runs.",
    )


@command(app)
def show(call: Call, dag_id: DagId, run_id: RunId = None) -> None:
    """Show one run and its tasks."""
    run = _find(call, dag_id, run_id)
    tasks = watch.tasks_of(call.api, dag_id, run["dag_run_id"])
    call.out.facts(
        {**run, "task_instances": tasks},
        [
            ("DAG", run["dag_id"]),
            ("run", run["dag_run_id"]),
            ("state", run["state"]),
            ("type", run.get("run_type")),
            ("logical date", run.get("logical_date") or run.get("execution_date")),
            ("started", when(run["start_date"])),
            ("ended", when(run["end_date"])),
            ("took", took(run)),
            ("conf", run.get("conf")),
            ("note", run.get("note")),
        ],
    )
    if not call.out.as_json:
        call.out.text("")
        call.out.console.print(
            table(
                ("task", "state", "try", "took", "operator"),
                ((watch.name_of(task), *(task[key] for key in _TASK_COLUMNS)) for task in tasks),
            )
        )


_TASK_COLUMNS = ("state", "try_number", "duration", "operator")


@command(app)
def logs(
    call: Call,
    dag_id: DagId,
    run_id: RunId = None,
    task: Annotated[str | None, typer.Option(help="Only this task; by default all that have run.")] = None,
    try_number: Annotated[int | None, typer.Option("--try", min=1, help="Which try; by default the newest.")] = None,
    map_index: Annotated[int | None, typer.Option(min=0, help="Which instance of a mapped task.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print what comes, until the run ends.")] = False,
) -> None:
    """Print the logs of a run's tasks."""
    run = _find(call, dag_id, run_id)

    def is_chosen(instance: dict[str, Any]) -> bool:
        return task in (None, instance["task_id"]) and map_index in (None, instance.get("map_index"))

    if follow:
        if call.out.as_json or try_number is not None:
            raise Problem("--follow prints the text of all tries: not with --json or --try", ExitCode.USAGE)
        _follow(call, run, is_chosen)
        return
    chosen = [one for one in watch.tasks_of(call.api, dag_id, run["dag_run_id"]) if is_chosen(one)]
    if task is not None and not chosen:
        raise Problem(f"run {run['dag_run_id']} of {dag_id} has no task {task}", ExitCode.NOT_FOUND)
    read = [_log(call, instance, try_number) for instance in chosen if instance["try_number"]]
    if call.out.as_json:
        call.out.json(read)
        return
    for log in read:
        if len(read) > 1:
            call.out.console.print(f"── {log['task']} · try {log['try_number']} · {log['state']}", style="bold")
        call.out.text(log["content"])
    if not read:
        call.out.remark("No task has run yet.")


@command(app)
def cancel(call: Call, dag_id: DagId, run_id: RunId = None) -> None:
    """Stop a run: its running tasks are ended, and it is marked failed."""
    run = _find(call, dag_id, run_id)
    if run["state"] in watch.FINISHED:
        raise Problem(f"run {run['dag_run_id']} of {dag_id} has ended already ({run['state']})", ExitCode.CONFLICT)
    stopped = call.api.patch("dags", dag_id, "dagRuns", run["dag_run_id"], body={"state": "failed"})
    call.out.done(stopped, f"Stopped {dag_id}, run {run['dag_run_id']}.")


@command(app)
def clear(
    call: Call,
    dag_id: DagId,
    run_id: RunId = None,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Keep the tasks that succeeded.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run again.")] = False,
) -> None:
    """Run a run again: its tasks are cleared, and their earlier tries kept."""
    run = _find(call, dag_id, run_id)
    body = {
        "dry_run": dry_run,
        "dag_run_id": run["dag_run_id"],
        "only_failed": only_failed,
        "only_running": False,
        "reset_dag_runs": True,
    }
    cleared = call.api.post("dags", dag_id, "clearTaskInstances", body=body)["task_instances"]
    names = ", ".join(instance["task_id"] for instance in cleared) or "nothing"
    call.out.done(cleared, f"{'Would clear' if dry_run else 'Cleared'} {names} of run {run['dag_run_id']}.")


def _find(call: Call, dag_id: str, run_id: str | None) -> dict[str, Any]:
    """The run that was named, or the DAG's newest."""
    if run_id is not None:
        found: dict[str, Any] = call.api.get("dags", dag_id, "dagRuns", run_id)
        return found
    newest: list[dict[str, Any]] = call.api.get("dags", dag_id, "dagRuns", order_by="-id", limit=1)["dag_runs"]
    if not newest:
        call.api.get("dags", dag_id)  # tells an unknown DAG from one without runs
        raise Problem(f"{dag_id} has no runs yet", ExitCode.NOT_FOUND)
    return newest[0]


def _follow(call: Call, run: dict[str, Any], is_chosen: Chosen) -> None:
    """Print logs as they come, with a line wherever they go on with those of another task or try."""
    last: list[tuple[str, int]] = []

    def tell(instance: dict[str, Any], number: int, text: str) -> None:
        source = (watch.name_of(instance), number)
        if last[-1:] != [source]:
            call.out.console.print(f"── {source[0]} · try {number}", style="bold")
            last[:] = [source]
        call.out.text(text)
        sys.stdout.flush()

    ended = Follower(call.api, run["dag_id"], run["dag_run_id"], tell).follow(is_chosen)
    call.out.remark(f"Run {ended['dag_run_id']} of {ended['dag_id']} has ended: {ended['state']}.")


def _log(call: Call, instance: dict[str, Any], try_number: int | None) -> dict[str, Any]:
    number = try_number or instance["try_number"]
    index = instance.get("map_index", -1)
    run = ("dags", instance["dag_id"], "dagRuns", instance["dag_run_id"])
    content = call.api.text(
        *run,
        "taskInstances",
        instance["task_id"],
        "logs",
        str(number),
        full_content="true",
        map_index=index if index is not None and index >= 0 else None,
    )
    return {
        "task": watch.name_of(instance),
        "try_number": number,
        "state": instance["state"],
        "content": content,
    }


def took(run: dict[str, Any]) -> float | None:
    """Seconds from start to end of a run; None before it has ended."""
    if not run["start_date"] or not run["end_date"]:
        return None
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()
