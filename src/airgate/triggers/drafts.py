"""From what was asked and what was planned to a trigger that can be kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from airgate.model.audit import AuditEntry
from airgate.model.errors import AirgateError, InvalidInput
from airgate.model.run import DagRun
from airgate.model.trigger import Trigger, TriggerRequest, TriggerState
from airgate.store.triggers import Draft

MAX_KEY_LENGTH: Final = 255


class Drafter:
    """Makes triggers of planned runs. `clock` gives the present time, aware; `new_id` fresh UUIDv7s."""

    def __init__(self, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._clock = clock
        self._new_id = new_id

    def draft(
        self, deployment: str, request: TriggerRequest, digest: str, run: DagRun, audit: AuditEntry | None
    ) -> Draft:
        """The trigger of a planned run, asked for by whom the audit entry names."""
        trigger = Trigger(
            id=self._new_id(),
            deployment=deployment,
            dag_id=run.dag_id,
            run_id=run.run_id,
            idempotency_key=idempotency_key(request, run),
            fingerprint=digest,
            state=TriggerState.ACCEPTED,
            created_at=self._clock(),
            actor=audit.actor if audit is not None and audit.actor else request.triggering_user,
            actor_id=audit.actor_id if audit is not None else None,
        )
        return Draft(trigger, run, keyed=request.idempotency_key is not None)


def check_key(key: str | None) -> None:
    """Refuse an Idempotency-Key that is empty or too long (code ``idempotency_key_invalid``)."""
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise InvalidInput(
            f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters; this one has {len(key)}.",
            code="idempotency_key_invalid",
        )


def idempotency_key(request: TriggerRequest, run: DagRun) -> str:
    """The stored key: the client's, or one made of the run. Prefixes keep the two kinds apart."""
    if request.idempotency_key is not None:
        return stored_key(request.idempotency_key)
    return f"run:{run.dag_id}:{run.run_id}"


def stored_key(key: str) -> str:
    """How a client's key is stored."""
    return f"key:{key}"


def chosen_by_server(request: TriggerRequest, refusal: Exception) -> bool:
    """Whether what is taken was not the caller's choice, so that another choice may do."""
    date_is_ours = not request.has_logical_date and request.run_after is None
    code = refusal.code if isinstance(refusal, AirgateError) else None
    if code == "logical_date_exists":
        return date_is_ours
    return code == "run_exists" and date_is_ours and not request.run_id
