"""DAGs, their versions, the files they come from and why a file cannot be used."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from airgate.model.dag import Dag, DagSpec, DagVersion, ImportFailure, NextRun
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import DagFilter, Listing, Order, Page
from airgate.store import _schema as schema
from airgate.store import runs
from airgate.store._mapping import Mapping
from airgate.store._query import AT_ONCE, Conditions, one_of, ordered, paged, sortable, total
from airgate.store._types import reader_of, to_json
from airgate.store.database import Tx

_DAG = schema.dag
_read_spec = reader_of(DagSpec)
_TAG = schema.dag_tag
_VERSION = schema.dag_version
_FAILURE = schema.import_failure
_FAILURES = Mapping(ImportFailure, _FAILURE, given=("id",))
_NEXT = {
    "run_after": _DAG.c.next_run_after,
    "logical_date": _DAG.c.next_logical_date,
    "data_interval_start": _DAG.c.next_interval_start,
    "data_interval_end": _DAG.c.next_interval_end,
}
_NO_NEXT: dict[str, Any] = {column.name: None for column in _NEXT.values()}
_PLAIN = (
    *("dag_id", "file", "is_paused", "is_active", "has_import_errors"),
    *("last_parsed_at", "last_parse_duration"),
)
_STRUCTURE = ("id", "number", "created_at", "digest")
_SELECT = select(
    *(_DAG.c[name] for name in _PLAIN),
    *(_VERSION.c[name].label(f"version_{name}") for name in _STRUCTURE),
    *_NEXT.values(),
).join_from(_DAG, _VERSION, _VERSION.c.id == _DAG.c.version_id)
_SORTABLE = sortable(_DAG, Dag.__struct_fields__, next_run=_DAG.c.next_run_after, version=_VERSION.c.number)
_SPECS_KEPT = 5000


def record_file(
    tx: Tx,
    file: str,
    specs: Sequence[DagSpec],
    *,
    now: datetime,
    parse_seconds: float,
    paused_at_creation: bool,
    new_id: Callable[[], UUID],
) -> tuple[Dag, ...]:
    """Note that `file` was imported and defines exactly `specs`; give the file's active DAGs, by dag_id.

    A spec whose digest differs from the newest version's becomes a new version. DAGs the file no longer defines
    become inactive, its import failure is removed.

    Raises:
        Conflict: (code ``dag_owned``) another active file defines one of the DAGs, both files are named; or this one
            defines one of them twice.
    """
    _check_owner(tx, file, [spec.dag_id for spec in specs])
    parsed = {"file": file, "is_active": True, "has_import_errors": False}
    parsed |= {"last_parsed_at": now, "last_parse_duration": parse_seconds}
    for spec in specs:
        version_id = _record_version(tx, spec, now=now, new_id=new_id)
        paused = paused_at_creation if spec.is_paused_upon_creation is None else spec.is_paused_upon_creation
        row = {"dag_id": spec.dag_id, "version_id": version_id, "is_paused": paused, **parsed}
        insert = tx.insert(_DAG).values(row)
        tx.run(insert.on_conflict_do_update(index_elements=["dag_id"], set_={**parsed, "version_id": version_id}))
        tx.run(_TAG.delete().where(_TAG.c.dag_id == spec.dag_id))
        tx.run_each(_TAG.insert(), [{"dag_id": spec.dag_id, "name": tag} for tag in dict.fromkeys(spec.tags)])
    _retire(tx, file, keep=[spec.dag_id for spec in specs])
    tx.run(_FAILURE.delete().where(_FAILURE.c.file == file))
    return _select(tx, _SELECT.where(_DAG.c.file == file, _DAG.c.is_active.is_(True)).order_by(_DAG.c.dag_id))


def record_failure(tx: Tx, file: str, stack_trace: str, *, now: datetime) -> ImportFailure:
    """Note that `file` cannot be imported. Its DAGs keep their last good version and are marked."""
    row = {"file": file, "timestamp": now, "stack_trace": stack_trace}
    insert = tx.insert(_FAILURE).values(row)
    tx.run(insert.on_conflict_do_update(index_elements=["file"], set_=row))
    tx.run(_DAG.update().where(_DAG.c.file == file, _DAG.c.is_active.is_(True)).values(has_import_errors=True))
    found = tx.run(select(*_FAILURES.columns).where(_FAILURE.c.file == file)).one()
    return _FAILURES.decode(found)


def file_gone(tx: Tx, file: str) -> tuple[str, ...]:
    """Make the DAGs of a vanished file inactive and give their ids. No history is deleted."""
    tx.run(_FAILURE.delete().where(_FAILURE.c.file == file))
    return _retire(tx, file, keep=())


def list_dags(tx: Tx, which: DagFilter, order: Order, page: Page) -> Listing[Dag]:
    """One page of the DAGs that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    by = ordered(order, _SORTABLE, [_DAG.c.dag_id])
    conditions = _conditions(which)
    return Listing(_select(tx, paged(_SELECT.where(*conditions).order_by(*by), page)), total(tx, _DAG, conditions))


