"""Jobs: the DAGs of every deployment of a workspace, and what reports its executions from outside."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from airgate.deployments.ports import Deployment
from airgate.model.dag import Dag
from airgate.model.errors import Conflict, InvalidFields, NotFound
from airgate.model.job import Execution, ExecutionStatus, Job, JobKind, dag_job_id
from airgate.model.query import DagFilter, Listing, Order, Page, RunFilter
from airgate.model.run import DagRun, XCom
from airgate.model.states import RunState
from airgate.model.trigger import TriggerRequest
from airgate.model.workspace import Workspace
from airgate.orchestration.executions import TOLD, Home, executions_of
from airgate.orchestration.ports import StartRun
from airgate.store import jobs as stored
from airgate.store import workspaces
from airgate.store.database import Database

_EVERY: Final = Page(100_000)
_TOLD_PAGE: Final = Page(1000)
_SEARCHED: Final = 500
"""Runs among which a past execution is looked for."""
_ENDED: Final = (ExecutionStatus.FINISHED, ExecutionStatus.FAILED)
_STATES: Final = {
    ExecutionStatus.RUNNING: (RunState.QUEUED, RunState.RUNNING),
    ExecutionStatus.FINISHED: (RunState.SUCCESS,),
    ExecutionStatus.FAILED: (RunState.FAILED,),
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an external job tells of an execution. Only the status must be told; times default to now."""

    status: ExecutionStatus
    execution_id: UUID | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    schema_name: str | None = None
    table_name: str | None = None
    rows: int | None = None
    columns: int | None = None
    nested_table: bool = False
    force_history: bool = False
    triggered_by: str | None = None
    is_orchestration: bool = False
    error: str | None = None
    extra: dict[str, Any] = {}


