"""The engine's shell: events in, decisions committed, tries started.

One event loop, no locks. Whatever happens changes a run in memory and kicks it; the pump settles, commits and acts.
Nothing polls: a trigger, a try's end, a timer or a file change wakes exactly what it concerns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from airgate.engine.active import Active, RunKey
from airgate.engine.allot import Waiting
from airgate.engine.answers import Answers
from airgate.engine.decide import Decision, decide, pauses_dag, reconcile
from airgate.engine.desk import Desk
from airgate.engine.launcher import Launcher
from airgate.engine.past import left_of, past_of
from airgate.engine.placement import Placement
from airgate.engine.ports import Executor, FileVersion, Gate, OpenGate, Slot
from airgate.engine.pump import Pump
from airgate.engine.registry import Registry
from airgate.engine.retry import Killed
from airgate.engine.roster import Roster
from airgate.engine.snapshot import Key, RunSnapshot, SkipChoice
from airgate.engine.tries import TryTalk
from airgate.engine.watch import Watch
from airgate.model.admin import Pool
from airgate.model.dag import Dag
from airgate.model.event import Event
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, TaskState
from airgate.store import runs
from airgate.store.database import Database

log = structlog.get_logger(__name__)

LONGEST_TIMER = 86_400.0
"""Seconds. A later time is looked at again in between: clocks are put right, machines sleep."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler is given: time, ids, limits and places. Times are seconds."""

    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    logs: Path
    parallelism: int = 32
    kill_grace: float = 5.0


class Hooks(msgspec.Struct):
    """What the engine does when the scheduler says so."""

    place_free: Callable[[str], None] = lambda dag_id: None
    """Told of a DAG with one unfinished run less, after the commit."""
    pause_dag: Callable[[str], Awaitable[None]] | None = None
    """Pauses a DAG whose runs keep failing."""


