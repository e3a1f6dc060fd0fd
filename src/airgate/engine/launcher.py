"""Starting work in slots: tries, and callbacks that no try can run for itself any more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog

from airgate.engine.active import Active
from airgate.engine.answers import Answers
from airgate.engine.ports import Slot, Work
from airgate.engine.retry import may_retry
from airgate.engine.startup import log_file, startup_map
from airgate.engine.tries import CallbackTalk, TryOwner, TryTalk
from airgate.model.run import DagRun, TaskInstance

log = structlog.get_logger(__name__)


class Slots(Protocol):
    """Where processes come from, as the launcher needs it."""

    def slot_for(self, dag_id: str) -> Slot | None:
        """Reserve a process that has imported this DAG, where one is ready."""

    def runs_from(self, dag_id: str) -> str | None:
        """The key of the file version this DAG runs from now; None while its file was not imported."""


class Launcher:
    """Knows every try that lives, and the callbacks that wait for a process."""

    def __init__(
        self, slots: Slots, answers: Answers, owner: TryOwner, *, clock: Callable[[], datetime], logs: Path
    ) -> None:
        self._slots = slots
        self._answers = answers
        self._owner = owner
        self._clock = clock
        self._logs = logs
        self._talks: dict[UUID, TryTalk] = {}
        self._callbacks: dict[str, deque[tuple[Work, TaskInstance]]] = {}
        self._calling = 0
        self.quiet = asyncio.Event()
        """Set while no try's process lives, and no callback runs or waits."""
        self.quiet.set()

    def launch(self, active: Active, instance: TaskInstance, slot: Slot, file: str) -> bool:
        """Start a try that is committed as running. False: the slot's process has died, and nothing has begun."""
        task = active.snapshot.graph.tasks.get(instance.task_id)
        talk = TryTalk(instance, slot, self._owner, self._answers, clock=self._clock)
        startup = startup_map(active.run, instance, file=file, should_retry=may_retry(instance, task))
        self._talks[instance.id] = talk
        self._look_around()
        try:
            started = slot.start(self._work(instance, startup), talk)
        except (OSError, ValueError) as error:
            # No folder for its log, or a conf that has no form on the wire: trying elsewhere would end the same way.
            slot.release()
            talk.ended(f"it could not be started: {error}")
            return True
        if not started:
            self.gone(talk)
        return started

    def gone(self, talk: TryTalk) -> None:
        """A try's process is done with it."""
        self._talks.pop(talk.instance.id, None)
        self._look_around()

    def _look_around(self) -> None:
        if self._talks or self._calling or self._callbacks:
            self.quiet.clear()
        else:
            self.quiet.set()

    def _called(self) -> None:
        self._calling -= 1
        self._look_around()

    def stop(self, try_id: UUID, grace: float) -> None:
        """End a try's process, if it lives."""
        talk = self._talks.get(try_id)
        if talk is not None:
            talk.slot.stop(grace)

    def stop_all(self, grace: float) -> None:
        """End every try's process."""
        for try_id in list(self._talks):
            self.stop(try_id, grace)

    def call_back(self, run: DagRun, instance: TaskInstance, file: str, *, kind: str, reason: str) -> None:
        """Have a callback run in a process that has imported its DAG, as soon as there is one."""
        startup = startup_map(run, instance, file=file, should_retry=False)
        try:
            work = self._work(instance, startup, callback=kind, reason=reason)
        except OSError as error:
            log.warning("A callback is not run: its log cannot be written", dag_id=run.dag_id, reason=str(error))
            return
        self._callbacks.setdefault(run.dag_id, deque()).append((work, instance))
        self._look_around()

    def drain(self, dag_id: str) -> None:
        """Start a DAG's waiting callbacks while there are slots."""
        queue = self._callbacks.get(dag_id)
        while queue and (slot := self._slots.slot_for(dag_id)) is not None:
            work, instance = queue[0]
            try:
                started = slot.start(work, CallbackTalk(instance, self._answers, self._called))
                self._calling += started
            except ValueError as error:
                slot.release()
                log.warning("A callback is not run", dag_id=dag_id, reason=str(error))
                started = True
            if started:
                queue.popleft()
        if not queue:
            self._callbacks.pop(dag_id, None)
        self._look_around()

    def drain_file(self, file_key: str) -> None:
        """Start waiting callbacks of the DAGs that this file version runs."""
        for dag_id in [one for one in self._callbacks if self._slots.runs_from(one) == file_key]:
            self.drain(dag_id)

    def waiting(self) -> Mapping[str, int]:
        """How many callbacks wait for each file version."""
        counts: dict[str, int] = {}
        for dag_id, queue in self._callbacks.items():
            key = self._slots.runs_from(dag_id)
            if key is not None:
                counts[key] = counts.get(key, 0) + len(queue)
        return counts

    def _work(
        self, instance: TaskInstance, startup: dict[str, object], *, callback: str | None = None, reason: str = ""
    ) -> Work:
        return Work(
            try_id=instance.id,
            dag_id=instance.dag_id,
            run_id=instance.run_id,
            task_id=instance.task_id,
            map_index=instance.map_index,
            try_number=instance.try_number,
            startup=startup,
            log_path=self._log_path(instance, callback),
            callback=callback,
            reason=reason,
        )

    def _log_path(self, instance: TaskInstance, callback: str | None) -> str:
        # A callback's words belong to the try it is about; before any try there is a log of its own.
        number = max(instance.try_number, 0)
        path = self._logs / log_file(instance.dag_id, instance.run_id, instance.task_id, instance.map_index, number)
        if callback is not None and callback.startswith("dag_"):
            path = path.with_name(f"{callback}.log")
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)
