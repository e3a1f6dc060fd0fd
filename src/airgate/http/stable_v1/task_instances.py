"""Task instances in v1: list, read, mark, clear, annotate; their tries, links and dependencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from airgate.deployments.ports import ClearRequest, Deployment, SetStateRequest
from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.stable_v1.common import existing, one_or_all, page, shown_dags, span
from airgate.http.stable_v1.dags import find_task
from airgate.http.stable_v1.forms import Field, Form, schema_problem
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.http.stable_v1.views import instance_view, reference_view, try_view
from airgate.model.dag import Dag
from airgate.model.errors import NotFound
from airgate.model.query import Listing, NumberSpan, Order, Page, RunFilter, TaskFilter
from airgate.model.run import TaskInstance, XCom
from airgate.model.states import TaskState

MAPPED_TASK: Final = "Task instance is mapped, add the map_index value to the URL"
_MAPPED_ORDER: Final = ("state", "duration", "start_date", "end_date", "map_index")
_STATES: Final = (
    None, "success", "running", "failed", "upstream_failed", "skipped", "up_for_retry", "up_for_reschedule", "queued",
    "none", "scheduled", "deferred", "removed", "restarting",
)  # fmt: skip


def _is_state(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        return f"{value!r} is not of type 'string'"
    return None if value in _STATES else f"{value!r} is not one of {list(_STATES)!r}"


_NEW_STATE: Final = Field("new_state", "string", choices=("success", "failed", "skipped"), required=True)

STATE: Final = Form(Field("dry_run", "boolean"), _NEW_STATE)
NOTE: Final = Form(Field("map_index", "integer"), Field("note", "string", none=True, demanded=True, longest=1000))
STATES: Final = Form(
    Field("dry_run", "boolean"),
    Field("task_id", "string", required=True),
    Field("execution_date", "datetime"),
    Field("dag_run_id", "string"),
    Field("include_upstream", "boolean", required=True),
    Field("include_downstream", "boolean", required=True),
    Field("include_future", "boolean", required=True),
    Field("include_past", "boolean", required=True),
    _NEW_STATE,
)
CLEAR: Final = Form(
    Field("dry_run", "boolean"),
    Field("start_date", "datetime"),
    Field("end_date", "datetime"),
    Field("only_failed", "boolean"),
    Field("only_running", "boolean"),
    Field("include_subdags", "boolean"),
    Field("include_parentdag", "boolean"),
    Field("reset_dag_runs", "boolean"),
    Field("task_ids", "array", nonempty=True),
    Field("dag_run_id", "string", nullable=True),
    Field("include_upstream", "boolean"),
    Field("include_downstream", "boolean"),
    Field("include_future", "boolean"),
    Field("include_past", "boolean"),
)
BATCH: Final = Form(
    Field("page_offset", "integer", minimum=0),
    Field("page_limit", "integer", minimum=1),
    Field("dag_ids", "array"),
    Field("dag_run_ids", "array"),
    Field("task_ids", "array"),
    *(
        Field(f"{noun}_{bound}", "date-time")
        for noun in ("execution_date", "start_date", "end_date")
        for bound in ("gte", "lte")
    ),
    Field("duration_gte", "number"),
    Field("duration_lte", "number"),
    Field("state", "array", items=_is_state),
    Field("pool", "array"),
    Field("queue", "array"),
    Field("executor", "array"),
)


async def list_instances(call: Call) -> dict[str, Any]:
    """GET …/taskInstances. A DAG or run nobody knows has none."""
    which = replace(
        _bounds(partial(getattr, call.query)),
        dag_ids=await shown_dags(call),
        run_ids=one_or_all(call.params["dag_run_id"]),
    )
    return await _collection(call, await call.deployment.tasks.list(which, Order("dag_id"), page(call)))


async def list_batch(call: Call) -> dict[str, Any]:
    """POST /dags/~/dagRuns/~/taskInstances/list."""
    form = BATCH.load(call.body)
    which = replace(
        _bounds(form.get),
        dag_ids=await visible.dag_ids(call, form.get("dag_ids") or None),
        run_ids=_given(form.get("dag_run_ids")),
        task_ids=_given(form.get("task_ids")),
    )
    window = Page(form.get("page_limit", call.services.page_limit), form.get("page_offset", 0))
    return await _collection(call, await call.deployment.tasks.list(which, Order("dag_id"), window))


async def list_mapped(call: Call) -> dict[str, Any]:
    """GET …/taskInstances/{task_id}/listMapped."""
    dag_id, run_id, task_id = _key(call)
    tasks = call.deployment.tasks
    own = TaskFilter(dag_ids=(dag_id,), run_ids=(run_id,), task_ids=(task_id,))
    newest = await tasks.list(own, Order("map_index", descending=True), Page(1))
    if not any(instance.map_index >= 0 for instance in newest.items):
        await _expect_mapped(call.deployment, dag_id, task_id)
    word: str = call.query.order_by or "map_index"
    if word.lstrip("-") not in _MAPPED_ORDER:
        raise bad_request(f"Ordering with '{word}' is not supported")
    which = replace(
        _bounds(partial(getattr, call.query)), dag_ids=own.dag_ids, run_ids=own.run_ids, task_ids=own.task_ids
    )
    ordered = Order(word.lstrip("-"), descending=word.startswith("-"))
    return await _collection(call, await tasks.list(which, ordered, page(call)))


async def _expect_mapped(deployment: Deployment, dag_id: str, task_id: str) -> None:
    dag = await existing(deployment.dags.get(dag_id), lambda: not_found(title=f"DAG {dag_id} not found"))
    task = find_task(dag, task_id)
    if task is None:
        raise not_found(title=f"Task id {task_id} not found")
    if not task.mapped:
        raise not_found(title=f"Task id {task_id} is not mapped")


def _bounds(value: Callable[[str], Any]) -> TaskFilter:
    """The bounds that a query string and a batch body share, read by name."""
    return TaskFilter(
        states=_states(value("state")),
        pools=_given(value("pool")),
        queues=_given(value("queue")),
        executors=_given(value("executor")),
        execution_date=span(value("execution_date_gte"), value("execution_date_lte")),
        start_date=span(value("start_date_gte"), value("start_date_lte")),
        end_date=span(value("end_date_gte"), value("end_date_lte")),
        updated_at=span(value("updated_at_gte"), value("updated_at_lte")),
        duration=NumberSpan(value("duration_gte"), value("duration_lte")),
    )


def _given(words: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(words)


def _states(words: Iterable[str | None] | None) -> tuple[TaskState | None, ...] | None:
    """States by their words; ``none`` and null are those of no state. An unknown word is the client's mistake."""
    if not words:
        return None
    return tuple(None if word in (None, "none") else _state(str(word)) for word in words)


