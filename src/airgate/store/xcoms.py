"""XComs. An entry's logical date is its run's; what `put` is given there is not kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from airgate.model.errors import NotFound
from airgate.model.query import Listing, Page
from airgate.model.run import XCom
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import by_key, one_of, paged, total
from airgate.store.database import Tx

_XCOM = schema.xcom
_RUN = schema.dag_run
_MAPPING = Mapping(XCom, _XCOM)
_KEY = ("dag_id", "run_id", "task_id", "map_index", "key")
_NATURAL = tuple(_XCOM.c[name] for name in _KEY)
_WITH_RUN = _XCOM.join(_RUN, (_RUN.c.dag_id == _XCOM.c.dag_id) & (_RUN.c.run_id == _XCOM.c.run_id))
_SELECT = select(*_MAPPING.columns, _RUN.c.logical_date).select_from(_WITH_RUN)


def put(tx: Tx, xcom: XCom) -> None:
    """Keep an XCom, replacing what was there. Raises NotFound (code ``run_not_found``) without its run."""
    put_many(tx, [xcom])


def put_many(tx: Tx, xcoms: Sequence[XCom]) -> None:
    """`put` for several."""
    try:
        tx.run_each(tx.prepared(_putting), _MAPPING.encode_all(xcoms))
    except IntegrityError as error:
        raise NotFound("The run of an XCom does not exist", code="run_not_found") from error


def _putting(insert: Any) -> Any:
    statement = insert(_XCOM)
    changed = {name: statement.excluded[name] for name in _MAPPING.stored if name not in _KEY}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed)


def get(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> XCom:
    """One XCom. Raises NotFound (code ``xcom_not_found``)."""
    row = tx.run(_SELECT.where(*_is(dag_id, run_id, task_id, map_index, key))).first()
    if row is None:
        raise NotFound(
            f"XCom '{key}' of task '{task_id}' of run '{run_id}' of DAG '{dag_id}' was not found",
            code="xcom_not_found",
        )
    return _decode(row)


def list_xcoms(
    tx: Tx,
    *,
    dag_ids: Sequence[str] | None = None,
    run_id: str | None = None,
    task_id: str | None = None,
    map_index: int | None = None,
    key: str | None = None,
    page: Page,
) -> Listing[XCom]:
    """One page of the entries that match, by their natural key. None means no restriction."""
    given = (run_id, task_id, map_index, key)
    conditions = one_of(_XCOM.c.dag_id, dag_ids)
    for column, value in zip(_NATURAL[1:], given, strict=True):
        conditions += one_of(column, None if value is None else [value])
    rows = tx.run(paged(_SELECT.where(*conditions).order_by(*_NATURAL), page))
    return Listing(tuple(map(_decode, rows)), total(tx, _XCOM, conditions))


def delete(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> bool:
    """Delete one XCom; say whether it was there."""
    return tx.run(_XCOM.delete().where(*_is(dag_id, run_id, task_id, map_index, key))).rowcount > 0


def clear_try(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
    """Delete all XComs of a task instance, before its next try."""
    tx.run(_XCOM.delete().where(*_is(dag_id, run_id, task_id, map_index)))


def keys(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[str, ...]:
    """The keys a task instance has pushed, sorted."""
    mine = select(_XCOM.c.key).where(*_is(dag_id, run_id, task_id, map_index)).order_by(_XCOM.c.key)
    return tuple(tx.run(mine).scalars())


def values(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str) -> tuple[XCom, ...]:
    """The entries of all map indexes of a task, by map index."""
    conditions = (*_is(dag_id, run_id, task_id), _XCOM.c.key == key)
    return tuple(map(_decode, tx.run(_SELECT.where(*conditions).order_by(_XCOM.c.map_index))))


def of_key(tx: Tx, runs: Collection[tuple[str, str]], key: str) -> dict[tuple[str, str], list[XCom]]:
    """The entries of all tasks of runs (DAG id, run id) under one key, by run, in the order of their natural key."""
    found: dict[tuple[str, str], list[XCom]] = {}
    for among in by_key((_XCOM.c.dag_id, _XCOM.c.run_id), runs):
        for xcom in map(_decode, tx.run(_SELECT.where(among, _XCOM.c.key == key).order_by(*_NATURAL))):
            found.setdefault((xcom.dag_id, xcom.run_id), []).append(xcom)
    return found


def prior(
    tx: Tx, dag_id: str, task_id: str, key: str, before_logical_date: datetime, map_index: int = -1
) -> XCom | None:
    """The entry of the run with the newest logical date before this one that has it."""
    conditions = [
        *(_RUN.c.dag_id == dag_id, _RUN.c.logical_date < before_logical_date),
        *(_XCOM.c.task_id == task_id, _XCOM.c.map_index == map_index, _XCOM.c.key == key),
    ]
    newest = _RUN.c.logical_date.desc().nulls_last()
    row = tx.run(_SELECT.where(*conditions).order_by(newest).limit(1)).first()
    return None if row is None else _decode(row)


def _is(*values: Any) -> list[Any]:
    """The first columns of the natural key have these values."""
    return [column == value for column, value in zip(_NATURAL, values, strict=False)]


def _decode(row: Any) -> XCom:
    *values, logical_date = row
    return XCom(**dict(zip(_MAPPING.fields, values, strict=True)), logical_date=logical_date)
