"""Following one run to its end, and showing it while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from airgate.cli.api import Api
from airgate.cli.output import STATE_STYLES, Output, table

FINISHED: Final = frozenset({"success", "failed"})
_SHORTEST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0

Snapshot = tuple[dict[str, Any], list[dict[str, Any]]]
"""A run and its task instances."""


def follow(api: Api, dag_id: str, run_id: str, seen: Callable[[Snapshot], None]) -> Snapshot:
    """Look at a run until it has ended, telling `seen` each time. Gives the run as it ended.

    A run that is over soon is looked at often, one that takes long is looked at once a second.
    """
    pause = _SHORTEST_PAUSE
    while True:
        run = api.get("dags", dag_id, "dagRuns", run_id)
        snapshot = (run, tasks_of(api, dag_id, run_id))
        seen(snapshot)
        if run["state"] in FINISHED:
            return snapshot
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.3)


def tasks_of(api: Api, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """The task instances of a run; those that started come first, in that order."""
    found = list(api.everything("dags", dag_id, "dagRuns", run_id, "taskInstances", key="task_instances"))
    return sorted(found, key=lambda task: (task["start_date"] is None, task["start_date"] or ""))


def show(api: Api, out: Output, dag_id: str, run_id: str) -> Snapshot:
    """Follow a run, with a table of its tasks on the terminal; without a terminal, a line for each change."""
    if out.as_json:
        return follow(api, dag_id, run_id, lambda _: None)
    if not out.console.is_terminal:
        return follow(api, dag_id, run_id, _lines(out))
    with Live(console=out.console, refresh_per_second=12) as live:
        return follow(api, dag_id, run_id, lambda snapshot: live.update(_drawn(snapshot)))


def _lines(out: Output) -> Callable[[Snapshot], None]:
    told: dict[str, str | None] = {}

    def tell(snapshot: Snapshot) -> None:
        run, tasks = snapshot
        for name, state in [*((name_of(task), task["state"]) for task in tasks), ("run", run["state"])]:
            if state is not None and told.get(name) != state:
                told[name] = state
                out.text(f"{name}: {state}")

    return tell


def _drawn(snapshot: Snapshot) -> Group:
    run, tasks = snapshot
    rows = [
        (name_of(task), task["state"], task["try_number"] or None, task["duration"], task["operator"]) for task in tasks
    ]
    head = Text.assemble(
        (f"{run['dag_id']} ", "bold"), run["dag_run_id"], " ", (run["state"], STATE_STYLES.get(run["state"], ""))
    )
    drawn = table(("task", "state", "try", "took", "operator"), rows)
    return Group(head, drawn) if run["state"] in FINISHED else Group(Spinner("dots", head), drawn)


def name_of(task: dict[str, Any]) -> str:
    """A task instance's name: its task's id, and its index where the task is mapped."""
    index = task.get("map_index", -1)
    return str(task["task_id"]) if index is None or index < 0 else f"{task['task_id']}[{index}]"
