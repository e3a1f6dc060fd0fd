"""XComs. An entry's logical date is its run's; what `put` is given there is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airgate.model.query import Listing, Page
from airgate.model.run import XCom
from airgate.store.database import Tx


def put(tx: Tx, xcom: XCom) -> None:
    """Keep an XCom, replacing what was there. Raises NotFound (code ``run_not_found``) without its run."""
    raise NotImplementedError


def put_many(tx: Tx, xcoms: Sequence[XCom]) -> None:
    """`put` for several."""
    raise NotImplementedError


def get(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> XCom:
    """One XCom. Raises NotFound (code ``xcom_not_found``)."""
    raise NotImplementedError


def list_xcoms(
    tx: Tx,
    *,
    dag_id: str | None = None,
    run_id: str | None = None,
    task_id: str | None = None,
    map_index: int | None = None,
    key: str | None = None,
    page: Page,
) -> Listing[XCom]:
    """One page of the entries that match, by their natural key. None means no restriction."""
    raise NotImplementedError


def delete(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> bool:
    """Delete one XCom; say whether it was there."""
    raise NotImplementedError


def clear_try(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
    """Delete all XComs of a task instance, before its next try."""
    raise NotImplementedError


def keys(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[str, ...]:
    """The keys a task instance has pushed, sorted."""
    raise NotImplementedError


def values(tx: Tx, dag_id: str, run_id: str, task_id: str, key: str) -> tuple[XCom, ...]:
    """The entries of all map indexes of a task, by map index."""
    raise NotImplementedError


def prior(
    tx: Tx, dag_id: str, task_id: str, key: str, before_logical_date: datetime, map_index: int = -1
) -> XCom | None:
    """The entry of the run with the newest logical date before this one that has it."""
    raise NotImplementedError