def _state(word: str) -> TaskState:
    verdict = _is_state(word)
    if verdict is not None:
        raise bad_request(verdict)
    return TaskState(word)


async def _collection(call: Call, listing: Listing[TaskInstance]) -> dict[str, Any]:
    dates = await execution_dates(call.deployment, listing.items)
    views = [instance_view(item, dates.get((item.dag_id, item.run_id))) for item in listing.items]
    return {"task_instances": views, "total_entries": listing.total}


async def execution_dates(
    deployment: Deployment, items: Sequence[TaskInstance | XCom]
) -> dict[tuple[str, str], datetime]:
    """The dates of the items' runs, by DAG id and run id."""
    keys = {(item.dag_id, item.run_id) for item in items}
    if not keys:
        return {}
    which = RunFilter(
        dag_ids=tuple(sorted({dag_id for dag_id, _ in keys})), run_ids=tuple(sorted({run_id for _, run_id in keys}))
    )
    found = await deployment.runs.list(which, Order("seq"), Page(len(keys) * len(which.dag_ids or ())))
    return {(run.dag_id, run.run_id): run.execution_date for run in found.items}


def _key(call: Call) -> tuple[str, str, str]:
    return call.params["dag_id"], call.params["dag_run_id"], call.params["task_id"]


async def find_instance(call: Call, problem: Callable[[], Problem]) -> TaskInstance:
    """The instance a path names; of a mapped task the path names one by its index, or else is wrong."""
    dag_id, run_id, task_id = _key(call)
    map_index = call.params.get("map_index", -1)
    tasks = call.deployment.tasks
    if map_index >= 0:
        return await existing(tasks.get(dag_id, run_id, task_id, map_index), problem)
    which = TaskFilter(dag_ids=(dag_id,), run_ids=(run_id,), task_ids=(task_id,))
    found = await tasks.list(which, Order("map_index"), Page(1))
    if not found.items:
        raise problem()
    if found.items[0].map_index != -1:
        raise not_found(MAPPED_TASK, "Task instance not found")
    return found.items[0]


