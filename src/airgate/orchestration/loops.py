"""Runs that webhooks start one after another: a ring of webhooks and DAGs comes to an end by itself."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from airgate.model.errors import Conflict, NotFound
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.orchestration.ports import StartRun
from airgate.orchestration.targets import KEY_BEGINS
from airgate.store import deliveries, jobs, triggers
from airgate.store.database import Database, Tx

MOST_IN_A_ROW: Final = 10
"""Runs that webhooks may start one after another, each as the one before has ended."""


class LoopGuard:
    """Implements `airgate.orchestration.ports.StartRun` for webhooks. Refuses what would go on and on.

    How a run was started is read off what is kept of it anyway, so that nothing has to be carried from run to run, and
    nobody who is on the way can drop it.

    Args:
        database: where triggers and deliveries are.
        start_run: starts what is not refused.
    """

    def __init__(self, database: Database, start_run: StartRun) -> None:
        self._database = database
        self._start_run = start_run

    async def __call__(self, deployment: str, request: TriggerRequest) -> DagRun:
        """See the port. Raises Conflict (code ``started_in_a_row``) where it is refused."""
        if await self._database.read(in_a_row, request.idempotency_key) > MOST_IN_A_ROW:
            detail = f"{MOST_IN_A_ROW} runs in a row were started by webhooks, each when the one before it had ended. "
            raise Conflict(f"{detail}This looks like a ring of webhooks that would go on for ever, and ends here.",
                           code="started_in_a_row")  # fmt: skip
        return await self._start_run(deployment, request)


def in_a_row(tx: Tx, idempotency_key: str | None) -> int:
    """How many runs webhooks started in a row, up to the one of this key; no more than the first too many."""
    count = 0
    while idempotency_key is not None and KEY_BEGINS in idempotency_key and count <= MOST_IN_A_ROW:
        count += 1
        idempotency_key = _before(tx, idempotency_key.rpartition(KEY_BEGINS)[2])  # stored ones have a beginning more
    return count


def _before(tx: Tx, delivery_id: str) -> str | None:
    """The key of the trigger of the run that a delivery tells of; None where there is none, or no longer."""
    try:
        delivery = deliveries.find(tx, UUID(delivery_id))
        run = None if delivery is None else jobs.get_execution(tx, delivery.execution).run
    except (NotFound, ValueError):
        return None
    if not run:
        return None
    trigger = triggers.of_run(tx, str(run.get("deployment")), str(run.get("dag_id")), str(run.get("run_id")))
    return None if trigger is None else trigger.idempotency_key
