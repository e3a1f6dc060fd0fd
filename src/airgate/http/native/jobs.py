"""Jobs of a workspace, the DAGs of its deployments and what reports from outside, and their executions."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.permissions import Permission
from airgate.http import visible
from airgate.http.native.common import (
    Instant,
    created,
    given,
    id_in_path,
    rooms,
    shown,
    until_ended,
    utc,
    workspace_of,
)
from airgate.http.native.paging import Next, Paged, cut, key_after, page_of
from airgate.http.native.problems import wrong_body
from airgate.http.native.table import HeaderParameter, NativeOperation, Reach
from airgate.http.native.trigger_views import Seconds
from airgate.http.native.workspaces import WORKSPACE
from airgate.http.operations import Call
from airgate.http.presence import while_present
from airgate.http.replies import Reply
from airgate.model.errors import NotFound, PermissionDenied
from airgate.model.job import Execution, ExecutionStatus, Job, JobKind
from airgate.model.query import Page, Span
from airgate.orchestration.jobs import Report
from airgate.store.jobs import ExecutionFilter

_TAG: Final = "jobs"
_JOBS: Final = f"{WORKSPACE}/jobs"
_JOB: Final = f"{_JOBS}/{{job_id}}"
_LARGEST_EXTRA: Final = 64 * 1024
_KEY: Final = HeaderParameter(
    "Idempotency-Key", "1 to 255 characters. Sent again with the same request, it answers with the same run."
)

JobName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Short = Annotated[str, msgspec.Meta(max_length=1000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever's end can fire a webhook: a DAG of a deployment, or something outside that reports its executions."""

    id: UUID
    kind: JobKind
    name: str
    deployment: str | None
    dag_id: str | None
    connection_id: UUID | None
    connection_name: str | None
    schema_name: str | None
    table_name: str | None
    is_active: bool
    created_at: Instant | None
    updated_at: Instant | None


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, by name."""

    items: tuple[JobView, ...]
    next: Next | None


class JobsQuery(Paged, frozen=True, kw_only=True):
    """A page of jobs. `name` is looked for anywhere in theirs, in any case."""

    name: str | None = None
    kind: JobKind | None = None
    deployment: str | None = None
    is_active: bool | None = None


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An external job to be registered. Its executions have its connection, schema and table unless they say others."""

    name: JobName
    connection_id: UUID | None = None
    connection_name: Short | None = None
    schema_name: Short | None = None
    table_name: Short | None = None
    is_active: bool = True


class JobChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about an external job; what is left out stays."""

    name: JobName | UnsetType = UNSET
    connection_id: UUID | UnsetType | None = UNSET
    connection_name: Short | UnsetType | None = UNSET
    schema_name: Short | UnsetType | None = UNSET
    table_name: Short | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class ExecutionView(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a job: a DAG run, or what an external job reported. `run` is what there is of a DAG run."""

    id: UUID
    execution_id: UUID
    job_id: UUID
    status: ExecutionStatus
    started_at: Instant | None
    ended_at: Instant | None
    connection_id: UUID | None
    connection_name: str | None
    schema_name: str | None
    table_name: str | None
    rows: int | None
    columns: int | None
    nested_table: bool
    force_history: bool
    triggered_by: str | None
    is_orchestration: bool
    error: str | None
    run: dict[str, Any] | None
    extra: dict[str, Any]


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of executions, the newest first."""

    items: tuple[ExecutionView, ...]
    next: Next | None


class ExecutionsQuery(Paged, frozen=True, kw_only=True):
    """A page of executions. `since` and `until` bound when they ended, both included."""

    job: UUID | None = None
    status: tuple[ExecutionStatus, ...] = ()
    execution_id: UUID | None = None
    since: Instant | None = None
    until: Instant | None = None


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a job is started with."""

    conf: dict[str, Any] | None = None


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a job."""

    wait: Seconds = 0


class ReportedExecution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an external job tells of an execution. Without an `execution_id` it is a new one; times default to now."""

    status: ExecutionStatus
    execution_id: UUID | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    schema_name: Short | None = None
    table_name: Short | None = None
    rows: Count | None = None
    columns: Count | None = None
    nested_table: bool = False
    force_history: bool = False
    triggered_by: Short | None = None
    is_orchestration: bool = False
    error: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    extra: dict[str, Any] = {}


