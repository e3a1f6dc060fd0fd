"""The engine's shell: events in, decisions committed, tries started.

One event loop, no locks. Whatever happens changes the run in memory and marks it dirty; its *pump* then decides, writes
what came of it in one transaction, and only after the commit starts and stops what the decision asks for. A change that
comes in while a commit is under way is part of the next one. Nothing polls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from airgate.engine import retry
from airgate.engine.active import Active, Batch, RunKey, store_batch
from airgate.engine.allot import Waiting
from airgate.engine.answers import Answers
from airgate.engine.decide import Decision, decide, fail_fast, pauses_dag, reconcile, skip_downstream
from airgate.engine.launcher import Launcher
from airgate.engine.placement import Placement
from airgate.engine.ports import Executor, FileVersion, Slot, TaskMessageError
from airgate.engine.retry import Killed, Outcome
from airgate.engine.runqueue import RunQueue
from airgate.engine.snapshot import Graph, Key, Past, RunSnapshot, SkipChoice, key_of
from airgate.engine.tries import SKIP_CHOICE_KEY, TryTalk
from airgate.model.admin import Pool
from airgate.model.dag import Dag
from airgate.model.errors import Unavailable
from airgate.model.event import Event
from airgate.model.query import Page
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, TaskState
from airgate.store import runs, tasks, xcoms
from airgate.store.database import Database, Tx

log = structlog.get_logger(__name__)

COMMIT_RETRY = 0.2
COMMIT_RETRY_MAX = 5.0
"""Seconds between attempts to commit while the database is gone; doubled from the first to the second."""
FLUSH_AFTER = 0.05
"""Seconds after which changes that nobody waits for (rendered fields) are written on their own."""


_ALL = Page(limit=100_000)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler is given: time, ids, limits and places. Times are seconds."""

    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    logs: Path
    parallelism: int = 32
    kill_grace: float = 60.0