class Scheduler:
    """Works on every run that is not finished."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        registry: Registry,
        answers: Answers,
        surroundings: Surroundings,
    ) -> None:
        self._around = surroundings
        self._registry = registry
        self.roster = Roster()
        self.hooks = Hooks()
        self.gate: Gate = OpenGate()
        self._followers: dict[str, set[RunKey]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False
        self.watch = Watch()
        self._pump = Pump(database, self._settle, self.watch, clock=surroundings.clock)
        self._placement = Placement(executor, parallelism=surroundings.parallelism, version_of=registry.version_of)
        self.desk = Desk(self, self.roster, clock=surroundings.clock, new_id=surroundings.new_id)
        self._launcher = Launcher(self._placement, answers, self.desk, clock=surroundings.clock, logs=surroundings.logs)

    # --- events ----------------------------------------------------------------------------------

    def pools_changed(self, pools: Iterable[Pool]) -> None:
        """The pools are these now."""
        self._placement.pools = {pool.name: pool for pool in pools}
        self._place()

    def accepted(self, run: DagRun, *, fresh: bool = True) -> None:
        """A queued run is in the store. `fresh`: it was never worked on and has no task instances."""
        self.roster.queue.add(run, fresh=fresh)
        self._start_queued(run.dag_id)

    def resume(self, snapshot: RunSnapshot) -> Active:
        """Take up a running run that is in the store already."""
        active = Active(snapshot)
        self.roster.put(active)
        for instance in snapshot.instances.values():
            self._note(active, instance)
        self._pump.kick(active)
        return active

    def begin(self) -> None:
        """What was unfinished has been taken up: queued runs may start, and be changed by hand.

        Again, whenever the gate may let others through than before.
        """
        self.roster.open.set()
        for dag_id in self.roster.queue.dag_ids():
            self._start_queued(dag_id)

    def file_imported(self, version: FileVersion, dags: tuple[Dag, ...]) -> None:
        """A DAG file was imported: its DAGs, and the version that runs them."""
        self._registry.imported(version, [dag.dag_id for dag in dags])
        for dag in dags:
            self.dag_changed(dag)
        self._place()
        self.slot_free(version.key)

    def dag_changed(self, dag: Dag) -> None:
        """A DAG has a new version, was paused or unpaused, or its file has got an import error."""
        self._registry.put(dag)
        for active in self.roster.running(dag.dag_id):
            if active.run.dag_version_id != dag.version.id:
                self._move(active, dag)
            active.snapshot = msgspec.structs.replace(active.snapshot, paused=dag.is_paused)
            for instance in active.snapshot.instances.values():
                self._note(active, instance)
            active.ask_all = True
            self._pump.kick(active)
        self._start_queued(dag.dag_id)

    def hold(self, dag_id: str, run_id: str) -> None:
        """Somebody is about to change or delete a run in the store: until `let_go` it neither starts nor goes on."""
        self.roster.queue.hold(dag_id, run_id)
        active = self.roster.get(dag_id, run_id)
        if active is not None:
            active.held = True

    def let_go(self, dag_id: str, run_id: str) -> None:
        """The run may start, or go on, again."""
        self.roster.queue.let_go(dag_id, run_id)
        active = self.roster.get(dag_id, run_id)
        if active is not None:
            active.held = False
            self._pump.kick(active)
        self._start_queued(dag_id)

    def forget(self, dag_id: str, run_id: str) -> None:
        """A run was deleted: its tries are ended, nothing of it is stored any more."""
        self.roster.queue.withdraw(dag_id, run_id)
        active = self.roster.get(dag_id, run_id)
        if active is not None:
            for instance in active.snapshot.instances.values():
                self._launcher.stop(instance.id, self._around.kill_grace)
            left = active.take()
            self._drop(active)
            # Slots that were reserved for it go back, and whoever waits for a commit is told that there is none.
            self._pump.abandon(left)
            self._place()
        self.watch.changed(dag_id, run_id)
        self._run_changed(dag_id)

    def stored(self, run: DagRun, *, was: RunState) -> None:
        """A run that is not worked on was changed by hand, in the store."""
        if run.state is not RunState.QUEUED:
            self.roster.queue.withdraw(run.dag_id, run.run_id)
        elif was is RunState.QUEUED:
            self.roster.queue.replace(run)
        else:
            self.roster.queue.add(run, fresh=False)
        self.watch.changed(run.dag_id, run.run_id)
        if run.state.finished:
            self.watch.ended()
        self._run_changed(run.dag_id)

    def _run_changed(self, dag_id: str) -> None:
        """A run that is not worked on was changed or deleted by hand: others may wait for what it was, or its place."""
        self._start_queued(dag_id)
        self._tell_followers(dag_id)
        self.hooks.place_free(dag_id)

    def change(
        self,
        active: Active,
        *,
        changed: Iterable[TaskInstance] = (),
        archived: Iterable[TaskInstance] = (),
        stops: Iterable[UUID] = (),
        run: DagRun | None = None,
        xcoms: Iterable[XCom] = (),
    ) -> asyncio.Future[None]:
        """Apply changes to a running run; the future resolves when they are committed."""
        gathered = tuple(changed)
        active.leave_xcoms(xcoms)
        active.put(gathered)
        for instance in gathered:
            self._note(active, instance)
        for instance in archived:
            active.archive(instance)
        if run is not None:
            active.put_run(run)
            active.ask_all = True
            if run.state is not RunState.RUNNING:
                active.after_commit(lambda: self._left(active))
        self._stop_after_commit(active, stops)
        future = active.committed()
        self._pump.kick(active)
        return future

    def slot_free(self, file_key: str) -> None:
        """A process of this file version can take work (see `airgate.engine.ports.SlotListener`)."""
        while not self._stopping and (instance := self._placement.next_queued(file_key)) is not None:
            slot = self._placement.slot_for(instance.dag_id)
            if slot is None:
                break
            self._occupy(instance, slot)
        self._launcher.drain_file(file_key)
        self._tell_demand()

    def try_left(self, talk: TryTalk) -> None:
        """A try's process is done with it."""
        self._launcher.gone(talk)

    async def stop(self) -> None:
        """End running tries, record them as Airflow records killed tasks, and stop."""
        self._stopping = True
        for active in self.roster:
            active.cancel_timers()
        for handle in self._timers.values():
            handle.cancel()
        self._launcher.stop_all(self._around.kill_grace)
        deadline = asyncio.get_running_loop().time() + self._around.kill_grace + 2
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._launcher.quiet.wait()
                await self._pump.drain(within=5)
                await self._launcher.quiet.wait()  # callbacks of those that were killed
        await self._pump.drain(within=5)

    # --- runs begin and end ----------------------------------------------------------------------

    def _start_queued(self, dag_id: str) -> None:
        dag = self._registry.dag(dag_id)
        if dag is None or self._stopping or not self.roster.open.is_set():
            return
        now = self._around.clock()
        starting = self.roster.queue.start(dag, self.roster.under_way(dag_id), now, self._blocked(dag_id, now))
        for run, fresh in starting.runs:
            if fresh:
                self._activate(run, dag, (), {})
            else:
                stack = ExitStack()
                stack.enter_context(self.roster.beginning((run.dag_id, run.run_id)))
                self._pump.spawn(self._begin_again(run, dag, stack))
        if starting.wake_at is not None:
            self._wake_dag(dag_id, starting.wake_at)

    def _blocked(self, dag_id: str, now: datetime) -> Callable[[DagRun], bool]:
        closed = {manual: self.gate.blocks(dag_id, now, manual=manual) for manual in (True, False)}
        return lambda run: closed[run.run_type.manual]

    async def _begin_again(self, run: DagRun, dag: Dag, beginning: ExitStack) -> None:
        with beginning:
            instances, choices = await self._pump.read(left_of, run)
            self._activate(run, self._registry.dag(run.dag_id) or dag, instances, choices)

    def _activate(
        self, run: DagRun, dag: Dag, instances: tuple[TaskInstance, ...], choices: Mapping[Key, SkipChoice]
    ) -> None:
        now = self._around.clock()
        run = msgspec.structs.replace(run, dag_version_id=dag.version.id, last_scheduling_decision=now)
        graph = self._registry.graph(dag)
        active = Active(RunSnapshot.of(run, graph, instances, choices=choices, paused=dag.is_paused))
        self.roster.put(active)
        active.run_noted()
        for instance in instances:
            self._note(active, instance)
        self._reconcile(active, now)
        self._pump.kick(active)

    def _move(self, active: Active, dag: Dag) -> None:
        run = msgspec.structs.replace(active.run, dag_version_id=dag.version.id)
        active.snapshot = msgspec.structs.replace(active.snapshot, run=run, graph=self._registry.graph(dag))
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
        self._stop_after_commit(active, result.stops)
        active.ask_all = True

    def _left(self, active: Active) -> None:
        """A run has ended, or was queued anew by hand. Its place is given away once all of it is stored."""
        if active.finished:
            return
        key = active.key
        left = active.take()
        self._drop(active)
        if active.run.state is RunState.QUEUED:
            self.roster.queue.add(active.run, fresh=False)
            self.roster.queue.hold(*key)
        left.after.append(partial(self._placeless, key))
        self._pump.flush(left)

    def _placeless(self, key: RunKey) -> None:
        self.roster.queue.let_go(*key)
        self._run_changed(key[0])

    def _drop(self, active: Active) -> None:
        active.finished = True
        active.cancel_timers()
        self.roster.drop(active)
        self._unfollow(active)
        self._placement.forget(*active.key, list(active.snapshot.instances))

    # --- settling (called by the pump) -----------------------------------------------------------

    def _settle(self, active: Active) -> None:
        changed = None if active.ask_all else frozenset(active.changed)
        active.ask_all = False
        active.changed.clear()
        decision = decide(active.snapshot, self._around.clock(), changed=changed)
        active.snapshot = decision.snapshot
        active.note(decision.changed)
        for instance in decision.changed:
            self._note(active, instance)
        if decision.run_changed:
            active.run_noted()
        self._stop_after_commit(active, decision.stops)
        self._follow(active, waits=decision.waits_for_past or decision.needs_past)
        if decision.needs_past:
            self._pump.spawn(self._learn_past(active))
        self._wake(active, decision.wake_at)
        if decision.ended is not None:
            self._ended(active, decision)
        self._place()

    def _ended(self, active: Active, decision: Decision) -> None:
        run = active.run
        active.tell(run_finished(run, decision.ended, self._around.clock()))
        if decision.callback is not None:
            callback = decision.callback
            key = callback.relevant or next(iter(active.snapshot.instances), None)
            if key is not None:
                kind = "dag_success" if callback.success else "dag_failure"
                instance = active.snapshot.instances[key]
                active.after_commit(lambda: self.call_back(run, instance, kind, callback.reason))
        active.after_commit(lambda: self._after_end(active, decision))

    def _after_end(self, active: Active, decision: Decision) -> None:
        self._left(active)
        if decision.ended == "task_failure":
            self._pump.spawn(self._pause_if_failing(active.run.dag_id))

    async def _pause_if_failing(self, dag_id: str) -> None:
        dag = self._registry.dag(dag_id)
        limit = 0 if dag is None else dag.spec.max_consecutive_failed_dag_runs
        if dag is None or limit <= 0 or dag.is_paused or self.hooks.pause_dag is None:
            return
        recent = await self._pump.read(runs.recent_states, dag_id, limit)
        if pauses_dag(recent, limit):
            log.warning("DAG paused: its last runs all failed", dag_id=dag_id, runs=limit)
            await self.hooks.pause_dag(dag_id)

    async def _learn_past(self, active: Active) -> None:
        past = await self._pump.read(past_of, active.run, catchup=active.snapshot.spec.catchup)
        if not active.finished:
            active.snapshot = msgspec.structs.replace(active.snapshot, past=past)
            active.ask_all = True
            self._pump.kick(active)

    def _follow(self, active: Active, *, waits: bool) -> None:
        """Keep who waits for the run before it, and have those who wait for this run hear of its changes.

        Who follows begins before the past is read, and who is told is found out after the commit: whichever comes
        first, the reader has seen the change or is told of it.
        """
        if waits:
            self._followers.setdefault(active.run.dag_id, set()).add(active.key)
        else:
            self._unfollow(active)
        if active.snapshot.graph.waits_for_past:
            active.after_commit(partial(self._tell_followers, active.run.dag_id, but=active))

    def _unfollow(self, active: Active) -> None:
        followers = self._followers.get(active.run.dag_id)
        if followers is not None:
            followers.discard(active.key)
            if not followers:
                del self._followers[active.run.dag_id]

    def _tell_followers(self, dag_id: str, *, but: Active | None = None) -> None:
        for key in self._followers.get(dag_id, ()):
            follower = self.roster.get(*key)
            if follower is not None and follower is not but:
                self._pump.spawn(self._learn_past(follower))

    # --- timers ----------------------------------------------------------------------------------

    def _wake(self, active: Active, at: datetime | None) -> None:
        if active.timer is not None:
            active.timer.cancel()
            active.timer = None
        if at is not None and not self._stopping:
            active.timer = asyncio.get_running_loop().call_later(self._delay(at), self._woken, active)

    def _woken(self, active: Active) -> None:
        active.ask_all = True
        self._pump.kick(active)

    def _wake_dag(self, dag_id: str, at: datetime) -> None:
        if (old := self._timers.pop(dag_id, None)) is not None:
            old.cancel()
        loop = asyncio.get_running_loop()
        self._timers[dag_id] = loop.call_later(self._delay(at), self._start_queued, dag_id)

    def _delay(self, at: datetime) -> float:
        # A millisecond late rather than early: an early wake would decide that it is too early.
        return min(max(0.0, (at - self._around.clock()).total_seconds()) + 0.001, LONGEST_TIMER)

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
            active = self.roster.get(instance.dag_id, instance.run_id)
            if active is None:
                continue
            queued = msgspec.structs.replace(instance, state=TaskState.QUEUED, queued_at=self._around.clock())
            slot = self._placement.slot_for(instance.dag_id)
            if slot is not None:
                self._occupy(queued, slot)
            else:
                self._update(active, queued)
                self._placement.enqueue(msgspec.structs.replace(waiting, instance=queued))
        self._tell_demand()

    def _tell_demand(self) -> None:
        self._placement.tell_demand(self._launcher.waiting())

    def _update(self, active: Active, instance: TaskInstance) -> None:
        active.put((instance,))
        self._note(active, instance)
        self._pump.kick(active)

    def _occupy(self, instance: TaskInstance, slot: Slot) -> None:
        active = self.roster.get(instance.dag_id, instance.run_id)
        if active is None:
            slot.release()
            return
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
        dag = self._registry.dag(instance.dag_id)
        file = "" if dag is None else dag.file
        active.begin_try(running)
        self._update(active, running)
        active.after_commit(lambda: self._launch(active, running, slot, file))

    def _launch(self, active: Active, instance: TaskInstance, slot: Slot, file: str) -> None:
        if active.finished or not _is_current(active, instance):
            # Marked, cleared or deleted by hand in the moment between; a cleared instance waits for this end.
            slot.release()
            self.desk.end(instance, Killed(self._around.clock(), "stopped before it started"))
        elif self._stopping:
            slot.release()
            self._put_back(active, instance)
        elif not self._launcher.launch(active, instance, slot, file):
            self._put_back(active, instance)

    def _put_back(self, active: Active, instance: TaskInstance) -> None:
        """Its process has died before it had the work: nothing has begun, and it waits for another one."""
        start = instance.start_date if instance.next_method is not None else None
        waiting = msgspec.structs.replace(instance, state=TaskState.SCHEDULED, start_date=start, hostname="", pid=None)
        self._update(active, waiting)

    def _stop_after_commit(self, active: Active, stops: Iterable[UUID]) -> None:
        for try_id in stops:
            active.after_commit(partial(self._launcher.stop, try_id, self._around.kill_grace))

    def call_back(self, run: DagRun, instance: TaskInstance, kind: str, reason: str) -> None:
        """Have a callback run that no try can run for itself."""
        dag = self._registry.dag(run.dag_id)
        if dag is None:
            log.warning("A callback is not run: no file defines its DAG now", dag_id=run.dag_id, callback=kind)
            return
        self._launcher.call_back(run, instance, dag.file, kind=kind, reason=reason)
        self._launcher.drain(run.dag_id)
        self._tell_demand()


def _is_current(active: Active, instance: TaskInstance) -> bool:
    current = active.snapshot.get(instance.task_id, instance.map_index)
    return current is not None and current.id == instance.id and current.state is TaskState.RUNNING


def run_finished(run: DagRun, reason: str | None, now: datetime) -> Event:
    """The event of a run's end. `reason`: Airflow's word for why, or ``marked`` where somebody ended it by hand."""
    payload = {
        "run_id": run.run_id,
        "run_type": run.run_type,
        "state": run.state,
        "reason": reason,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "clear_number": run.clear_number,
    }
    return Event(
        kind="dag_run.finished",
        at=run.end_date or now,
        dag_id=run.dag_id,
        run_id=run.run_id,
        payload=msgspec.to_builtins(payload),
    )
