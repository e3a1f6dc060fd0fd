"""Changes made by hand: marking, clearing, notes, deleting, pausing.

A run that is being worked on is changed in the scheduler's memory, any other in the store. While it is being changed
it neither starts nor goes on, and nobody else changes it by hand: what an edit is made on is what it is applied to.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID

import msgspec

from airgate.engine import clearing
from airgate.engine.active import Active, Batch, RunKey, store_batch
from airgate.engine.registry import Registry
from airgate.engine.scheduler import Scheduler, run_finished
from airgate.engine.snapshot import Graph, RunSnapshot
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Order, Page, RunFilter
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState
from airgate.store import dags, runs, tasks
from airgate.store.database import Database, Tx

_ALL = Page(limit=1_000_000)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What one change by hand does to one run."""

    changed: tuple[TaskInstance, ...] = ()
    archived: tuple[TaskInstance, ...] = ()
    stops: tuple[UUID, ...] = ()
    run: DagRun | None = None
    reason: str = "marked"
    """Why the run has ended, where it has."""


Editor = Callable[[RunSnapshot, datetime], Edit]


class Control:
    """Applies changes made by hand."""

    def __init__(
        self,
        database: Database,
        scheduler: Scheduler,
        registry: Registry,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._scheduler = scheduler
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._locks: dict[RunKey, asyncio.Lock] = {}
        self._users: Counter[RunKey] = Counter()

    # --- runs ------------------------------------------------------------------------------------

    async def set_run_state(self, dag_id: str, run_id: str, state: RunState) -> DagRun:
        """Mark a run. ``queued`` runs all of it again."""
        if state is RunState.QUEUED:
            await self.clear_run(dag_id, run_id)
        else:
            await self._edit(dag_id, run_id, lambda snapshot, now: _marked_run(snapshot, state, now))
        return await self._run(dag_id, run_id)

    async def end_run(
        self, dag_id: str, run_id: str, why: Callable[[DagRun, datetime], str | None], reason: str
    ) -> None:
        """Fail a run that runs and that there is a cause to end, as if somebody had marked it.

        Args:
            dag_id: its DAG.
            run_id: the run; one that is not there, or does not run, stays as it is.
            why: asked in the moment of the change; what it says becomes the run's note, where that has none.
            reason: for the event of its end.
        """

        def edit(snapshot: RunSnapshot, now: datetime) -> Edit:
            cause = why(snapshot.run, now) if snapshot.run.state is RunState.RUNNING else None
            if cause is None:
                return Edit()
            edit = _marked_run(snapshot, RunState.FAILED, now)
            assert edit.run is not None
            return msgspec.structs.replace(
                edit, run=msgspec.structs.replace(edit.run, note=edit.run.note or cause), reason=reason
            )

        with suppress(NotFound):
            await self._edit(dag_id, run_id, edit)

    async def clear_run(self, dag_id: str, run_id: str, *, only_failed: bool = False) -> tuple[TaskInstance, ...]:
        """Run all of a run again, or what failed of it. Gives the instances that were touched, as they were."""
        return await self.clear([(dag_id, run_id)], None, only_failed=only_failed)

    async def set_run_note(self, dag_id: str, run_id: str, note: str | None) -> DagRun:
        """Write a run's note."""

        def edit(snapshot: RunSnapshot, now: datetime) -> Edit:
            return Edit(run=msgspec.structs.replace(snapshot.run, note=note))

        await self._edit(dag_id, run_id, edit)
        return await self._run(dag_id, run_id)

    async def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run and all that is known of it. Its tries are ended."""
        async with self._alone(dag_id, run_id):
            await self._database.write(runs.delete, dag_id, run_id)
            self._scheduler.forget(dag_id, run_id)

    # --- task instances --------------------------------------------------------------------------

    async def clear(
        self,
        run_keys: Sequence[tuple[str, str]],
        task_ids: Iterable[str] | None,
        *,
        only_failed: bool = False,
        only_running: bool = False,
        reset_dag_runs: bool = True,
    ) -> tuple[TaskInstance, ...]:
        """Clear instances of these tasks (None: of all) in these runs. Gives them as they were."""
        wanted = None if task_ids is None else frozenset(task_ids)
        touched: list[TaskInstance] = []

        def edit(snapshot: RunSnapshot, now: datetime) -> Edit:
            chosen = clearing.to_clear(
                snapshot.instances.values(), wanted, only_failed=only_failed, only_running=only_running
            )
            touched.extend(chosen)
            return self._cleared(snapshot, chosen, now, reset=reset_dag_runs)

        for dag_id, run_id in run_keys:
            await self._edit(dag_id, run_id, edit)
        return tuple(touched)

    def _cleared(self, snapshot: RunSnapshot, chosen: Iterable[TaskInstance], now: datetime, *, reset: bool) -> Edit:
        tasks_by_id = snapshot.graph.tasks
        cleared = [clearing.clear(one, tasks_by_id.get(one.task_id), now=now, new_id=self._new_id) for one in chosen]
        if not cleared:
            return Edit()
        return Edit(
            changed=tuple(one.instance for one in cleared),
            archived=tuple(one.archived for one in cleared if one.archived is not None),
            stops=tuple(one.stop for one in cleared if one.stop is not None),
            run=clearing.run_after_clearing(snapshot.run, now) if reset else None,
        )

    async def set_task_state(
        self,
        run_keys: Sequence[tuple[str, str]],
        task_ids: frozenset[str],
        state: TaskState,
        *,
        anchor: str,
        map_indexes: tuple[int, ...] | None = None,
    ) -> tuple[TaskInstance, ...]:
        """Mark instances of these tasks, and clear what failed downstream of `anchor` so that its run can go on.

        `map_indexes` restricts which instances of `anchor` itself are marked.
        """
        touched: list[TaskInstance] = []

        def edit(snapshot: RunSnapshot, now: datetime) -> Edit:
            candidates = [
                one
                for one in snapshot.instances.values()
                if map_indexes is None or one.task_id != anchor or one.map_index in map_indexes
            ]
            marked = clearing.mark(candidates, task_ids, state, now)
            touched.extend(marked.changed)
            below = clearing.related(snapshot.graph, [anchor], upstream=False, downstream=True) - {anchor}
            untouched = [one for one in snapshot.instances.values() if one.task_id not in task_ids]
            failed = clearing.to_clear(untouched, below, only_failed=True)
            cleared = self._cleared(snapshot, failed, now, reset=True)
            return Edit(
                changed=(*marked.changed, *cleared.changed),
                archived=cleared.archived,
                stops=(*marked.stops, *cleared.stops),
                run=cleared.run,
            )

        for dag_id, run_id in run_keys:
            await self._edit(dag_id, run_id, edit)
        return tuple(touched)

    async def set_task_note(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, note: str | None
    ) -> TaskInstance:
        """Write a task instance's note."""

        def edit(snapshot: RunSnapshot, now: datetime) -> Edit:
            instance = snapshot.get(task_id, map_index)
            if instance is None:
                raise NotFound(f"No task instance {task_id} in run {run_id}.", code="task_instance_not_found")
            return Edit(changed=(msgspec.structs.replace(instance, note=note),))

        await self._edit(dag_id, run_id, edit)
        return await self._database.read(tasks.get, dag_id, run_id, task_id, map_index)

    # --- DAGs ------------------------------------------------------------------------------------

    async def pause(self, dag_ids: Sequence[str], *, paused: bool) -> None:
        """Pause or unpause DAGs."""
        await self._database.write(dags.set_paused, tuple(dag_ids), paused)
        for dag_id in dag_ids:
            dag = self._registry.dag(dag_id)
            if dag is not None:
                self._scheduler.dag_changed(msgspec.structs.replace(dag, is_paused=paused))

    async def delete_dag(self, dag_id: str) -> None:
        """Forget a DAG and its history. Raises Conflict while tries of it run."""
        await self._scheduler.roster.recovered()
        await self._database.read(dags.get, dag_id)
        if self._scheduler.roster.has_tries(dag_id):
            raise Conflict(f"Task instances of dag with id: '{dag_id}' are still running", code="dag_running")
        unfinished = self._scheduler.roster.unfinished_of(dag_id)
        dag = self._registry.dag(dag_id)
        self._registry.drop((dag_id,))
        async with AsyncExitStack() as stack:
            try:
                for key in unfinished:
                    await stack.enter_async_context(self._alone(*key))
                await self._database.write(dags.delete, dag_id)
            except BaseException:
                if dag is not None:
                    self._scheduler.dag_changed(dag)
                raise
            for key in unfinished:
                self._scheduler.forget(*key)

    # --- how a change is applied -----------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self, dag_id: str, run_id: str) -> AsyncIterator[None]:
        """Nobody else changes this run by hand meanwhile, and it neither starts nor goes on.

        Raises:
            Unavailable: runs of before the last stop have not been taken up yet.
        """
        await self._scheduler.roster.recovered()
        key = (dag_id, run_id)
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                await self._scheduler.roster.begun(dag_id, run_id)
                self._scheduler.hold(dag_id, run_id)
                try:
                    yield
                finally:
                    self._scheduler.let_go(dag_id, run_id)
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    async def _edit(self, dag_id: str, run_id: str, editor: Editor) -> None:
        committed: asyncio.Future[None] | None = None
        async with self._alone(dag_id, run_id):
            active = self._scheduler.roster.get(dag_id, run_id)
            if active is None:
                await self._edit_stored(await self._stored(dag_id, run_id), editor)
            else:
                committed = self._edit_active(active, editor)
        if committed is not None:
            await committed

    def _edit_active(self, active: Active, editor: Editor) -> asyncio.Future[None]:
        edit = editor(active.snapshot, self._clock())
        if edit.run is not None and edit.run.state.finished:
            active.tell(run_finished(edit.run, edit.reason, self._clock()))
        return self._scheduler.change(
            active, changed=edit.changed, archived=edit.archived, stops=edit.stops, run=edit.run
        )

    async def _edit_stored(self, snapshot: RunSnapshot, editor: Editor) -> None:
        edit = editor(snapshot, self._clock())
        before = snapshot.run
        run = edit.run or before
        batch = Batch(run=edit.run, changed=list(edit.changed), archived=list(edit.archived))
        if run.state.finished and not before.state.finished:
            batch.events.append(run_finished(run, edit.reason, self._clock()))
        await self._database.write(store_batch, batch, self._clock())
        self._scheduler.stored(run, was=before.state)

    async def _stored(self, dag_id: str, run_id: str) -> RunSnapshot:
        def read(tx: Tx) -> RunSnapshot:
            run = runs.get(tx, dag_id, run_id)
            dag = dags.get(tx, dag_id)
            return RunSnapshot.of(run, Graph(dag.spec), tasks.of_run(tx, dag_id, run_id), paused=dag.is_paused)

        return await self._database.read(read)

    async def _run(self, dag_id: str, run_id: str) -> DagRun:
        return await self._database.read(runs.get, dag_id, run_id)

    async def runs_of(self, dag_id: str, which: RunFilter) -> tuple[DagRun, ...]:
        """All runs of a DAG that a filter lets through, oldest first."""
        filtered = msgspec.structs.replace(which, dag_ids=(dag_id,))
        return (await self._database.read(runs.list_runs, filtered, Order("seq"), _ALL)).items


def _marked_run(snapshot: RunSnapshot, state: RunState, now: datetime) -> Edit:
    marked = clearing.mark_run(snapshot, state, now)
    return Edit(changed=marked.changed, stops=marked.stops, run=marked.run)
