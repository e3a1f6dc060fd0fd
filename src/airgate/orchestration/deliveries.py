"""Deliveries, as whoever may read them reads them, and sends them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from airgate.model.errors import Conflict
from airgate.model.query import Listing, Order, Page, Span
from airgate.model.webhook import Attempt, Delivery, DeliveryState
from airgate.store import deliveries, webhooks
from airgate.store.database import Database, Tx
from airgate.store.deliveries import DeliveryFilter

MOST_REPLAYED: Final = 10_000
"""Deliveries that one request may send again."""


class Deliveries:
    """Reads deliveries and replays them. Raises NotFound where what is named is not in the workspace.

    Args:
        database: where they are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        queued: called when there are new deliveries.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        queued: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._queued = queued

    async def list(self, workspace_id: UUID, which: DeliveryFilter, order: Order, page: Page) -> Listing[Delivery]:
        """One page of the deliveries. Raises InvalidInput (code ``order_field``)."""
        return await self._database.read(deliveries.page_of, workspace_id, which, order, page)

    async def newest(
        self, workspace_id: UUID, which: DeliveryFilter, limit: int, *, before: UUID | None = None
    ) -> tuple[Delivery, ...]:
        """The newest deliveries (of those before one)."""
        return await self._database.read(deliveries.list_deliveries, workspace_id, which, limit, before=before)

    async def get(self, workspace_id: UUID, delivery_id: UUID) -> tuple[Delivery, tuple[Attempt, ...]]:
        """One delivery with its attempts."""

        def read(tx: Tx) -> tuple[Delivery, tuple[Attempt, ...]]:
            return deliveries.get(tx, workspace_id, delivery_id), deliveries.attempts_of(tx, delivery_id)

        return await self._database.read(read)

    async def replay(self, workspace_id: UUID, delivery_id: UUID) -> Delivery:
        """Send again: the same execution, under a new id, by the webhook as it is now. Conflict while it is pending."""
        found = await self._database.read(deliveries.get, workspace_id, delivery_id)
        if found.state is DeliveryState.PENDING:
            raise Conflict("This delivery has not ended yet.", code="delivery_pending")
        (again,) = await self._queue_again([found])
        return again

    async def replay_since(
        self, workspace_id: UUID, webhook_id: UUID, since: datetime, states: tuple[DeliveryState, ...]
    ) -> int:
        """Send again every delivery of a webhook in these states that was made since. Gives how many."""
        await self._database.read(webhooks.get, workspace_id, webhook_id)
        which = DeliveryFilter(webhook_id=webhook_id, states=states, created_at=Span(since))
        found = await self._database.read(deliveries.list_deliveries, workspace_id, which, MOST_REPLAYED)
        return len(await self._queue_again(found[::-1]))

    async def _queue_again(self, found: Iterable[Delivery]) -> Sequence[Delivery]:
        now = self._clock()
        made = []
        for one in found:
            new_id = self._new_id()
            made.append(
                Delivery(
                    id=new_id, webhook_id=one.webhook_id, workspace_id=one.workspace_id, execution=one.execution,
                    cause=f"replay:{new_id}", state=DeliveryState.PENDING, created_at=now, next_attempt_at=now,
                    count=one.count, replay_of=one.id,
                )
            )  # fmt: skip
        await self._database.write(deliveries.enqueue, made)
        self._queued()
        return made
