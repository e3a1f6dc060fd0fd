"""What the audit log calls v1's writes, and what it keeps of their bodies and queries.

The words are those of Airflow 2.11's own log, which writes them as ``api.post_dag_run``; where that logs nothing, they
are made like them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from airgate.http.operations import Handler
from airgate.http.stable_v1 import (
    connections,
    dag_runs,
    dags,
    datasets,
    files,
    pools,
    roles,
    task_instances,
    users,
    variables,
)


class Audited(NamedTuple):
    """How an operation appears in the audit log."""

    event: str | None = None
    noted: tuple[str, ...] = ()


_READ: Final = Audited()
_WRITES: Final[dict[Handler, Audited]] = {
    dags.patch_dags: Audited("patch_dags", ("is_paused", "dag_id_pattern")),
    dags.patch_dag: Audited("patch_dag", ("is_paused",)),
    dags.delete_dag: Audited("delete_dag"),
    files.parse_file: Audited("reparse_dag_file"),
    dag_runs.trigger: Audited("post_dag_run", ("dag_run_id",)),
    dag_runs.set_state: Audited("update_dag_run_state", ("state",)),
    dag_runs.delete_run: Audited("delete_dag_run"),
    dag_runs.clear: Audited("clear_dag_run", ("dry_run",)),
    dag_runs.set_note: Audited("set_dag_run_note"),
    task_instances.clear: Audited(
        "post_clear_task_instances", ("dag_run_id", "task_ids", "only_failed", "only_running", "dry_run")
    ),
    task_instances.set_states: Audited(
        "post_set_task_instances_state", ("dag_run_id", "task_id", "new_state", "dry_run")
    ),
    task_instances.set_state: Audited("patch_task_instance", ("new_state", "dry_run")),
    task_instances.set_note: Audited("set_task_instance_note"),
    datasets.post_event: Audited("create_dataset_event", ("dataset_uri",)),
    datasets.no_queued_of_dag: Audited("delete_dag_dataset_queued_events"),
    datasets.no_queued_of_dag_and_dataset: Audited("delete_dag_dataset_queued_event"),
    datasets.no_queued_of_dataset: Audited("delete_dataset_queued_events"),
    pools.post_pool: Audited("post_pool", ("name", "slots")),
    pools.patch_pool: Audited("patch_pool", ("slots",)),
    pools.delete_pool: Audited("delete_pool"),
    variables.post_variable: Audited("variable.create", ("key",)),
    variables.patch_variable: Audited("variable.edit"),
    variables.delete_variable: Audited("variable.delete"),
    connections.post_connection: Audited("connection.create", ("connection_id", "conn_type")),
    connections.try_connection: Audited("test_connection", ("connection_id", "conn_type")),
    connections.patch_connection: Audited("connection.edit"),
    connections.delete_connection: Audited("connection.delete"),
    users.post_user: Audited("post_user", ("username",)),
    users.patch_user: Audited("patch_user"),
    users.delete_user: Audited("delete_user"),
    roles.post_role: Audited("post_role", ("name",)),
    roles.patch_role: Audited("patch_role"),
    roles.delete_role: Audited("delete_role"),
}


def audited(method: str, handler: Handler) -> Audited:
    """How v1's operation of this method and handler appears in the audit log. Reads appear where they are refused."""
    return _READ if method == "GET" else _WRITES.get(handler, _READ)
