"""What a try is told when it starts: Airflow's ``StartupDetails``, as a map."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from airgate.model.run import DagRun, TaskInstance

LONGEST_NAME = 240
"""Bytes of an id in the name of a folder."""
BUNDLE = "dags-folder"
"""Airflow's name for the bundle of a plain DAG folder."""


def run_map(run: DagRun) -> dict[str, Any]:
    """A DAG run in the shape of the Task SDK's ``DagRun``."""
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "logical_date": run.logical_date,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "run_after": run.run_after,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "clear_number": run.clear_number,
        "run_type": run.run_type,
        "state": run.state,
        "conf": run.conf,
        "triggering_user_name": run.triggering_user,
        "consumed_asset_events": [],
        "partition_key": run.partition_key,
        "note": run.note,
    }


def startup_map(run: DagRun, instance: TaskInstance, *, file: str, should_retry: bool) -> dict[str, Any]:
    """Everything the try needs to know. `instance` is running; `should_retry` says whether a failure is retried."""
    start = instance.start_date
    return {
        "type": "StartupDetails",
        "ti": {
            "id": str(instance.id),
            "dag_id": instance.dag_id,
            "run_id": instance.run_id,
            "task_id": instance.task_id,
            "map_index": instance.map_index,
            "try_number": instance.try_number,
            "dag_version_id": str(instance.dag_version_id),
            "hostname": instance.hostname,
            "queue": instance.queue,
        },
        "dag_rel_path": file,
        "bundle_info": {"name": BUNDLE, "version": None},
        "start_date": start,
        "sentry_integration": "",
        "ti_context": {
            "dag_run": run_map(run),
            "task_reschedule_count": instance.reschedule_count,
            "max_tries": instance.max_tries,
            "should_retry": should_retry,
            "next_method": instance.next_method,
            "next_kwargs": instance.next_kwargs,
            "xcom_keys_to_clear": [],
            "variables": [],
            "connections": [],
            "start_date": start,
        },
    }


def log_file(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
    """Path of a try's log below the log folder, in Airflow's own layout."""
    mapped = f"map_index={map_index}/" if map_index >= 0 else ""
    return f"dag_id={_safe(dag_id)}/run_id={_safe(run_id)}/task_id={_safe(task_id)}/{mapped}attempt={try_number}.log"


def _safe(part: str) -> str:
    # Ids are the caller's own words: none may name another folder.
    cleaned = part.replace("/", "_").replace("\x00", "_")
    if cleaned in {".", ".."}:
        return cleaned.replace(".", "_")
    encoded = cleaned.encode(errors="surrogateescape")
    if len(encoded) <= LONGEST_NAME:
        return cleaned
    # A folder's name has at most 255 bytes, prefix included; ids may have 250 signs.
    return f"{encoded[:180].decode(errors='ignore')}-{sha256(encoded).hexdigest()[:32]}"


def when(moment: datetime | None) -> str | None:
    """ISO form, for messages that carry dates as text."""
    return None if moment is None else moment.isoformat()