async def get_instance(call: Call) -> dict[str, Any]:
    """GET …/taskInstances/{task_id}[/{map_index}]."""
    instance = await find_instance(call, lambda: not_found(title="Task instance not found"))
    return instance_view(instance, await _date(call, instance))


async def _date(call: Call, instance: TaskInstance) -> datetime | None:
    return (await execution_dates(call.deployment, (instance,))).get((instance.dag_id, instance.run_id))


async def set_state(call: Call) -> dict[str, Any]:
    """PATCH …/taskInstances/{task_id}[/{map_index}]. A dry run names the instance; a real one answers ``{}``."""
    form = STATE.load(call.body)
    dag_id, run_id, task_id = _key(call)
    map_index = call.params.get("map_index", -1)
    await _known_task(call, dag_id, task_id)
    detail = f"Task instance not found for task {task_id!r} on DAG run with ID {run_id!r}"
    instance = await existing(call.deployment.tasks.get(dag_id, run_id, task_id, map_index), lambda: not_found(detail))
    if form.get("dry_run", True):
        return reference_view(instance, await _date(call, instance))
    request = SetStateRequest(
        task_id=task_id,
        run_id=run_id,
        map_indexes=(map_index,),
        state=TaskState(form["new_state"]),
        dry_run=False,
    )
    await call.deployment.tasks.set_state(dag_id, request)
    return {}


async def _known_task(call: Call, dag_id: str, task_id: str) -> None:
    dag = await existing(
        call.deployment.dags.get(dag_id), lambda: not_found(f"DAG {dag_id!r} not found", "DAG not found")
    )
    if find_task(dag, task_id) is None:
        raise not_found(f"Task {task_id!r} not found in DAG {dag_id!r}", "Task not found")


async def set_note(call: Call) -> dict[str, Any]:
    """PATCH …/taskInstances/{task_id}[/{map_index}]/setNote."""
    note = NOTE.load(call.body)["note"]
    instance = await find_instance(call, lambda: _no_instance(call))
    changed = await call.deployment.tasks.set_note(
        instance.dag_id, instance.run_id, instance.task_id, instance.map_index, note, call.user
    )
    return instance_view(changed, await _date(call, changed))


def _no_instance(call: Call) -> Problem:
    dag_id, run_id, task_id = _key(call)
    return not_found(title=f"Task Instance not found for dag_id={dag_id}, run_id={run_id}, task_id={task_id}")


async def dependencies(call: Call) -> dict[str, Any]:
    """GET …/dependencies: what keeps an instance from being started."""
    one = await find_instance(call, lambda: _no_instance(call))
    found = await call.deployment.tasks.blockers(one.dag_id, one.run_id, one.task_id, one.map_index)
    return {"dependencies": [{"name": blocker.name, "reason": blocker.reason} for blocker in found]}


async def tries(call: Call) -> dict[str, Any]:
    """GET …/tries. An instance nobody knows has none."""
    found = await _tries(call)
    return {"task_instances": [try_view(item) for item in found], "total_entries": len(found)}


async def _tries(call: Call) -> tuple[TaskInstance, ...]:
    try:
        return await call.deployment.tasks.tries(*_key(call), call.params.get("map_index", -1))
    except NotFound:
        return ()


async def get_try(call: Call) -> dict[str, Any]:
    """GET …/tries/{task_try_number}."""
    number = call.params["task_try_number"]
    for item in await _tries(call):
        if item.try_number == number:
            return try_view(item)
    dag_id, run_id, task_id = _key(call)
    map_index = call.params.get("map_index", -1)
    raise not_found(
        f"Task Instance not found for dag_id={dag_id}, run_id={run_id}, task_id={task_id}, map_index={map_index}, "
        f"try_number={number}.",
        "Task instance not found",
    )


async def links(call: Call) -> dict[str, Any]:
    """GET …/links: extra links by name. Their addresses are not known to the server, and are null."""
    dag_id, run_id, task_id = _key(call)
    dag = await existing(
        call.deployment.dags.get(dag_id), lambda: not_found(f'DAG with ID = "{dag_id}" not found', "DAG not found")
    )
    task = find_task(dag, task_id)
    if task is None:
        raise not_found(f'Task with ID = "{task_id}" not found', "Task not found")
    await existing(
        call.deployment.tasks.get(dag_id, run_id, task_id, call.query.map_index),
        lambda: not_found(f'DAG Run with ID = "{run_id}" not found', "DAG Run not found"),
    )
    return dict.fromkeys(task.extra_links)