def get(tx: Tx, dag_id: str) -> Dag:
    """One DAG, active or not. Raises NotFound (code ``dag_not_found``)."""
    found = _select(tx, _SELECT.where(_DAG.c.dag_id == dag_id))
    if not found:
        raise _unknown(dag_id)
    return found[0]


def ids(tx: Tx) -> tuple[str, ...]:
    """The id of every DAG, active or not, sorted."""
    return tuple(tx.run(select(_DAG.c.dag_id).order_by(_DAG.c.dag_id)).scalars())


def versions(tx: Tx, dag_id: str) -> tuple[DagVersion, ...]:
    """Every version of a DAG, oldest first. Raises NotFound where there is no such DAG."""
    rows = tx.run(select(*_VERSION.c).where(_VERSION.c.dag_id == dag_id).order_by(_VERSION.c.number)).all()
    if not rows:
        raise _unknown(dag_id)
    return tuple(
        DagVersion(dag_id=dag_id, spec=_spec(tx, row.id, row.spec), **{name: getattr(row, name) for name in _STRUCTURE})
        for row in rows
    )


def all_active(tx: Tx) -> tuple[Dag, ...]:
    """Every active DAG, by dag_id."""
    return _select(tx, _SELECT.where(_DAG.c.is_active.is_(True)).order_by(_DAG.c.dag_id))


def files(tx: Tx) -> tuple[str, ...]:
    """Every file that has active DAGs or an import failure, sorted."""
    active = select(_DAG.c.file).where(_DAG.c.is_active.is_(True))
    return tuple(sorted(tx.run(active.union(select(_FAILURE.c.file))).scalars()))


def set_paused(tx: Tx, dag_ids: Sequence[str], paused: bool) -> None:  # noqa: FBT001 - read as one word with the name
    """Pause or unpause DAGs. Raises NotFound if one of them does not exist; then none is changed."""
    wanted = set(dag_ids)
    among = one_of(_DAG.c.dag_id, sorted(wanted))
    unknown = wanted.difference(tx.run(select(_DAG.c.dag_id).where(*among)).scalars())
    if unknown:
        raise _unknown(min(unknown))
    tx.run(_DAG.update().where(*among).values(is_paused=paused))


def set_next_run(tx: Tx, dag_id: str, next_run: NextRun | None) -> None:
    """Keep when the DAG's next scheduled run is due. Raises NotFound."""
    values = _NO_NEXT
    if next_run is not None:
        values = {column.name: getattr(next_run, field) for field, column in _NEXT.items()}
    if tx.run(_DAG.update().where(_DAG.c.dag_id == dag_id).values(values)).rowcount == 0:
        raise _unknown(dag_id)


def delete(tx: Tx, dag_id: str) -> None:
    """Forget a DAG: versions, runs, task instances, tries, XComs, triggers. Events stay. Raises NotFound."""
    if tx.run(_DAG.delete().where(_DAG.c.dag_id == dag_id)).rowcount == 0:
        raise _unknown(dag_id)
    tx.run(_VERSION.delete().where(_VERSION.c.dag_id == dag_id))
    runs.forget(tx, dag_id)


def list_failures(tx: Tx, order: Order, page: Page) -> Listing[ImportFailure]:
    """One page of the import failures. Raises InvalidInput (code ``order_field``) for an unknown field."""
    by = ordered(order, sortable(_FAILURE, ImportFailure.__struct_fields__), [_FAILURE.c.id])
    rows = tx.run(paged(select(*_FAILURES.columns).order_by(*by), page))
    return Listing(_FAILURES.decode_all(rows), total(tx, _FAILURE, []))


def get_failure(tx: Tx, failure_id: int) -> ImportFailure:
    """One import failure. Raises NotFound (code ``import_failure_not_found``)."""
    row = tx.run(select(*_FAILURES.columns).where(_FAILURE.c.id == failure_id)).first()
    if row is None:
        raise NotFound("Import error not found", code="import_failure_not_found")
    return _FAILURES.decode(row)


def _unknown(dag_id: str) -> NotFound:
    return NotFound(f"The DAG with dag_id '{dag_id}' was not found", code="dag_not_found")


