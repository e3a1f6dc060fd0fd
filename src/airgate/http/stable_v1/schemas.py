"""What v1 answers with, as data: the schemas of its OpenAPI document.

A property is described by one word: ``string``, ``integer``, ``number``, ``boolean``, ``object`` or ``date-time``, the
name of another schema, or one of these in brackets for an array; ``?`` after it: may be null. Whether another schema
may be null is that schema's to say: OpenAPI 3.0 knows no nullable reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airgate.model.states import RunState, TaskState, TriggerRule

Schema = dict[str, Any]

_PLAIN: Final = frozenset({"string", "integer", "number", "boolean", "object"})


def ref(name: str) -> Schema:
    """A reference to a schema of this module."""
    return {"$ref": f"#/components/schemas/{name}"}


def described(word: str) -> Schema:
    """The schema of one property."""
    if word.endswith("?"):
        inner = described(word[:-1])
        return inner if "$ref" in inner else {**inner, "nullable": True}
    if word.startswith("["):
        return {"type": "array", "items": described(word[1:-1])}
    if word == "date-time":
        return {"type": "string", "format": "date-time"}
    return {"type": word} if word in _PLAIN else ref(word)


def _object(properties: Mapping[str, str]) -> Schema:
    return {
        "type": "object",
        "properties": {name: described(word) for name, word in properties.items()},
        "required": list(properties),
    }


def _one_of(words: Sequence[str], *, nullable: bool = False) -> Schema:
    if nullable:
        return {"type": "string", "enum": [*words, None], "nullable": True}
    return {"type": "string", "enum": list(words)}


def _tagged(kind: str, **properties: str) -> Schema:
    known = _object({"__type": "string", **properties})
    known["properties"]["__type"] = {"type": "string", "enum": [kind]}
    return known


_DAG: Final = {
    "dag_display_name": "string", "dag_id": "string", "default_view": "string?", "description": "string?",
    "file_token": "string", "fileloc": "string", "has_import_errors": "boolean?",
    "has_task_concurrency_limits": "boolean?", "is_active": "boolean?", "is_paused": "boolean?",
    "is_subdag": "boolean", "last_expired": "date-time?", "last_parsed_time": "date-time?",
    "last_pickled": "date-time?", "max_active_runs": "integer?", "max_active_tasks": "integer?",
    "max_consecutive_failed_dag_runs": "integer?", "next_dagrun": "date-time?",
    "next_dagrun_create_after": "date-time?", "next_dagrun_data_interval_end": "date-time?",
    "next_dagrun_data_interval_start": "date-time?", "owners": "[string]", "pickle_id": "string?",
    "root_dag_id": "string?", "schedule_interval": "ScheduleInterval?", "scheduler_lock": "boolean?",
    "tags": "[Tag]?", "timetable_description": "string?",
}  # fmt: skip
_TRY: Final = {
    "dag_id": "string", "dag_run_id": "string", "duration": "number?", "end_date": "date-time?", "executor": "string?",
    "executor_config": "string", "hostname": "string", "map_index": "integer", "max_tries": "integer",
    "operator": "string?", "pid": "integer?", "pool": "string", "pool_slots": "integer",
    "priority_weight": "integer?", "queue": "string?", "queued_when": "date-time?", "start_date": "date-time?",
    "state": "TaskState?", "task_display_name": "string", "task_id": "string", "try_number": "integer",
    "unixname": "string",
}  # fmt: skip
_CONNECTION: Final = {
    "conn_type": "string", "connection_id": "string", "description": "string?", "host": "string?",
    "login": "string?", "port": "integer?", "schema": "string?",
}  # fmt: skip
_XCOM: Final = {
    "dag_id": "string", "execution_date": "date-time?", "key": "string", "map_index": "integer", "task_id": "string",
    "timestamp": "date-time",
}  # fmt: skip
_USER: Final = {
    "active": "boolean?", "changed_on": "string?", "created_on": "string?", "email": "string",
    "fail_login_count": "integer?", "failed_login_count": "integer?", "first_name": "string", "last_login": "string?",
    "last_name": "string", "login_count": "integer?", "roles": "[RoleName]", "username": "string",
}  # fmt: skip

_OBJECTS: Final[dict[str, dict[str, str]]] = {
    "Action": {"name": "string"},
    "ActionResource": {"action": "Action", "resource": "Resource"},
    "ClassReference": {"class_name": "string", "module_path": "string"},
    "Config": {"sections": "[ConfigSection]"},
    "ConfigOption": {"key": "string", "value": "string"},
    "ConfigSection": {"name": "string", "options": "[ConfigOption]"},
    "Connection": {**_CONNECTION, "extra": "string?"},
    "ConnectionCollectionItem": _CONNECTION,
    "ConnectionTest": {"message": "string", "status": "boolean"},
    "DAG": _DAG,
    "DAGDetail": {
        **_DAG, "catchup": "boolean?", "concurrency": "number?", "dag_run_timeout": "TimeDelta?",
        "dataset_expression": "DatasetExpression?", "doc_md": "string?", "end_date": "date-time?",
        "is_paused_upon_creation": "boolean?", "last_parsed": "date-time?", "orientation": "string?",
        "params": "Params", "render_template_as_native_obj": "boolean?", "start_date": "date-time?",
        "template_searchpath": "[string]?", "timezone": "string?",
    },
    "DAGRun": {
        "conf": "object", "dag_id": "string", "dag_run_id": "string", "data_interval_end": "date-time?",
        "data_interval_start": "date-time?", "end_date": "date-time?", "execution_date": "date-time",
        "external_trigger": "boolean", "last_scheduling_decision": "date-time?", "logical_date": "date-time",
        "note": "string?", "run_type": "RunType", "start_date": "date-time?", "state": "DagState",
    },
    "BasicDAGRun": {
        "dag_id": "string", "dag_run_id": "string", "data_interval_end": "date-time?",
        "data_interval_start": "date-time?", "end_date": "date-time?", "logical_date": "date-time",
        "start_date": "date-time?", "state": "DagState",
    },
    "DagProcessorStatus": {"latest_dag_processor_heartbeat": "date-time?", "status": "HealthStatus?"},
    "DagScheduleDatasetReference": {"created_at": "date-time", "dag_id": "string", "updated_at": "date-time"},
    "DagSource": {"content": "string"},
    "DagStatsCollectionItem": {"dag_id": "string", "stats": "[DagStatsStateCollectionItem]"},
    "DagStatsStateCollectionItem": {"count": "integer", "state": "DagState"},
    "DagWarning": {"dag_id": "string", "message": "string", "timestamp": "date-time", "warning_type": "string"},
    "Dataset": {
        "aliases": "[object]", "consuming_dags": "[DagScheduleDatasetReference]", "created_at": "date-time",
        "extra": "object?", "id": "integer", "producing_tasks": "[TaskOutletDatasetReference]",
        "updated_at": "date-time", "uri": "string",
    },
    "DatasetEvent": {
        "created_dagruns": "[BasicDAGRun]", "dataset_id": "integer", "dataset_uri": "string", "extra": "object?",
        "id": "integer", "source_dag_id": "string?", "source_map_index": "integer?", "source_run_id": "string?",
        "source_task_id": "string?", "timestamp": "date-time",
    },
    "EventLog": {
        "dag_id": "string?", "event": "string", "event_log_id": "integer", "execution_date": "date-time?",
        "extra": "string?", "map_index": "integer?", "owner": "string?", "run_id": "string?", "task_id": "string?",
        "try_number": "integer?", "when": "date-time",
    },
    "HealthInfo": {
        "dag_processor": "DagProcessorStatus", "metadatabase": "MetadatabaseStatus", "scheduler": "SchedulerStatus",
        "triggerer": "TriggererStatus",
    },
    "ImportError": {
        "filename": "string", "import_error_id": "integer", "stack_trace": "string", "timestamp": "date-time",
    },
    "Log": {"content": "string", "continuation_token": "string"},
    "MetadatabaseStatus": {"status": "HealthStatus?"},
    "Param": {"__class": "string", "description": "string?", "schema": "object", "value": "Any"},
    "PluginCollectionItem": {
        "name": "string", "hooks": "[string]", "executors": "[string]", "macros": "[string]",
        "flask_blueprints": "[string]", "appbuilder_views": "[object]", "appbuilder_menu_items": "[object]",
        "global_operator_extra_links": "[string]", "operator_extra_links": "[string]", "source": "string?",
        "ti_deps": "[string]", "listeners": "[string]", "timetables": "[string]",
    },
    "Pool": {
        "deferred_slots": "integer", "description": "string?", "include_deferred": "boolean", "name": "string",
        "occupied_slots": "integer", "open_slots": "integer", "queued_slots": "integer", "running_slots": "integer",
        "scheduled_slots": "integer", "slots": "integer",
    },
    "Provider": {"description": "string", "package_name": "string", "version": "string"},
    "QueuedEvent": {"created_at": "date-time", "dag_id": "string", "uri": "string"},
    "Resource": {"name": "string"},
    "Role": {"actions": "[ActionResource]", "name": "string"},
    "RoleName": {"name": "string"},
    "SchedulerStatus": {"latest_scheduler_heartbeat": "date-time?", "status": "HealthStatus?"},
    "Tag": {"name": "string"},
    "Task": {
        "class_ref": "ClassReference", "depends_on_past": "boolean", "doc_md": "string?",
        "downstream_task_ids": "[string]", "end_date": "date-time?", "execution_timeout": "TimeDelta?",
        "extra_links": "[object]", "is_mapped": "boolean", "operator_name": "string", "owner": "string",
        "params": "Params", "pool": "string", "pool_slots": "number", "priority_weight": "number",
        "queue": "string?", "retries": "number", "retry_delay": "TimeDelta?", "retry_exponential_backoff": "boolean",
        "start_date": "date-time?", "task_display_name": "string", "task_id": "string",
        "template_fields": "[string]", "trigger_rule": "TriggerRule", "ui_color": "string", "ui_fgcolor": "string",
        "wait_for_downstream": "boolean", "weight_rule": "string",
    },
    "TaskFailedDependency": {"name": "string", "reason": "string"},
    "TaskInstance": {
        **_TRY, "execution_date": "date-time?", "note": "string?", "rendered_fields": "object",
        "rendered_map_index": "string?", "sla_miss": "object?", "trigger": "object?", "triggerer_job": "object?",
    },
    "TaskInstanceDependencyCollection": {"dependencies": "[TaskFailedDependency]"},
    "TaskInstanceHistory": _TRY,
    "TaskInstanceReference": {
        "dag_id": "string", "dag_run_id": "string", "execution_date": "date-time?", "task_id": "string",
    },
    "TaskInstanceReferenceCollection": {"task_instances": "[TaskInstanceReference]"},
    "TaskOutletDatasetReference": {
        "created_at": "date-time", "dag_id": "string", "task_id": "string", "updated_at": "date-time",
    },
    "TriggererStatus": {"latest_triggerer_heartbeat": "date-time?", "status": "HealthStatus?"},
    "UserCollectionItem": _USER,
    "Variable": {"description": "string?", "key": "string", "value": "string"},
    "VersionInfo": {"git_version": "string?", "version": "string"},
    "XCom": {**_XCOM, "value": "Any"},
    "XComCollectionItem": _XCOM,
}  # fmt: skip

_COLLECTIONS: Final = {
    "ActionCollection": ("actions", "Action"),
    "ConnectionCollection": ("connections", "ConnectionCollectionItem"),
    "DAGCollection": ("dags", "DAG"),
    "DAGRunCollection": ("dag_runs", "DAGRun"),
    "DagStatsCollectionSchema": ("dags", "DagStatsCollectionItem"),
    "DagWarningCollection": ("dag_warnings", "DagWarning"),
    "DatasetCollection": ("datasets", "Dataset"),
    "DatasetEventCollection": ("dataset_events", "DatasetEvent"),
    "EventLogCollection": ("event_logs", "EventLog"),
    "ImportErrorCollection": ("import_errors", "ImportError"),
    "PluginCollection": ("plugins", "PluginCollectionItem"),
    "PoolCollection": ("pools", "Pool"),
    "ProviderCollection": ("providers", "Provider"),
    "QueuedEventCollection": ("queued_events", "QueuedEvent"),
    "RoleCollection": ("roles", "Role"),
    "TaskCollection": ("tasks", "Task"),
    "TaskInstanceCollection": ("task_instances", "TaskInstance"),
    "TaskInstanceHistoryCollection": ("task_instances", "TaskInstanceHistory"),
    "UserCollection": ("users", "UserCollectionItem"),
    "VariableCollection": ("variables", "Variable"),
    "XComCollection": ("xcom_entries", "XComCollectionItem"),
}

_RELATIVE: Final = ("years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds")
_ABSOLUTE: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_INTERVALS: Final = ("TimeDelta", "RelativeDelta", "CronExpression")

SELECTED: Final = frozenset({"DAG", "DAGDetail", "DAGRun"})
"""Of these a client may ask for some `fields` alone, so that none of their properties is sure to be there."""

SCHEMAS: Final[dict[str, Schema]] = {
    **{name: _object(properties) for name, properties in _OBJECTS.items()},
    **{
        name: _object({plural: f"[{item}]", "total_entries": "integer"})
        for name, (plural, item) in _COLLECTIONS.items()
    },
    "Any": {"description": "Any JSON value.", "nullable": True},
    "CronExpression": _tagged("CronExpression", value="string"),
    "DagState": _one_of([state.value for state in RunState]),
    "DatasetExpression": {
        "description": "A dataset by its URI, or `all` or `any` of several expressions.",
        "oneOf": [{"type": "string", "nullable": True}, {"type": "object"}],
    },
    "ExtraLinks": {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
    "HealthStatus": _one_of(["healthy", "unhealthy"], nullable=True),
    "Params": {"type": "object", "additionalProperties": ref("Param")},
    "RelativeDelta": _tagged(
        "RelativeDelta", **dict.fromkeys(_RELATIVE, "integer"), **dict.fromkeys(_ABSOLUTE, "integer?")
    ),
    "RunType": _one_of(["backfill", "manual", "scheduled", "dataset_triggered"]),
    "ScheduleInterval": {"oneOf": [ref(name) for name in _INTERVALS]},
    "TaskState": _one_of([state.value for state in TaskState if state is not TaskState.AWAITING_INPUT], nullable=True),
    "TimeDelta": {**_tagged("TimeDelta", days="integer", microseconds="integer", seconds="integer"), "nullable": True},
    "TriggerRule": _one_of([rule.value for rule in TriggerRule]),
    "Marked": {
        "description": "The task instance of a dry run; nothing of a real one.",
        "anyOf": [ref("TaskInstanceReference"), {"type": "object", "maxProperties": 0}],
    },
    "Cleared": {
        "description": "The task instances of a dry run; the run itself of a real one.",
        "anyOf": [ref("TaskInstanceReferenceCollection"), ref("DAGRun")],
    },
    "Problem": {
        "type": "object",
        "properties": {
            "detail": {"type": "string", "nullable": True},
            "status": {"type": "integer"},
            "title": {"type": "string", "nullable": True},
            "type": {"type": "string"},
        },
        "required": ["detail", "status", "title", "type"],
    },
}
for _name in SELECTED:
    del SCHEMAS[_name]["required"]
SCHEMAS["WrittenVariable"] = {**SCHEMAS["Variable"], "required": ["key", "value"]}
