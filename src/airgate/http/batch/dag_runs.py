"""DAG runs of the batch plugin: list them, look at one, make many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from airgate.http.batch.dates import Step, count, dates, step_of
from airgate.http.batch.requests import Batch, RunsQuery, batch, runs_query
from airgate.http.batch.views import run_view
from airgate.http.operations import Call
from airgate.http.visible import dag_ids, require
from airgate.model import run_ids
from airgate.model.dag import Dag
from airgate.model.errors import AirgateError, Conflict, InvalidInput, NotFound
from airgate.model.query import Order, Page, RunFilter, RunSearch
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.model.trigger import Accepted, TriggerRequest

_FIRST: Final = Page(1)
_BEGINNING: Final = frozenset({"", "0"})
"""What `start` may be and mean nothing: "0" is its documented default."""
_STATES: Final = {
    "running": (RunState.QUEUED, RunState.RUNNING),  # the plugin's Airflow knew no queued runs
    "success": (RunState.SUCCESS,),
    "failed": (RunState.FAILED,),
}


async def list_runs(call: Call) -> dict[str, Any]:
    """GET /dag_runs: runs of all DAGs by execution date, from after `start` on."""
    query = runs_query(call.raw_query)
    shown = await _shown(call, query)
    which = RunSearch(
        dag_ids=shown,
        states=None if query.state is None else _STATES.get(query.state, ()),
        external_trigger=query.external_trigger,
        run_id_like=None if query.prefix is None else f"{query.prefix}%",
        after=await _position(call, query, shown),
    )
    found = await call.deployment.runs.search(which, query.limit)
    return {"dag_runs": [run_view(run) for run in found]}


async def _shown(call: Call, query: RunsQuery) -> tuple[str, ...] | None:
    """The DAGs to list runs of; None: all."""
    if query.dag_id is None:
        return await dag_ids(call)
    require(call, [query.dag_id])
    return (query.dag_id,)


async def _position(call: Call, query: RunsQuery, shown: tuple[str, ...] | None) -> tuple[datetime, int] | None:
    """Where in the order the list begins."""
    if query.start is None or query.start in _BEGINNING:
        return None
    run = await _find(call, query.start, shown)
    if run is None:
        raise InvalidInput(f"'start' names no dag run: {query.start} not found")
    return run.execution_date, run.seq


async def get_run(call: Call) -> dict[str, Any]:
    """GET /dag_runs/{dag_run_id}: the oldest run of that id among all DAGs."""
    run = await _find(call, call.params["dag_run_id"], await dag_ids(call))
    if run is None:
        raise NotFound("Dag run not found")
    return {"dag_run": run_view(run)}


async def _find(call: Call, run_id: str, shown: tuple[str, ...] | None) -> DagRun | None:
    if shown is None:
        shown = await call.deployment.dags.ids()  # a run is found quickly by both ids, not by its own alone
    found = await call.deployment.runs.list(RunFilter(run_ids=(run_id,), dag_ids=shown), Order("seq"), _FIRST)
    return found.items[0] if found.items else None


async def create_runs(call: Call) -> dict[str, Any]:
    """POST /dag_runs: a run for every date of the DAG's schedule, all of them in one transaction."""
    now = call.services.clock()
    asked = batch(call.raw_body, now)
    call.about(dag_id=asked.dag_id, prefix=asked.prefix)
    require(call, [asked.dag_id])
    step = step_of((await _dag(call, asked.dag_id)).spec.schedule.interval)
    if asked.start is None and asked.end is None:
        # One run, now. Its date is chosen as late as may be, so that no two requests choose the same.
        requests = [] if step is None else [_request(call, asked)]
    else:
        requests = [_request(call, asked, date) for date in await _dates(call, asked, step, now)]
    if not requests:
        return {"dag_run_ids": []}
    await call.deployment.starter.plan(requests[0])  # what is wrong with one is wrong with all: refused before any
    answers = await call.services.triggers.accept_many(call.deployment, requests, call.audit_entry())
    made = _made(answers)
    call.audited = True
    return {"dag_run_ids": made}


async def _dag(call: Call, dag_id: str) -> Dag:
    unknown = InvalidInput(f"Dag id {dag_id} not found", code="dag_not_found")
    try:
        dag = await call.deployment.dags.get(dag_id)
    except NotFound:
        raise unknown from None
    if not dag.is_active:
        raise unknown
    if dag.has_import_errors:
        raise InvalidInput(f"Dag id {dag_id} has import errors", code="dag_has_import_errors")
    return dag


async def _dates(call: Call, asked: Batch, step: Step | None, now: datetime) -> Sequence[datetime]:
    """The dates to make runs for. Of a complete batch all, of a partial one those that are free, up to the limit."""
    start, end = asked.start or now, asked.end or now
    if start > end:
        raise InvalidInput("Wait. start_date needs to be before end_date")
    if step is None:
        return ()
    if asked.partial:
        return await _free(call, asked, dates(step, start, end))
    found = count(step, start, end)
    if found.number > asked.limit:
        number = found.number if found.exact else f"At least {found.number}"
        raise InvalidInput(
            f"{number} dag runs would be created, which exceeds the limit of {asked.limit}. "
            "Reduce start/end date to reduce the dag run count"
        )
    return list(dates(step, start, end))


async def _free(call: Call, asked: Batch, candidates: Iterator[datetime]) -> list[datetime]:
    """The first dates, up to the limit, of which the DAG has no run, neither by date nor by id."""
    free: list[datetime] = []
    while len(free) < asked.limit and (chunk := list(islice(candidates, asked.limit))):
        ids = {run_ids.prefixed(asked.prefix, date): date for date in chunk}
        taken: set[datetime] = set()
        for run in await call.deployment.runs.holding(asked.dag_id, tuple(ids), chunk):
            taken |= {run.execution_date, ids.get(run.run_id, run.execution_date)}
        free += [date for date in chunk if date not in taken]
    return free[: asked.limit]


def _request(call: Call, asked: Batch, date: datetime | None = None) -> TriggerRequest:
    run_id = None
    if date is not None:
        run_id = run_ids.prefixed(asked.prefix, date)
        run_ids.check(run_id)  # all of them before any: a batch is made whole or not at all
    return TriggerRequest(
        dag_id=asked.dag_id,
        run_id=run_id,
        run_id_prefix=asked.prefix if date is None else None,
        logical_date=date,
        has_logical_date=date is not None,
        conf=asked.conf,
        triggering_user=call.user,
    )


def _made(answers: Sequence[Accepted | AirgateError]) -> list[str]:
    """The ids of the runs that were made. Dates and ids that were taken are passed over.

    Raises what is wrong with the batch as a whole.
    """
    made = [answer.run.run_id for answer in answers if isinstance(answer, Accepted) and answer.created]
    if not made:
        for answer in answers:
            if isinstance(answer, AirgateError) and not isinstance(answer, Conflict):
                raise answer
    return made
