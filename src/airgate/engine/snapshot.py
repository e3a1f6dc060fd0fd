"""What a decision is made on: one run, its tasks' instances, and the little that must be known from outside.

Everything here is an immutable value. The shell keeps one `RunSnapshot` per active run and replaces it with the one a
decision returns; a `Graph` is made once per DAG version and shared by all of its runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from airgate.model.dag import DagSpec, TaskSpec
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import TaskState

Key: TypeAlias = tuple[str, int]
"""(task id, map index) names an instance within its run; the map index is -1 unless the task is mapped."""

UNMAPPED = (-1,)
"""Map indexes of a task that is not expanded."""


def key_of(instance: TaskInstance) -> Key:
    """The name of an instance within its run."""
    return (instance.task_id, instance.map_index)


class Graph:
    """Indexes of one DAG version, computed once. Never changes after construction; compare by identity.

    Tasks of the spec are known by id; relatives that the spec names but does not hold are dropped, so that a
    snapshot of a partly broken spec cannot make a decision raise.
    """

    spec: DagSpec
    tasks: Mapping[str, TaskSpec]
    """In the spec's topological order."""
    upstream: Mapping[str, tuple[str, ...]]
    downstream: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    """Tasks whose rules look at this one: downstream ones, those it is a setup of, teardowns whose scope holds it."""
    setups: Mapping[str, tuple[str, ...]]
    """Setups a task must wait for although they are not its direct upstream. Absent where there are none."""
    scopes: Mapping[str, tuple[str, ...]]
    """For a teardown, the tasks between its setups and itself. Absent where there are none."""
    leaves: frozenset[str]
    """Tasks whose states make the run's final state."""
    waits_for_past: frozenset[str]
    """Tasks with ``depends_on_past``."""
    has_setups: bool
    patient: frozenset[str]
    """Tasks that may be held by something outside their run, so that a run with one unfinished is never deadlocked."""

    def __init__(self, spec: DagSpec) -> None:
        self.spec = spec
        self.tasks = {task.task_id: task for task in spec.tasks}
        self.upstream = {task.task_id: self._known(task.upstream) for task in spec.tasks}
        self.downstream = {task.task_id: self._known(task.downstream) for task in spec.tasks}
        self.setups = {}
        self.scopes = {}
        for task in spec.tasks:
            if task.is_teardown:
                self.scopes |= self._entry(task.task_id, task.teardown_scope)
            else:
                self.setups |= self._entry(task.task_id, (s for s in task.setups if s not in task.upstream))
        self.dependents = self._find_dependents()
        self.leaves = self._find_leaves()
        self.waits_for_past = frozenset(task.task_id for task in spec.tasks if task.depends_on_past)
        self.has_setups = any(task.is_setup for task in spec.tasks)
        self.patient = self.waits_for_past | {task.task_id for task in spec.tasks if _has_limit(task)}

    def _known(self, task_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(task_id for task_id in task_ids if task_id in self.tasks)

    def _entry(self, task_id: str, relatives: Iterable[str]) -> dict[str, tuple[str, ...]]:
        known = self._known(relatives)
        return {task_id: known} if known else {}

    def _find_dependents(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {task_id: dict.fromkeys(self.downstream[task_id]) for task_id in self.tasks}
        for watched_by in (self.upstream, self.setups, self.scopes):
            for task_id, watched in watched_by.items():
                for other in watched:
                    found[other][task_id] = None
        return {task_id: tuple(others) for task_id, others in found.items()}

    def _find_leaves(self) -> frozenset[str]:
        counted = {task.task_id for task in self.spec.tasks if not task.is_teardown or task.on_failure_fail_dagrun}
        leaves = frozenset(task_id for task_id in counted if counted.isdisjoint(self.downstream[task_id]))
        # A DAG of nothing but teardowns is still judged by something.
        return leaves or frozenset(task_id for task_id in self.tasks if not self.downstream[task_id])

    def flat(self, task_id: str, *, upstream: bool) -> frozenset[str]:
        """All relatives of a task in one direction, however far; itself excluded."""
        direct = self.upstream if upstream else self.downstream
        found: set[str] = set()
        frontier = list(direct[task_id])
        while frontier:
            relative = frontier.pop()
            if relative not in found:
                found.add(relative)
                frontier.extend(direct[relative])
        return frozenset(found)


def _has_limit(task: TaskSpec) -> bool:
    return task.max_active_tis_per_dag is not None or task.max_active_tis_per_dagrun is not None


class SkipChoice(msgspec.Struct, frozen=True):
    """What a branch or short circuit chose: its XCom ``skipmixin_key``, which outlives clearing of downstream tasks.

    A task that the choice of a finished direct upstream rules out is skipped whenever it comes up again.
    """

    followed: frozenset[str] | None = None
    """Only these go on, where a branch named them."""
    skipped: frozenset[str] = frozenset()
    """These do not, where a short circuit named them."""

    @classmethod
    def from_xcom(cls, value: Any) -> SkipChoice | None:
        """Read the XCom's value; None where it is not of that form."""
        if not isinstance(value, dict):
            return None
        followed, skipped = value.get("followed"), value.get("skipped")
        if not isinstance(followed, list) and not isinstance(skipped, list):
            return None
        return cls(
            followed=_texts(followed) if isinstance(followed, list) else None,
            skipped=_texts(skipped) if isinstance(skipped, list) else frozenset(),
        )

    def rules_out(self, task_id: str) -> bool:
        """Whether this choice keeps a direct downstream task from running."""
        return (self.followed is not None and task_id not in self.followed) or task_id in self.skipped


def _texts(items: list[Any]) -> frozenset[str]:
    return frozenset(item for item in items if isinstance(item, str))


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """The run before this one, as ``depends_on_past`` and ``wait_for_downstream`` see it.

    It is the run of the same DAG with the greatest logical date below this run's, manual ones left out where the DAG
    catches up (`Decision.needs_past` asks for it). Give a new one whenever an instance of that run changes.
    """

    run_id: str | None = None
    """None: there is no earlier run, and nothing to wait for."""
    logical_date: datetime | None = None
    states: Mapping[str, tuple[TaskState | None, ...]] = {}
    """Per task the states of its instances in that run; absent: it had none."""
    seen: frozenset[str] = frozenset()
    """Tasks with an instance in any earlier run. Only asked for tasks with ``ignore_first_depends_on_past``."""


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One run at one moment. Make it with `RunSnapshot.of`; `instances` must not be changed afterwards."""

    run: DagRun
    graph: Graph
    instances: Mapping[Key, TaskInstance]
    expanded: Mapping[str, tuple[int, ...]] = {}
    """Map indexes of the tasks that have mapped instances. Absent: one instance at -1 (or none)."""
    choices: Mapping[Key, SkipChoice] = {}
    """Per branch or short circuit that has spoken in this run, what it chose. Forget it when its try starts anew."""
    past: Past | None = None
    """None: not known (yet). Asked for by `Decision.needs_past`, and only where a task of the DAG wants it."""
    paused: bool = False
    """Of the DAG: no task is scheduled, but what runs may end, and so may the run."""

    @classmethod
    def of(
        cls,
        run: DagRun,
        graph: Graph,
        instances: Iterable[TaskInstance],
        *,
        choices: Mapping[Key, SkipChoice] | None = None,
        past: Past | None = None,
        paused: bool = False,
    ) -> RunSnapshot:
        """Index the instances of a run."""
        by_key = {key_of(instance): instance for instance in instances}
        return cls(
            run=run,
            graph=graph,
            instances=by_key,
            expanded=_map_indexes(by_key),
            choices=choices or {},
            past=past,
            paused=paused,
        )

    @property
    def spec(self) -> DagSpec:
        """The DAG version the run is on."""
        return self.graph.spec

    def with_instances(self, changed: Iterable[TaskInstance], *, run: DagRun | None = None) -> RunSnapshot:
        """The same snapshot with these instances replaced or added (and the run, where given)."""
        by_key = dict(self.instances)
        before = len(by_key)
        by_key.update((key_of(instance), instance) for instance in changed)
        return msgspec.structs.replace(
            self,
            run=run or self.run,
            instances=by_key,
            expanded=self.expanded if len(by_key) == before else _map_indexes(by_key),
        )

    def get(self, task_id: str, map_index: int = -1) -> TaskInstance | None:
        """One instance, None where the run has none of that name."""
        return self.instances.get((task_id, map_index))

    def of_task(self, task_id: str) -> tuple[TaskInstance, ...]:
        """All instances of a task, by map index."""
        found = (self.instances.get((task_id, index)) for index in self.expanded.get(task_id, UNMAPPED))
        return tuple(instance for instance in found if instance is not None)


def _map_indexes(keys: Iterable[Key]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    mapped: set[str] = set()
    for task_id, map_index in keys:
        found.setdefault(task_id, []).append(map_index)
        if map_index >= 0:
            mapped.add(task_id)
    return {task_id: tuple(sorted(found[task_id])) for task_id in mapped}
