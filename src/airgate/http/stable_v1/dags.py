"""DAGs in v1: list, read, pause, delete; their tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.common import (
    NO_CONTENT_JSON,
    existing,
    marshmallow_fields,
    order,
    page,
    select,
)
from airgate.http.stable_v1.dag_views import (
    DAG_FIELDS,
    DETAIL_FIELDS,
    dag_view,
    details_view,
    task_view,
)
from airgate.http.stable_v1.files import file_token
from airgate.http.stable_v1.forms import Field, Form, need
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.dag import Dag, TaskSpec
from airgate.model.errors import Conflict
from airgate.model.query import DagFilter, Listing, Order

_READ_ONLY: Final = (
    "dag_id", "dag_display_name", "root_dag_id", "is_active", "is_subdag", "last_parsed_time", "last_pickled",
    "last_expired", "scheduler_lock", "pickle_id", "default_view", "fileloc", "file_token", "owners", "description",
    "timetable_description", "tags", "max_active_tasks", "max_active_runs", "has_task_concurrency_limits",
    "has_import_errors", "next_dagrun", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end",
    "next_dagrun_create_after", "max_consecutive_failed_dag_runs",
)  # fmt: skip
PATCH: Final = Form(
    *(Field(name, "string", read_only=True) for name in _READ_ONLY),
    Field("is_paused", "boolean", nullable=True),
)


async def list_dags(call: Call) -> dict[str, Any]:
    """GET /dags."""
    query = call.query
    window = page(call)
    ordered = order(query.order_by, "dag_id", {"dag_id": "dag_id"})
    marshmallow_fields(query.fields, DAG_FIELDS, "DAGSchema", "DAGCollectionSchema error")
    which = DagFilter(
        dag_ids=await visible.dag_ids(call),
        pattern=query.dag_id_pattern or None,
        tags=query.tags,
        only_active=query.only_active,
        paused=query.paused,
    )
    return _collection(call, await call.deployment.dags.list(which, ordered, window), query.fields)


def _collection(call: Call, listing: Listing[Dag], fields: tuple[str, ...] | None = None) -> dict[str, Any]:
    token = file_token(call)
    dags = [select(dag_view(dag, token), fields) for dag in listing.items]
    return {"dags": dags, "total_entries": listing.total}


async def patch_dags(call: Call) -> dict[str, Any]:
    """PATCH /dags: pause or unpause every DAG of a pattern."""
    query = call.query
    window = page(call)
    paused = _paused(call)
    which = DagFilter(
        dag_ids=await visible.dag_ids(call),
        pattern=None if query.dag_id_pattern == "~" else query.dag_id_pattern or None,
        tags=query.tags,
        only_active=query.only_active,
    )
    listing = await call.deployment.dags.list(which, Order("dag_id"), window)
    dag_ids = tuple(dag.dag_id for dag in listing.items)
    await call.deployment.dags.pause(dag_ids, paused=paused)
    changed = await call.deployment.dags.list(
        DagFilter(dag_ids=dag_ids, only_active=False), Order("dag_id"), page(call)
    )
    return _collection(call, Listing(changed.items, listing.total))


def _paused(call: Call) -> bool:
    """What the body says of pausing. Its absence is an error here, where Airflow breaks."""
    body = PATCH.load(call.body)
    mask = call.query.update_mask
    if mask and list(mask) != ["is_paused"]:
        raise bad_request("Only `is_paused` field can be updated through the REST API")
    return bool(need(body, "is_paused"))


async def find_dag(call: Call) -> Dag:
    """The DAG a path names. Raises the problem that reading operations answer with."""
    dag_id = call.params["dag_id"]
    detail = f"The DAG with dag_id: {dag_id} was not found"
    return await existing(call.deployment.dags.get(dag_id), lambda: not_found(detail, "DAG not found"))


async def get_dag(call: Call) -> Mapping[str, Any]:
    """GET /dags/{dag_id}."""
    dag = await find_dag(call)
    marshmallow_fields(call.query.fields, DAG_FIELDS, "DAGSchema", "DAGSchema init error")
    return select(dag_view(dag, file_token(call)), call.query.fields)


async def get_details(call: Call) -> Mapping[str, Any]:
    """GET /dags/{dag_id}/details."""
    dag = await find_dag(call)
    marshmallow_fields(call.query.fields, DETAIL_FIELDS, "DAGDetailSchema", "DAGDetailSchema init error")
    return select(details_view(dag, file_token(call)), call.query.fields)


def _to_change(dag_id: str) -> Problem:
    return not_found(title=f"Dag with id: '{dag_id}' not found")


async def patch_dag(call: Call) -> dict[str, Any]:
    """PATCH /dags/{dag_id}: pause or unpause."""
    dag_id = call.params["dag_id"]
    paused = _paused(call)
    dags = call.deployment.dags
    await existing(dags.get(dag_id), lambda: _to_change(dag_id))
    await dags.pause((dag_id,), paused=paused)
    return dag_view(await existing(dags.get(dag_id), lambda: _to_change(dag_id)), file_token(call))


async def delete_dag(call: Call) -> Reply:
    """DELETE /dags/{dag_id}."""
    dag_id = call.params["dag_id"]
    try:
        await existing(call.deployment.dags.delete(dag_id), lambda: _to_change(dag_id))
    except Conflict:
        raise Problem(409, f"Task instances of dag with id: '{dag_id}' are still running") from None
    return NO_CONTENT_JSON


async def list_tasks(call: Call) -> dict[str, Any]:
    """GET /dags/{dag_id}/tasks."""
    dag = await existing(call.deployment.dags.get(call.params["dag_id"]), lambda: not_found(title="DAG not found"))
    word: str = call.query.order_by
    name = word.lstrip("-")
    views = [task_view(task) for task in dag.spec.tasks]
    if name not in _TASK_ORDER:
        raise bad_request(f"'SerializedBaseOperator' object has no attribute '{name}'")
    views.sort(key=lambda view: _sort_key(view[name]), reverse=word.startswith("-"))
    return {"tasks": views, "total_entries": len(views)}


_TASK_ORDER: Final = frozenset(task_view(TaskSpec(task_id=""))) - {"class_ref", "params", "extra_links"}


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Nothing comes first; durations are ordered by their length."""
    if isinstance(value, dict):
        value = (value["days"], value["seconds"], value["microseconds"])
    return value is not None, value


async def get_task(call: Call) -> dict[str, Any]:
    """GET /dags/{dag_id}/tasks/{task_id}."""
    dag = await existing(call.deployment.dags.get(call.params["dag_id"]), lambda: not_found(title="DAG not found"))
    task = find_task(dag, call.params["task_id"])
    if task is None:
        raise not_found(title="Task not found")
    return task_view(task)


def find_task(dag: Dag, task_id: str) -> TaskSpec | None:
    """The task of that id in the DAG's newest version."""
    return next((task for task in dag.spec.tasks if task.task_id == task_id), None)
