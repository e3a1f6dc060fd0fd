"""Queued runs, per DAG, and which of them may start."""

from __future__ import annotations

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
    """Runs that wait for their DAG to be unpaused, for their date, or for a place under ``max_active_runs``."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, tuple[DagRun, bool]]] = {}

    def add(self, run: DagRun, *, fresh: bool) -> None:
        """A run is queued. `fresh`: it has no task instances yet."""
        self._runs.setdefault(run.dag_id, {})[run.run_id] = (run, fresh)

    def withdraw(self, dag_id: str, run_id: str) -> DagRun | None:
        """Take a run out; None where it is not queued."""
        found = self._runs.get(dag_id, {}).pop(run_id, None)
        return None if found is None else found[0]

    def get(self, dag_id: str, run_id: str) -> DagRun | None:
        """A queued run."""
        found = self._runs.get(dag_id, {}).get(run_id)
        return None if found is None else found[0]

    def replace(self, run: DagRun) -> None:
        """Something about a queued run has changed that does not concern its start."""
        queued = self._runs.get(run.dag_id, {})
        if run.run_id in queued:
            queued[run.run_id] = (run, queued[run.run_id][1])

    def clear(self, dag_id: str) -> None:
        """Forget every queued run of a DAG."""
        self._runs.pop(dag_id, None)

    def count(self, dag_id: str) -> int:
        """How many runs of a DAG wait."""
        return len(self._runs.get(dag_id, ()))

    def start(self, dag: Dag, running: int, now: datetime) -> Starting:
        """Take out the runs of a DAG that start now, `running` being under way already."""
        queued = self._runs.get(dag.dag_id)
        if not queued:
            return Starting()
        looked_at = (
            QueuedRun(run=run, max_active_runs=dag.spec.max_active_runs, paused=dag.is_paused)
            for run, _ in islice(queued.values(), LOOKED_AT)
        )
        starts = start_runs(looked_at, {dag.dag_id: running}, now)
        begun = tuple((run, queued.pop(run.run_id)[1]) for run in starts.started)
        return Starting(begun, starts.wake_at)
