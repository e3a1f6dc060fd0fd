"""Tasks and task instances in the experimental dialect."""

from __future__ import annotations

from typing import Any

from airgate.http.experimental.errors import Refusal
from airgate.http.experimental.requests import find_active_dag, find_run, find_task, path_date
from airgate.http.experimental.views import instance_dump, task_dump
from airgate.http.operations import Call
from airgate.model.query import Order, Page, TaskFilter


async def get_task(call: Call) -> dict[str, str]:
    """GET /dags/{dag_id}/tasks/{task_id}."""
    return task_dump(await find_task(call))


async def get_instance(call: Call) -> dict[str, str]:
    """GET /dags/{dag_id}/dag_runs/{execution_date}/tasks/{task_id}; of a mapped task, its first instance."""
    date = path_date(call)
    task = await find_task(call)
    run = await find_run(call, date)
    which = TaskFilter(dag_ids=(run.dag_id,), run_ids=(run.run_id,), task_ids=(task.task_id,))
    found = await call.deployment.tasks.list(which, Order("map_index"), Page(1))
    if not found.items:
        raise Refusal(404, f"Task {task.task_id} instance for date {date.isoformat()} not found")
    return instance_dump(found.items[0], run.execution_date)


async def lineage(call: Call) -> dict[str, Any]:
    """GET /lineage/{dag_id}/{execution_date}: what the tasks of a run read and write, as far as the DAG declares it."""
    date = path_date(call)
    dag = await find_active_dag(call)
    await find_run(call, date)
    declared = {
        task.task_id: {"inlets": list(task.inlets), "outlets": list(task.outlets)}
        for task in dag.spec.tasks
        if task.inlets or task.outlets
    }
    return {"task_ids": declared}
