"""What the OpenAPI document says of each operation besides what the dialect's table knows: one row per operation.

The ids of operations are Airflow's: clients generated from either document have methods of the same names.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Described(NamedTuple):
    """One operation.

    Args:
        operation_id: Airflow's.
        summary: what it does, in one line.
        answer: the schema of its answer; None: it has none.
        body: what its request body is called among the schemas.
        texts: the answer comes as ``text/plain`` too, where the client wants that.
        also: statuses that it may answer besides those that follow from the table.
    """

    operation_id: str
    summary: str
    answer: str | None
    body: str | None = None
    texts: bool = False
    also: tuple[int, ...] = ()


_DAG: Final = "/dags/{dag_id}"
_RUN: Final = f"{_DAG}/dagRuns/{{dag_run_id}}"
_TI: Final = f"{_RUN}/taskInstances/{{task_id}}"
_MAPPED: Final = f"{_TI}/{{map_index}}"
_QUEUED: Final = "datasets/queuedEvent"

_D = Described

DESCRIBED: Final[dict[tuple[str, str], Described]] = {
    ("GET", "/dags"): _D("get_dags", "List DAGs", "DAGCollection"),
    ("PATCH", "/dags"): _D("patch_dags", "Pause or unpause DAGs by their ids' pattern", "DAGCollection", "PatchDAG"),
    ("GET", _DAG): _D("get_dag", "Read a DAG", "DAG"),
    ("PATCH", _DAG): _D("patch_dag", "Pause or unpause a DAG", "DAG", "PatchDAG"),
    ("DELETE", _DAG): _D("delete_dag", "Forget a DAG and its history", None, also=(409,)),
    ("GET", f"{_DAG}/details"): _D("get_dag_details", "Read all that is known of a DAG", "DAGDetail"),
    ("GET", f"{_DAG}/tasks"): _D("get_tasks", "List the tasks of a DAG", "TaskCollection"),
    ("GET", f"{_DAG}/tasks/{{task_id}}"): _D("get_task", "Read a task", "Task"),
    ("GET", "/dagSources/{file_token}"): _D(
        "get_dag_source", "Read the text of a DAG file", "DagSource", texts=True, also=(406,)
    ),
    ("PUT", "/parseDagFile/{file_token}"): _D("reparse_dag_file", "Have a DAG file imported again", None),
    ("GET", "/importErrors"): _D("get_import_errors", "List why DAG files cannot be used", "ImportErrorCollection"),
    ("GET", "/importErrors/{import_error_id}"): _D(
        "get_import_error", "Read why a DAG file cannot be used", "ImportError"
    ),
    ("GET", "/dagStats"): _D("get_dag_stats", "Count the runs of DAGs by state", "DagStatsCollectionSchema"),
    ("GET", "/dagWarnings"): _D("get_dag_warnings", "List warnings about DAGs", "DagWarningCollection"),
    ("POST", f"{_DAG}/dagRuns"): _D("post_dag_run", "Trigger a DAG", "DAGRun", "TriggerDAGRun", also=(409,)),
    ("GET", f"{_DAG}/dagRuns"): _D("get_dag_runs", "List runs of a DAG, or of all", "DAGRunCollection"),
    ("POST", "/dags/~/dagRuns/list"): _D(
        "get_dag_runs_batch", "List runs by filters in the body", "DAGRunCollection", "ListDagRunsForm"
    ),
    ("GET", _RUN): _D("get_dag_run", "Read a run", "DAGRun"),
    ("PATCH", _RUN): _D("update_dag_run_state", "Mark a run, or queue it again", "DAGRun", "UpdateDagRunState"),
    ("DELETE", _RUN): _D("delete_dag_run", "Delete a run", None, also=(409,)),
    ("POST", f"{_RUN}/clear"): _D("clear_dag_run", "Clear the tasks of a run", "Cleared", "ClearDagRun"),
    ("PATCH", f"{_RUN}/setNote"): _D("set_dag_run_note", "Write the note of a run", "DAGRun", "SetDagRunNote"),
    ("GET", f"{_RUN}/upstreamDatasetEvents"): _D(
        "get_upstream_dataset_events", "List the dataset events that a run came of", "DatasetEventCollection"
    ),
    ("GET", f"{_RUN}/taskInstances"): _D("get_task_instances", "List task instances", "TaskInstanceCollection"),
    ("POST", "/dags/~/dagRuns/~/taskInstances/list"): _D(
        "get_task_instances_batch", "List task instances by filters in the body", "TaskInstanceCollection",
        "ListTaskInstanceForm",
    ),
    ("POST", f"{_DAG}/clearTaskInstances"): _D(
        "post_clear_task_instances", "Clear task instances, so that they run again", "TaskInstanceReferenceCollection",
        "ClearTaskInstances", also=(409,),
    ),
    ("POST", f"{_DAG}/updateTaskInstancesState"): _D(
        "post_set_task_instances_state", "Mark task instances", "TaskInstanceReferenceCollection",
        "UpdateTaskInstancesState", also=(409,),
    ),
    ("GET", _TI): _D("get_task_instance", "Read a task instance", "TaskInstance"),
    ("GET", _MAPPED): _D("get_mapped_task_instance", "Read one instance of a mapped task", "TaskInstance"),
    ("PATCH", _TI): _D("patch_task_instance", "Mark a task instance", "Marked", "UpdateTaskInstance"),
    ("PATCH", _MAPPED): _D(
        "patch_mapped_task_instance", "Mark one instance of a mapped task", "Marked", "UpdateTaskInstance"
    ),
    ("PATCH", f"{_TI}/setNote"): _D(
        "set_task_instance_note", "Write the note of a task instance", "TaskInstance", "SetTaskInstanceNote"
    ),
    ("PATCH", f"{_MAPPED}/setNote"): _D(
        "set_mapped_task_instance_note", "Write the note of one instance of a mapped task", "TaskInstance",
        "SetTaskInstanceNote",
    ),
    ("GET", f"{_TI}/dependencies"): _D(
        "get_task_instance_dependencies", "Read what keeps a task instance from starting",
        "TaskInstanceDependencyCollection",
    ),
    ("GET", f"{_MAPPED}/dependencies"): _D(
        "get_mapped_task_instance_dependencies", "Read what keeps one instance of a mapped task from starting",
        "TaskInstanceDependencyCollection",
    ),
    ("GET", f"{_TI}/tries"): _D(
        "get_task_instance_tries", "List the tries of a task instance", "TaskInstanceHistoryCollection"
    ),
    ("GET", f"{_MAPPED}/tries"): _D(
        "get_mapped_task_instance_tries", "List the tries of one instance of a mapped task",
        "TaskInstanceHistoryCollection",
    ),
    ("GET", f"{_TI}/tries/{{task_try_number}}"): _D(
        "get_task_instance_try_details", "Read a try of a task instance", "TaskInstanceHistory"
    ),
    ("GET", f"{_MAPPED}/tries/{{task_try_number}}"): _D(
        "get_mapped_task_instance_try_details", "Read a try of one instance of a mapped task", "TaskInstanceHistory"
    ),
    ("GET", f"{_TI}/listMapped"): _D(
        "get_mapped_task_instances", "List the instances of a mapped task", "TaskInstanceCollection"
    ),
    ("GET", f"{_TI}/links"): _D("get_extra_links", "Read the extra links of a task instance", "ExtraLinks"),
    ("GET", f"{_TI}/logs/{{task_try_number}}"): _D(
        "get_log", "Read the log of a try", "Log", texts=True, also=(406,)
    ),
    ("GET", f"{_TI}/xcomEntries"): _D("get_xcom_entries", "List XComs", "XComCollection"),
    ("GET", f"{_TI}/xcomEntries/{{xcom_key}}"): _D("get_xcom_entry", "Read an XCom", "XCom"),
    ("GET", "/datasets"): _D("get_datasets", "List the datasets that DAGs name", "DatasetCollection"),
    ("GET", "/datasets/{uri}"): _D("get_dataset", "Read a dataset", "Dataset"),
    ("GET", "/datasets/events"): _D("get_dataset_events", "List dataset events", "DatasetEventCollection"),
    ("POST", "/datasets/events"): _D(
        "create_dataset_event", "Tell that a dataset has changed", "DatasetEvent", "CreateDatasetEvent", also=(404,)
    ),
    ("GET", f"{_DAG}/{_QUEUED}"): _D(
        "get_dag_dataset_queued_events", "List the dataset events a DAG has waiting", "QueuedEventCollection"
    ),
    ("DELETE", f"{_DAG}/{_QUEUED}"): _D(
        "delete_dag_dataset_queued_events", "Delete the dataset events a DAG has waiting", None
    ),
    ("GET", f"{_DAG}/{_QUEUED}/{{uri}}"): _D(
        "get_dag_dataset_queued_event", "Read the event of a dataset that a DAG has waiting", "QueuedEvent"
    ),
    ("DELETE", f"{_DAG}/{_QUEUED}/{{uri}}"): _D(
        "delete_dag_dataset_queued_event", "Delete the event of a dataset that a DAG has waiting", None
    ),
    ("GET", f"/{_QUEUED}/{{uri}}"): _D(
        "get_dataset_queued_events", "List the waiting events of a dataset", "QueuedEventCollection"
    ),
    ("DELETE", f"/{_QUEUED}/{{uri}}"): _D(
        "delete_dataset_queued_events", "Delete the waiting events of a dataset", None
    ),
    ("GET", "/pools"): _D("get_pools", "List pools", "PoolCollection"),
    ("POST", "/pools"): _D("post_pool", "Make a pool", "Pool", "WritePool", also=(409,)),
    ("GET", "/pools/{pool_name}"): _D("get_pool", "Read a pool", "Pool"),
    ("PATCH", "/pools/{pool_name}"): _D("patch_pool", "Change a pool", "Pool", "WritePool", also=(409,)),
    ("DELETE", "/pools/{pool_name}"): _D("delete_pool", "Delete a pool", None),
    ("GET", "/variables"): _D("get_variables", "List variables", "VariableCollection"),
    ("POST", "/variables"): _D("post_variables", "Make or replace a variable", "WrittenVariable", "WriteVariable"),
    ("GET", "/variables/{variable_key}"): _D("get_variable", "Read a variable", "Variable"),
    ("PATCH", "/variables/{variable_key}"): _D("patch_variable", "Change a variable", "Variable", "WriteVariable"),
    ("DELETE", "/variables/{variable_key}"): _D("delete_variable", "Delete a variable", None),
    ("GET", "/connections"): _D("get_connections", "List connections", "ConnectionCollection"),
    ("POST", "/connections"): _D(
        "post_connection", "Make a connection", "Connection", "WriteConnection", also=(409,)
    ),
    ("POST", "/connections/test"): _D("test_connection", "Try a connection", "ConnectionTest", "WriteConnection"),
    ("GET", "/connections/{connection_id}"): _D("get_connection", "Read a connection", "Connection"),
    ("PATCH", "/connections/{connection_id}"): _D(
        "patch_connection", "Change a connection", "Connection", "WriteConnection"
    ),
    ("DELETE", "/connections/{connection_id}"): _D("delete_connection", "Delete a connection", None),
    ("GET", "/users"): _D("get_users", "List users", "UserCollection"),
    ("POST", "/users"): _D("post_user", "Make a user", "UserCollectionItem", "WriteUser", also=(409,)),
    ("GET", "/users/{username}"): _D("get_user", "Read a user", "UserCollectionItem"),
    ("PATCH", "/users/{username}"): _D(
        "patch_user", "Change a user", "UserCollectionItem", "WriteUser", also=(409,)
    ),
    ("DELETE", "/users/{username}"): _D("delete_user", "Delete a user", None, also=(409,)),
    ("GET", "/roles"): _D("get_roles", "List roles", "RoleCollection"),
    ("POST", "/roles"): _D("post_role", "Define a role", "Role", "WriteRole", also=(409,)),
    ("GET", "/roles/{role_name}"): _D("get_role", "Read a role", "Role"),
    ("PATCH", "/roles/{role_name}"): _D(
        "patch_role", "Rename a role, or add actions to it", "Role", "WriteRole", also=(409,)
    ),
    ("DELETE", "/roles/{role_name}"): _D("delete_role", "Delete a role", None, also=(409,)),
    ("GET", "/permissions"): _D("get_permissions", "List the actions that roles are made of", "ActionCollection"),
    ("GET", "/health"): _D("get_health", "Ask whether the deployment works", "HealthInfo"),
    ("GET", "/version"): _D("get_version", "Read which version this is", "VersionInfo"),
    ("GET", "/config"): _D("get_config", "Read settings", "Config", texts=True, also=(404, 406)),
    ("GET", "/config/section/{section}/option/{option}"): _D(
        "get_value", "Read a setting", "Config", texts=True, also=(406,)
    ),
    ("GET", "/providers"): _D("get_providers", "List providers", "ProviderCollection"),
    ("GET", "/plugins"): _D("get_plugins", "List plugins", "PluginCollection"),
    ("GET", "/eventLogs"): _D("get_event_logs", "List entries of the audit log", "EventLogCollection"),
    ("GET", "/eventLogs/{event_log_id}"): _D("get_event_log", "Read an entry of the audit log", "EventLog"),
}  # fmt: skip

PARAMETERS: Final[dict[str, str]] = {
    "after": "Only what came after this moment.",
    "before": "Only what came before this moment.",
    "connection_id": "The connection.",
    "dag_id": "The DAG. In lists `~` stands for all.",
    "dag_id_pattern": "Only DAGs whose id contains this, whatever the case; `%` stands for any characters.",
    "dag_ids": "DAG ids, separated by commas.",
    "dag_run_id": "The run. In lists `~` stands for all.",
    "dataset_id": "Only events of the dataset with this id.",
    "deserialize": "Give the value as Python has it. Switched off, as Airflow's default is.",
    "duration_gte": "Only what took at least this many seconds.",
    "duration_lte": "Only what took at most this many seconds.",
    "end_date_gte": "Only what ended at or after this moment.",
    "end_date_lte": "Only what ended at or before this moment.",
    "event": "Only this event.",
    "event_log_id": "The entry.",
    "excluded_events": "Events to leave out, separated by commas.",
    "execution_date_gte": "Only runs of this date or a later one.",
    "execution_date_lte": "Only runs of this date or an earlier one.",
    "executor": "Only instances of these executors.",
    "fields": "The fields of the answer that are wanted; all where it is not given.",
    "file_token": "The file, as a DAG's `file_token` names it.",
    "full_content": "Give all of the log at once.",
    "import_error_id": "The import error.",
    "included_events": "The only events wanted, separated by commas.",
    "limit": "How many at most; 0 means 100, and so does more than that.",
    "map_index": "The instance of a mapped task; -1 where the task is not mapped.",
    "offset": "How many to leave out first.",
    "only_active": "Only DAGs whose file is still there.",
    "option": "The setting.",
    "order_by": "The field to sort by; with a leading `-`, the greatest first.",
    "owner": "Only what this identity did.",
    "paused": "Only paused DAGs, or only those that are not.",
    "pool": "Only instances in these pools.",
    "pool_name": "The pool.",
    "queue": "Only instances of these queues.",
    "role_name": "The role.",
    "run_id": "Only what is about this run.",
    "section": "The section of the settings.",
    "source_dag_id": "Only events that this DAG caused.",
    "source_map_index": "Only events that an instance with this map index caused.",
    "source_run_id": "Only events that this run caused.",
    "source_task_id": "Only events that this task caused.",
    "start_date_gte": "Only what started at or after this moment.",
    "start_date_lte": "Only what started at or before this moment.",
    "state": "Only what is in one of these states.",
    "stringify": "Give the value as text, as Python prints it; else as JSON.",
    "tags": "Only DAGs with one of these tags.",
    "task_id": "The task.",
    "task_try_number": "The try, counted from 1.",
    "token": "Where an earlier answer ended: its `continuation_token`.",
    "try_number": "Only what is about this try.",
    "update_mask": "The fields of the body that count; all where it is not given.",
    "updated_at_gte": "Only what changed last at or after this moment.",
    "updated_at_lte": "Only what changed last at or before this moment.",
    "uri": "The dataset, percent-encoded.",
    "uri_pattern": "Only datasets whose URI contains this, whatever the case.",
    "username": "The user.",
    "variable_key": "The variable.",
    "warning_type": "Only warnings of this kind.",
    "xcom_key": "The key of the XCom.",
}
