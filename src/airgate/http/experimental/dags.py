"""DAGs in the experimental dialect: source, pausing, and being forgotten."""

from __future__ import annotations

from typing import Any, Final

from airgate.http import visible
from airgate.http.experimental.errors import Refusal
from airgate.http.experimental.requests import find_active_dag, find_dag
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.errors import NotFound
from airgate.model.query import Order, Page, RunFilter, TaskFilter

_INERT: Final = ((b"content-security-policy", b"default-src 'none'; sandbox"), (b"x-content-type-options", b"nosniff"))
"""The dialect calls source HTML. A browser that believes it shall at least not run it."""


async def get_code(call: Call) -> Reply:
    """GET /dags/{dag_id}/code: the text of the DAG's file, for who may read every DAG in it."""
    dag = await find_active_dag(call)
    await visible.require_file(call, dag.file)
    try:
        text = await call.deployment.dags.source(dag.file)
    except NotFound:
        raise Refusal(404, f"The source of Dag id {dag.dag_id} is not there any more") from None
    return Reply(body=text.encode(), media_type="text/html; charset=utf-8", headers=_INERT)


async def get_paused(call: Call) -> dict[str, bool]:
    """GET /dags/{dag_id}/paused."""
    return {"is_paused": (await find_dag(call)).is_paused}


async def set_paused(call: Call) -> dict[str, str]:
    """GET /dags/{dag_id}/paused/{paused}: ``true`` pauses, any other word unpauses. A GET that writes."""
    dag = await find_dag(call)
    await call.deployment.dags.pause([dag.dag_id], paused=call.params["paused"] == "true")
    return {"response": "ok"}


async def delete_dag(call: Call) -> dict[str, Any]:
    """DELETE /dags/{dag_id}: forget it and its history. Counted are the DAG, its runs and its task instances."""
    dag_id = call.params["dag_id"]
    runs = await call.deployment.runs.list(RunFilter(dag_ids=(dag_id,)), Order("seq"), Page(1))
    instances = await call.deployment.tasks.list(TaskFilter(dag_ids=(dag_id,)), Order("dag_id"), Page(1))
    try:
        await call.deployment.dags.delete(dag_id)
    except NotFound:
        raise Refusal(404, f"Dag id {dag_id} not found") from None
    count = 1 + runs.total + instances.total
    return {"count": count, "message": f"Removed {count} record(s)"}
