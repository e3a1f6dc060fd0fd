"""The first schema, and the pool that always exists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")


def upgrade() -> None:
    _connection()
    _dag()
    _dag_run()
    _dag_run_indexes()
    _dag_version()
    _event()
    _identity()
    _import_failure()
    _meta()
    _pool()
    _run_count()
    _trigger_request()
    _variable()
    _api_token()
    _dag_tag()
    _task_instance()
    _task_try()
    _xcom()


def _null_is_least(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_ops={columns[-1]: "NULLS FIRST"})


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def _connection() -> None:
    op.create_table(
        "connection",
        sa.Column("connection_id", TEXT, nullable=False),
        sa.Column("conn_type", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("host", TEXT, nullable=True),
        sa.Column("login", TEXT, nullable=True),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("schema", TEXT, nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("extra", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_connection")),
    )


def _dag() -> None:
    op.create_table(
        "dag",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("version_id", ID, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("has_import_errors", sa.Boolean(), nullable=False),
        sa.Column("last_parsed_at", MOMENT, nullable=False),
        sa.Column("last_parse_duration", sa.Float(), nullable=True),
        sa.Column("next_run_after", MOMENT, nullable=True),
        sa.Column("next_logical_date", MOMENT, nullable=True),
        sa.Column("next_interval_start", MOMENT, nullable=True),
        sa.Column("next_interval_end", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("dag_id", name=op.f("pk_dag")),
    )
    op.create_index("ix_dag_file", "dag", ["file"])


def _dag_run() -> None:
    op.create_table(
        "dag_run",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("run_type", TEXT, nullable=False),
        sa.Column("triggered_by", TEXT, nullable=False),
        sa.Column("run_after", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("logical_date", MOMENT, nullable=True),
        sa.Column("execution_date", MOMENT, nullable=False),
        sa.Column("external_trigger", sa.Boolean(), nullable=False),
        sa.Column("data_interval_start", MOMENT, nullable=True),
        sa.Column("data_interval_end", MOMENT, nullable=True),
        sa.Column("start_date", MOMENT, nullable=True),
        sa.Column("end_date", MOMENT, nullable=True),
        sa.Column("conf", sa.Text(), nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("triggering_user", TEXT, nullable=True),
        sa.Column("last_scheduling_decision", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.Column("dag_version_id", ID, nullable=True),
        sa.Column("clear_number", sa.Integer(), nullable=False),
        sa.Column("partition_key", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dag_run")),
        sa.UniqueConstraint("dag_id", "run_id", name=op.f("uq_dag_run_dag_id_run_id")),
        sa.UniqueConstraint("id", name=op.f("uq_dag_run_id")),
        sqlite_autoincrement=True,
    )


def _dag_run_indexes() -> None:
    op.create_index("ix_dag_run_dag_id_execution_date", "dag_run", ["dag_id", "execution_date"])
    op.create_index("ix_dag_run_dag_id_seq", "dag_run", ["dag_id", "seq"])
    _null_is_least("ix_dag_run_dag_id_end_date", "dag_run", ["dag_id", "end_date"])
    _null_is_least("ix_dag_run_dag_id_start_date", "dag_run", ["dag_id", "start_date"])
    op.create_index("ix_dag_run_dag_id_state_seq", "dag_run", ["dag_id", "state", "seq"])
    _partial("ix_dag_run_failed", "dag_run", ["seq"], "state = 'failed'")
    _partial(
        "ix_dag_run_timed",
        "dag_run",
        ["dag_id", "external_trigger", "execution_date"],
        "run_type IN ('scheduled', 'backfill')",
    )
    _partial("ix_dag_run_unfinished", "dag_run", ["seq"], "state IN ('queued', 'running')")
    _null_is_least("ix_dag_run_updated_at", "dag_run", ["updated_at"])
    _null_is_least("uq_dag_run_dag_id_logical_date", "dag_run", ["dag_id", "logical_date"], unique=True)


def _dag_version() -> None:
    op.create_table(
        "dag_version",
        sa.Column("id", ID, nullable=False),
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("spec", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dag_version")),
        sa.UniqueConstraint("dag_id", "number", name=op.f("uq_dag_version_dag_id_number")),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("dag_id", TEXT, nullable=True),
        sa.Column("run_id", TEXT, nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )


def _identity() -> None:
    op.create_table(
        "identity",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("name", name=op.f("uq_identity_name")),
    )


def _import_failure() -> None:
    op.create_table(
        "import_failure",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("timestamp", MOMENT, nullable=False),
        sa.Column("stack_trace", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_failure")),
        sa.UniqueConstraint("file", name=op.f("uq_import_failure_file")),
        sqlite_autoincrement=True,
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )


def _pool() -> None:
    pool = op.create_table(
        "pool",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("include_deferred", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pool")),
    )
    default = {"name": "default_pool", "slots": 128, "description": "Default pool", "include_deferred": False}
    op.bulk_insert(pool, [default])


def _run_count() -> None:
    op.create_table(
        "run_count",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "state", name=op.f("pk_run_count")),
    )


def _trigger_request() -> None:
    op.create_table(
        "trigger_request",
        sa.Column("id", ID, nullable=False),
        sa.Column("deployment", TEXT, nullable=False),
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("idempotency_key", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_request")),
        sa.UniqueConstraint(
            "deployment", "idempotency_key", name=op.f("uq_trigger_request_deployment_idempotency_key")
        ),
    )
    op.create_index("ix_trigger_request_dag_id_run_id", "trigger_request", ["dag_id", "run_id"])


def _variable() -> None:
    op.create_table(
        "variable",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_variable")),
    )


def _api_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identity.id"], name=op.f("fk_api_token_identity"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_index(op.f("ix_api_token_identity_id"), "api_token", ["identity_id"])


def _dag_tag() -> None:
    op.create_table(
        "dag_tag",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_tag_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", "name", name=op.f("pk_dag_tag")),
    )
    op.create_index("ix_dag_tag_name", "dag_tag", ["name"])


def _task_instance() -> None:
    op.create_table(
        "task_instance",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("task_id", TEXT, nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("state", TEXT, nullable=True),
        sa.Column("max_tries", sa.Integer(), nullable=False),
        sa.Column("start_date", MOMENT, nullable=True),
        sa.Column("end_date", MOMENT, nullable=True),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("scheduled_at", MOMENT, nullable=True),
        sa.Column("queued_at", MOMENT, nullable=True),
        sa.Column("retry_at", MOMENT, nullable=True),
        sa.Column("hostname", TEXT, nullable=False),
        sa.Column("unixname", TEXT, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("operator", TEXT, nullable=False),
        sa.Column("task_display_name", TEXT, nullable=False),
        sa.Column("pool", TEXT, nullable=False),
        sa.Column("pool_slots", sa.Integer(), nullable=False),
        sa.Column("queue", TEXT, nullable=False),
        sa.Column("priority_weight", sa.Integer(), nullable=False),
        sa.Column("executor", TEXT, nullable=True),
        sa.Column("executor_config", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("rendered_fields", sa.Text(), nullable=False),
        sa.Column("rendered_map_index", TEXT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.Column("dag_version_id", ID, nullable=True),
        sa.Column("next_method", TEXT, nullable=True),
        sa.Column("next_kwargs", sa.Text(), nullable=True),
        sa.Column("reschedule_count", sa.Integer(), nullable=False),
        sa.Column("end_reason", TEXT, nullable=True),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id", "run_id"],
            ["dag_run.dag_id", "dag_run.run_id"],
            name="fk_task_instance_dag_run",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dag_id", "run_id", "task_id", "map_index", name=op.f("pk_task_instance")),
    )
    _partial(
        "ix_task_instance_in_pool",
        "task_instance",
        ["pool", "state", "pool_slots"],
        "state IN ('scheduled', 'queued', 'running', 'restarting', 'deferred')",
    )
    _null_is_least("ix_task_instance_updated_at", "task_instance", ["updated_at"])
    op.create_index("uq_task_instance_id", "task_instance", ["id"], unique=True)


def _task_try() -> None:
    op.create_table(
        "task_try",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("task_id", TEXT, nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("state", TEXT, nullable=True),
        sa.Column("max_tries", sa.Integer(), nullable=False),
        sa.Column("start_date", MOMENT, nullable=True),
        sa.Column("end_date", MOMENT, nullable=True),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("scheduled_at", MOMENT, nullable=True),
        sa.Column("queued_at", MOMENT, nullable=True),
        sa.Column("retry_at", MOMENT, nullable=True),
        sa.Column("hostname", TEXT, nullable=False),
        sa.Column("unixname", TEXT, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("operator", TEXT, nullable=False),
        sa.Column("task_display_name", TEXT, nullable=False),
        sa.Column("pool", TEXT, nullable=False),
        sa.Column("pool_slots", sa.Integer(), nullable=False),
        sa.Column("queue", TEXT, nullable=False),
        sa.Column("priority_weight", sa.Integer(), nullable=False),
        sa.Column("executor", TEXT, nullable=True),
        sa.Column("executor_config", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("rendered_fields", sa.Text(), nullable=False),
        sa.Column("rendered_map_index", TEXT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.Column("dag_version_id", ID, nullable=True),
        sa.Column("next_method", TEXT, nullable=True),
        sa.Column("next_kwargs", sa.Text(), nullable=True),
        sa.Column("reschedule_count", sa.Integer(), nullable=False),
        sa.Column("end_reason", TEXT, nullable=True),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"], name="fk_task_try_dag_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "run_id", "task_id", "map_index", "try_number", name=op.f("pk_task_try")),
    )


def _xcom() -> None:
    op.create_table(
        "xcom",
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("task_id", TEXT, nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("timestamp", MOMENT, nullable=False),
        sa.Column("mapped_length", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"], name="fk_xcom_dag_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "run_id", "task_id", "map_index", "key", name=op.f("pk_xcom")),
    )
