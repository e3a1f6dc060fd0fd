"""Task instances, and the tries they have had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from airgate.model.admin import PoolUsage
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Listing, Order, Page, Span, TaskFilter
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import AT_ONCE, Conditions, by_key, one_of, ordered, paged, sortable, total, unindexed, within
from airgate.store.database import Tx

_TASK = schema.task_instance
_TRY = schema.task_try
_RUN = schema.dag_run
_MAPPING = Mapping(TaskInstance, _TASK, derived=("duration",))
_HISTORY = Mapping(TaskInstance, _TRY, derived=("duration",))
_KEY = ("dag_id", "run_id", "task_id", "map_index")
_NATURAL = tuple(_TASK.c[name] for name in _KEY)
_SORTABLE = sortable(_TASK, (*TaskInstance.__struct_fields__, "duration"), execution_date=_RUN.c.execution_date)
_WITH_RUN = _TASK.join(_RUN, (_RUN.c.dag_id == _TASK.c.dag_id) & (_RUN.c.run_id == _TASK.c.run_id))
_SELECT = select(*_MAPPING.columns)
_GET = _SELECT.where(*_MAPPING.by(_KEY))
_TRIES = select(*_HISTORY.columns).where(*_HISTORY.by(_KEY)).order_by(_TRY.c.try_number)
_UPDATE = _MAPPING.update(_KEY)
_USAGE = {TaskState.RESTARTING: "running"}
"""States whose slots count under another name."""


def insert(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Keep new task instances.

    Raises:
        NotFound: (code ``run_not_found``) the run of one of them does not exist.
        Conflict: (code ``task_instance_exists``) one of them exists.
    """
    try:
        tx.run_each(_TASK.insert(), _MAPPING.encode_all(instances))
    except IntegrityError as error:
        raise _refused(error) from error


