"""DAG runs in v1: trigger, list, read, mark, clear, annotate, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from airgate.deployments.ports import Deployment
from airgate.http import visible
from airgate.http.dates import with_offset
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.common import NO_CONTENT_JSON, existing, order, page, select, shown_dags, span
from airgate.http.stable_v1.forms import Field, Form, need, schema_problem
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.http.stable_v1.views import RUN_FIELDS, reference_view, run_view
from airgate.model.errors import AirgateError, Conflict, InvalidInput, NotFound
from airgate.model.query import Listing, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.run_ids import generate
from airgate.model.states import RunState, RunType
from airgate.model.trigger import TriggerRequest

SORTABLE: Final = {
    "id": "seq", "state": "state", "dag_id": "dag_id", "execution_date": "execution_date", "dag_run_id": "run_id",
    "start_date": "start_date", "end_date": "end_date", "updated_at": "updated_at",
    "external_trigger": "external_trigger", "conf": "conf",
}  # fmt: skip

_DATES: Final = tuple(
    Field(f"{noun}_{bound}", "date-time")
    for noun in ("execution_date", "start_date", "end_date")
    for bound in ("gte", "lte")
)

TRIGGER: Final = Form(
    Field("dag_run_id", "string", nullable=True, longest=250),
    Field("run_id", "string", nullable=True),
    Field("dag_id", "string", read_only=True),
    Field("logical_date", "date-time", nullable=True),
    Field("execution_date", "date-time or naive", nullable=True),
    Field("start_date", "date-time", read_only=True),
    Field("end_date", "date-time", read_only=True),
    Field("data_interval_start", "date-time", nullable=True, none=True),
    Field("data_interval_end", "date-time", nullable=True, none=True),
    Field("last_scheduling_decision", "date-time", read_only=True),
    Field("run_type", "string", read_only=True),
    Field("state", "string", read_only=True),
    Field("external_trigger", "boolean", read_only=True),
    Field("conf", "object"),
    Field("note", "string", nullable=True, none=True, longest=1000),
)
STATE: Final = Form(Field("state", "string", choices=("success", "failed", "queued")))
NOTE: Final = Form(Field("note", "string", none=True, longest=1000))
CLEAR: Final = Form(Field("dry_run", "boolean"))
BATCH: Final = Form(
    Field("order_by", "string"),
    Field("page_offset", "integer", minimum=0),
    Field("page_limit", "integer", minimum=1),
    Field("dag_ids", "array"),
    Field("states", "array"),
    *_DATES,
    Field("updated_at_gte", "date-time"),
    Field("updated_at_lte", "date-time"),
)


async def trigger(call: Call) -> dict[str, Any]:
    """POST /dags/{dag_id}/dagRuns: the reason this server exists."""
    dag_id: str = call.params["dag_id"]
    try:
        request, asked = _trigger_request(dag_id, call)
    except Problem:
        # A DAG that is not there is told before what is wrong with the body. Only a wrong body pays for asking.
        await _triggerable(call.deployment, dag_id)
        raise
    try:
        accepted = await call.accept(request)
    except (NotFound, InvalidInput, Conflict) as error:
        raise _refusal(error, request, asked) from None
    return run_view(accepted.run, _zone(asked))


def _trigger_request(dag_id: str, call: Call) -> tuple[TriggerRequest, datetime | None]:
    """What the body asks for, and its date with the offset it was written with."""
    form = TRIGGER.load(_unified(call.body))
    start, end = form.get("data_interval_start"), form.get("data_interval_end")
    if (start is None) != (end is None):
        raise schema_problem("Both 'data_interval_start' and 'data_interval_end' must be specified together")
    asked: datetime | None = form.get("logical_date")
    run_id = form.get("dag_run_id")
    if asked is not None and not run_id and _zone(asked) is not None:
        run_id = generate(RunType.MANUAL, asked)
    request = TriggerRequest(
        dag_id=dag_id,
        run_id=run_id or None,
        logical_date=asked and asked.astimezone(UTC),
        has_logical_date=asked is not None,
        data_interval=None if start is None or end is None else (start.astimezone(UTC), end.astimezone(UTC)),
        conf=form.get("conf", {}),
        note=form.get("note"),
        triggering_user=call.user,
        idempotency_key=call.header(b"idempotency-key"),
    )
    return request, asked


def _unified(body: dict[str, Any]) -> dict[str, Any]:
    """The body with one name for its date and one for its run id. Refuses a body whose two names differ."""
    body = dict(body)
    if "execution_date" in body:
        date = body.pop("execution_date")
        date = with_offset(date) if date is not None else None
        if body.setdefault("logical_date", date) != date:
            raise bad_request(f"{body['logical_date']!r} != {date!r}", "logical_date conflicts with execution_date")
    run_id = body.pop("run_id", None)
    if run_id is not None and body.setdefault("dag_run_id", run_id) != run_id:
        raise bad_request(f"{body['dag_run_id']!r} != {run_id!r}", "dag_run_id conflicts with run_id")
    if "dag_run_id" not in body and body.get("logical_date", "") is None:
        raise bad_request("'None' is not an instance of 'str'", "Incorrect datetime argument")
    return body


def _zone(asked: datetime | None) -> tzinfo | None:
    """The offset a date was asked for with; None for UTC, in which answers are written anyway."""
    return None if asked is None or not asked.utcoffset() else asked.tzinfo


async def _triggerable(deployment: Deployment, dag_id: str) -> None:
    dag = await existing(deployment.dags.get(dag_id), lambda: _no_dag(dag_id))
    if not dag.is_active:
        raise _no_dag(dag_id)
    if dag.has_import_errors:
        raise _broken_dag(dag_id)


def _no_dag(dag_id: str) -> Problem:
    return not_found(f"DAG with dag_id: '{dag_id}' not found", "DAG not found")


def _broken_dag(dag_id: str) -> Problem:
    return bad_request(f"DAG with dag_id: '{dag_id}' has import errors", "DAG cannot be triggered")


def _refusal(error: AirgateError, request: TriggerRequest, asked: datetime | None) -> Problem:
    """Why a trigger was not accepted, in v1's words where v1 has words for it."""
    match error.code:
        case "dag_has_import_errors":
            return _broken_dag(request.dag_id)
        case "logical_date_exists" if asked is not None:
            date = asked.isoformat(sep=" ")
            detail = f"DAGRun with DAG ID: '{request.dag_id}' and DAGRun logical date: '{date}' already exists"
            return Problem(409, detail)
        case "run_exists" if request.run_id is not None:
            detail = f"DAGRun with DAG ID: '{request.dag_id}' and DAGRun ID: '{request.run_id}' already exists"
            return Problem(409, detail)
    if isinstance(error, NotFound):
        return _no_dag(request.dag_id)
    return Problem(409 if isinstance(error, Conflict) else 400, error.detail)


