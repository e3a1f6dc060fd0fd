"""The v1 dialect as a table: one row per operation."""

from __future__ import annotations

from typing import Any, Final

from airgate.access.permissions import Permission
from airgate.http.checks import ADMITTED, AUTHENTICATED, AUTHORIZED
from airgate.http.operations import Dialect, Handler, Operation
from airgate.http.replies import Reply, pretty_json
from airgate.http.stable_v1 import (
    absent,
    bodies,
    config,
    connections,
    dag_runs,
    dags,
    datasets,
    event_logs,
    files,
    logs,
    monitoring,
    pools,
    problems,
    queries,
    roles,
    task_instances,
    users,
    variables,
    xcoms,
)
from airgate.http.stable_v1.audited import audited
from airgate.http.stable_v1.forms import Form
from airgate.http.stable_v1.openapi import document_rows
from airgate.http.stable_v1.ui import ui_rows

P = Permission
Q = queries

_DAG: Final = "/dags/{dag_id}"
_RUNS: Final = f"{_DAG}/dagRuns"
_RUN: Final = f"{_RUNS}/{{dag_run_id}}"
_INSTANCES: Final = f"{_RUN}/taskInstances"
_INSTANCE: Final = f"{_INSTANCES}/{{task_id}}"
_MAPPED: Final = f"{_INSTANCE}/{{map_index:int}}"
_TRY: Final = "{task_try_number:int}"


def _row(
    method: str, path: str, handler: Handler, permission: Permission | None, query: Any = None, body: Form | None = None
) -> Operation:
    event, noted = audited(method, handler)
    return Operation(
        method=method, path=path, handler=handler, permission=permission, query=query, body=body, event=event,
        noted=noted,
    )  # fmt: skip


_DAGS: Final = (
    _row("GET", "/dags", dags.list_dags, P.DAGS_READ, Q.DagsQuery),
    _row("PATCH", "/dags", dags.patch_dags, P.DAGS_EDIT, Q.PatchDagsQuery, dags.PATCH),
    _row("GET", _DAG, dags.get_dag, P.DAGS_READ, Q.Fields),
    _row("PATCH", _DAG, dags.patch_dag, P.DAGS_EDIT, Q.Masked, dags.PATCH),
    _row("DELETE", _DAG, dags.delete_dag, P.DAGS_DELETE),
    _row("GET", f"{_DAG}/details", dags.get_details, P.DAGS_READ, Q.Fields),
    _row("GET", f"{_DAG}/tasks", dags.list_tasks, P.DAGS_READ, Q.TasksQuery),
    _row("GET", f"{_DAG}/tasks/{{task_id}}", dags.get_task, P.DAGS_READ),
    _row("GET", "/dagSources/{file_token}", files.get_source, P.DAGS_READ),
    _row("PUT", "/parseDagFile/{file_token}", files.parse_file, P.DAGS_EDIT),
    _row("GET", "/importErrors", files.list_import_errors, P.IMPORT_ERRORS_READ, Q.Listed),
    _row("GET", "/importErrors/{import_error_id:int}", files.get_import_error, P.IMPORT_ERRORS_READ),
    _row("GET", "/dagStats", monitoring.dag_stats, P.RUNS_READ, Q.DagStatsQuery),
    _row(
        "GET",
        "/dagWarnings",
        absent.nothing("dag_warnings", "timestamp", "dag_id", "warning_type", "message"),
        P.DAGS_READ,
        Q.DagWarningsQuery,
    ),
)

_DAG_RUNS: Final = (
    _row("POST", _RUNS, dag_runs.trigger, P.RUNS_CREATE, None, dag_runs.TRIGGER),
    _row("GET", _RUNS, dag_runs.list_runs, P.RUNS_READ, Q.RunsQuery),
    _row("POST", "/dags/~/dagRuns/list", dag_runs.list_batch, P.RUNS_READ, None, dag_runs.BATCH),
    _row("GET", _RUN, dag_runs.get_run, P.RUNS_READ, Q.Fields),
    _row("PATCH", _RUN, dag_runs.set_state, P.RUNS_EDIT, None, dag_runs.STATE),
    _row("DELETE", _RUN, dag_runs.delete_run, P.RUNS_DELETE),
    _row("POST", f"{_RUN}/clear", dag_runs.clear, P.RUNS_EDIT, None, dag_runs.CLEAR),
    _row("PATCH", f"{_RUN}/setNote", dag_runs.set_note, P.RUNS_EDIT, None, dag_runs.NOTE),
    _row("GET", f"{_RUN}/upstreamDatasetEvents", dag_runs.upstream_dataset_events, P.RUNS_READ),
)

