"""DAG runs by execution date, and by the ids and dates they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from airgate.model.query import RunSearch
from airgate.model.run import DagRun
from airgate.store import _schema as schema
from airgate.store import runs
from airgate.store._query import AT_ONCE, Conditions, one_of
from airgate.store.database import Tx

_RUN = schema.dag_run
_COUNT = schema.run_count
_SELECT = select(*runs.COLUMNS)
_ORDER = (_RUN.c.execution_date, _RUN.c.seq)
_ESCAPE = "\\"


def search(tx: Tx, which: RunSearch, limit: int) -> tuple[DagRun, ...]:
    """The first runs that match by execution date, then `seq`.

    DAG by DAG, as the indexes are; of each only what may still come before what was found.
    """
    if which.states == ():
        return ()
    conditions = _conditions(which)
    found: list[DagRun] = []
    for dag_id in _with_runs(tx) if which.dag_ids is None else which.dag_ids:
        before = [_RUN.c.execution_date <= found[-1].execution_date] if len(found) == limit else []
        statement = _SELECT.where(_RUN.c.dag_id == dag_id, *conditions, *before).order_by(*_ORDER).limit(limit)
        found += map(runs.decode, tx.run(statement))
        found.sort(key=lambda run: (run.execution_date, run.seq))
        del found[limit:]
    return tuple(found)


def holding(tx: Tx, dag_id: str, run_ids: Sequence[str], logical_dates: Sequence[datetime]) -> tuple[DagRun, ...]:
    """The runs of a DAG that have one of these ids or one of these logical dates."""
    found: dict[int, DagRun] = {}
    for column, values in ((_RUN.c.run_id, run_ids), (_RUN.c.logical_date, logical_dates)):
        for start in range(0, len(values), AT_ONCE):
            among = column.in_(values[start : start + AT_ONCE])
            for run in map(runs.decode, tx.run(_SELECT.where(_RUN.c.dag_id == dag_id, among))):
                found[run.seq] = run
    return tuple(found.values())


def newest_dates(tx: Tx) -> dict[str, datetime]:
    """The latest execution date of each DAG that has runs."""
    latest = select(func.max(_RUN.c.execution_date)).where(_RUN.c.dag_id == schema.dag.c.dag_id).scalar_subquery()
    rows = tx.run(select(schema.dag.c.dag_id, latest.label("date")))
    return {row.dag_id: row.date for row in rows if row.date is not None}


def latest(tx: Tx) -> tuple[DagRun, ...]:
    """Of each DAG that has runs the one with the latest execution date, by DAG id; of several the one made last."""
    newest = select(_RUN.c.seq).where(_RUN.c.dag_id == schema.dag.c.dag_id).order_by(*(by.desc() for by in _ORDER))
    seqs = select(newest.limit(1).scalar_subquery()).select_from(schema.dag)
    return tuple(map(runs.decode, tx.run(_SELECT.where(_RUN.c.seq.in_(seqs)).order_by(_RUN.c.dag_id))))


def _with_runs(tx: Tx) -> Sequence[str]:
    return tx.run(select(_COUNT.c.dag_id).where(_COUNT.c.n > 0).distinct()).scalars().all()


def _conditions(which: RunSearch) -> Conditions:
    conditions = one_of(_RUN.c.state, which.states)
    if which.external_trigger is not None:
        conditions.append(_RUN.c.external_trigger.is_(which.external_trigger))
    if which.run_id_like is not None:
        # What is no wildcard stands for itself on every database, a backslash too.
        pattern = which.run_id_like.replace(_ESCAPE, _ESCAPE + _ESCAPE)
        conditions.append(_RUN.c.run_id.ilike(pattern, escape=_ESCAPE))
    if which.after is not None:
        date, seq = which.after
        same_date = and_(_RUN.c.execution_date == date, _RUN.c.seq > seq)
        conditions += [_RUN.c.execution_date >= date, or_(_RUN.c.execution_date > date, same_date)]
    return conditions