async def list_runs(call: Call) -> dict[str, Any]:
    """GET /dags/{dag_id}/dagRuns. A DAG nobody knows has no runs."""
    query = call.query
    which = RunFilter(
        dag_ids=await shown_dags(call),
        states=_states(query.state),
        execution_date=span(query.execution_date_gte, query.execution_date_lte),
        start_date=span(query.start_date_gte, query.start_date_lte),
        end_date=span(query.end_date_gte, query.end_date_lte),
        updated_at=span(query.updated_at_gte, query.updated_at_lte),
    )
    window = page(call)
    ordered = order(query.order_by, "id", SORTABLE)
    _check_fields(query.fields, "DAGRunCollectionSchema error")
    return _collection(await call.deployment.runs.list(which, ordered, window), query.fields)


async def list_batch(call: Call) -> dict[str, Any]:
    """POST /dags/~/dagRuns/list."""
    form = BATCH.load(call.body)
    which = RunFilter(
        dag_ids=await visible.dag_ids(call, form.get("dag_ids") or None),
        states=_states(form.get("states")),
        execution_date=span(form.get("execution_date_gte"), form.get("execution_date_lte")),
        start_date=span(form.get("start_date_gte"), form.get("start_date_lte")),
        end_date=span(form.get("end_date_gte"), form.get("end_date_lte")),
        updated_at=span(form.get("updated_at_gte"), form.get("updated_at_lte")),
    )
    window = Page(form.get("page_limit", call.services.page_limit), form.get("page_offset", 0))
    return _collection(await call.deployment.runs.list(which, order(form.get("order_by"), "id", SORTABLE), window))


