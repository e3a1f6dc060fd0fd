"""Drafting DAG runs: which id, which dates, which conf, for whoever asks for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from airgate.engine.ports import Timetables
from airgate.model import run_ids
from airgate.model.dag import Dag
from airgate.model.errors import InvalidInput, NotFound
from airgate.model.params import Params
from airgate.model.run import DagRun
from airgate.model.run_ids import Moments
from airgate.model.states import RunState, RunType, TriggeredBy
from airgate.model.trigger import TriggerRequest


class Planner:
    """Drafts runs of the embedded engine's DAGs.

    Args:
        find: the DAG of that id as it is now; None where no file ever defined one.
    """

    def __init__(
        self,
        find: Callable[[str], Dag | None],
        timetables: Timetables,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._find = find
        self._timetables = timetables
        self._clock = clock
        self._new_id = new_id
        self._moments = Moments()
        self._params: dict[UUID, Params] = {}

    async def plan(self, request: TriggerRequest) -> DagRun:
        """Draft the run that the request asks for; nothing is stored.

        Raises:
            NotFound: there is no such DAG, or its file is gone (code ``dag_not_found``).
            InvalidInput: the DAG cannot be triggered (``dag_has_import_errors``), or not like this.
            Unavailable: the DAG's timetable has to be asked for the data interval, and cannot be now.
        """
        dag = self._dag(request.dag_id)
        if request.run_id:
            run_ids.check(request.run_id, request.run_type)
        self._resolve_params(dag, request)
        now = self._moments.after(self._clock())
        logical_date = request.logical_date if request.has_logical_date else self._choose(request, now)
        run_after = request.run_after or now
        # Airflow gives a run that an operator starts the interval of its time, one that anybody else starts that of
        # its logical date.
        of = run_after if request.triggered_by is TriggeredBy.OPERATOR and logical_date else logical_date
        interval = request.data_interval or await self._interval(dag, of)
        return DagRun(
            id=self._new_id(),
            dag_id=dag.dag_id,
            run_id=request.run_id or _chosen_id(request, logical_date or run_after),
            state=RunState.QUEUED,
            run_type=request.run_type,
            triggered_by=request.triggered_by,
            run_after=run_after.astimezone(UTC),
            queued_at=now,
            logical_date=None if logical_date is None else logical_date.astimezone(UTC),
            data_interval_start=interval[0] if interval else None,
            data_interval_end=interval[1] if interval else None,
            conf=request.conf,
            note=request.note,
            triggering_user=request.triggering_user,
            dag_version_id=dag.version.id,
            partition_key=request.partition_key,
            updated_at=now,
        )

    def _choose(self, request: TriggerRequest, now: datetime) -> datetime:
        return self._moments.whole_second(request.dag_id, now) if request.whole_second else now

    def _dag(self, dag_id: str) -> Dag:
        dag = self._find(dag_id)
        if dag is None or not dag.is_active:
            raise NotFound(f"DAG with dag_id: '{dag_id}' not found", code="dag_not_found")
        if dag.has_import_errors:
            raise InvalidInput(f"DAG with dag_id: '{dag_id}' has import errors", code="dag_has_import_errors")
        allowed = dag.spec.allowed_run_types
        if allowed is not None and RunType.MANUAL not in allowed:
            raise InvalidInput(
                f"DAG with dag_id: '{dag_id}' does not allow manual runs (allowed_run_types: {', '.join(allowed)})",
                code="run_type_not_allowed",
            )
        return dag

    def _resolve_params(self, dag: Dag, request: TriggerRequest) -> None:
        if not dag.spec.params:
            return
        params = self._params.get(dag.version.id)
        if params is None:
            params = self._params[dag.version.id] = Params(dag.spec.params)
        params.resolve(request.conf)

    async def _interval(self, dag: Dag, logical_date: datetime | None) -> tuple[datetime, datetime] | None:
        if logical_date is None:
            return None
        if dag.spec.schedule.manual_interval_is_exact:
            exact = logical_date.astimezone(UTC)
            return (exact, exact)
        return await self._timetables.manual_interval(dag.dag_id, logical_date)


def _chosen_id(request: TriggerRequest, date: datetime) -> str:
    if request.run_id_prefix is None:
        return run_ids.generate(request.run_type, date)
    run_id = run_ids.prefixed(request.run_id_prefix, date)
    run_ids.check(run_id, request.run_type)
    return run_id
