"""What an execution is known by: typed variables for rules, and names for templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.job import Execution

SCHEDULED_BY: Final = "Erathos Schedule"
"""What TRIGGERED_BY says of scheduled executions, as those who wrote rules for Erathos expect."""


class Kind(StrEnum):
    """Types of variables."""

    UUID = "uuid"
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"


VARIABLES: Final[Mapping[str, Kind]] = {
    "JOB_ID": Kind.UUID,
    "CONNECTION_ID": Kind.UUID,
    "CONNECTION_NAME": Kind.STRING,
    "SCHEMA_NAME": Kind.STRING,
    "TABLE_NAME": Kind.STRING,
    "EXECUTION_ID": Kind.UUID,
    "STATUS": Kind.STRING,
    "ROWS": Kind.INTEGER,
    "COLUMNS": Kind.INTEGER,
    "TOTAL_DURATION": Kind.INTEGER,
    "TRIGGERED_BY": Kind.STRING,
    "IS_ORCHESTRATION": Kind.BOOLEAN,
    "FORCE_HISTORY": Kind.BOOLEAN,
    "NESTED_TABLE": Kind.BOOLEAN,
    "FINISHED_AT_DATE": Kind.DATE,
    "FINISHED_AT_TIME": Kind.TIME,
    "FINISHED_AT_WEEKDAY": Kind.INTEGER,
}
"""Every variable of a rule, and every name below ``${{erathos.…}}``."""

Value = str | int | bool | UUID | date | time | None
Facts = dict[str, Value]
"""By variable. None: nothing is known of it."""


def facts_of(execution: Execution, zone: tzinfo = UTC) -> Facts:
    """The variables of an execution that has ended, its end told in a zone's local time."""
    ended = execution.ended_at.astimezone(zone) if execution.ended_at else None
    return {
        "JOB_ID": execution.job_id,
        "CONNECTION_ID": execution.connection_id,
        "CONNECTION_NAME": execution.connection_name,
        "SCHEMA_NAME": execution.schema_name,
        "TABLE_NAME": execution.table_name,
        "EXECUTION_ID": execution.execution_id,
        "STATUS": execution.status.value,
        "ROWS": execution.rows,
        "COLUMNS": execution.columns,
        "TOTAL_DURATION": _seconds(execution.started_at, execution.ended_at),
        "TRIGGERED_BY": execution.triggered_by,
        "IS_ORCHESTRATION": execution.is_orchestration,
        "FORCE_HISTORY": execution.force_history,
        "NESTED_TABLE": execution.nested_table,
        "FINISHED_AT_DATE": ended.date() if ended else None,
        "FINISHED_AT_TIME": time(ended.hour, ended.minute) if ended else None,
        "FINISHED_AT_WEEKDAY": ended.isoweekday() % 7 if ended else None,
    }


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else int((end - start).total_seconds())


def names_of(execution: Execution) -> dict[str, dict[str, Any]]:
    """What templates read, as JSON: by kind (``erathos``, ``run``), then by lower-case name. Times are UTC."""
    facts = {name.lower(): _json(value) for name, value in facts_of(execution).items()}
    return {"erathos": facts, "run": execution.run or {}}


def _json(value: Value) -> Any:
    return f"{value:%H:%M}" if isinstance(value, time) else msgspec.to_builtins(value)