class Scheduler:
    """Works on every run that is not finished."""

    def __init__(self, database: Database, executor: Executor, answers: Answers, surroundings: Surroundings) -> None:
        self._database = database
        self._around = surroundings
        self._active: dict[RunKey, Active] = {}
        self._queue = RunQueue()
        self._dags: dict[str, Dag] = {}
        self._graphs: dict[UUID, Graph] = {}
        self._versions: dict[str, FileVersion] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._placement = Placement(executor, parallelism=surroundings.parallelism, version_of=self.version_of)
        self._launcher = Launcher(executor, answers, self, clock=surroundings.clock, logs=surroundings.logs)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False
        self.run_trigger: Callable[[TaskInstance, dict[str, Any]], Awaitable[dict[str, Any] | None]] | None = None
        """How a try triggers a run; set by the engine, which knows how runs are planned."""
        self.run_ended: Callable[[DagRun], None] = lambda run: None
        """Told of every run that ended, after the commit."""
        self.pause_dag: Callable[[str], Awaitable[None]] = _nobody
        """How a DAG is paused; set by the engine."""
        self.beat = surroundings.clock()
        """When it last did anything."""

    # --- what it knows ---------------------------------------------------------------------------

    def dag(self, dag_id: str) -> Dag | None:
        """A DAG that some file defines."""
        return self._dags.get(dag_id)

    def version_of(self, dag_id: str) -> FileVersion | None:
        """The imported file version a DAG runs from."""
        dag = self._dags.get(dag_id)
        return None if dag is None else self._versions.get(dag.file)

    def active(self, dag_id: str, run_id: str) -> Active | None:
        """A running run."""
        return self._active.get((dag_id, run_id))

    def running(self, dag_id: str) -> list[RunKey]:
        """The running runs of a DAG."""
        return [key for key in self._active if key[0] == dag_id]

    def unfinished(self, dag_id: str) -> int:
        """How many runs of a DAG are queued or running."""
        return len(self.running(dag_id)) + self._queue.count(dag_id)

    @property
    def idle(self) -> bool:
        """Whether no run is being worked on and no try lives."""
        return not self._active and not self._launcher.busy

    # --- events from outside ---------------------------------------------------------------------

    def pools_changed(self, pools: Iterable[Pool]) -> None:
        """The pools are these now."""
        self._placement.pools = {pool.name: pool for pool in pools}
        self._place()

    def accepted(self, run: DagRun, *, fresh: bool = True) -> None:
        """A queued run is in the store. `fresh`: it was never worked on and has no task instances."""
        self._queue.add(run, fresh=fresh)
        self._start_pending(run.dag_id)

    def resume(self, snapshot: RunSnapshot) -> Active:
        """Take up a running run that is in the store already."""
        active = Active(snapshot)
        self._active[active.key] = active
        for instance in snapshot.instances.values():
            self._note(active, instance)
        self._kick(active)
        return active

    def dags_changed(self, version: FileVersion, dags: tuple[Dag, ...]) -> None:
        """A DAG file was imported: its DAGs, and the version that runs them."""
        self._versions[version.file] = version
        defined = {dag.dag_id for dag in dags}
        before = [one.dag_id for one in self._dags.values() if one.file == version.file]
        self.dags_gone(tuple(dag_id for dag_id in before if dag_id not in defined))
        for dag in dags:
            self.dag_changed(dag)
        self._place()
        self._drain(version.key)

    def dag_changed(self, dag: Dag) -> None:
        """A DAG has a new version, was paused or unpaused."""
        previous = self._dags.get(dag.dag_id)
        self._dags[dag.dag_id] = dag
        for active in [self._active[key] for key in self.running(dag.dag_id)]:
            if active.snapshot.spec is not dag.spec and active.run.dag_version_id != dag.version.id:
                self._move(active, dag)
            active.snapshot = msgspec.structs.replace(active.snapshot, paused=dag.is_paused)
            active.ask_all = True
            self._kick(active)
        if previous is not None and previous.version.id != dag.version.id:
            self._graphs.pop(previous.version.id, None)
        self._start_pending(dag.dag_id)

    def dags_gone(self, dag_ids: tuple[str, ...]) -> None:
        """No file defines these DAGs any more; their runs wait until one does again."""
        for dag_id in dag_ids:
            self._dags.pop(dag_id, None)

    def forget(self, dag_id: str, run_id: str) -> None:
        """A run was deleted: its tries are ended, nothing of it is stored any more."""
        self._queue.withdraw(dag_id, run_id)
        active = self._active.get((dag_id, run_id))
        if active is None:
            return
        for instance in active.snapshot.instances.values():
            self._launcher.stop(instance.id, self._around.kill_grace)
        self._drop(active)
        self._start_pending(dag_id)

    @property
    def queue(self) -> RunQueue:
        """The queued runs, for whoever changes one by hand."""
        return self._queue

    def change(
        self,
        active: Active,
        *,
        changed: Iterable[TaskInstance] = (),
        archived: Iterable[TaskInstance] = (),
        stops: Iterable[UUID] = (),
        run: DagRun | None = None,
    ) -> asyncio.Future[None]:
        """Apply changes made by hand to a running run; the future resolves when they are committed."""
        gathered = tuple(changed)
        active.put(gathered)
        for instance in gathered:
            self._note(active, instance)
        for instance in archived:
            active.archive(instance)
        if run is not None:
            active.put_run(run)
            if run.state is not RunState.RUNNING:
                active.after_commit(lambda: self._left(active))
        for try_id in stops:
            active.after_commit(partial(self._launcher.stop, try_id, self._around.kill_grace))
        active.ask_all = True
        future = active.committed()
        self._kick(active)
        return future

    def slot_free(self, file_key: str) -> None:
        """A process of this file version can take work (see `airgate.engine.ports.SlotListener`)."""
        self._drain(file_key)

    async def stop(self) -> None:
        """End running tries, record them as Airflow records killed tasks, and stop."""
        self._stopping = True
        for active in self._active.values():
            active.cancel_timers()
        for handle in self._timers.values():
            handle.cancel()
        self._launcher.stop_all(self._around.kill_grace)
        deadline = asyncio.get_running_loop().time() + self._around.kill_grace + 2
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._launcher.quiet.wait()
        if self._background:
            await asyncio.wait(self._background, timeout=5)

    # --- runs ------------------------------------------------------------------------------------

    def _start_pending(self, dag_id: str) -> None:
        dag = self._dags.get(dag_id)
        if dag is None or self._stopping:
            return
        starting = self._queue.start(dag, len(self.running(dag_id)), self._around.clock())
        for run, fresh in starting.runs:
            if fresh:
                self._activate(run, dag, ())
            else:
                self._spawn(self._begin_again(run, dag))
        if starting.wake_at is not None:
            self._wake_dag(dag_id, starting.wake_at)

    async def _begin_again(self, run: DagRun, dag: Dag) -> None:
        instances, choices = await self._read(_left_of, run)
        self._activate(run, dag, instances, choices)

    def _activate(
        self,
        run: DagRun,
        dag: Dag,
        instances: tuple[TaskInstance, ...],
        choices: Mapping[Key, SkipChoice] | None = None,
    ) -> None:
        now = self._around.clock()
        run = msgspec.structs.replace(run, dag_version_id=dag.version.id, last_scheduling_decision=now)
        snapshot = RunSnapshot.of(run, self.graph(dag), instances, choices=choices, paused=dag.is_paused)
        active = Active(snapshot)
        self._active[active.key] = active
        active.run_noted()
        self._reconcile(active, now)
        for instance in instances:
            self._note(active, instance)
        self._kick(active)

    def _move(self, active: Active, dag: Dag) -> None:
        run = msgspec.structs.replace(active.run, dag_version_id=dag.version.id)
        active.snapshot = msgspec.structs.replace(active.snapshot, run=run, graph=self.graph(dag))
        active.run_noted()
        self._reconcile(active, self._around.clock())

    def _reconcile(self, active: Active, now: datetime) -> None:
        result = reconcile(active.snapshot, now, new_id=self._around.new_id)
        version = active.run.dag_version_id
        created = [msgspec.structs.replace(one, dag_version_id=version) for one in result.created]
        active.snapshot = result.snapshot
        active.put(created, created=True)
        active.note(result.changed)
        for instance in (*created, *result.changed):
            self._note(active, instance)
        for try_id in result.stops:
            active.after_commit(partial(self._launcher.stop, try_id, self._around.kill_grace))
        active.ask_all = True

    def graph(self, dag: Dag) -> Graph:
        """The indexes of a DAG version, made once."""
        found = self._graphs.get(dag.version.id)
        if found is None:
            found = self._graphs[dag.version.id] = Graph(dag.spec)
        return found

    def _drop(self, active: Active) -> None:
        active.finished = True
        active.cancel_timers()
        self._active.pop(active.key, None)
        self._placement.forget(*active.key, list(active.snapshot.instances))
        for future in active.take().waiters:
            if not future.done():
                future.set_result(None)

    # --- the pump --------------------------------------------------------------------------------

    def _kick(self, active: Active) -> None:
        active.dirty = True
        if not active.pumping and not active.finished:
            active.pumping = True
            self._spawn(self._pump(active))

    async def _pump(self, active: Active) -> None:
        try:
            while active.dirty and not active.finished:
                active.dirty = False
                self.beat = self._around.clock()
                self._settle(active)
                batch = active.take()
                if batch.writes:
                    await self._commit(batch)
                self._act(batch)
        finally:
            active.pumping = False

    def _settle(self, active: Active) -> None:
        now = self._around.clock()
        changed = None if active.ask_all else frozenset(active.changed)
        active.ask_all = False
        active.changed.clear()
        decision = decide(active.snapshot, now, changed=changed)
        active.snapshot = decision.snapshot
        active.note(decision.changed)
        for instance in decision.changed:
            self._note(active, instance)
        if decision.run_changed:
            active.run_noted()
        for try_id in decision.stops:
            active.after_commit(partial(self._launcher.stop, try_id, self._around.kill_grace))
        active.waits_for_past = decision.waits_for_past
        if decision.needs_past:
            self._spawn(self._learn_past(active))
        self._wake(active, decision.wake_at)
        if decision.ended is not None:
            self._ended(active, decision)
        self._place()

    async def _commit(self, batch: Batch) -> None:
        delay = COMMIT_RETRY
        while True:
            try:
                await self._database.write(store_batch, batch, self._around.clock())
            except Unavailable as error:
                log.warning("The engine waits for the database", reason=error.detail)
                await asyncio.sleep(delay)
                delay = min(delay * 2, COMMIT_RETRY_MAX)
            else:
                return

    def _act(self, batch: Batch) -> None:
        for action in batch.after:
            action()
        for future in batch.waiters:
            if not future.done():
                future.set_result(None)

    def _wake(self, active: Active, at: datetime | None) -> None:
        if active.timer is not None:
            active.timer.cancel()
            active.timer = None
        if at is None or self._stopping:
            return
        loop = asyncio.get_running_loop()
        # A millisecond late rather than early: an early wake would decide that it is too early.
        delay = max(0.0, (at - self._around.clock()).total_seconds()) + 0.001
        active.timer = loop.call_later(min(delay, 86_400.0), self._woken, active)

    def _woken(self, active: Active) -> None:
        active.ask_all = True
        self._kick(active)

    def _wake_dag(self, dag_id: str, at: datetime) -> None:
        if (old := self._timers.pop(dag_id, None)) is not None:
            old.cancel()
        delay = max(0.0, (at - self._around.clock()).total_seconds()) + 0.001
        loop = asyncio.get_running_loop()
        self._timers[dag_id] = loop.call_later(min(delay, 86_400.0), self._start_pending, dag_id)

    def _ended(self, active: Active, decision: Decision) -> None:
        run = active.run
        payload = {
            "run_id": run.run_id,
            "run_type": run.run_type,
            "state": run.state,
            "reason": decision.ended,
            "start_date": run.start_date,
            "end_date": run.end_date,
        }
        active.tell(
            Event(
                kind="dag_run.finished",
                at=run.end_date or self._around.clock(),
                dag_id=run.dag_id,
                run_id=run.run_id,
                payload=msgspec.to_builtins(payload),
            )
        )
        if decision.callback is not None:
            callback = decision.callback
            key = callback.relevant or next(iter(active.snapshot.instances), None)
            if key is not None:
                kind = "dag_success" if callback.success else "dag_failure"
                instance = active.snapshot.instances[key]
                active.after_commit(lambda: self._call_back(run, instance, kind, callback.reason))
        active.after_commit(lambda: self._after_end(active, decision))

    def _after_end(self, active: Active, decision: Decision) -> None:
        self._drop(active)
        self._start_pending(active.run.dag_id)
        self._tell_followers(active.run.dag_id)
        if decision.ended == "task_failure":
            self._spawn(self._pause_if_failing(active.run.dag_id))
        self.run_ended(active.run)

    def _left(self, active: Active) -> None:
        """A run was ended, or queued anew, by hand."""
        self._drop(active)
        if active.run.state is RunState.QUEUED:
            self._queue.add(active.run, fresh=False)
        else:
            self.run_ended(active.run)
        self._start_pending(active.run.dag_id)
        self._tell_followers(active.run.dag_id)

    async def _pause_if_failing(self, dag_id: str) -> None:
        dag = self._dags.get(dag_id)
        limit = 0 if dag is None else dag.spec.max_consecutive_failed_dag_runs
        if dag is None or limit <= 0 or dag.is_paused:
            return
        recent = await self._read(runs.recent_states, dag_id, limit)
        if pauses_dag(recent, limit):
            log.warning("DAG paused: its last runs all failed", dag_id=dag_id, runs=limit)
            await self.pause_dag(dag_id)

    # --- the run before --------------------------------------------------------------------------

    async def _learn_past(self, active: Active) -> None:
        past = await self._read(_past_of, active.run, active.snapshot.spec.catchup)
        if not active.finished:
            active.snapshot = msgspec.structs.replace(active.snapshot, past=past)
            active.ask_all = True
            self._kick(active)

    def _tell_followers(self, dag_id: str) -> None:
        for key, active in self._active.items():
            if key[0] == dag_id and active.waits_for_past:
                self._spawn(self._learn_past(active))

    # --- placing tries ---------------------------------------------------------------------------

    def _note(self, active: Active, instance: TaskInstance) -> None:
        self._placement.note(instance, lambda: self._waiting(active, instance))

    def _waiting(self, active: Active, instance: TaskInstance) -> Waiting | None:
        task = active.snapshot.graph.tasks.get(instance.task_id)
        if task is None or active.snapshot.paused or active.run.state is not RunState.RUNNING:
            return None
        return Waiting.of(instance, active.run, task, active.snapshot.spec.max_active_tasks)

    def _place(self) -> None:
        if self._stopping:
            return
        for waiting in self._placement.choose():
            instance = waiting.instance
            active = self._active.get((instance.dag_id, instance.run_id))
            if active is None:
                continue
            queued = msgspec.structs.replace(instance, state=TaskState.QUEUED, queued_at=self._around.clock())
            slot = self._placement.slot_for(instance.dag_id)
            if slot is not None:
                self._occupy(active, queued, slot)
            else:
                self._update(active, queued)
                self._placement.enqueue(msgspec.structs.replace(waiting, instance=queued))
        self._tell_demand()

    def _tell_demand(self) -> None:
        self._placement.tell_demand(self._launcher.waiting())

    def _update(self, active: Active, instance: TaskInstance) -> None:
        active.put((instance,))
        self._note(active, instance)
        self._kick(active)

    def _drain(self, file_key: str) -> None:
        while not self._stopping and (instance := self._placement.next_queued(file_key)) is not None:
            slot = self._placement.slot_for(instance.dag_id)
            if slot is None:
                break
            self._occupy(self._active[(instance.dag_id, instance.run_id)], instance, slot)
        self._launcher.drain(file_key)
        self._tell_demand()

    def _occupy(self, active: Active, instance: TaskInstance, slot: Slot) -> None:
        running = msgspec.structs.replace(
            instance,
            state=TaskState.RUNNING,
            start_date=self._around.clock() if instance.next_method is None else instance.start_date,
            end_date=None,
            hostname=slot.hostname,
            pid=slot.pid,
            end_reason=None,
            dag_version_id=active.run.dag_version_id,
        )
        self._update(active, running)
        active.after_commit(lambda: self._launch(active, running, slot))

    def _launch(self, active: Active, instance: TaskInstance, slot: Slot) -> None:
        current = active.snapshot.get(instance.task_id, instance.map_index)
        if current is not None and current.id == instance.id and current.state is TaskState.RUNNING:
            self._launcher.launch(active, instance, slot, self._dags[instance.dag_id].file)
            return
        slot.release()  # marked or cleared by hand in the moment between
        killed = Killed(ended_at=self._around.clock(), reason="cleared before it started")
        self._spawn(self._end_try(instance, killed))

    # --- what tries say (see `airgate.engine.tries.TryOwner`) ------------------------------------

    async def try_ended(self, talk: TryTalk, outcome: Outcome) -> None:
        """The try has ended like this; returns once that is committed."""
        await self._end_try(talk.instance, outcome)

    async def _end_try(self, tried: TaskInstance, outcome: Outcome) -> None:
        found = self._current(tried)
        if found is None:
            return
        active, instance = found
        task = active.snapshot.graph.tasks.get(instance.task_id)
        result = retry.after_try(
            instance,
            outcome,
            task,
            logical_date=active.run.logical_date,
            now=self._around.clock(),
            new_id=self._around.new_id,
        )
        active.archive(result.archived)
        self._update(active, result.instance)
        if isinstance(outcome, Killed) and task is not None:
            self._call_back_killed(active, instance, result.instance)
        if result.instance.state is TaskState.FAILED:
            stopped = fail_fast(active.snapshot, key_of(instance), self._around.clock())
            if stopped.changed:
                _ = self.change(active, changed=stopped.changed, stops=stopped.stops)
        await active.committed()

    def try_gone(self, talk: TryTalk) -> None:
        """The try's process is done with it."""
        self._launcher.gone(talk)

    def try_changed(self, talk: TryTalk, changes: dict[str, Any]) -> None:
        """Fields of the task instance change while it runs; written with the next commit, or a moment later."""
        found = self._current(talk.instance)
        if found is None:
            return
        active, instance = found
        changed = msgspec.structs.replace(instance, **changes)
        active.snapshot = active.snapshot.with_instances((changed,))
        active.note((changed,))
        if active.flush is None:
            active.flush = asyncio.get_running_loop().call_later(FLUSH_AFTER, self._flush, active)

    def _flush(self, active: Active) -> None:
        active.flush = None
        self._kick(active)

    def choice_made(self, talk: TryTalk, choice: SkipChoice) -> None:
        """A branch or short circuit left its choice."""
        found = self._current(talk.instance)
        if found is not None:
            active, instance = found
            choices = {**active.snapshot.choices, key_of(instance): choice}
            active.snapshot = msgspec.structs.replace(active.snapshot, choices=choices)

    async def skip_downstream(self, talk: TryTalk, targets: list[str | tuple[str, int]]) -> None:
        """The try skips tasks downstream of it."""
        found = self._current(talk.instance)
        if found is not None:
            active, _ = found
            await self.change(active, changed=skip_downstream(active.snapshot, targets, self._around.clock()))

    async def trigger_run(self, talk: TryTalk, body: dict[str, Any]) -> dict[str, Any] | None:
        """The try triggers a run of some DAG."""
        if self.run_trigger is None:
            raise TaskMessageError("API_SERVER_ERROR", {"message": "Runs cannot be triggered from here."})
        return await self.run_trigger(talk.instance, body)

    def _current(self, tried: TaskInstance) -> tuple[Active, TaskInstance] | None:
        """The run and the present form of a try's instance; None once the try is no longer the present one.

        An instance cleared while its try ran has a new id already, and waits for that very try to end.
        """
        active = self._active.get((tried.dag_id, tried.run_id))
        instance = None if active is None else active.snapshot.get(tried.task_id, tried.map_index)
        if active is None or instance is None:
            return None
        if instance.id != tried.id and instance.state is not TaskState.RESTARTING:
            return None
        return active, instance

    def _call_back_killed(self, active: Active, tried: TaskInstance, now: TaskInstance) -> None:
        task = active.snapshot.graph.tasks[tried.task_id]
        run = active.run
        if now.state is TaskState.UP_FOR_RETRY and task.has_retry_callback:
            active.after_commit(lambda: self._call_back(run, tried, "task_retry", "killed"))
        elif now.state is TaskState.FAILED and task.has_failure_callback:
            active.after_commit(lambda: self._call_back(run, tried, "task_failure", "killed"))

    def _call_back(self, run: DagRun, instance: TaskInstance, kind: str, reason: str) -> None:
        version = self.version_of(run.dag_id)
        dag = self._dags.get(run.dag_id)
        if version is None or dag is None:
            log.warning("A callback is not run: no file defines its DAG now", dag_id=run.dag_id, callback=kind)
            return
        self._launcher.call_back(run, instance, version.key, dag.file, kind=kind, reason=reason)
        self._launcher.drain(version.key)
        self._tell_demand()

    # --- background ------------------------------------------------------------------------------

    async def _read(self, fn: Callable[..., Any], *args: Any) -> Any:
        while True:
            try:
                return await self._database.read(fn, *args)
            except Unavailable as error:
                log.warning("The engine waits for the database", reason=error.detail)
                await asyncio.sleep(COMMIT_RETRY)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The engine made a mistake", error=repr(error), exc_info=error)


