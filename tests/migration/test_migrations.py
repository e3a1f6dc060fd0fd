"""Migrations lead to exactly the schema that the code was written against, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from airgate.store import _migrate

_POSTGRES_COLUMNS = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, column_name
"""
_POSTGRES_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
_POSTGRES_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2
"""
_SQLITE_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
_SQLITE_INDEXES = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"


def _rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(statement)]


def _sqlite_schema(connection: Connection) -> dict[str, Any]:
    found: dict[str, Any] = {"indexes": _rows(connection, _SQLITE_INDEXES)}
    for table, sql in _rows(connection, _SQLITE_TABLES):
        columns = {row[1]: row[2:] for row in _rows(connection, f"PRAGMA table_info({table})")}
        keys = sorted(row[2:] for row in _rows(connection, f"PRAGMA foreign_key_list({table})"))
        indexes = sorted(row[2:] for row in _rows(connection, f"PRAGMA index_list({table})"))
        found[table] = (columns, keys, indexes, "AUTOINCREMENT" in sql)
    return found


def _schema(connection: Connection) -> Any:
    if connection.dialect.name == "sqlite":
        return _sqlite_schema(connection)
    catalog = (_POSTGRES_COLUMNS, _POSTGRES_INDEXES, _POSTGRES_CONSTRAINTS)
    return [_rows(connection, statement) for statement in catalog]


def _seeds(connection: Connection) -> list[list[tuple[Any, ...]]]:
    statements = ("SELECT * FROM pool", "SELECT * FROM alembic_version", "SELECT * FROM meta")
    return [_rows(connection, statement) for statement in statements]


def test_migrated_schema_is_the_schema_of_the_code(fresh: Callable[[], Connection]) -> None:
    migrated, created = fresh(), fresh()
    _migrate.upgrade(migrated, None)
    _migrate.create(created)

    assert _schema(migrated) == _schema(created)
    assert _seeds(migrated) == _seeds(created)
    assert len(_rows(migrated, "SELECT * FROM pool")) == 1


def test_comparison_notices_a_difference(fresh: Callable[[], Connection]) -> None:
    one, other = fresh(), fresh()
    for connection in (one, other):
        _migrate.create(connection)
    other.exec_driver_sql("CREATE INDEX extra ON pool (slots)")

    assert _schema(one) != _schema(other)


def test_migrating_again_changes_nothing(fresh: Callable[[], Connection]) -> None:
    connection = fresh()
    _migrate.migrate(connection)
    before = _schema(connection)
    _migrate.migrate(connection)

    assert _schema(connection) == before
    assert _migrate.current_revision(connection) == _migrate.HEAD


def test_revisions_form_one_line_that_ends_where_the_code_says() -> None:
    config = Config()
    config.set_main_option("script_location", str(_migrate.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [_migrate.HEAD]
    assert scripts.get_bases() == ["0001"]
    for script in scripts.walk_revisions():
        assert not isinstance(script.down_revision, tuple), "one line, no branches"
        assert Path(script.path).name.startswith(f"{script.revision}_")