_TASK_INSTANCES: Final = (
    _row("GET", _INSTANCES, task_instances.list_instances, P.TASKS_READ, Q.InstancesQuery),
    _row(
        "POST", "/dags/~/dagRuns/~/taskInstances/list", task_instances.list_batch, P.TASKS_READ, None,
        task_instances.BATCH,
    ),
    _row("POST", f"{_DAG}/clearTaskInstances", task_instances.clear, P.TASKS_EDIT, None, task_instances.CLEAR),
    _row(
        "POST", f"{_DAG}/updateTaskInstancesState", task_instances.set_states, P.TASKS_EDIT, None,
        task_instances.STATES,
    ),
    _row("GET", f"{_INSTANCE}/listMapped", task_instances.list_mapped, P.TASKS_READ, Q.MappedQuery),
    _row("GET", f"{_INSTANCE}/links", task_instances.links, P.TASKS_READ, Q.LinksQuery),
    _row("GET", f"{_INSTANCE}/logs/{_TRY}", logs.get_log, P.LOGS_READ, Q.LogQuery),
    _row("GET", f"{_INSTANCE}/xcomEntries", xcoms.list_xcoms, P.XCOMS_READ, Q.XComsQuery),
    _row("GET", f"{_INSTANCE}/xcomEntries/{{xcom_key}}", xcoms.get_xcom, P.XCOMS_READ, Q.XComQuery),
    *(
        row
        for path in (_INSTANCE, _MAPPED)
        for row in (
            _row("GET", path, task_instances.get_instance, P.TASKS_READ),
            _row("PATCH", path, task_instances.set_state, P.TASKS_EDIT, None, task_instances.STATE),
            _row("PATCH", f"{path}/setNote", task_instances.set_note, P.TASKS_EDIT, None, task_instances.NOTE),
            _row("GET", f"{path}/dependencies", task_instances.dependencies, P.TASKS_READ),
            _row("GET", f"{path}/tries", task_instances.tries, P.TASKS_READ, Q.Listed),
            _row("GET", f"{path}/tries/{_TRY}", task_instances.get_try, P.TASKS_READ),
        )
    ),
)  # fmt: skip

_DATASETS: Final = (
    _row("GET", "/datasets", datasets.list_datasets, P.DAGS_READ, Q.DatasetsQuery),
    _row("GET", "/datasets/{uri}", datasets.get_dataset, P.DAGS_READ),
    _row("GET", "/datasets/events", datasets.list_events, P.DAGS_READ, Q.DatasetEventsQuery),
    _row("POST", "/datasets/events", datasets.post_event, P.RUNS_CREATE, None, datasets.EVENT),
    *(
        _row(method, path, handler, permission, Q.BeforeQuery)
        for method, permission in (("GET", P.DAGS_READ), ("DELETE", P.DAGS_EDIT))
        for path, handler in (
            (f"{_DAG}/datasets/queuedEvent", datasets.no_queued_of_dag),
            (f"{_DAG}/datasets/queuedEvent/{{uri}}", datasets.no_queued_of_dag_and_dataset),
            ("/datasets/queuedEvent/{uri}", datasets.no_queued_of_dataset),
        )
    ),
)

