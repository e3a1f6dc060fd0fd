"""DAG runs, and the counters that make counting them cheap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, literal_column, select

from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Listing, Order, Page, RunFilter
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import _schema as schema
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions, by_key, one_of, ordered, paged, sortable, total, unindexed, within
from airgate.store.database import Tx

_RUN = schema.dag_run
_COUNT = schema.run_count
_BLOCK = schema.run_block
_MAPPING = Mapping(DagRun, _RUN, derived=("execution_date", "external_trigger"), given=("seq",))
_SORTABLE = sortable(_RUN, (*DagRun.__struct_fields__, "execution_date", "external_trigger"))
_KEY = ("dag_id", "run_id")
COLUMNS = _MAPPING.columns
"""What to select of a run that is read together with something else, to be read by `decode`."""
decode = _MAPPING.decode
_SELECT = select(*_MAPPING.columns)
_GET = _SELECT.where(*_MAPPING.by(_KEY))
_OF_BLOCK = _RUN.c.seq.op(">>")(literal_column(str(schema.RUN_BLOCK_BITS)))
_BLOCKS = select(_BLOCK.c.block, _BLOCK.c.version)
_UNFINISHED = _SELECT.where(schema.RUN_UNFINISHED).order_by(_RUN.c.seq)
_UPDATE = _MAPPING.update(_KEY, fixed=["id"])


def get(tx: Tx, dag_id: str, run_id: str) -> DagRun:
    """One run. Raises NotFound (code ``run_not_found``)."""
    row = tx.run(_GET, {"key_dag_id": dag_id, "key_run_id": run_id}).first()
    if row is None:
        raise _unknown(dag_id, run_id)
    return _MAPPING.decode(row)


def get_many(tx: Tx, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], DagRun]:
    """Those runs of these (DAG id, run id) that exist."""
    found: dict[tuple[str, str], DagRun] = {}
    for among in by_key((_RUN.c.dag_id, _RUN.c.run_id), keys):
        for run in _MAPPING.decode_all(tx.run(_SELECT.where(among))):
            found[run.dag_id, run.run_id] = run
    return found


def states(tx: Tx, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], RunState]:
    """The present state of each of these runs, (DAG id, run id), that exists."""
    return {key: state for key, (state, _) in _present(tx, keys).items()}


def list_runs(tx: Tx, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
    """One page of the runs that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    seq = _RUN.c.seq + 0 if _by_change(which) else _RUN.c.seq
    by = ordered(order, {**_sortable(tx), "seq": seq}, [seq])
    conditions = _conditions(which)
    rows = tx.run(paged(_SELECT.where(*conditions).order_by(*by), page))
    return Listing(_MAPPING.decode_all(rows), count(tx, which))


def page(tx: Tx, which: RunFilter, order: Order, window: Page) -> tuple[DagRun, ...]:
    """The runs of `list_runs`, without their total, where the window may lie far into the list.

    Only what is sorted by is sorted; the rest is read for the window alone.
    """
    by = ordered(order, _sortable(tx), [_RUN.c.seq])
    numbers = select(_RUN.c.seq).where(*_conditions(which)).order_by(*by)
    return page_of(tx, tx.run(paged(numbers, window)).scalars().all(), order)


def page_of(tx: Tx, seqs: Sequence[int], order: Order, window: Page | None = None) -> tuple[DagRun, ...]:
    """The runs with these numbers, in order; or a window on them."""
    by = ordered(order, _sortable(tx), [_RUN.c.seq])
    statement = _SELECT.where(_RUN.c.seq.in_(seqs)).order_by(*by)
    return _MAPPING.decode_all(tx.run(statement if window is None else paged(statement, window)))


def block_versions(tx: Tx) -> dict[int, int]:
    """The version of every block of runs: it rises with every change to one of them."""
    return {row.block: row.version for row in tx.run(_BLOCKS)}


def few_changed(tx: Tx, which: RunFilter, enough: int) -> bool:
    """Whether `list_runs` is asked for runs changed since some moment, and no more than `enough` have changed since."""
    if not _by_change(which):
        return False
    changed = select(_RUN.c.seq).where(_RUN.c.updated_at >= which.updated_at.start).limit(enough + 1)
    return len(tx.run(changed).all()) <= enough


def insert(tx: Tx, run: DagRun) -> DagRun:
    """Keep a new run and give it back with its `seq`.

    Raises:
        Conflict: code ``run_exists`` or ``logical_date_exists``; where both hold, the date wins.
    """
    (seq,) = insert_many(tx, [run])
    if seq is None:
        raise clash(tx, run)
    return msgspec.structs.replace(run, seq=seq)


