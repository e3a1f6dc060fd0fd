"""Which instances get a worker slot: what waits, what occupies, and the queues before the DAG files' processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from airgate.engine.allot import Waiting, allot, urgency, usage_of
from airgate.engine.ports import Executor, FileVersion, Slot
from airgate.engine.snapshot import Key
from airgate.model.admin import Pool
from airgate.model.run import TaskInstance
from airgate.model.states import TaskState

FullKey: TypeAlias = tuple[str, str, str, int]
"""(dag id, run id, task id, map index)."""

_OCCUPYING = frozenset(
    {TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING, TaskState.DEFERRED, TaskState.AWAITING_INPUT}
)


def full_key(instance: TaskInstance) -> FullKey:
    """The name of an instance across runs."""
    return (instance.dag_id, instance.run_id, instance.task_id, instance.map_index)


class Placement:
    """Bookkeeping over all active runs, in memory.

    Args:
        version_of: the file version a DAG runs from now; None while its file was not imported.
    """

    def __init__(
        self, executor: Executor, *, parallelism: int, version_of: Callable[[str], FileVersion | None]
    ) -> None:
        self.pools: Mapping[str, Pool] = {}
        self._executor = executor
        self._parallelism = parallelism
        self._version_of = version_of
        self._waiting: dict[FullKey, Waiting] = {}
        self._occupying: dict[FullKey, TaskInstance] = {}
        self._queued: dict[FullKey, Waiting] = {}

    def note(self, instance: TaskInstance, waiting: Callable[[], Waiting | None]) -> None:
        """An instance is in this state now. `waiting` gives its limits, where it wants a slot."""
        key = full_key(instance)
        self._waiting.pop(key, None)
        if instance.state in _OCCUPYING:
            self._occupying[key] = instance
        else:
            self._occupying.pop(key, None)
        if instance.state is not TaskState.QUEUED:
            self._queued.pop(key, None)
        if instance.state is TaskState.SCHEDULED and (wants := waiting()) is not None:
            self._waiting[key] = wants

    def forget(self, dag_id: str, run_id: str, keys: list[Key]) -> None:
        """A run is no longer worked on."""
        for task_id, index in keys:
            key = (dag_id, run_id, task_id, index)
            for table in (self._waiting, self._occupying, self._queued):
                table.pop(key, None)

    def choose(self) -> tuple[Waiting, ...]:
        """Which waiting instances are to be queued now. They still have to be noted as such."""
        if not self._waiting:
            return ()
        ordered = sorted(self._waiting.values(), key=urgency)
        usage = usage_of(self._occupying.values())
        return allot(ordered, usage, self.pools, parallelism=self._parallelism).chosen

    def slot_for(self, dag_id: str) -> Slot | None:
        """Reserve a process for a try of this DAG, where one is ready."""
        key = self.runs_from(dag_id)
        return None if key is None else self._executor.reserve(key)

    def runs_from(self, dag_id: str) -> str | None:
        """The key of the file version this DAG runs from now; None while its file was not imported."""
        version = self._version_of(dag_id)
        return None if version is None else version.key

    def enqueue(self, waiting: Waiting) -> None:
        """A queued instance waits for a process of its file."""
        self._queued[full_key(waiting.instance)] = waiting

    def next_queued(self, file_key: str) -> TaskInstance | None:
        """The most urgent queued instance that this file version can run."""
        candidates = [one for one in self._queued.values() if self.runs_from(one.instance.dag_id) == file_key]
        return min(candidates, key=urgency).instance if candidates else None

    def tell_demand(self, extra: Mapping[str, int]) -> None:
        """Tell the executor how many tries wait for each file; `extra` counts callbacks that wait too."""
        counts = dict(extra)
        for one in self._queued.values():
            key = self.runs_from(one.instance.dag_id)
            if key is not None:
                counts[key] = counts.get(key, 0) + 1
        self._executor.demand(counts)
