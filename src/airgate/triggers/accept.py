"""Accepting triggers: one transaction for the trigger, its run and its audit entry, then the engine is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec

from airgate.deployments.ports import Deployment, Starter
from airgate.model.audit import AuditEntry
from airgate.model.errors import AirgateError, Conflict, InvalidInput, NotFound
from airgate.model.trigger import Accepted, Followed, TriggerFilter, TriggerKey, TriggerRequest
from airgate.store import audit as audit_log
from airgate.store import runs
from airgate.store import triggers as stored
from airgate.store.database import Database, Tx
from airgate.store.triggers import Draft, key_reused
from airgate.triggers.bulk import ATTEMPTS, Bulk, Waker
from airgate.triggers.drafts import Drafter, check_key, chosen_by_server, stored_key
from airgate.triggers.fingerprint import fingerprint


class Triggers:
    """The way in for every trigger, whichever dialect it came by.

    Obligations (each has a test):
      * an answer is given only after trigger and run are committed, and the audit entry with them;
      * a created run is handed to its deployment exactly once, even when the caller has gone away meanwhile;
      * a repeated idempotency key with the same request answers with the same run, and starts nothing, even when the
        DAG could not be triggered any more;
      * without a key, the same run id twice is a Conflict;
      * of many accepted together either all that can be are kept, or none.

    Args:
        database: where triggers and runs are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._drafter = Drafter(clock=clock, new_id=new_id)
        self._waker = Waker()

    async def accept(
        self, deployment: Deployment, request: TriggerRequest, audit: AuditEntry | None = None
    ) -> Accepted:
        """Make the run that the request asks for, or find the one that this very request made before.

        The audit entry is kept with what is accepted, its run filled in; a repeat is marked as one. Of a refusal
        nothing is kept: that is its caller's to record.

        Raises:
            NotFound: there is no such DAG.
            InvalidInput: the request is wrong, whatever the state of things.
            Conflict: code ``run_exists`` or ``logical_date_exists``: there is such a run already;
                ``idempotency_key_reused``: the key was used for another request.
            Unavailable: nothing was kept; the same request may succeed later.
        """
        check_key(request.idempotency_key)
        digest = fingerprint(request)
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._attempt(deployment, request, digest, audit)
            except Conflict as conflict:
                if not chosen_by_server(request, conflict):
                    raise
            if request.whole_second:  # others fill this second too: the present moment is more likely to be free
                request = msgspec.structs.replace(request, whole_second=False)
        return await self._attempt(deployment, request, digest, audit)

    async def accept_many(
        self, deployment: Deployment, requests: Sequence[TriggerRequest], audit: AuditEntry | None = None
    ) -> Sequence[Accepted | AirgateError]:
        """Accept many triggers in one transaction, each answered as if it had come after the one before it.

        A request that is wrong or clashes has its error as its answer, and keeps no other from being accepted. The one
        audit entry says how many were accepted, repeated and refused.

        Raises:
            Unavailable: nothing at all was kept; the same requests may succeed later.
        """
        bulk = Bulk(self._database, self._drafter, deployment, requests, audit)
        return await bulk.accept(partial(self._waker.created, deployment.starter))

    async def get(self, deployment: str, trigger_id: UUID) -> Followed:
        """A trigger as it is now, with its run. Raises NotFound (code ``trigger_not_found``)."""
        return await self._database.read(stored.followed, deployment, trigger_id)

    async def list(
        self, deployment: str, which: TriggerFilter, limit: int, before: TriggerKey | None = None
    ) -> Sequence[Followed]:
        """The newest triggers that match, older than `before`, newest first."""
        return await self._database.read(stored.list_triggers, deployment, which, limit, before)

    async def _attempt(
        self, deployment: Deployment, request: TriggerRequest, digest: str, audit: AuditEntry | None
    ) -> Accepted:
        try:
            run = await deployment.starter.plan(request)
        except (InvalidInput, NotFound) as refusal:
            repeated = await self._made_before(deployment.name, request, digest)
            if repeated is None:
                raise refusal from None
            if audit is not None:
                await self._database.write(audit_log.append, [stored.accepted_entry(audit, repeated)])
            return repeated
        draft = self._drafter.draft(deployment.name, request, digest, run, audit)
        return await self._commit(deployment.starter, draft._replace(entry=audit))

    async def _made_before(self, deployment: str, request: TriggerRequest, digest: str) -> Accepted | None:
        """The run this request made earlier, whatever has become of its DAG since; None if it made none."""
        if request.idempotency_key is None:
            return None
        return await self._database.read(_find, deployment, stored_key(request.idempotency_key), digest)

    async def _commit(self, starter: Starter, draft: Draft) -> Accepted:
        """Write all of it, and wake the deployment in the moment of the commit.

        The write is shielded: once submitted it is committed, whether or not the caller still waits, and a committed
        run must be started either way.
        """
        writing: asyncio.Future[Accepted] = self._database.write_item(stored.accept, draft)

        def wake(done: asyncio.Future[Accepted]) -> None:
            if not done.cancelled() and done.exception() is None and done.result().created:
                starter.started(done.result().run)

        writing.add_done_callback(wake)
        return await asyncio.shield(writing)


def _find(tx: Tx, deployment: str, key: str, digest: str) -> Accepted | None:
    trigger = stored.with_keys(tx, deployment, [key]).get(key)
    if trigger is None:
        return None
    if trigger.fingerprint != digest:
        raise key_reused()
    return Accepted(runs.get(tx, trigger.dag_id, trigger.run_id), False, trigger)
