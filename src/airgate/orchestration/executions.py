"""What webhooks are told of a DAG run that has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid5

import msgspec
import structlog

from airgate.model.job import Execution, ExecutionStatus, dag_job_id
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, RunType, TaskState
from airgate.orchestration.facts import SCHEDULED_BY

TOLD: Final = "airgate"
"""Key of the XCom, and of the part of the conf, by which a run tells what it has moved."""

MOST_TABLES: Final = 500
"""Of one run; those beyond are left out, and the log says so."""

_ALIASES: Final = {"schema": "schema_name", "table": "table_name"}
_TYPES: Final[Mapping[str, type]] = {
    "schema_name": str,
    "table_name": str,
    "connection_name": str,
    "rows": int,
    "columns": int,
    "nested_table": bool,
}
_ENDED: Final[Mapping[str, Any]] = {
    "state": RunState,
    "start_date": datetime | None,
    "end_date": datetime | None,
    "clear_number": int,
}
_DEEPEST: Final = 8

log = structlog.get_logger(__name__)


class Home(msgspec.Struct, frozen=True):
    """Where runs of a deployment belong."""

    deployment: str
    workspace_id: UUID
    address: str
    """Of the server, without a slash at its end; links to runs begin with it."""


def executions_of(
    run: DagRun, instances: Sequence[TaskInstance], told: Sequence[XCom], home: Home, occasion: int
) -> tuple[Execution, ...]:
    """The executions of a run that has ended: one, or one per table where the run told of several.

    Args:
        run: as it ended.
        instances: its task instances.
        told: its XComs under the key `TOLD`, in any order.
        home: where it belongs.
        occasion: number of the event that told of its end. A run that is cleared, or marked by hand, ends again.
    """
    facts = _told(run, told)
    tables = [table for table in facts.pop("tables", ()) if isinstance(table, Mapping)]
    if len(tables) > MOST_TABLES:
        log.warning("A run tells of too many tables", dag_id=run.dag_id, run_id=run.run_id, tables=len(tables))
        del tables[MOST_TABLES:]
    whole = _execution(run, instances, home)
    parts = [facts | _known(table) for table in tables] or [facts]
    return tuple(
        msgspec.structs.replace(
            whole,
            id=uuid5(run.id, f"{occasion}:{index}"),
            **({"nested_table": index > 0} | part),
        )
        for index, part in enumerate(parts)
    )


def as_ended(run: DagRun, ended: Mapping[str, Any]) -> DagRun:
    """The run as it was when it ended, by the payload of the event that told of it: it may be running again by now.

    Raises:
        msgspec.ValidationError: that is no such payload.
    """
    known = {name: msgspec.convert(ended[name], kind) for name, kind in _ENDED.items() if name in ended}
    return msgspec.structs.replace(run, **known)


def _execution(run: DagRun, instances: Sequence[TaskInstance], home: Home) -> Execution:
    scheduled = run.run_type in (RunType.SCHEDULED, RunType.BACKFILL)
    return Execution(
        id=run.id,
        execution_id=run.id if run.clear_number == 0 else uuid5(run.id, str(run.clear_number)),
        job_id=dag_job_id(home.deployment, run.dag_id),
        workspace_id=home.workspace_id,
        status=ExecutionStatus.FINISHED if run.state is RunState.SUCCESS else ExecutionStatus.FAILED,
        started_at=run.start_date or run.queued_at,
        ended_at=run.end_date,
        triggered_by=SCHEDULED_BY if scheduled else run.triggering_user,
        is_orchestration=not scheduled,
        force_history=run.conf.get("force_history") is True,
        run=_run_view(run, instances, home),
    )


def _run_view(run: DagRun, instances: Sequence[TaskInstance], home: Home) -> dict[str, Any]:
    """What templates read as ``${{run.…}}``, as JSON."""
    path = f"/{quote(home.deployment)}/airflow/api/v1/dags/{quote(run.dag_id)}/dagRuns/{quote(run.run_id, safe='')}"
    failed = [instance.task_id for instance in instances if instance.state is TaskState.FAILED]
    view = {
        "id": run.id,
        "deployment": home.deployment,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "run_type": run.run_type,
        "logical_date": run.logical_date,
        "run_after": run.run_after,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "duration": _seconds(run.start_date, run.end_date),
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "conf": run.conf,
        "note": run.note,
        "triggering_user": run.triggering_user,
        "failed_tasks": list(dict.fromkeys(failed)),
        "url": home.address + path,
    }
    found: dict[str, Any] = msgspec.to_builtins(view)
    return found


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _told(run: DagRun, told: Sequence[XCom]) -> dict[str, Any]:
    """What the run told of itself: by XCom, else in its conf under our key, else in its conf under the plain names."""
    facts: dict[str, Any] = {}
    pushed = (plain(xcom.value) for xcom in sorted(told, key=lambda xcom: xcom.timestamp))
    for source in (run.conf, run.conf.get(TOLD), *pushed):
        if isinstance(source, Mapping):
            facts |= _known(source)
            if isinstance(source.get("tables"), list) and source is not run.conf:
                facts["tables"] = source["tables"]
    return facts


def plain(value: Any, depth: int = 0) -> Any:
    """An XCom's value as plain JSON.

    Airflow's Task SDK wraps what JSON has no type for, numbers of numpy, tuples, dataclasses and models among it, in an
    object that names its class; what it holds is what was meant.
    """
    if depth > _DEEPEST:
        return None
    if isinstance(value, Mapping):
        if "__classname__" in value and "__data__" in value:
            return plain(value["__data__"], depth + 1)
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
    return value


def _known(source: Mapping[str, Any]) -> dict[str, Any]:
    """The facts a mapping holds, as far as they have the types that facts have."""
    return dict(_facts(source))


def _facts(source: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in source.items():
        name = _ALIASES.get(key, key)
        if type(value) is _TYPES.get(name):
            yield name, value
        elif name == "connection_id" and (known := _uuid(value)) is not None:
            yield name, known


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
