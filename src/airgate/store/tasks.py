"""Task instances, and the tries they have had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from airgate.model.admin import PoolUsage
from airgate.model.query import Listing, Order, Page, TaskFilter
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState
from airgate.store.database import Tx


def insert(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Keep new task instances.

    Raises:
        NotFound: (code ``run_not_found``) the run of one of them does not exist.
        Conflict: (code ``task_instance_exists``) one of them exists.
    """
    raise NotImplementedError


def save(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Overwrite task instances, `id` included, found by (dag_id, run_id, task_id, map_index).

    Raises NotFound (code ``task_instance_not_found``) for an unknown one.
    """
    raise NotImplementedError


def archive(tx: Tx, instances: Sequence[TaskInstance]) -> None:
    """Keep finished tries as history, one per try number; archiving a try again replaces it."""
    raise NotImplementedError


def tries(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
    """Every try, oldest first; the present one last if it has a number and is not in history yet.

    Raises NotFound where there is no such task instance.
    """
    raise NotImplementedError


def get(tx: Tx, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
    """One task instance. Raises NotFound (code ``task_instance_not_found``)."""
    raise NotImplementedError


def of_run(tx: Tx, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
    """The task instances of one run, by task id and map index."""
    raise NotImplementedError


def of_runs(tx: Tx, run_keys: Sequence[tuple[str, str]]) -> tuple[TaskInstance, ...]:
    """The task instances of runs named by (dag_id, run_id), by their natural key."""
    raise NotImplementedError


def list_tasks(tx: Tx, which: TaskFilter, order: Order, page: Page) -> Listing[TaskInstance]:
    """One page of those that match. Raises InvalidInput (code ``order_field``) for an unknown field."""
    raise NotImplementedError


def count(tx: Tx, which: TaskFilter) -> int:
    """How many task instances match."""
    raise NotImplementedError


def previous(
    tx: Tx, dag_id: str, task_id: str, logical_date: datetime, map_index: int = -1, state: TaskState | None = None
) -> TaskInstance | None:
    """The same task in the run with the newest logical date before this one that has it (in `state`)."""
    raise NotImplementedError


def states(tx: Tx, which: TaskFilter) -> Mapping[str, Mapping[str, TaskState | None]]:
    """States by run id, then by task id (``{task_id}_{map_index}`` where mapped)."""
    raise NotImplementedError


def delete(tx: Tx, ids: Sequence[UUID]) -> None:
    """Delete task instances by the id of their present try. Unknown ids are no error."""
    raise NotImplementedError


def pool_usage(tx: Tx) -> dict[str, PoolUsage]:
    """Slots in use, by pool; pools nobody uses are absent."""
    raise NotImplementedError
