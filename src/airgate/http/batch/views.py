"""What the plugin shows of DAGs and runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airgate.model.dag import Dag
from airgate.model.run import DagRun
from airgate.model.states import RunState

FOLDER = "dags"
"""Where the plugin looked for DAG files, beside its server."""


def run_view(run: DagRun) -> dict[str, Any]:
    """A run, with the states its Airflow knew: a queued one is ``running`` there."""
    return {
        "run_id": run.run_id,
        "dag_id": run.dag_id,
        "state": (RunState.RUNNING if run.state is RunState.QUEUED else run.state).value,
        "start_date": text(run.start_date),
        "end_date": text(run.end_date),
        "external_trigger": run.external_trigger,
        "execution_date": text(run.execution_date),
    }


def dag_view(dag: Dag, last_execution: datetime | None) -> dict[str, Any]:
    """A DAG. What the plugin calls active is a DAG that is not paused."""
    return {
        "dag_id": dag.dag_id,
        "full_path": f"{FOLDER}/{dag.file}",
        "is_active": not dag.is_paused,
        "last_execution": str(text(last_execution)),
    }


def text(moment: datetime | None) -> str | None:
    """A date as Python prints one without a time zone; it is UTC."""
    return None if moment is None else str(moment.astimezone(UTC).replace(tzinfo=None))
