"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from airgate.model.admin import DEFAULT_POOL
from airgate.model.errors import InvalidInput
from airgate.model.workspace import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID, Workspace
from airgate.store import _orchestration_schema as orchestration
from airgate.store import _schema as schema
from airgate.store._types import EPOCH, to_json

HEAD = "0006"
"""The newest revision in `migrations/`; a test holds it against them."""
MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 4_127_005  # any number that nobody else locks


def migrate(connection: Connection) -> None:
    """Bring the schema to `HEAD`, inside the open transaction.

    An empty database gets the newest tables at once; only an older one needs Alembic, whose import is not cheap.

    Raises:
        InvalidInput: (code ``database_newer``) the database was made by a newer Airgate.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    revision = current_revision(connection)
    if revision == HEAD:
        return
    if revision is None:
        create(connection)
    else:
        upgrade(connection, revision)


def current_revision(connection: Connection) -> str | None:
    """The revision of a database, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def create(connection: Connection) -> None:
    """Make the newest tables in an empty database."""
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(
        schema.pool.insert().values(name=DEFAULT_POOL, slots=128, description="Default pool", include_deferred=False)
    )
    first = Workspace(id=DEFAULT_WORKSPACE_ID, name=DEFAULT_WORKSPACE, created_at=EPOCH, updated_at=EPOCH)
    row = {"id": first.id, "name": first.name, "document": to_json(first)}
    connection.execute(orchestration.workspace.insert().values(row))
    connection.execute(
        text(
            "CREATE TABLE alembic_version "
            "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def upgrade(connection: Connection, revision: str | None) -> None:
    """Run the migrations that lead from `revision` (None: from nothing) to `HEAD`."""
    # Most starts find the schema as it should be, and are spared these imports.
    from alembic.command import upgrade as run  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if revision is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(revision)
        except CommandError:
            raise InvalidInput(
                f"The database was made by a newer Airgate (its schema is {revision}, this one knows {HEAD}).",
                code="database_newer",
            ) from None
    run(config, "head")