def save(tx: Tx, runs: Sequence[DagRun]) -> None:
    """Overwrite runs, found by (dag_id, run_id); `id` and `seq` stay. Raises NotFound for an unknown one."""
    before = _present(tx, [(run.dag_id, run.run_id) for run in runs])
    change: Counter[tuple[str, RunState]] = Counter()
    for run in runs:
        key = (run.dag_id, run.run_id)
        if key not in before:
            raise _unknown(*key)
        state, seq = before[key]
        change[run.dag_id, state] -= 1
        change[run.dag_id, run.state] += 1
        before[key] = (run.state, seq)
    tx.run_each(_UPDATE, _MAPPING.changes(runs, _KEY, fixed=["id"]))
    _count_up(tx, change)
    _touch(tx, (seq for _, seq in before.values()))


def delete(tx: Tx, dag_id: str, run_id: str) -> None:
    """Delete a run with its task instances, tries, XComs and triggers. Raises NotFound."""
    present = _present(tx, [(dag_id, run_id)]).get((dag_id, run_id))
    if present is None:
        raise _unknown(dag_id, run_id)
    state, seq = present
    _count_up(tx, {(dag_id, state): -1})
    _touch(tx, [seq])
    for table in (schema.trigger_request, _RUN):  # what belongs to the run goes with it
        tx.run(table.delete().where(table.c.dag_id == dag_id, table.c.run_id == run_id))


def unfinished(tx: Tx) -> tuple[DagRun, ...]:
    """Queued and running runs of all DAGs, oldest first."""
    return _MAPPING.decode_all(tx.run(_UNFINISHED))


def newest_scheduled(tx: Tx, dag_id: str) -> DagRun | None:
    """The newest scheduled or backfill run, by logical date (`run_after` where there is none)."""
    timed = (_RUN.c.dag_id == dag_id, _RUN.c.external_trigger.is_(False), schema.RUN_TIMED)
    return _first(tx, _SELECT.where(*timed).order_by(_RUN.c.execution_date.desc()).limit(1))


def previous(tx: Tx, dag_id: str, logical_date: datetime, state: RunState | None = None) -> DagRun | None:
    """The run with the newest logical date before this one, in `state` where given."""
    conditions = [_RUN.c.dag_id == dag_id, _RUN.c.logical_date < logical_date]
    if state is not None:
        conditions.append(_RUN.c.state == state)
    return _first(tx, _SELECT.where(*conditions).order_by(_RUN.c.logical_date.desc().nulls_last()).limit(1))


def previous_successful(tx: Tx, dag_id: str, logical_date: datetime) -> DagRun | None:
    """The successful run with the newest logical date before this one."""
    return previous(tx, dag_id, logical_date, RunState.SUCCESS)


def count(tx: Tx, which: RunFilter, logical_dates: Sequence[datetime] | None = None) -> int:
    """How many runs match, and have one of the logical dates where those are given."""
    if logical_dates is None and which == RunFilter(dag_ids=which.dag_ids, states=which.states):
        conditions = one_of(_COUNT.c.dag_id, which.dag_ids) + one_of(_COUNT.c.state, which.states)
        return int(tx.run(select(func.coalesce(func.sum(_COUNT.c.n), 0)).where(*conditions)).scalar_one())
    return total(tx, _RUN, _conditions(which) + one_of(_RUN.c.logical_date, logical_dates))


def ids_at(tx: Tx, dag_id: str, logical_dates: Sequence[datetime]) -> tuple[str, ...]:
    """Ids of the runs of a DAG that have one of these logical dates."""
    at = select(_RUN.c.run_id).where(_RUN.c.dag_id == dag_id, *one_of(_RUN.c.logical_date, logical_dates))
    return tuple(tx.run(at).scalars())


def recent_states(tx: Tx, dag_id: str, n: int) -> tuple[RunState, ...]:
    """How the last `n` finished runs ended, newest (by logical date or `run_after`) first."""
    newest = (_RUN.c.execution_date.desc(), _RUN.c.seq.desc())
    finished = _RUN.c.state.in_([RunState.SUCCESS, RunState.FAILED])
    rows = tx.run(select(_RUN.c.state).where(_RUN.c.dag_id == dag_id, finished).order_by(*newest).limit(n))
    return tuple(rows.scalars())


def insert_many(tx: Tx, runs: Sequence[DagRun]) -> list[int | None]:
    """Keep those runs that clash with no other; give each its `seq`, or None where it was not kept.

    Of runs that clash with each other the first is kept.
    """
    if not runs:
        return []
    statement = tx.insert(_RUN).on_conflict_do_nothing().returning(_RUN.c.id, _RUN.c.seq)
    given = {row.id: row.seq for row in tx.run(statement, _MAPPING.encode_all(runs))}
    _count_up(tx, Counter((run.dag_id, run.state) for run in runs if run.id in given))
    _touch(tx, given.values())
    return [given.get(run.id) for run in runs]


def clash(tx: Tx, run: DagRun) -> Conflict:
    """Why a run was not kept."""
    return clashes(tx, [run])[0]


