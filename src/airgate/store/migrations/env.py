"""Run by Alembic; the open transaction comes from `airgate.store._migrate`."""

from __future__ import annotations

from alembic import context

from airgate.store._schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