def _states(words: Iterable[str] | None) -> tuple[RunState, ...] | None:
    """Known states among the words; a word nobody knows matches no run."""
    return None if not words else tuple(state for state in RunState if state.value in words)


def _check_fields(fields: Iterable[str] | None, title: str) -> None:
    for name in fields or ():
        if name not in RUN_FIELDS:
            raise bad_request(f"{name} not in DAGRunSchema", title)


def _collection(listing: Listing[DagRun], fields: Iterable[str] | None = None) -> dict[str, Any]:
    runs = [select(run_view(run), fields) for run in listing.items]
    return {"dag_runs": runs, "total_entries": listing.total}


async def get_run(call: Call) -> Mapping[str, Any]:
    """GET /dags/{dag_id}/dagRuns/{dag_run_id}."""
    run = await find_run(call)
    _check_fields(call.query.fields, "DAGRunSchema error")
    return select(run_view(run), call.query.fields)


async def find_run(call: Call) -> DagRun:
    """The run a path names. Raises the problem that reading operations answer with."""
    dag_id, run_id = _key(call)
    return await existing(
        call.deployment.runs.get(dag_id, run_id), lambda: not_found(_no_run(dag_id, run_id), "DAGRun not found")
    )


def _key(call: Call) -> tuple[str, str]:
    return call.params["dag_id"], call.params["dag_run_id"]


def _no_run(dag_id: str, run_id: str) -> str:
    return f"DAGRun with DAG ID: '{dag_id}' and DagRun ID: '{run_id}' not found"


async def delete_run(call: Call) -> Reply:
    """DELETE /dags/{dag_id}/dagRuns/{dag_run_id}."""
    dag_id, run_id = _key(call)
    await existing(call.deployment.runs.delete(dag_id, run_id), lambda: not_found(_no_run(dag_id, run_id)))
    return NO_CONTENT_JSON


async def _to_change(call: Call, gap: str = " ") -> DagRun:
    """The run a path names. Changing operations say otherwise than reading ones that it is not there."""
    dag_id, run_id = _key(call)
    title = f"Dag Run id {run_id} not found in dag{gap}{dag_id}"
    return await existing(call.deployment.runs.get(dag_id, run_id), lambda: not_found(title=title))


async def set_state(call: Call) -> dict[str, Any]:
    """PATCH /dags/{dag_id}/dagRuns/{dag_run_id}: mark as succeeded or failed, or queue again."""
    run = await _to_change(call)
    state = RunState(need(STATE.load(call.body), "state"))
    return run_view(await call.deployment.runs.set_state(run.dag_id, run.run_id, state))


async def set_note(call: Call) -> dict[str, Any]:
    """PATCH /dags/{dag_id}/dagRuns/{dag_run_id}/setNote."""
    run = await _to_change(call)
    note = need(NOTE.load(call.body), "note")
    return run_view(await call.deployment.runs.set_note(run.dag_id, run.run_id, note, call.user))


async def clear(call: Call) -> dict[str, Any]:
    """POST /dags/{dag_id}/dagRuns/{dag_run_id}/clear; a dry run, unless the body says otherwise."""
    run = await _to_change(call, gap="   ")
    dry_run = CLEAR.load(call.body).get("dry_run", True)
    result = await call.deployment.runs.clear(run.dag_id, run.run_id, dry_run=dry_run)
    if dry_run:
        return {"task_instances": [reference_view(item, run.execution_date) for item in result.instances]}
    return run_view(result.run or await call.deployment.runs.get(run.dag_id, run.run_id))


async def upstream_dataset_events(call: Call) -> dict[str, Any]:
    """GET /dags/{dag_id}/dagRuns/{dag_run_id}/upstreamDatasetEvents. No run has any yet."""
    await find_run(call)
    return {"dataset_events": [], "total_entries": 0}