def clashes(tx: Tx, runs: Sequence[DagRun]) -> list[Conflict]:
    """Why each of these runs was not kept. As in Airflow, a date that is taken is named before an id that is."""
    dates = {(run.dag_id, run.logical_date) for run in runs if run.logical_date is not None}
    taken: set[tuple[str, datetime | None]] = set()
    for among in by_key((_RUN.c.dag_id, _RUN.c.logical_date), dates):
        taken.update(
            (row.dag_id, row.logical_date) for row in tx.run(select(_RUN.c.dag_id, _RUN.c.logical_date).where(among))
        )
    return [_conflict(run, same_date=(run.dag_id, run.logical_date) in taken) for run in runs]


def _conflict(run: DagRun, *, same_date: bool) -> Conflict:
    if same_date and run.logical_date is not None:
        return Conflict(
            f"DAG run with dag_id '{run.dag_id}' and logical date '{run.logical_date.isoformat()}' already exists",
            code="logical_date_exists",
        )
    return Conflict(f"DAG run with dag_id '{run.dag_id}' and run_id '{run.run_id}' already exists", code="run_exists")


def forget(tx: Tx, dag_id: str) -> None:
    """Delete every run of a DAG, with all that belongs to them."""
    _bump(tx, tx.run(select(_OF_BLOCK).where(_RUN.c.dag_id == dag_id).distinct()).scalars())
    for table in (schema.trigger_request, _RUN, _COUNT):
        tx.run(table.delete().where(table.c.dag_id == dag_id))


def _unknown(dag_id: str, run_id: str) -> NotFound:
    return NotFound(f"DAG run with dag_id '{dag_id}' and run_id '{run_id}' was not found", code="run_not_found")


def _first(tx: Tx, statement: Any) -> DagRun | None:
    row = tx.run(statement).first()
    return None if row is None else _MAPPING.decode(row)


def _sortable(tx: Tx) -> dict[str, Any]:
    """What runs are sorted by. `conf` is sorted as text, by code point, like all texts."""
    if tx.connection.dialect.name == "postgresql":
        return {**_SORTABLE, "conf": _RUN.c.conf.collate("C")}
    return _SORTABLE


def _by_change(which: RunFilter) -> bool:
    """Whether the index of changes is the one to use: who asks for changes since some moment asks for few runs."""
    return which.updated_at.start is not None and which.run_ids is None


def _conditions(which: RunFilter) -> Conditions:
    return [
        *one_of(unindexed(_RUN.c.dag_id) if _by_change(which) else _RUN.c.dag_id, which.dag_ids),
        *one_of(_RUN.c.run_id, which.run_ids),
        *_in_state(which.states),
        *within(_RUN.c.execution_date, which.execution_date),
        *within(_RUN.c.start_date, which.start_date),
        *within(_RUN.c.end_date, which.end_date),
        *within(_RUN.c.updated_at, which.updated_at),
    ]


def _in_state(states: Sequence[RunState] | None) -> Conditions:
    conditions = one_of(_RUN.c.state, states)
    if states and set(states) <= {RunState.QUEUED, RunState.RUNNING}:
        conditions.append(schema.RUN_UNFINISHED)  # says nothing new, but lets the index of the few be used
    if states and set(states) == {RunState.FAILED}:
        conditions.append(schema.RUN_FAILED)
    return conditions


def _present(tx: Tx, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[RunState, int]]:
    """The present state and the `seq` of each run that exists."""
    found: dict[tuple[str, str], tuple[RunState, int]] = {}
    for among in by_key((_RUN.c.dag_id, _RUN.c.run_id), keys):
        for row in tx.run(select(_RUN.c.dag_id, _RUN.c.run_id, _RUN.c.state, _RUN.c.seq).where(among)):
            found[row.dag_id, row.run_id] = (row.state, row.seq)
    return found


def _count_up(tx: Tx, change: dict[tuple[str, RunState], int]) -> None:
    # In a fixed order, so that two writers wait for each other instead of for ever.
    rows = [{"dag_id": dag_id, "state": state, "n": n} for (dag_id, state), n in sorted(change.items()) if n]
    tx.run_each(tx.prepared(_counting), rows)


def _counting(insert: Any) -> Any:
    statement = insert(_COUNT)
    added = {"n": _COUNT.c.n + statement.excluded.n}
    return statement.on_conflict_do_update(index_elements=["dag_id", "state"], set_=added)


def _touch(tx: Tx, seqs: Iterable[int]) -> None:
    """Note that something about these runs has changed."""
    _bump(tx, {seq >> schema.RUN_BLOCK_BITS for seq in seqs})


def _bump(tx: Tx, blocks: Iterable[int]) -> None:
    # In a fixed order, as above.
    tx.run_each(tx.prepared(_bumping), [{"block": block, "version": 1} for block in sorted(blocks)])


def _bumping(insert: Any) -> Any:
    return insert(_BLOCK).on_conflict_do_update(index_elements=["block"], set_={"version": _BLOCK.c.version + 1})
