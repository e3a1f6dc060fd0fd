"""What ended long ago is forgotten: deliveries with their attempts, then the executions that only they needed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from airgate.store import deliveries, jobs
from airgate.store.database import Database

AT_ONCE: Final = 500
"""Rows that one transaction deletes: the writer must not be kept for long."""


async def prune(database: Database, before: datetime) -> int:
    """Delete deliveries and executions that ended before a moment. Gives how many. Raises Unavailable.

    What is still to be sent stays, however old it is.
    """
    pruned = 0
    for delete in (deliveries.prune, jobs.prune):
        batch = AT_ONCE
        while batch == AT_ONCE:
            batch = await database.write(delete, before, AT_ONCE)
            pruned += batch
    return pruned
