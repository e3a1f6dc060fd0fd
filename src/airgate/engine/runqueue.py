"""Queued runs, per DAG, and which of them may start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice

import msgspec

from airgate.engine.allot import QueuedRun, start_runs
from airgate.model.dag import Dag
from airgate.model.run import DagRun

LOOKED_AT = 64
"""Queued runs of one DAG considered together; more only cost time while its limit holds them."""


class Starting(msgspec.Struct, frozen=True):
    """Runs that start now, each with whether it was never worked on before, and when the next one is due."""

    runs: tuple[tuple[DagRun, bool], ...] = ()
    wake_at: datetime | None = None


class RunQueue:
    """Runs that wait for their DAG to be unpaused, for their date, for the gate, or a place below the limit."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, tuple[DagRun, bool]]] = {}
        self._dated: dict[str, dict[str, datetime]] = {}
        """Of those, the runs whose date lay ahead when they were queued."""
        self._held: set[tuple[str, str]] = set()

    def add(self, run: DagRun, *, fresh: bool) -> None:
        """A run is queued. `fresh`: it has no task instances yet."""
        self._runs.setdefault(run.dag_id, {})[run.run_id] = (run, fresh)
        if run.run_after > run.queued_at:
            self._dated.setdefault(run.dag_id, {})[run.run_id] = run.run_after

    def withdraw(self, dag_id: str, run_id: str) -> DagRun | None:
        """Take a run out; None where it is not queued."""
        found = self._take(dag_id, run_id)
        return None if found is None else found[0]

    def _take(self, dag_id: str, run_id: str) -> tuple[DagRun, bool] | None:
        found = self._runs.get(dag_id, {}).pop(run_id, None)
        self._dated.get(dag_id, {}).pop(run_id, None)
        for table in (self._runs, self._dated):
            if dag_id in table and not table[dag_id]:
                del table[dag_id]
        return found

    def hold(self, dag_id: str, run_id: str) -> None:
        """Somebody is about to change this run: if it is queued, it does not start until `let_go`."""
        self._held.add((dag_id, run_id))

    def let_go(self, dag_id: str, run_id: str) -> None:
        """The run may start again."""
        self._held.discard((dag_id, run_id))

    def replace(self, run: DagRun) -> None:
        """A queued run is this now; it keeps its place."""
        queued = self._runs.get(run.dag_id, {})
        if run.run_id in queued:
            queued[run.run_id] = (run, queued[run.run_id][1])

    def count(self, dag_id: str) -> int:
        """How many runs of a DAG wait."""
        return len(self._runs.get(dag_id, ()))

    def dag_ids(self) -> list[str]:
        """The DAGs that have queued runs."""
        return list(self._runs)

    def ids(self, dag_id: str) -> list[str]:
        """The ids of a DAG's queued runs."""
        return list(self._runs.get(dag_id, ()))

    def start(
        self, dag: Dag, running: int, now: datetime, blocked: Callable[[DagRun], bool] = lambda run: False
    ) -> Starting:
        """Take out the runs of a DAG that start now, `running` being under way already.

        Those that are blocked keep no other from starting; whoever blocks them has them asked for again.
        """
        queued = self._runs.get(dag.dag_id)
        if not queued or dag.is_paused or running >= dag.spec.max_active_runs:
            return Starting()  # asked again when the DAG is unpaused, or one of its runs ends
        ahead = {run_id: at for run_id, at in self._dated.get(dag.dag_id, {}).items() if at > now}
        held = {run_id for dag_id, run_id in self._held if dag_id == dag.dag_id}
        waiting = ahead.keys() | held
        due = (run for run, _ in queued.values() if run.run_id not in waiting and not blocked(run))
        looked_at = (QueuedRun(run=run, max_active_runs=dag.spec.max_active_runs) for run in islice(due, LOOKED_AT))
        starts = start_runs(looked_at, {dag.dag_id: running}, now)
        begun = [(run, self._take(run.dag_id, run.run_id)) for run in starts.started]
        return Starting(
            tuple((run, taken[1]) for run, taken in begun if taken is not None), min(ahead.values(), default=None)
        )
