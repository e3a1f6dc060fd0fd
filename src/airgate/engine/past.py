"""What of earlier work a run needs to be told: the run before it, and what was left of itself."""

from __future__ import annotations

from collections.abc import Mapping

from airgate.engine.snapshot import Key, Past, SkipChoice
from airgate.engine.tries import SKIP_CHOICE_KEY
from airgate.model.query import Page
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import TaskState
from airgate.store import runs, tasks, xcoms
from airgate.store.database import Tx

_ALL = Page(limit=100_000)


def left_of(tx: Tx, run: DagRun) -> tuple[tuple[TaskInstance, ...], Mapping[Key, SkipChoice]]:
    """What earlier work on a run has left: its instances, and what its branches chose."""
    return tasks.of_run(tx, run.dag_id, run.run_id), choices_of(tx, run)


def choices_of(tx: Tx, run: DagRun) -> Mapping[Key, SkipChoice]:
    """What the branches and short circuits of a run have chosen."""
    found = xcoms.list_xcoms(tx, dag_ids=(run.dag_id,), run_id=run.run_id, key=SKIP_CHOICE_KEY, page=_ALL)
    entries = ((xcom.task_id, xcom.map_index, SkipChoice.from_xcom(xcom.value)) for xcom in found.items)
    return {(task_id, index): choice for task_id, index, choice in entries if choice is not None}


def past_of(tx: Tx, run: DagRun, *, catchup: bool) -> Past:
    """The run before this one, for ``depends_on_past``: scheduled ones only where the DAG catches up."""
    if run.logical_date is None:
        return Past()
    before = runs.previous(tx, run.dag_id, run.logical_date)
    while catchup and before is not None and before.external_trigger and before.logical_date is not None:
        before = runs.previous(tx, run.dag_id, before.logical_date)
    if before is None:
        return Past()
    states: dict[str, tuple[TaskState | None, ...]] = {}
    for instance in tasks.of_run(tx, before.dag_id, before.run_id):
        states[instance.task_id] = (*states.get(instance.task_id, ()), instance.state)
    seen = tasks.seen_before(tx, run.dag_id, run.logical_date)
    return Past(run_id=before.run_id, logical_date=before.logical_date, states=states, seen=seen)