async def clear(call: Call) -> dict[str, Any]:
    """POST /dags/{dag_id}/clearTaskInstances; a dry run, unless the body says otherwise."""
    form = CLEAR.load(call.body)
    _check_clear(form)
    dag_id = call.params["dag_id"]
    await existing(call.deployment.dags.get(dag_id), lambda: not_found(title=f"Dag id {dag_id} not found"))
    run_id = form.get("dag_run_id")
    if run_id is not None:
        title = f"Dag Run id {run_id} not found in dag {dag_id}"
        await existing(call.deployment.runs.get(dag_id, run_id), lambda: not_found(title=title))
    future, past = form.get("include_future", False), form.get("include_past", False)
    bounds = span(None if past else form.get("start_date"), None if future else form.get("end_date"))
    request = ClearRequest(
        task_ids=_given(form.get("task_ids")),
        run_id=run_id,
        which=TaskFilter(dag_ids=(dag_id,), execution_date=bounds),
        only_failed=form.get("only_failed", True),
        only_running=form.get("only_running", False),
        include_upstream=form.get("include_upstream", False),
        include_downstream=form.get("include_downstream", False),
        include_future=future,
        include_past=past,
        reset_dag_runs=form.get("reset_dag_runs", False),
        dry_run=form.get("dry_run", True),
    )
    return await _references(call, (await call.deployment.tasks.clear(dag_id, request)).instances)


def _check_clear(form: dict[str, Any]) -> None:
    start, end, run_id = form.get("start_date"), form.get("end_date"), form.get("dag_run_id")
    if form.get("only_failed", True) and form.get("only_running", False):
        raise schema_problem("only_failed and only_running both are set to True")
    if start and end and start > end:
        raise schema_problem("end_date is sooner than start_date")
    if run_id and (start or end):
        other = "(start_date and end_date)" if start and end else "start_date" if start else "end_date"
        raise schema_problem(f"Exactly one of dag_run_id or {other} must be provided")


async def set_states(call: Call) -> dict[str, Any]:
    """POST /dags/{dag_id}/updateTaskInstancesState; a dry run, unless the body says otherwise."""
    form = STATES.load(call.body)
    if bool(form.get("execution_date")) == bool(form.get("dag_run_id")):
        raise schema_problem("Exactly one of execution_date or dag_run_id must be provided")
    dag_id, task_id = call.params["dag_id"], form["task_id"]
    dag = await existing(call.deployment.dags.get(dag_id), lambda: not_found(title=f"Dag ID {dag_id} not found"))
    if find_task(dag, task_id) is None:
        raise not_found(title=f"Task ID {task_id} not found")
    request = SetStateRequest(
        task_id=task_id,
        run_id=await _run_to_mark(call.deployment, dag, form),
        state=TaskState(form["new_state"]),
        include_upstream=form["include_upstream"],
        include_downstream=form["include_downstream"],
        include_future=form["include_future"],
        include_past=form["include_past"],
        dry_run=form.get("dry_run", True),
    )
    return await _references(call, await call.deployment.tasks.set_state(dag_id, request))


async def _run_to_mark(deployment: Deployment, dag: Dag, form: dict[str, Any]) -> str:
    """The run the form names, by id or by date, in which the task has an instance."""
    task_id, run_id, date = form["task_id"], form.get("dag_run_id"), form.get("execution_date")
    bounds = span(date, date)
    which = TaskFilter(
        dag_ids=(dag.dag_id,), run_ids=None if run_id is None else (run_id,), task_ids=(task_id,), execution_date=bounds
    )
    found = await deployment.tasks.list(which, Order("map_index"), Page(1))
    if found.items:
        return found.items[0].run_id
    where = f"execution_date {date}" if run_id is None else f"DAG run with ID {run_id!r}"
    raise not_found(f"Task instance not found for task {task_id!r} on {where}")


async def _references(call: Call, items: Sequence[TaskInstance]) -> dict[str, Any]:
    dates = await execution_dates(call.deployment, items)
    return {"task_instances": [reference_view(item, dates.get((item.dag_id, item.run_id))) for item in items]}
