"""Pools, variables and connections: what DAG code may use of its surroundings."""

from __future__ import annotations

import msgspec

DEFAULT_POOL = "default_pool"


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A named number of slots that tasks share. `slots` -1 means unlimited."""

    name: str
    slots: int
    description: str | None = None
    include_deferred: bool = False


class PoolUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Slots of a pool in use, by task state (a task counts `pool_slots`)."""

    running: int = 0
    queued: int = 0
    scheduled: int = 0
    deferred: int = 0

    def occupied(self, pool: Pool) -> int:
        """Slots that are taken: running and queued, and deferred ones where the pool counts them."""
        return self.running + self.queued + (self.deferred if pool.include_deferred else 0)

    def open(self, pool: Pool) -> int:
        """Slots left; -1 stands for infinitely many, as in Airflow."""
        return -1 if pool.slots < 0 else pool.slots - self.occupied(pool)


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable; its value is text (JSON by convention where the reader says so). Encrypted at rest."""

    key: str
    value: str
    description: str | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection. `password` and `extra` are encrypted at rest; no API gives the password back."""

    connection_id: str
    conn_type: str
    description: str | None = None
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    port: int | None = None
    extra: str | None = None
