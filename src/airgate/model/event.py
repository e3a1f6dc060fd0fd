"""Events: rows written in the transaction of the change they tell of (the transactional outbox)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, for whoever reads the outbox. `seq` is given by the store, rising without meaning."""

    kind: str
    """e.g. ``dag_run.finished``, ``dag.changed``."""
    at: datetime
    dag_id: str | None = None
    run_id: str | None = None
    payload: dict[str, Any] = {}
    seq: int = 0