def _view(job: Job) -> JobView:
    return shown(JobView, job)


def _execution_view(execution: Execution) -> ExecutionView:
    return shown(ExecutionView, execution)


async def list_jobs(call: Call) -> Jobs:
    """List the jobs of a workspace, by name."""
    query: JobsQuery = call.query
    wanted = None if query.name is None else query.name.casefold()

    def matches(job: Job) -> bool:
        return (
            (wanted is None or wanted in job.name.casefold())
            and query.kind in (None, job.kind)
            and query.deployment in (None, job.deployment)
            and query.is_active in (None, job.is_active)
        )

    found = filter(matches, await rooms(call).jobs.all_of(workspace_of(call).id))
    page, following = page_of(call, found, lambda job: [job.name, str(job.id)])
    return Jobs(items=tuple(map(_view, page)), next=following)


async def get_job(call: Call) -> JobView:
    """Show one job."""
    return _view(await _job(call))


async def _job(call: Call) -> Job:
    return await rooms(call).jobs.get(workspace_of(call).id, id_in_path(call, "job_id", "job"))


async def post_job(call: Call) -> Reply:
    """Register an external job.

    DAGs need not be registered: each is a job.
    """
    return created(_view(await rooms(call).jobs.register(workspace_of(call).id, **given(call.body))))


async def patch_job(call: Call) -> JobView:
    """Change an external job."""
    job_id = id_in_path(call, "job_id", "job")
    return _view(await rooms(call).jobs.change(workspace_of(call).id, job_id, **given(call.body)))


async def delete_job(call: Call) -> None:
    """Forget an external job.

    Webhooks that name it stay, and it fires them no more.
    """
    await rooms(call).jobs.remove(workspace_of(call).id, id_in_path(call, "job_id", "job"))


# ---------------------------------------------------------------------------------------------------------- executions


async def post_job_run(call: Call) -> Reply:
    """Start the job of a DAG.

    With `wait` the answer is given when the run has ended, or that many seconds later. A client that goes away
    meanwhile takes nothing back. External jobs are started where they live.
    """
    workspace, job = workspace_of(call), await _job(call)
    _require(call, job)
    call.about(dag_id=job.dag_id, job_deployment=job.deployment)
    conf, key = dict(call.body.conf or {}), call.header(b"idempotency-key")
    execution = await rooms(call).jobs.run(workspace.id, job.id, conf, call.user, key)
    run_id = (execution.run or {}).get("run_id")
    call.about(run_id=run_id)
    if call.query.wait and job.deployment is not None and job.dag_id is not None and run_id is not None:
        runs = call.services.deployments[job.deployment].runs
        await while_present(call.receive, until_ended(runs, job.dag_id, run_id, call.query.wait))
        with suppress(NotFound):  # it has not ended, or was deleted meanwhile; that it was started stays true
            execution = await rooms(call).jobs.execution(workspace.id, execution.execution_id, (job.id,))
    return created(_execution_view(execution))


def _require(call: Call, job: Job) -> None:
    """Whoever is limited to some DAGs runs only those, and reports nothing: what is external is no DAG."""
    allowed = visible.limit_of(call)
    if allowed is not None and (job.dag_id is None or not allowed(job.dag_id)):
        raise PermissionDenied(f"This needs {Permission.RUNS_CREATE.value} for the DAG of this job")