def _check_owner(tx: Tx, file: str, dag_ids: Sequence[str]) -> None:
    for dag_id, times in Counter(dag_ids).items():
        if times > 1:
            raise Conflict(f"'{file}' defines the DAG '{dag_id}' more than once", code="dag_owned")
    among = one_of(_DAG.c.dag_id, dag_ids)
    foreign = select(_DAG.c.dag_id, _DAG.c.file).where(*among, _DAG.c.is_active.is_(True), _DAG.c.file != file)
    row = tx.run(foreign.order_by(_DAG.c.dag_id).limit(1)).first()
    if row is not None:
        raise Conflict(f"'{file}' defines the DAG '{row.dag_id}', which '{row.file}' defines already", code="dag_owned")


def _record_version(tx: Tx, spec: DagSpec, *, now: datetime, new_id: Callable[[], UUID]) -> UUID:
    """The id of the version with this structure: the newest one's, or that of a new one."""
    text = to_json(spec)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    columns = (_VERSION.c.id, _VERSION.c.number, _VERSION.c.digest)
    of_dag = select(*columns).where(_VERSION.c.dag_id == spec.dag_id)
    newest = tx.run(of_dag.order_by(_VERSION.c.number.desc()).limit(1)).first()
    if newest is not None and newest.digest == fingerprint:
        found: UUID = newest.id
        return found
    version_id = new_id()
    row = {"id": version_id, "dag_id": spec.dag_id, "number": 1 if newest is None else newest.number + 1}
    tx.run(_VERSION.insert().values(**row, created_at=now, digest=fingerprint, spec=text))
    return version_id


def _retire(tx: Tx, file: str, keep: Sequence[str]) -> tuple[str, ...]:
    """Make the file's active DAGs inactive, but for those to keep."""
    vanished = (_DAG.c.file == file, _DAG.c.is_active.is_(True), _DAG.c.dag_id.not_in(keep))
    gone = tuple(tx.run(select(_DAG.c.dag_id).where(*vanished).order_by(_DAG.c.dag_id)).scalars())
    if gone:
        tx.run(_DAG.update().where(*vanished).values(is_active=False, has_import_errors=False, **_NO_NEXT))
    return gone


def _conditions(which: DagFilter) -> Conditions:
    conditions = one_of(_DAG.c.dag_id, which.dag_ids)
    if which.pattern:
        conditions.append(_DAG.c.dag_id.ilike(f"%{which.pattern}%"))
    if which.tags:
        conditions.append(_DAG.c.dag_id.in_(select(_TAG.c.dag_id).where(_TAG.c.name.in_(which.tags))))
    if which.only_active:
        conditions.append(_DAG.c.is_active.is_(True))
    if which.paused is not None:
        conditions.append(_DAG.c.is_paused.is_(which.paused))
    if which.file is not None:
        conditions.append(_DAG.c.file == which.file)
    return conditions


def _select(tx: Tx, statement: Any) -> tuple[Dag, ...]:
    rows = tx.run(statement).all()
    specs = _specs(tx, [row.version_id for row in rows])
    return tuple(_dag(row, specs[row.version_id]) for row in rows)


def _dag(row: Any, spec: DagSpec) -> Dag:
    structure = {name: getattr(row, f"version_{name}") for name in _STRUCTURE}
    dates = {field: getattr(row, column.name) for field, column in _NEXT.items()}
    return Dag(
        version=DagVersion(dag_id=row.dag_id, spec=spec, **structure),
        next_run=None if dates["run_after"] is None else NextRun(**dates),
        **{name: getattr(row, name) for name in _PLAIN},
    )


def _specs(tx: Tx, version_ids: Sequence[UUID]) -> dict[UUID, DagSpec]:
    """The snapshots of versions, read and decoded where they are not known yet."""
    found = {version_id: tx.specs[version_id] for version_id in version_ids if version_id in tx.specs}
    missing = [version_id for version_id in version_ids if version_id not in found]
    for start in range(0, len(missing), AT_ONCE):
        among = _VERSION.c.id.in_(missing[start : start + AT_ONCE])
        for row in tx.run(select(_VERSION.c.id, _VERSION.c.spec).where(among)):
            found[row.id] = _spec(tx, row.id, row.spec)
    return found


def _spec(tx: Tx, version_id: UUID, text: str) -> DagSpec:
    spec = tx.specs.get(version_id)
    if spec is None:
        if len(tx.specs) >= _SPECS_KEPT:
            tx.specs.clear()
        spec = tx.specs[version_id] = _read_spec(text)
    return spec
