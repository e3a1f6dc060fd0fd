"""The tables. `migrations/` leads every older database here, and a test holds the two against each other."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    false,
    text,
)

from airgate.model.audit import Outcome
from airgate.model.identity import IdentityKind, Limits, ScopeKind
from airgate.model.states import RunState, RunType, TaskState, TriggeredBy
from airgate.model.trigger import TriggerState
from airgate.store._types import SEQUENCE, TEXT, Id, Json, JsonOf, JsonValue, Moment, Word

# These texts are the conditions of partial indexes; a query that is to use one repeats it word for word.
RUN_UNFINISHED = text("dag_run.state IN ('queued', 'running')")
RUN_FAILED = text("dag_run.state = 'failed'")
RUN_TIMED = text("dag_run.run_type IN ('scheduled', 'backfill')")
EVENT_OPEN = text("event.settled IS FALSE")
STATES_IN_POOL = frozenset(
    {TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED}
)
TASK_IN_POOL = text("task_instance.state IN ('scheduled', 'queued', 'running', 'restarting', 'deferred')")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial(name: str, *columns: str, where: Any) -> Index:
    # In the definition of an index a column cannot carry the name of its table.
    condition = text(where.text.split(".", 1)[1])
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def _null_is_least(name: str, *columns: str, unique: bool = False) -> Index:
    """An index whose last column may be empty.

    Lists sort an empty value before all others, as SQLite does anyway; PostgreSQL's index has to be told.
    """
    return Index(name, *columns, unique=unique, postgresql_ops={columns[-1]: "NULLS FIRST"})


meta = Table(
    "meta",
    metadata,
    Column("key", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
)

# ---------------------------------------------------------------------------------------------------------------- DAGs

dag = Table(
    "dag",
    metadata,
    Column("dag_id", TEXT, primary_key=True),
    Column("version_id", Id, nullable=False),
    Column("file", TEXT, nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("has_import_errors", Boolean, nullable=False),
    Column("last_parsed_at", Moment, nullable=False),
    Column("last_parse_duration", Float),
    Column("next_run_after", Moment),
    Column("next_logical_date", Moment),
    Column("next_interval_start", Moment),
    Column("next_interval_end", Moment),
    Index("ix_dag_file", "file"),
)

dag_tag = Table(
    "dag_tag",
    metadata,
    Column("dag_id", TEXT, ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True),
    Column("name", TEXT, primary_key=True),
    Index("ix_dag_tag_name", "name"),
)

dag_version = Table(
    "dag_version",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dag_id", TEXT, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("digest", TEXT, nullable=False),
    Column("spec", TEXT, nullable=False),
    UniqueConstraint("dag_id", "number"),
)

import_failure = Table(
    "import_failure",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("file", TEXT, nullable=False, unique=True),
    Column("timestamp", Moment, nullable=False),
    Column("stack_trace", TEXT, nullable=False),
    sqlite_autoincrement=True,
)

# ---------------------------------------------------------------------------------------------------------------- runs

dag_run = Table(
    "dag_run",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("dag_id", TEXT, nullable=False),
    Column("run_id", TEXT, nullable=False),
    Column("state", Word(RunState), nullable=False),
    Column("run_type", Word(RunType), nullable=False),
    Column("triggered_by", Word(TriggeredBy), nullable=False),
    Column("run_after", Moment, nullable=False),
    Column("queued_at", Moment, nullable=False),
    Column("logical_date", Moment),
    Column("execution_date", Moment, nullable=False),
    Column("external_trigger", Boolean, nullable=False),
    Column("data_interval_start", Moment),
    Column("data_interval_end", Moment),
    Column("start_date", Moment),
    Column("end_date", Moment),
    Column("conf", JsonValue, nullable=False),
    Column("note", TEXT),
    Column("triggering_user", TEXT),
    Column("last_scheduling_decision", Moment),
    Column("updated_at", Moment),
    Column("dag_version_id", Id),
    Column("clear_number", Integer, nullable=False),
    Column("partition_key", TEXT),
    UniqueConstraint("dag_id", "run_id"),
    _null_is_least("uq_dag_run_dag_id_logical_date", "dag_id", "logical_date", unique=True),
    Index("ix_dag_run_dag_id_seq", "dag_id", "seq"),
    Index("ix_dag_run_dag_id_state_seq", "dag_id", "state", "seq"),
    Index("ix_dag_run_dag_id_execution_date", "dag_id", "execution_date"),
    _null_is_least("ix_dag_run_dag_id_start_date", "dag_id", "start_date"),
    _null_is_least("ix_dag_run_dag_id_end_date", "dag_id", "end_date"),
    _null_is_least("ix_dag_run_updated_at", "updated_at"),
    _partial("ix_dag_run_unfinished", "seq", where=RUN_UNFINISHED),
    _partial("ix_dag_run_failed", "seq", where=RUN_FAILED),
    # The second column is the same for all of them; it is what makes SQLite prefer this index.
    _partial("ix_dag_run_timed", "dag_id", "external_trigger", "execution_date", where=RUN_TIMED),
    sqlite_autoincrement=True,
)

run_count = Table(
    "run_count",
    metadata,
    Column("dag_id", TEXT, primary_key=True),
    Column("state", Word(RunState), primary_key=True),
    Column("n", BigInteger, nullable=False),
)

RUN_BLOCK_BITS = 10
"""Runs whose `seq` differs in so many of its last bits only are of one block."""

# A block's version rises with every change to a run of it: what was worked out from its runs holds as long as it stays.
run_block = Table(
    "run_block",
    metadata,
    Column("block", SEQUENCE, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)


def _task_columns() -> list[Column[Any]]:
    return [
        Column("dag_id", TEXT, primary_key=True),
        Column("run_id", TEXT, primary_key=True),
        Column("task_id", TEXT, primary_key=True),
        Column("map_index", Integer, primary_key=True),
        Column("id", Id, nullable=False),
        Column("state", Word(TaskState)),
        Column("max_tries", Integer, nullable=False),
        Column("start_date", Moment),
        Column("end_date", Moment),
        Column("duration", Float),
        Column("scheduled_at", Moment),
        Column("queued_at", Moment),
        Column("retry_at", Moment),
        Column("hostname", TEXT, nullable=False),
        Column("unixname", TEXT, nullable=False),
        Column("pid", Integer),
        Column("operator", TEXT, nullable=False),
        Column("task_display_name", TEXT, nullable=False),
        Column("pool", TEXT, nullable=False),
        Column("pool_slots", Integer, nullable=False),
        Column("queue", TEXT, nullable=False),
        Column("priority_weight", Integer, nullable=False),
        Column("executor", TEXT),
        Column("executor_config", TEXT, nullable=False),
        Column("note", TEXT),
        Column("rendered_fields", JsonValue, nullable=False),
        Column("rendered_map_index", TEXT),
        Column("updated_at", Moment),
        Column("dag_version_id", Id),
        Column("next_method", TEXT),
        Column("next_kwargs", Json),
        Column("reschedule_count", Integer, nullable=False),
        Column("end_reason", TEXT),
    ]


def _of_run(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"], name=f"fk_{table}_dag_run", ondelete="CASCADE"
    )


task_instance = Table(
    "task_instance",
    metadata,
    *_task_columns(),
    Column("try_number", Integer, nullable=False),
    _of_run("task_instance"),
    Index("uq_task_instance_id", "id", unique=True),
    _null_is_least("ix_task_instance_updated_at", "updated_at"),
    Index("ix_task_instance_map_index", "map_index", "dag_id", "run_id", "task_id"),  # the order lists have by default
    _partial("ix_task_instance_in_pool", "pool", "state", "pool_slots", where=TASK_IN_POOL),
)

task_try = Table(
    "task_try",
    metadata,
    *_task_columns(),
    Column("try_number", Integer, primary_key=True),
    _of_run("task_try"),
)

xcom = Table(
    "xcom",
    metadata,
    Column("dag_id", TEXT, primary_key=True),
    Column("run_id", TEXT, primary_key=True),
    Column("task_id", TEXT, primary_key=True),
    Column("map_index", Integer, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("value", JsonValue, nullable=False),
    Column("timestamp", Moment, nullable=False),
    Column("mapped_length", Integer),
    _of_run("xcom"),
)

# ------------------------------------------------------------------------------------------------------- surroundings

pool = Table(
    "pool",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("description", TEXT),
    Column("include_deferred", Boolean, nullable=False),
)

variable = Table(
    "variable",
    metadata,
    Column("key", TEXT, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("description", TEXT),
)

connection = Table(
    "connection",
    metadata,
    Column("connection_id", TEXT, primary_key=True),
    Column("conn_type", TEXT, nullable=False),
    Column("description", TEXT),
    Column("host", TEXT),
    Column("login", TEXT),
    Column("password", LargeBinary),
    Column("schema", TEXT),
    Column("port", Integer),
    Column("extra", LargeBinary),
)

# ------------------------------------------------------------------------------------------------ triggers and events

trigger_request = Table(
    "trigger_request",
    metadata,
    Column("id", Id, primary_key=True),
    Column("deployment", TEXT, nullable=False),
    Column("dag_id", TEXT, nullable=False),
    Column("run_id", TEXT, nullable=False),
    Column("idempotency_key", TEXT, nullable=False),
    Column("fingerprint", TEXT, nullable=False),
    Column("state", Word(TriggerState), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", TEXT),
    Column("actor", TEXT),
    Column("actor_id", Id),
    UniqueConstraint("deployment", "idempotency_key"),
    Index("ix_trigger_request_dag_id_run_id", "dag_id", "run_id"),
    Index("ix_trigger_request_deployment_created_at", "deployment", "created_at", "id"),
    Index("ix_trigger_request_deployment_dag_id_created_at", "deployment", "dag_id", "created_at", "id"),
)

event = Table(
    "event",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("kind", TEXT, nullable=False),
    Column("at", Moment, nullable=False),
    Column("dag_id", TEXT),
    Column("run_id", TEXT),
    Column("payload", JsonValue, nullable=False),
    Column("settled", Boolean, nullable=False, server_default=false()),
    _partial("ix_event_open", "seq", where=EVENT_OPEN),
    sqlite_autoincrement=True,
)

# -------------------------------------------------------------------------------------------------------- identities

identity = Table(
    "identity",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("kind", Word(IdentityKind), nullable=False),
    Column("roles", JsonOf(tuple[str, ...]), nullable=False),
    Column("scope_kind", Word(ScopeKind), nullable=False),
    Column("scope_name", TEXT),
    Column("limits", JsonOf(Limits), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("first_name", TEXT, nullable=False),
    Column("last_name", TEXT, nullable=False),
    Column("email", TEXT, nullable=False),
    Column("label", TEXT, nullable=False),
    Column("category", TEXT, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("generation", Integer, nullable=False),
    Column("password_hash", TEXT),
    Index("ix_identity_kind_name", "kind", "name"),
    Index("ix_identity_kind_id", "kind", "id"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity_id", Id, ForeignKey("identity.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("label", TEXT, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("batch", Boolean, nullable=False),
)

role = Table(
    "role",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("permissions", JsonOf(tuple[str, ...]), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
)

# ------------------------------------------------------------------------------------------------------------- audit

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("event", TEXT, nullable=False),
    Column("outcome", Word(Outcome), nullable=False),
    Column("status", Integer, nullable=False),
    Column("dialect", TEXT, nullable=False),
    Column("method", TEXT, nullable=False),
    Column("path", TEXT, nullable=False),
    Column("actor", TEXT),
    Column("actor_id", Id),
    Column("key_id", Id),
    Column("address", TEXT),
    Column("deployment", TEXT),
    Column("dag_id", TEXT),
    Column("run_id", TEXT),
    Column("task_id", TEXT),
    Column("map_index", Integer),
    Column("logical_date", Moment),
    Column("extra", JsonValue, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_audit_entry_at", "at"),
    Index("ix_audit_entry_dag_id_seq", "dag_id", "seq"),
    Index("ix_audit_entry_actor_seq", "actor", "seq"),
    Index("ix_audit_entry_event_seq", "event", "seq"),
    sqlite_autoincrement=True,
)
