"""Accepting triggers: one transaction for the trigger and its run, then the engine is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from airgate.deployments.ports import Deployment, Starter
from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Trigger, TriggerRequest, TriggerState
from airgate.store import runs
from airgate.store import triggers as stored
from airgate.store.database import Database, Tx
from airgate.triggers.fingerprint import fingerprint

MAX_KEY_LENGTH: Final = 255
_ATTEMPTS: Final = 10
"""Plans tried when dates the server chose are taken: several processes on one store may choose the same microsecond."""


class Triggers:
    """The way in for every trigger, whichever dialect it came by.

    Obligations (each has a test):
      * an answer is given only after trigger and run are committed;
      * a created run is handed to its deployment exactly once, even when the caller has gone away meanwhile;
      * a repeated idempotency key with the same request answers with the same run, and starts nothing, even when the
        DAG could not be triggered any more;
      * without a key, the same run id twice is a Conflict.

    Args:
        database: where triggers and runs are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def accept(self, deployment: Deployment, request: TriggerRequest) -> Accepted:
        """Make the run that the request asks for, or find the one that this very request made before.

        Raises:
            NotFound: there is no such DAG.
            InvalidInput: the request is wrong, whatever the state of things.
            Conflict: code ``run_exists`` or ``logical_date_exists``: there is such a run already;
                ``idempotency_key_reused``: the key was used for another request.
            Unavailable: nothing was kept; the same request may succeed later.
        """
        check_key(request.idempotency_key)
        digest = fingerprint(request)
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._attempt(deployment, request, digest)
            except Conflict as conflict:
                if not _chosen_by_server(request, conflict):
                    raise
        return await self._attempt(deployment, request, digest)

    async def _attempt(self, deployment: Deployment, request: TriggerRequest, digest: str) -> Accepted:
        try:
            run = await deployment.starter.plan(request)
        except (InvalidInput, NotFound) as refusal:
            repeated = await self._made_before(deployment.name, request, digest)
            if repeated is None:
                raise refusal from None
            return repeated
        trigger = Trigger(
            id=self._new_id(),
            deployment=deployment.name,
            dag_id=run.dag_id,
            run_id=run.run_id,
            idempotency_key=idempotency_key(request, run),
            fingerprint=digest,
            state=TriggerState.ACCEPTED,
            created_at=self._clock(),
        )
        try:
            accepted = await self._commit(deployment.starter, trigger, run)
        except Conflict as conflict:
            if request.idempotency_key is not None or conflict.code != "idempotency_key_reused":
                raise
            existing = await self._database.read(runs.get, run.dag_id, run.run_id)
            raise _repeated(existing, run) from None  # who named no key is told of the run, never of keys
        if not accepted.created and request.idempotency_key is None:
            raise _repeated(accepted.run, run)
        return accepted

    async def _made_before(self, deployment: str, request: TriggerRequest, digest: str) -> Accepted | None:
        """The run this request made earlier, whatever has become of its DAG since; None if it made none."""
        if request.idempotency_key is None:
            return None
        return await self._database.read(_find, deployment, _stored_key(request.idempotency_key), digest)

    async def _commit(self, starter: Starter, trigger: Trigger, run: DagRun) -> Accepted:
        """Write both, and wake the deployment in the moment of the commit.

        The write is shielded: once submitted it is committed, whether or not the caller still waits, and a committed
        run must be started either way.
        """
        writing: asyncio.Future[Accepted] = self._database.write_item(stored.accept, (trigger, run))

        def wake(done: asyncio.Future[Accepted]) -> None:
            if not done.cancelled() and done.exception() is None and done.result().created:
                starter.started(done.result().run)

        writing.add_done_callback(wake)
        return await asyncio.shield(writing)


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
        return _stored_key(request.idempotency_key)
    return f"run:{run.dag_id}:{run.run_id}"


def _stored_key(key: str) -> str:
    return f"key:{key}"


def _find(tx: Tx, deployment: str, key: str, digest: str) -> Accepted | None:
    try:
        trigger = stored.get(tx, deployment, key)
    except NotFound:
        return None
    if trigger.fingerprint != digest:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    return Accepted(run=runs.get(tx, trigger.dag_id, trigger.run_id), created=False)


def _chosen_by_server(request: TriggerRequest, conflict: Conflict) -> bool:
    """Whether what is taken was not the caller's choice, so that another choice may do."""
    date_is_ours = not request.has_logical_date and request.run_after is None
    if conflict.code == "logical_date_exists":
        return date_is_ours
    return conflict.code == "run_exists" and date_is_ours and not request.run_id


def _repeated(existing: DagRun, run: DagRun) -> Conflict:
    """The conflict of a run id that was sent twice without a key. As in Airflow, the date is named first."""
    if run.logical_date is not None and existing.logical_date == run.logical_date:
        return Conflict(
            f"DAGRun with DAG ID: '{run.dag_id}' and DAGRun logical date: '{run.logical_date}' already exists",
            code="logical_date_exists",
        )
    return Conflict(
        f"DAGRun with DAG ID: '{run.dag_id}' and DAGRun ID: '{run.run_id}' already exists", code="run_exists"
    )