_ADMIN: Final = (
    _row("GET", "/pools", pools.list_pools, P.POOLS_READ, Q.Listed),
    _row("POST", "/pools", pools.post_pool, P.POOLS_EDIT, None, pools.POOL),
    _row("GET", "/pools/{pool_name}", pools.get_pool, P.POOLS_READ),
    _row("PATCH", "/pools/{pool_name}", pools.patch_pool, P.POOLS_EDIT, Q.Masked, pools.POOL),
    _row("DELETE", "/pools/{pool_name}", pools.delete_pool, P.POOLS_EDIT),
    _row("GET", "/variables", variables.list_variables, P.VARIABLES_READ, Q.Listed),
    _row("POST", "/variables", variables.post_variable, P.VARIABLES_EDIT, None, variables.VARIABLE),
    _row("GET", "/variables/{variable_key}", variables.get_variable, P.VARIABLES_READ),
    _row(
        "PATCH", "/variables/{variable_key}", variables.patch_variable, P.VARIABLES_EDIT, Q.Masked,
        variables.VARIABLE,
    ),
    _row("DELETE", "/variables/{variable_key}", variables.delete_variable, P.VARIABLES_EDIT),
    _row("GET", "/connections", connections.list_connections, P.CONNECTIONS_READ, Q.Listed),
    _row("POST", "/connections", connections.post_connection, P.CONNECTIONS_EDIT, None, connections.CONNECTION),
    _row("POST", "/connections/test", connections.try_connection, P.CONNECTIONS_EDIT, None, connections.CONNECTION),
    _row("GET", "/connections/{connection_id}", connections.get_connection, P.CONNECTIONS_READ),
    _row(
        "PATCH", "/connections/{connection_id}", connections.patch_connection, P.CONNECTIONS_EDIT, Q.Masked,
        connections.CONNECTION,
    ),
    _row("DELETE", "/connections/{connection_id}", connections.delete_connection, P.CONNECTIONS_EDIT),
)  # fmt: skip

_USERS: Final = (
    _row("GET", "/users", users.list_users, P.USERS_READ, Q.Listed),
    _row("POST", "/users", users.post_user, P.USERS_EDIT, None, users.USER),
    _row("GET", "/users/{username}", users.get_user, P.USERS_READ),
    _row("PATCH", "/users/{username}", users.patch_user, P.USERS_EDIT, Q.Masked, users.USER),
    _row("DELETE", "/users/{username}", users.delete_user, P.USERS_EDIT),
    _row("GET", "/roles", roles.list_roles, P.USERS_READ, Q.Listed),
    _row("POST", "/roles", roles.post_role, P.USERS_EDIT, None, roles.ROLE),
    _row("GET", "/roles/{role_name}", roles.get_role, P.USERS_READ),
    _row("PATCH", "/roles/{role_name}", roles.patch_role, P.USERS_EDIT, Q.Masked, roles.ROLE),
    _row("DELETE", "/roles/{role_name}", roles.delete_role, P.USERS_EDIT),
    _row("GET", "/permissions", roles.list_permissions, P.USERS_READ, Q.Paged),
)

_REST: Final = (
    _row("GET", "/health", monitoring.health, None),
    _row("GET", "/version", monitoring.version, None),
    _row("GET", "/config", config.get_config, P.CONFIG_READ, Q.ConfigQuery),
    _row("GET", "/config/section/{section}/option/{option}", config.get_option, P.CONFIG_READ),
    _row("GET", "/providers", absent.providers, P.CONFIG_READ),
    _row("GET", "/plugins", absent.nothing("plugins"), P.CONFIG_READ, Q.Paged),
    _row("GET", "/eventLogs", event_logs.list_event_logs, P.AUDIT_READ, Q.EventLogsQuery),
    _row("GET", "/eventLogs/{event_log_id:int}", event_logs.get_event_log, P.AUDIT_READ),
)


def encode(value: Any) -> Reply:
    """A handler's value as v1 prints it."""
    return Reply(body=pretty_json(value))


OPERATIONS: Final = (*_DAGS, *_DAG_RUNS, *_TASK_INSTANCES, *_DATASETS, *_ADMIN, *_USERS, *_REST)
"""Airflow's 89."""

STABLE_V1: Final = Dialect(
    name="stable-v1",
    prefix="/api/v1",
    operations=(*OPERATIONS, *document_rows(OPERATIONS), *ui_rows(OPERATIONS)),
    checks=(queries.CHECKED, bodies.CHECKED, AUTHENTICATED, ADMITTED, AUTHORIZED),
    encode=encode,
    explain=problems.explain,
    headers=((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex, nofollow")),
)