class Jobs:
    """Lists, registers and runs jobs, and takes reports of executions.

    Methods raise NotFound where what is named is not in the workspace.

    Args:
        database: where external jobs and reported executions are kept.
        deployments: by name.
        start_run: starts a DAG's job.
        address: of this server, for links to runs.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        ended: called when an execution was reported that has ended.
    """

    def __init__(
        self,
        database: Database,
        deployments: Mapping[str, Deployment],
        start_run: StartRun,
        *,
        address: str,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        ended: Callable[[], None],
    ) -> None:
        self._database = database
        self._deployments = deployments
        self._start_run = start_run
        self._address = address
        self._clock = clock
        self._new_id = new_id
        self._ended = ended

    # --------------------------------------------------------------------------------------------------------- jobs

    async def all_of(self, workspace_id: UUID) -> tuple[Job, ...]:
        """Every job of a workspace, by name."""
        home = await self._database.read(workspaces.get, workspace_id)
        found = list(await self._database.read(stored.all_of, workspace_id))
        for deployment in self._of(home):
            listing = await deployment.dags.list(DagFilter(), Order("dag_id"), _EVERY)
            found += [_dag_job(dag, deployment.name, workspace_id) for dag in listing.items]
        return tuple(sorted(found, key=attrgetter("name", "id")))

    async def get(self, workspace_id: UUID, job_id: UUID) -> Job:
        """One job of a workspace."""
        with suppress(NotFound):
            return await self._database.read(stored.get, workspace_id, job_id)
        home = await self._database.read(workspaces.get, workspace_id)
        for deployment in self._of(home):
            listing = await deployment.dags.list(DagFilter(), Order("dag_id"), _EVERY)
            for dag in listing.items:
                if dag_job_id(deployment.name, dag.dag_id) == job_id:
                    return _dag_job(dag, deployment.name, workspace_id)
        raise NotFound(f"There is no job '{job_id}' in this workspace", code="job_not_found")

    async def around(self, workspace_id: UUID) -> tuple[frozenset[UUID], frozenset[str]]:
        """Ids of a workspace's jobs, and names of its deployments."""
        home = await self._database.read(workspaces.get, workspace_id)
        ids = frozenset(job.id for job in await self.all_of(workspace_id))
        return ids, frozenset(deployment.name for deployment in self._of(home))

    async def register(self, workspace_id: UUID, name: str, **more: Any) -> Job:
        """Register an external job. Raises Conflict where its name is taken, and InvalidFields."""
        now = self._clock()
        await self._database.read(workspaces.get, workspace_id)
        job = Job(
            id=self._new_id(), workspace_id=workspace_id, kind=JobKind.EXTERNAL, name=name, created_at=now,
            updated_at=now, **more,
        )  # fmt: skip
        _check(job)
        return await self._database.write(stored.create, job)

    async def change(self, workspace_id: UUID, job_id: UUID, **changes: Any) -> Job:
        """Change an external job. Raises Conflict where its new name is taken, or for the job of a DAG."""
        before = await self._external(workspace_id, job_id)
        after = msgspec.structs.replace(before, **changes, updated_at=self._clock())
        _check(after)
        return await self._database.write(stored.update, after)

    async def remove(self, workspace_id: UUID, job_id: UUID) -> None:
        """Forget an external job. Raises Conflict for the job of a DAG."""
        await self._external(workspace_id, job_id)
        await self._database.write(stored.remove, workspace_id, job_id)

    async def _external(self, workspace_id: UUID, job_id: UUID) -> Job:
        job = await self.get(workspace_id, job_id)
        if job.kind is not JobKind.EXTERNAL:
            raise Conflict(f"The job '{job.name}' is a DAG; it changes with its DAG.", code="job_is_dag")
        return job

    def _of(self, home: Workspace) -> Iterable[Deployment]:
        return (deployment for deployment in self._deployments.values() if deployment.workspace == home.name)

    # --------------------------------------------------------------------------------------------------- executions

    async def run(
        self, workspace_id: UUID, job_id: UUID, conf: dict[str, Any], by: str, key: str | None = None
    ) -> Execution:
        """Start a job. Raises Conflict for an external one, and what accepting a trigger raises."""
        job = await self.get(workspace_id, job_id)
        if job.kind is not JobKind.DAG or job.deployment is None or job.dag_id is None:
            raise Conflict(
                f"The job '{job.name}' is external: start it where it lives; it reports here.",
                code="job_external",
            )
        request = TriggerRequest(dag_id=job.dag_id, conf=conf, triggering_user=by, idempotency_key=key)
        run = await self._start_run(job.deployment, request)
        return await self._execution(run, self._deployments[job.deployment], workspace_id)

    async def report(self, workspace_id: UUID, job_id: UUID, report: Report, by: str) -> Execution:
        """Take what an external job tells of an execution. Told again, or after the end, it changes nothing."""
        job = await self._external(workspace_id, job_id)
        now = self._clock()
        told = report.execution_id or self._new_id()
        if report.status is ExecutionStatus.MISSED:
            raise InvalidFields([("/status", "A report says RUNNING, FINISHED, FAILED or CANCELLED.")])
        execution = Execution(
            id=told,
            execution_id=told,
            job_id=job.id,
            workspace_id=workspace_id,
            status=report.status,
            started_at=report.started_at or now,
            ended_at=(report.ended_at or now) if report.status.final else None,
            connection_id=job.connection_id,
            connection_name=job.connection_name,
            schema_name=report.schema_name or job.schema_name,
            table_name=report.table_name or job.table_name,
            rows=report.rows,
            columns=report.columns,
            nested_table=report.nested_table,
            force_history=report.force_history,
            triggered_by=report.triggered_by or by,
            is_orchestration=report.is_orchestration,
            error=report.error,
            extra=report.extra,
        )
        kept, ended = await self._database.write(stored.report, execution, self._clock())
        if kept.job_id != job.id:
            raise Conflict("An execution with this id was reported for another job.", code="execution_exists")
        if ended:
            self._ended()
        return kept

    async def executions(self, workspace_id: UUID, which: stored.ExecutionFilter, page: Page) -> Listing[Execution]:
        """One page of what the jobs of a workspace have executed, newest first."""
        reach = Page(page.offset + page.limit)
        reported = await self._database.read(
            stored.list_executions, workspace_id, which, Order("started_at", descending=True), reach
        )
        home = await self._database.read(workspaces.get, workspace_id)
        parts: list[list[Execution | _Ran]] = [list(reported.items)]
        total = reported.total
        for deployment in self._of(home):
            listing = await self._runs(deployment, which, reach)
            total += listing.total
            parts.append([_Ran(run, deployment) for run in listing.items])
        newest_first = tuple(heapq.merge(*parts, key=_started, reverse=True))[page.offset : page.offset + page.limit]
        shown = [
            await self._execution(one.run, one.deployment, workspace_id) if isinstance(one, _Ran) else one
            for one in newest_first
        ]
        return Listing(tuple(shown), total)

    async def execution(self, workspace_id: UUID, execution_id: UUID, job_ids: Sequence[UUID]) -> Execution:
        """One execution: reported, delivered, or one of the newest runs of these jobs. Raises NotFound."""
        with suppress(NotFound):
            found = await self._database.read(stored.get_execution, execution_id)
            if found.workspace_id == workspace_id:
                return found
        home = await self._database.read(workspaces.get, workspace_id)
        for deployment in self._of(home):
            which = stored.ExecutionFilter(job_ids=tuple(job_ids), statuses=_ENDED)
            for run in (await self._runs(deployment, which, Page(_SEARCHED))).items:
                whole = executions_of(run, (), (), Home(deployment.name, workspace_id, self._address), 0)[0]
                if whole.execution_id == execution_id:
                    return await self._execution(run, deployment, workspace_id)
        raise NotFound(f"There is no execution '{execution_id}' of this webhook's jobs", code="execution_not_found")

    async def _runs(self, deployment: Deployment, which: stored.ExecutionFilter, page: Page) -> Listing[DagRun]:
        dag_ids: tuple[str, ...] | None = None
        if which.job_ids is not None:
            listing = await deployment.dags.list(DagFilter(only_active=False), Order("dag_id"), _EVERY)
            dag_ids = tuple(d.dag_id for d in listing.items if dag_job_id(deployment.name, d.dag_id) in which.job_ids)
        states = None
        if which.statuses is not None:
            states = tuple(state for status in which.statuses for state in _STATES.get(status, ()))
        if dag_ids == () or states == () or which.execution_id is not None:
            return Listing((), 0)
        runs = RunFilter(dag_ids=dag_ids, states=states, end_date=which.ended_at)
        return await deployment.runs.list(runs, Order("seq", descending=True), page)

    async def _execution(self, run: DagRun, deployment: Deployment, workspace_id: UUID) -> Execution:
        """A run as an execution, with what it has told of itself. Of several tables it is the first."""
        told: tuple[XCom, ...] = ()
        if run.state.finished:
            told = (await deployment.xcoms.list((run.dag_id,), run.run_id, None, None, TOLD, _TOLD_PAGE)).items
        whole = executions_of(run, (), told, Home(deployment.name, workspace_id, self._address), 0)[0]
        status = whole.status if run.state.finished else ExecutionStatus.RUNNING
        return msgspec.structs.replace(whole, id=whole.execution_id, status=status)


def _dag_job(dag: Dag, deployment: str, workspace_id: UUID) -> Job:
    return Job(
        id=dag_job_id(deployment, dag.dag_id),
        workspace_id=workspace_id,
        kind=JobKind.DAG,
        name=dag.dag_id,
        deployment=deployment,
        dag_id=dag.dag_id,
        is_active=dag.is_active and not dag.is_paused,
    )


class _Ran(NamedTuple):
    """A run that is listed among the executions."""

    run: DagRun
    deployment: Deployment


def _started(one: Execution | _Ran) -> float:
    moment = (one.run.start_date or one.run.queued_at) if isinstance(one, _Ran) else one.started_at
    return moment.timestamp() if moment else 0.0


def _check(job: Job) -> None:
    if not job.name.strip() or len(job.name) > 255:
        raise InvalidFields([("/name", "A name has 1 to 255 characters.")])