def save(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Overwrite task instances, `id` included, found by (dag_id, run_id, task_id, map_index).

    Raises NotFound (code ``task_instance_not_found``) for an unknown one.
    """
    rows = _MAPPING.changes(instances, _KEY)
    if rows and tx.run(_UPDATE, rows).rowcount != len(rows):
        for one in instances:
            get(tx, one.dag_id, one.run_id, one.task_id, one.map_index)


def archive(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Keep finished tries as history, one per try number; archiving a try again replaces it."""
    try:
        tx.run_each(tx.prepared(_archiving), _HISTORY.encode_all(instances))
    except IntegrityError as error:
        raise _refused(error) from error


def _archiving(insert: Any) -> Any:
    statement = insert(_TRY)
    keys = [*_KEY, "try_number"]
    changed = {name: statement.excluded[name] for name in _HISTORY.stored if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def tries(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
    """Every try, oldest first; the present one last if it has a number and is not in history yet.

    Raises NotFound where there is no such task instance.
    """
    present = get(tx, dag_id, run_id, task_id, map_index)
    history = _HISTORY.decode_all(tx.run(_TRIES, _key(dag_id, run_id, task_id, map_index)))
    if present.try_number > 0 and all(past.try_number != present.try_number for past in history):
        return (*history, present)
    return history


def get(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
    """One task instance. Raises NotFound (code ``task_instance_not_found``)."""
    row = tx.run(_GET, _key(dag_id, run_id, task_id, map_index)).first()
    if row is None:
        raise NotFound(
            f"Task instance '{task_id}' (map index {map_index}) of run '{run_id}' of DAG '{dag_id}' was not found",
            code="task_instance_not_found",
        )
    return _MAPPING.decode(row)


def of_run(tx: Tx, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
    """The task instances of one run, by task id and map index."""
    conditions = (_TASK.c.dag_id == dag_id, _TASK.c.run_id == run_id)
    return _MAPPING.decode_all(tx.run(_SELECT.where(*conditions).order_by(*_NATURAL)))


def of_runs(tx: Tx, run_keys: Sequence[tuple[str, str]]) -> tuple[TaskInstance, ...]:
    """The task instances of runs named by (dag_id, run_id), by their natural key."""
    found: list[TaskInstance] = []
    for among in by_key((_TASK.c.dag_id, _TASK.c.run_id), run_keys):
        found.extend(_MAPPING.decode_all(tx.run(_SELECT.where(among).order_by(*_NATURAL))))
    return tuple(found)


def list_tasks(tx: Tx, which: TaskFilter, order: Order, page: Page) -> Listing[TaskInstance]:
    """One page of those that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    fields: dict[str, Any] = _SORTABLE
    natural: tuple[Any, ...] = _NATURAL
    if _by_change(which):
        fields, natural = _SORTABLE | {"map_index": _TASK.c.map_index + 0}, (unindexed(_TASK.c.dag_id), *_NATURAL[1:])
    by = ordered(order, fields, natural)
    conditions = _conditions(which)
    statement = _SELECT.select_from(_source(which, order)).where(*conditions).order_by(*by)
    return Listing(_MAPPING.decode_all(tx.run(paged(statement, page))), count(tx, which))


def count(tx: Tx, which: TaskFilter) -> int:
    """How many task instances match."""
    return total(tx, _source(which), _conditions(which))


def previous(
    tx: Tx,
    dag_id: str,
    task_id: str,
    logical_date: datetime | None,
    map_index: int = -1,
    state: TaskState | None = None,
) -> TaskInstance | None:
    """The same task in the run with the newest logical date (before this one, where given) that has it (in `state`)."""
    conditions = [_RUN.c.dag_id == dag_id, _TASK.c.task_id == task_id, _TASK.c.map_index == map_index]
    if logical_date is not None:
        conditions.append(_RUN.c.logical_date < logical_date)
    if state is not None:
        conditions.append(_TASK.c.state == state)
    newest = _RUN.c.logical_date.desc().nulls_last()
    row = tx.run(_SELECT.select_from(_WITH_RUN).where(*conditions).order_by(newest).limit(1)).first()
    return None if row is None else _MAPPING.decode(row)


def seen_before(tx: Tx, dag_id: str, logical_date: datetime) -> frozenset[str]:
    """Tasks of a DAG that have an instance in any run with an earlier logical date."""
    earlier = (
        select(_TASK.c.task_id)
        .select_from(_WITH_RUN)
        .where(_RUN.c.dag_id == dag_id, _RUN.c.logical_date < logical_date)
    )
    return frozenset(tx.run(earlier.distinct()).scalars())


def states(tx: Tx, which: TaskFilter) -> dict[str, dict[str, TaskState | None]]:
    """States by run id, then by task id (``{task_id}_{map_index}`` where mapped)."""
    columns = (_TASK.c.run_id, _TASK.c.task_id, _TASK.c.map_index, _TASK.c.state)
    statement = select(*columns).select_from(_source(which)).where(*_conditions(which)).order_by(*_NATURAL)
    found: dict[str, dict[str, TaskState | None]] = {}
    for row in tx.run(statement):
        name = row.task_id if row.map_index < 0 else f"{row.task_id}_{row.map_index}"
        found.setdefault(row.run_id, {})[name] = row.state
    return found


def delete(tx: Tx, ids: Sequence[UUID]) -> None:
    """Delete task instances by the id of their present try. Unknown ids are no error."""
    for start in range(0, len(ids), AT_ONCE):
        tx.run(_TASK.delete().where(_TASK.c.id.in_(ids[start : start + AT_ONCE])))


def pool_usage(tx: Tx) -> dict[str, PoolUsage]:
    """Slots in use, by pool; pools nobody uses are absent."""
    statement = (
        select(_TASK.c.pool, _TASK.c.state, func.sum(_TASK.c.pool_slots).label("slots"))
        .where(schema.TASK_IN_POOL)
        .group_by(_TASK.c.pool, _TASK.c.state)
    )
    usage: dict[str, dict[str, int]] = {}
    for row in tx.run(statement):
        used = usage.setdefault(row.pool, {})
        word = _USAGE.get(row.state, row.state.value)
        used[word] = used.get(word, 0) + int(row.slots)
    return {pool: PoolUsage(**used) for pool, used in usage.items()}


def _key(dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
    return {"key_dag_id": dag_id, "key_run_id": run_id, "key_task_id": task_id, "key_map_index": map_index}


def _refused(error: IntegrityError) -> Exception:
    # Both databases name the kind of the constraint in their text, and only there alike.
    if "foreign key" in str(error.orig).lower():
        return NotFound("The run of a task instance does not exist", code="run_not_found")
    return Conflict("A task instance exists already", code="task_instance_exists")


def _source(which: TaskFilter, order: Order | None = None) -> Any:
    needs_run = which.execution_date != Span() or (order is not None and order.field == "execution_date")
    return _WITH_RUN if needs_run else _TASK


def _by_change(which: TaskFilter) -> bool:
    """Whether the index of changes is the one to use: who asks for changes since some moment asks for few of them."""
    return which.updated_at.start is not None and which.run_ids is None


def _conditions(which: TaskFilter) -> Conditions:
    alternatives: Iterable[tuple[Any, Any]] = (
        (unindexed(_TASK.c.dag_id) if _by_change(which) else _TASK.c.dag_id, which.dag_ids),
        (_TASK.c.run_id, which.run_ids),
        (_TASK.c.task_id, which.task_ids),
        (_TASK.c.map_index, which.map_indexes),
        (_TASK.c.state, which.states),
        (_TASK.c.pool, which.pools),
        (_TASK.c.queue, which.queues),
        (_TASK.c.executor, which.executors),
    )
    spans = (
        (_RUN.c.execution_date, which.execution_date),
        (_TASK.c.start_date, which.start_date),
        (_TASK.c.end_date, which.end_date),
        (_TASK.c.updated_at, which.updated_at),
        (_TASK.c.duration, which.duration),
    )
    conditions = [condition for column, values in alternatives for condition in one_of(column, values)]
    conditions += [condition for column, span in spans for condition in within(column, span)]
    if which.states and set(which.states) <= schema.STATES_IN_POOL:
        conditions.append(schema.TASK_IN_POOL)  # says nothing new, but lets the index of the few be used
    return conditions
