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
    dependents: Mapping[str, tuple[str, ...]]
    """Tasks whose rules look at this one: downstream ones, those it is a setup of, teardowns whose scope holds it."""
    indirect_setups: Mapping[str, tuple[str, ...]]
    """Setups a task must wait for although they are not its direct upstream. Absent where there are none."""
    leaves: frozenset[str]
    """Tasks whose states make the run's final state."""

    def __init__(self, spec: DagSpec) -> None:
        raise NotImplementedError

    def flat(self, task_id: str, *, upstream: bool) -> frozenset[str]:
        """All relatives of a task in one direction, however far; itself excluded."""
        raise NotImplementedError


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
        raise NotImplementedError

    def rules_out(self, task_id: str) -> bool:
        """Whether this choice keeps a direct downstream task from running."""
        raise NotImplementedError


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
        raise NotImplementedError

    @property
    def spec(self) -> DagSpec:
        """The DAG version the run is on."""
        return self.graph.spec

    def with_instances(self, changed: Iterable[TaskInstance], *, run: DagRun | None = None) -> RunSnapshot:
        """The same snapshot with these instances replaced or added (and the run, where given)."""
        raise NotImplementedError

    def get(self, task_id: str, map_index: int = -1) -> TaskInstance | None:
        """One instance, None where the run has none of that name."""
        return self.instances.get((task_id, map_index))

    def of_task(self, task_id: str) -> tuple[TaskInstance, ...]:
        """All instances of a task, by map index."""
        raise NotImplementedError
