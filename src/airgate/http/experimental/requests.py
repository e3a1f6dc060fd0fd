"""What the handlers read: bodies whatever their Content-Type, and what a path names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airgate.http.experimental.dates import read_date
from airgate.http.experimental.errors import Refusal, bad_request, no_dag
from airgate.http.json_input import BadJson, read_json
from airgate.http.operations import Call
from airgate.model.dag import Dag, TaskSpec
from airgate.model.errors import NotFound
from airgate.model.query import RunSearch
from airgate.model.run import DagRun


def json_object(call: Call) -> dict[str, Any]:
    """The body. Raises Refusal where it is no JSON object."""
    if not call.raw_body:
        raise bad_request("The request has no body; it must be a JSON object, be it {}")
    try:
        body = read_json(call.raw_body)
    except BadJson as error:
        raise bad_request(f"The request body cannot be read: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object")
    return body


async def find_dag(call: Call) -> Dag:
    """The DAG a path names, whether or not its file is still there. Raises Refusal (404)."""
    dag_id = call.params["dag_id"]
    try:
        return await call.deployment.dags.get(dag_id)
    except NotFound:
        raise no_dag(dag_id) from None


async def find_active_dag(call: Call) -> Dag:
    """The DAG a path names, if its file still defines it. Raises Refusal (404), with a text of its own if not."""
    dag = await find_dag(call)
    if not dag.is_active:
        raise Refusal(404, f"Dag id {dag.dag_id} not found")
    return dag


async def find_task(call: Call) -> TaskSpec:
    """The task a path names, as its DAG is now. Raises Refusal (404)."""
    dag = await find_active_dag(call)
    task_id = call.params["task_id"]
    for task in dag.spec.tasks:
        if task.task_id == task_id:
            return task
    raise Refusal(404, f"Task {task_id} not found in dag {dag.dag_id}")


def path_date(call: Call) -> datetime:
    """The date in a path, with the offset it was written with. Raises Refusal (400)."""
    return read_date(call.params["execution_date"], call.services.clock())


async def run_at(call: Call, dag_id: str, date: datetime) -> DagRun | None:
    """The run of exactly this date; of several without a logical date, the first."""
    moment = date.astimezone(UTC)
    which = RunSearch(dag_ids=(dag_id,), after=(moment, -1))
    found = await call.deployment.runs.search(which, 1)
    return found[0] if found and found[0].execution_date == moment else None


async def find_run(call: Call, date: datetime) -> DagRun:
    """The run a path names by its date. Raises Refusal (404)."""
    dag_id = call.params["dag_id"]
    run = await run_at(call, dag_id, date)
    if run is None:
        raise Refusal(404, f"Dag Run for date {date.isoformat()} not found in dag {dag_id}")
    return run