async def post_execution(call: Call) -> ExecutionView:
    """Report an execution of an external job.

    Reported once more under its `execution_id`, it is the same execution, further on. Once it has ended nothing
    changes it any more, and it fires the webhooks of its job once.
    """
    body: ReportedExecution = call.body
    if len(msgspec.json.encode(body.extra)) > _LARGEST_EXTRA:
        raise wrong_body(f"It has at most {_LARGEST_EXTRA} bytes", "#/extra")
    started, ended = utc(body.started_at, "#/started_at"), utc(body.ended_at, "#/ended_at")
    if started is not None and ended is not None and ended < started:
        raise wrong_body("It ends before it starts", "#/ended_at")
    job = await _job(call)
    _require(call, job)
    report = Report(started_at=started, ended_at=ended, **given(body, but=("started_at", "ended_at")))
    kept = await rooms(call).jobs.report(workspace_of(call).id, job.id, report, call.user)
    call.about(execution_id=str(kept.execution_id), status=kept.status.value)
    return _execution_view(kept)


async def list_executions(call: Call) -> Executions:
    """List executions of the jobs of a workspace, the newest first.

    Pages are counted from the newest: executions that begin meanwhile may let one be shown twice.
    """
    query: ExecutionsQuery = call.query
    which = ExecutionFilter(
        job_ids=None if query.job is None else (query.job,),
        statuses=query.status or None,
        execution_id=query.execution_id,
        ended_at=Span(query.since, query.until),
    )
    offset = key_after(call) or 0
    found = await rooms(call).jobs.executions(workspace_of(call).id, which, Page(query.limit + 1, offset))
    page, following = cut(call, found.items, lambda _: offset + query.limit)
    return Executions(items=tuple(map(_execution_view, page)), next=following)


async def get_execution(call: Call) -> ExecutionView:
    """Show one execution of a job.

    Of a DAG's job it is one of its newest runs, or one that a delivery was made of.
    """
    job_id = id_in_path(call, "job_id", "job")
    execution_id = id_in_path(call, "execution_id", "execution")
    found = await rooms(call).jobs.execution(workspace_of(call).id, execution_id, (job_id,))
    if found.job_id != job_id:
        raise NotFound(f"There is no execution '{execution_id}' of this job", code="execution_not_found")
    return _execution_view(found)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path=_JOBS, handler=list_jobs, tag=_TAG, permission=Permission.WEBHOOKS_READ, query=JobsQuery,
        answer=Jobs, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="POST", path=_JOBS, handler=post_job, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, body=NewJob,
        status=201, answer=JobView, errors=(409,), reach=Reach.WORKSPACE, noted=("name",), event="post_job",
    ),
    NativeOperation(
        method="GET", path=_JOB, handler=get_job, tag=_TAG, permission=Permission.WEBHOOKS_READ, answer=JobView,
        reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="PATCH", path=_JOB, handler=patch_job, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, body=JobChange,
        answer=JobView, errors=(409,), reach=Reach.WORKSPACE, noted=("name", "is_active"), event="patch_job",
    ),
    NativeOperation(
        method="DELETE", path=_JOB, handler=delete_job, tag=_TAG, permission=Permission.WEBHOOKS_EDIT, status=204,
        errors=(409,), reach=Reach.WORKSPACE, event="delete_job",
    ),
    NativeOperation(
        method="POST", path=f"{_JOB}/run", handler=post_job_run, tag=_TAG, permission=Permission.RUNS_CREATE,
        query=RunQuery, body=RunRequest, status=201, answer=ExecutionView, errors=(409,), headers=(_KEY,),
        reach=Reach.WORKSPACE, event="run_job",
    ),
    NativeOperation(
        method="POST", path=f"{_JOB}/executions", handler=post_execution, tag=_TAG, permission=Permission.RUNS_CREATE,
        body=ReportedExecution, answer=ExecutionView, errors=(409,), reach=Reach.WORKSPACE, event="report_execution",
    ),
    NativeOperation(
        method="GET", path=f"{_JOB}/executions/{{execution_id}}", handler=get_execution, tag=_TAG,
        permission=Permission.WEBHOOKS_READ, answer=ExecutionView, reach=Reach.WORKSPACE,
    ),
    NativeOperation(
        method="GET", path=f"{WORKSPACE}/executions", handler=list_executions, tag=_TAG,
        permission=Permission.WEBHOOKS_READ, query=ExecutionsQuery, answer=Executions, reach=Reach.WORKSPACE,
    ),
)  # fmt: skip
