"""Jobs and their executions: the DAGs, and whatever reports here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from airgate.access.decisions import Place, may
from airgate.access.permissions import Permission
from airgate.http.erathos import cloud_events
from airgate.http.erathos.bodies import JobBody, ReportBody, RunBody, given, status_of
from airgate.http.erathos.problems import encode, wrong
from airgate.http.erathos.reading import (
    Asked,
    asked,
    boolean,
    envelope,
    id_of,
    read,
    read_fields,
    rooms,
    sorted_page,
    span,
    uuid,
    workspace_of,
)
from airgate.http.erathos.views import execution_view, job_view, stamp
from airgate.http.erathos.workspaces import GONE
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.model.errors import InvalidFields, PermissionDenied
from airgate.model.job import ExecutionStatus, Job
from airgate.model.query import Listing
from airgate.model.states import RunState
from airgate.orchestration.jobs import Report
from airgate.store.jobs import ExecutionFilter

_TEXTS = ("name", "dag_id", "connection_name", "schema_name", "table_name")
_EXECUTION_FILTERS = ("status", "execution_id", "ended_at_gte", "ended_at_lte")


async def list_jobs(call: Call) -> Any:
    """GET jobs/."""
    query = asked(call, *_TEXTS, "kind", "deployment", "connection_id", "is_active")
    wanted, active, connection = query.filters, boolean(query, "is_active"), uuid(query, "connection_id")

    def matches(job: Job) -> bool:
        return (
            all(wanted[field].lower() in (getattr(job, field) or "").lower() for field in _TEXTS if field in wanted)
            and wanted.get("kind", job.kind.value).lower() == job.kind.value
            and ("deployment" not in wanted or wanted["deployment"] == job.deployment)
            and (connection is None or connection == job.connection_id)
            and (active is None or active == job.is_active)
        )

    found = [job for job in await rooms(call).jobs.all_of(workspace_of(call).id) if matches(job)]
    keys = {
        "name": lambda job: job.name,
        "kind": lambda job: job.kind.value,
        "_id": lambda job: job.id,
        "_created_at": lambda job: job.created_at,
        "_updated_at": lambda job: job.updated_at,
        "schema_name": lambda job: job.schema_name,
        "table_name": lambda job: job.table_name,
    }
    listing: Listing[Job] = sorted_page(found, query, keys, "name")
    return envelope(listing, query, [job_view(job) for job in listing.items])


async def create_job(call: Call) -> Reply:
    """POST jobs/: register an external job."""
    fields = given(read(call, JobBody, "name"))
    made = await rooms(call).jobs.register(workspace_of(call).id, **fields)
    call.about(job_id=str(made.id))
    return encode(job_view(made), 201)


async def get_job(call: Call) -> Any:
    """GET jobs/{job_id}/."""
    return job_view(await rooms(call).jobs.get(workspace_of(call).id, id_of(call, "job_id")))


async def patch_job(call: Call) -> Any:
    """PATCH jobs/{job_id}/: of an external job."""
    fields = given(read(call, JobBody))
    return job_view(await rooms(call).jobs.change(workspace_of(call).id, id_of(call, "job_id"), **fields))


async def delete_job(call: Call) -> Reply:
    """DELETE jobs/{job_id}/: of an external job."""
    await rooms(call).jobs.remove(workspace_of(call).id, id_of(call, "job_id"))
    return GONE


async def run_job(call: Call) -> Reply:
    """POST jobs/{job_id}/run/: start a DAG's job."""
    workspace = workspace_of(call)
    body = read(call, RunBody)
    job = await rooms(call).jobs.get(workspace.id, id_of(call, "job_id"))
    _check_may_run(call, job, workspace.name)
    fields = given(body)
    conf = dict(fields.get("conf") or {})
    if "force_history" in fields:
        conf["force_history"] = fields["force_history"]
    call.about(dag_id=job.dag_id, job_deployment=job.deployment)
    key = call.header(b"idempotency-key")
    execution = await rooms(call).jobs.run(workspace.id, job.id, conf, call.user, key)
    call.about(run_id=(execution.run or {}).get("run_id"))
    waits = (execution.run or {}).get("state") == RunState.QUEUED.value
    until = rooms(call).blocks.blocked_until(workspace.id, job.id) if waits else None
    return encode(execution_view(execution) | {"blocked_until": stamp(until)}, 201)


