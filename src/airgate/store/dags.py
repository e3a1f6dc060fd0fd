"""DAGs, their versions, the files they come from and why a file cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from airgate.model.dag import Dag, DagSpec, DagVersion, ImportFailure, NextRun
from airgate.model.query import DagFilter, Listing, Order, Page
from airgate.store.database import Tx


def record_file(
    tx: Tx, file: str, specs: Sequence[DagSpec], *, now: datetime, parse_seconds: float,
    paused_at_creation: bool, new_id: Callable[[], UUID],
) -> tuple[Dag, ...]:
    """Note that `file` was imported and defines exactly `specs`; give the file's active DAGs, by dag_id.

    A spec whose digest differs from the newest version's becomes a new version. DAGs the file no longer defines
    become inactive, its import failure is removed.

    Raises:
        Conflict: (code ``dag_owned``) another active file defines one of the DAGs; both files are named.
    """
    raise NotImplementedError


def record_failure(tx: Tx, file: str, stack_trace: str, *, now: datetime) -> ImportFailure:
    """Note that `file` cannot be imported. Its DAGs keep their last good version and are marked."""
    raise NotImplementedError


def file_gone(tx: Tx, file: str) -> tuple[str, ...]:
    """Make the DAGs of a vanished file inactive and give their ids. No history is deleted."""
    raise NotImplementedError


def list_dags(tx: Tx, which: DagFilter, order: Order, page: Page) -> Listing[Dag]:
    """One page of the DAGs that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    raise NotImplementedError


def get(tx: Tx, dag_id: str) -> Dag:
    """One DAG, active or not. Raises NotFound (code ``dag_not_found``)."""
    raise NotImplementedError


def versions(tx: Tx, dag_id: str) -> tuple[DagVersion, ...]:
    """Every version of a DAG, oldest first. Raises NotFound where there is no such DAG."""
    raise NotImplementedError


def all_active(tx: Tx) -> tuple[Dag, ...]:
    """Every active DAG, by dag_id."""
    raise NotImplementedError


def files(tx: Tx) -> tuple[str, ...]:
    """Every file that has active DAGs or an import failure, sorted."""
    raise NotImplementedError


def set_paused(tx: Tx, dag_ids: Sequence[str], paused: bool) -> None:
    """Pause or unpause DAGs. Raises NotFound if one of them does not exist; then none is changed."""
    raise NotImplementedError


def set_next_run(tx: Tx, dag_id: str, next_run: NextRun | None) -> None:
    """Keep when the DAG's next scheduled run is due. Raises NotFound."""
    raise NotImplementedError


def delete(tx: Tx, dag_id: str) -> None:
    """Forget a DAG: versions, runs, task instances, tries, XComs, triggers. Events stay. Raises NotFound."""
    raise NotImplementedError


def list_failures(tx: Tx, order: Order, page: Page) -> Listing[ImportFailure]:
    """One page of the import failures. Raises InvalidInput (code ``order_field``) for an unknown field."""
    raise NotImplementedError


def get_failure(tx: Tx, failure_id: int) -> ImportFailure:
    """One import failure. Raises NotFound (code ``import_failure_not_found``)."""
    raise NotImplementedError
