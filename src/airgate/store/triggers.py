"""Triggers: durable, accepted requests, each kept together with the run it makes."""

from __future__ import annotations

from collections.abc import Sequence

from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Trigger, TriggerState
from airgate.store.database import Tx


def accept(tx: Tx, items: Sequence[tuple[Trigger, DagRun]]) -> Sequence[Accepted | Exception]:
    """Keep triggers and their runs; made for `Database.write_item`. One answer per item, in order.

    A known (deployment, idempotency key) is answered with the existing run if the fingerprint is the same, and is a
    Conflict (code ``idempotency_key_reused``) otherwise. A run that exists is a Conflict as in `runs.insert`; then the
    trigger is not kept.
    """
    raise NotImplementedError


def get(tx: Tx, deployment: str, idempotency_key: str) -> Trigger:
    """One trigger. Raises NotFound (code ``trigger_not_found``)."""
    raise NotImplementedError


def set_state(
    tx: Tx, deployment: str, dag_id: str, run_id: str, state: TriggerState, error: str | None = None
) -> None:
    """Note how far the triggers of a run have come. A run nobody triggered has none, which is no error."""
    raise NotImplementedError