def _check_may_run(call: Call, job: Job, workspace: str) -> None:
    """Whoever is limited to some DAGs runs only those, and reports nothing: what is external is no DAG."""
    assert call.caller is not None
    place = Place("" if job.deployment is None else job.deployment, workspace)
    limited = call.caller.identity.limits.dags is not None
    allowed = may(call.caller, Permission.RUNS_CREATE, place, job.dag_id)
    if not allowed or (limited and job.dag_id is None):
        raise PermissionDenied("You do not have permission to perform this action.")


async def report_execution(call: Call) -> Reply:
    """POST jobs/{job_id}/executions/: what an external job tells, plainly or as a CloudEvent."""
    workspace, key = workspace_of(call), id_of(call, "job_id")
    event = cloud_events.event_of(call.headers, call.body)
    if event is None:
        body = read(call, ReportBody, "status")
    else:
        body = read_fields(cloud_events.report_of(event), ReportBody, "status")
    fields = {name: value for name, value in given(body).items() if value is not None}
    report = Report(**(fields | {"status": status_of(fields["status"])}))
    _check_report(report)
    job = await rooms(call).jobs.get(workspace.id, key)
    _check_may_run(call, job, workspace.name)
    kept = await rooms(call).jobs.report(workspace.id, key, report, call.user)
    call.about(execution_id=str(kept.execution_id), status=kept.status.value)
    return encode(execution_view(kept), 201)


def _check_report(report: Report) -> None:
    faults = [
        (f"/{field}", f"Ensure this field has no more than {_LONGEST} characters.")
        for field in ("schema_name", "table_name", "triggered_by")
        if len(getattr(report, field) or "") > _LONGEST
    ]
    if len(report.error or "") > _LONGEST_ERROR:
        faults.append(("/error", f"Ensure this field has no more than {_LONGEST_ERROR} characters."))
    faults += [
        (f"/{field}", "Must be 0 or more.") for field in ("rows", "columns") if (getattr(report, field) or 0) < 0
    ]
    if len(msgspec.json.encode(report.extra)) > _LARGEST_EXTRA:
        faults.append(("/extra", f"Has at most {_LARGEST_EXTRA} bytes."))
    if report.started_at and report.ended_at and report.ended_at < report.started_at:
        faults.append(("/ended_at", "An execution does not end before it begins."))
    if faults:
        raise InvalidFields(faults)


_LONGEST = 1000
_LONGEST_ERROR = 10_000
_LARGEST_EXTRA = 64 * 1024


async def list_job_executions(call: Call) -> Any:
    """GET jobs/{job_id}/executions/."""
    workspace, key = workspace_of(call), id_of(call, "job_id")
    query = asked(call, *_EXECUTION_FILTERS)
    await rooms(call).jobs.get(workspace.id, key)
    return await _executions(call, query, key)


async def list_executions(call: Call) -> Any:
    """GET executions/: of all jobs, or of one."""
    query = asked(call, *_EXECUTION_FILTERS, "job")
    return await _executions(call, query, uuid(query, "job"))


async def _executions(call: Call, query: Asked, job_id: UUID | None) -> Any:
    query.order({"started_at": "started_at"}, "-started_at")
    if query.ordering not in (None, "-started_at"):
        raise wrong([("/ordering", "Executions are listed newest first: -started_at.")])
    which = ExecutionFilter(
        job_ids=None if job_id is None else (job_id,),
        statuses=_statuses(query),
        ended_at=span(query, "ended_at"),
        execution_id=uuid(query, "execution_id"),
    )
    listing = await rooms(call).jobs.executions(workspace_of(call).id, which, query.window)
    return envelope(listing, query, [execution_view(one) for one in listing.items])


def _statuses(query: Asked) -> tuple[ExecutionStatus, ...] | None:
    """The filter ``status``, which may name several with commas between them."""
    text = query.filters.get("status")
    return None if text is None else tuple(status_of(word) for word in text.split(","))