async def _nobody(dag_id: str) -> None:
    return


def _left_of(tx: Tx, run: DagRun) -> tuple[tuple[TaskInstance, ...], Mapping[Key, SkipChoice]]:
    """What earlier work on a run has left: its instances, and what its branches chose."""
    return tasks.of_run(tx, run.dag_id, run.run_id), choices_of(tx, run)


def choices_of(tx: Tx, run: DagRun) -> Mapping[Key, SkipChoice]:
    """What the branches and short circuits of a run have chosen."""
    found = xcoms.list_xcoms(tx, dag_id=run.dag_id, run_id=run.run_id, key=SKIP_CHOICE_KEY, page=_ALL)
    entries = ((xcom.task_id, xcom.map_index, SkipChoice.from_xcom(xcom.value)) for xcom in found.items)
    return {(task_id, index): choice for task_id, index, choice in entries if choice is not None}


def _past_of(tx: Tx, run: DagRun, catchup: bool) -> Past:  # noqa: FBT001 -- a fact of the DAG, passed on by position
    """The run before this one, for ``depends_on_past``: scheduled ones only where the DAG catches up."""
    if run.logical_date is None:
        return Past()
    before = runs.previous(tx, run.dag_id, run.logical_date)
    while catchup and before is not None and before.external_trigger and before.logical_date is not None:
        before = runs.previous(tx, run.dag_id, before.logical_date)
    if before is None:
        return Past()
    states: dict[str, tuple[TaskState | None, ...]] = {}
    for instance in tasks.of_run(tx, before.dag_id, before.run_id):
        states[instance.task_id] = (*states.get(instance.task_id, ()), instance.state)
    seen = tasks.seen_before(tx, run.dag_id, run.logical_date)
    return Past(run_id=before.run_id, logical_date=before.logical_date, states=states, seen=seen)
