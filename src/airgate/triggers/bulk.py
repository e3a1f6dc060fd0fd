"""Accepting many triggers at once: planned in slices, kept in one transaction, started in slices."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from airgate.deployments.ports import Deployment, Starter
from airgate.model.audit import AuditEntry
from airgate.model.errors import AirgateError, InvalidInput, NotFound
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Trigger, TriggerRequest
from airgate.store import runs
from airgate.store import triggers as stored
from airgate.store.database import Database, Tx
from airgate.store.triggers import Draft, Taken, key_reused
from airgate.triggers.drafts import Drafter, check_key, chosen_by_server, stored_key
from airgate.triggers.fingerprint import fingerprint

PLANNERS: Final = 16
"""Plans made beside each other: one may have to ask the DAG's own timetable, in another process."""
SLICE: Final = 8
"""Plans one planner makes, and SLICE * PLANNERS runs that are started, before others have their turn."""
ATTEMPTS: Final = 10
"""Plans tried when dates the server chose are taken: several processes on one store may choose the same microsecond."""

Answer = Accepted | AirgateError
Made = dict[str, tuple[Trigger, DagRun]]
"""What was accepted under each of the clients' keys."""


class Bulk:
    """Many requests on their way."""

    def __init__(
        self,
        database: Database,
        drafter: Drafter,
        deployment: Deployment,
        requests: Sequence[TriggerRequest],
        audit: AuditEntry | None,
    ) -> None:
        self._database = database
        self._drafter = drafter
        self._deployment = deployment
        self._requests = list(requests)
        self._audit = audit
        self._digests: dict[int, str] = {}
        self._drafts: dict[int, Draft] = {}
        self._places: list[int] = []
        """Which requests the drafts are of that are being kept."""
        self._refusals: dict[int, AirgateError] = {}
        self._made: Made = {}

    async def accept(self, created: Callable[[Sequence[DagRun]], None]) -> list[Answer]:
        """Plan all, keep all that can be kept, and tell `created` which runs that made, in the moment of the commit."""
        await self._plan(range(len(self._requests)))
        await self._look_up()
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._commit(created, self._may_differ)
            except Taken as taken:
                await self._plan_anew([self._places[place] for place in taken.places])
        return await self._commit(created, lambda place, error: False)

    async def _plan_anew(self, indexes: Sequence[int]) -> None:
        for index in indexes:  # others fill this second too: the present moment is more likely to be free
            self._requests[index] = msgspec.structs.replace(self._requests[index], whole_second=False)
        await self._plan(indexes)

    async def _plan(self, indexes: Iterable[int]) -> None:
        left = iter(indexes)

        async def work() -> None:
            for number, index in enumerate(left, 1):
                await self._plan_one(index)
                if not number % SLICE:
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(PLANNERS):
                group.create_task(work())

    async def _plan_one(self, index: int) -> None:
        request = self._requests[index]
        self._drafts.pop(index, None)
        try:
            check_key(request.idempotency_key)
            digest = self._digests.get(index) or self._digests.setdefault(index, fingerprint(request))
            run = await self._deployment.starter.plan(request)
        except AirgateError as error:
            self._refusals[index] = error
        else:
            self._drafts[index] = self._drafter.draft(self._deployment.name, request, digest, run, self._audit)

    async def _look_up(self) -> None:
        """Find what was accepted earlier under the keys of requests that can be planned no more."""
        keys = {
            key
            for index, error in self._refusals.items()
            if isinstance(error, InvalidInput | NotFound) and (key := self._key(index)) is not None
        }
        if keys:
            self._made = await self._database.read(_made, self._deployment.name, keys)

    def _key(self, index: int) -> str | None:
        key = self._requests[index].idempotency_key
        return None if key is None or index not in self._digests else stored_key(key)

    async def _commit(
        self, created: Callable[[Sequence[DagRun]], None], may_differ: Callable[[int, Exception], bool]
    ) -> list[Answer]:
        """Write all, shielded: once submitted it is committed, whether or not the caller still waits."""
        self._places = sorted(self._drafts)
        drafts = [self._drafts[index] for index in self._places]
        writing = self._database.write(stored.accept_many, drafts, self._counted, may_differ)

        def tell(done: asyncio.Future[Sequence[Accepted | Exception]]) -> None:
            if not done.cancelled() and done.exception() is None:
                created([one.run for one in done.result() if isinstance(one, Accepted) and one.created])

        writing.add_done_callback(tell)
        return self._merged(await asyncio.shield(writing))

    def _may_differ(self, place: int, error: Exception) -> bool:
        return chosen_by_server(self._requests[self._places[place]], error)

    def _merged(self, answers: Sequence[Accepted | Exception]) -> list[Answer]:
        """The answers of the store, and those to what could not be planned, in the order of the requests."""
        from_store = dict(zip(self._places, answers, strict=True))
        made = dict(self._made)
        merged: list[Answer] = []
        for index in range(len(self._requests)):
            answer = from_store.get(index) or self._unplanned(index, made)
            assert isinstance(answer, Accepted | AirgateError)
            merged.append(answer)
            key = self._key(index)
            if key is not None and isinstance(answer, Accepted) and answer.trigger is not None:
                made.setdefault(key, (answer.trigger, answer.run))
        return merged

    def _unplanned(self, index: int, made: Made) -> Answer:
        """A refusal; or, as for a single trigger, what this very request made earlier."""
        refusal, key = self._refusals[index], self._key(index)
        if key not in made or not isinstance(refusal, InvalidInput | NotFound):
            return refusal
        trigger, run = made[key]
        return Accepted(run, False, trigger) if trigger.fingerprint == self._digests[index] else key_reused()

    def _counted(self, answers: Sequence[Accepted | Exception]) -> AuditEntry | None:
        if self._audit is None:
            return None
        counts = Counter(
            "refused" if isinstance(one, AirgateError) else "accepted" if one.created else "repeated"
            for one in self._merged(answers)
        )
        extra = {**self._audit.extra, **{word: counts[word] for word in ("accepted", "repeated", "refused")}}
        dag_ids = {request.dag_id for request in self._requests}
        dag_id = self._audit.dag_id or (dag_ids.pop() if len(dag_ids) == 1 else None)
        return msgspec.structs.replace(self._audit, dag_id=dag_id, extra=extra)


class Waker:
    """Hands created runs to their deployment, many of them in slices. Keeps at it when the caller has gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def created(self, starter: Starter, made: Sequence[DagRun]) -> None:
        """These runs are in the store."""
        if len(made) <= SLICE:
            for run in made:
                starter.started(run)
            return
        task = asyncio.create_task(_start(starter, made))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _start(starter: Starter, made: Sequence[DagRun]) -> None:
    for number, run in enumerate(made, 1):
        starter.started(run)
        if not number % (SLICE * PLANNERS):
            await asyncio.sleep(0)


def _made(tx: Tx, deployment: str, keys: Iterable[str]) -> Made:
    triggers = stored.with_keys(tx, deployment, keys)
    found = runs.get_many(tx, {(one.dag_id, one.run_id) for one in triggers.values()})
    return {key: (one, found[one.dag_id, one.run_id]) for key, one in triggers.items()}
