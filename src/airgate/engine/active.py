"""A run the engine works on, and what of it still has to reach the store.

An `Active` gathers everything that happened to its run since the last commit; `take` hands that over as one `Batch`,
to be written in one transaction and acted upon afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

import msgspec

from airgate.engine.snapshot import Key, RunSnapshot, key_of
from airgate.model.event import Event
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.store import events, runs, tasks, xcoms
from airgate.store.database import Tx

RunKey: TypeAlias = tuple[str, str]
"""(dag id, run id)."""

LOCAL = "local"
"""The embedded deployment's name, under which its triggers are stored."""


class Batch(msgspec.Struct, kw_only=True):
    """What is written together, and what follows once it is."""

    run: DagRun | None = None
    created: list[TaskInstance] = []
    changed: list[TaskInstance] = []
    archived: list[TaskInstance] = []
    fresh: list[TaskInstance] = []
    """Instances whose new try begins: the XComs of earlier ones go."""
    xcoms: list[XCom] = []
    events: list[Event] = []
    after: list[Callable[[], None]] = []
    waiters: list[asyncio.Future[None]] = []

    @property
    def writes(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.run or self.created or self.changed or self.archived or self.events)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits for the commit that there will be none."""
        for future in self.waiters:
            if not future.done():
                future.set_exception(error)


class Active:
    """One run in the engine's memory. Mutable; only the scheduler touches it, on the event loop."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.snapshot = snapshot
        self.dirty = False
        self.pumping = False
        self.finished = False
        self.held = False
        """Somebody is about to delete it: what happens meanwhile is kept, and neither written nor acted upon."""
        self.ask_all = True
        """Decide on everything next time, not only on what `changed` names."""
        self.changed: set[Key] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.flush: asyncio.TimerHandle | None = None
        self._unsaved: dict[Key, TaskInstance] = {}
        self._created: set[Key] = set()
        self._archived: list[TaskInstance] = []
        self._fresh: list[TaskInstance] = []
        self._xcoms: list[XCom] = []
        self._run_changed = False
        self._events: list[Event] = []
        self._after: list[Callable[[], None]] = []
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def moves(self) -> bool:
        """Whether what changes is to be written and acted upon now."""
        return not (self.finished or self.held)

    @property
    def run(self) -> DagRun:
        """The run as it is now."""
        return self.snapshot.run

    @property
    def key(self) -> RunKey:
        """Its name."""
        return (self.run.dag_id, self.run.run_id)

    def put(self, instances: Iterable[TaskInstance], *, created: bool = False) -> None:
        """Take over instances in their new form, to be stored with the next batch."""
        gathered = list(instances)
        if not gathered:
            return
        self.snapshot = self.snapshot.with_instances(gathered)
        self.note(gathered, created=created)
        self.changed.update(key_of(one) for one in gathered)

    def note(self, instances: Iterable[TaskInstance], *, created: bool = False) -> None:
        """Have instances stored that the snapshot holds already."""
        for instance in instances:
            key = key_of(instance)
            self._unsaved[key] = instance
            if created:
                self._created.add(key)

    def put_run(self, run: DagRun) -> None:
        """Take over the run in its new form."""
        self.snapshot = msgspec.structs.replace(self.snapshot, run=run)
        self._run_changed = True

    def run_noted(self) -> None:
        """Have the run stored that the snapshot holds already."""
        self._run_changed = True

    def begin_try(self, instance: TaskInstance) -> None:
        """A new try begins: what earlier ones left in XComs and chose goes. A try that resumes keeps it."""
        if instance.try_number <= 1 or instance.next_method is not None:
            return
        self._fresh.append(instance)
        key = key_of(instance)
        if key in self.snapshot.choices:
            choices = {name: choice for name, choice in self.snapshot.choices.items() if name != key}
            self.snapshot = msgspec.structs.replace(self.snapshot, choices=choices)

    def leave_xcoms(self, xcoms: Iterable[XCom]) -> None:
        """Have XComs stored with the next batch."""
        self._xcoms.extend(xcoms)

    def archive(self, instance: TaskInstance | None) -> None:
        """Keep a finished try in history."""
        if instance is not None:
            self._archived.append(instance)

    def tell(self, event: Event) -> None:
        """Write an event in the transaction of the change."""
        self._events.append(event)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Act once everything gathered so far is committed."""
        self._after.append(action)

    def committed(self) -> asyncio.Future[None]:
        """A future for the commit of everything gathered so far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        return future

    def take(self) -> Batch:
        """Everything gathered since the last call."""
        created = [one for key, one in self._unsaved.items() if key in self._created]
        changed = [one for key, one in self._unsaved.items() if key not in self._created]
        batch = Batch(
            run=self.run if self._run_changed else None,
            created=created,
            changed=changed,
            archived=self._archived,
            fresh=self._fresh,
            xcoms=self._xcoms,
            events=self._events,
            after=self._after,
            waiters=self._waiters,
        )
        self._unsaved, self._created = {}, set()
        self._archived, self._fresh, self._xcoms = [], [], []
        self._events, self._after, self._waiters = [], [], []
        self._run_changed = False
        return batch

    def cancel_timers(self) -> None:
        """Forget what was to happen later."""
        for handle in (self.timer, self.flush):
            if handle is not None:
                handle.cancel()
        self.timer = self.flush = None


def store_batch(tx: Tx, batch: Batch, now: datetime) -> None:
    """Write a batch. Called by the store's writer."""
    stamp = msgspec.structs.replace
    if batch.created:
        tasks.insert(tx, [stamp(one, updated_at=now) for one in batch.created])
    if batch.changed:
        tasks.save(tx, [stamp(one, updated_at=now) for one in batch.changed])
    if batch.archived:
        tasks.archive(tx, batch.archived)
    for one in batch.fresh:
        xcoms.clear_try(tx, one.dag_id, one.run_id, one.task_id, one.map_index)
    if batch.xcoms:
        xcoms.put_many(tx, batch.xcoms)
    if batch.run is not None:
        runs.save(tx, [stamp(batch.run, updated_at=now)])
    if batch.events:
        events.append(tx, batch.events)
