"""A deployment kept in memory: faithful to the ports' contracts, without an engine. Time passes when a test says so."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from msgspec.structs import replace
from uuid_utils.compat import uuid7

from airgate.deployments.ports import Blocker, ClearRequest, ClearResult, Deployment, SetStateRequest
from airgate.engine.watch import Watch
from airgate.model import run_ids
from airgate.model.admin import Connection, Pool, PoolUsage, Variable
from airgate.model.audit import AuditEntry
from airgate.model.dag import Dag, DagVersion, ImportFailure
from airgate.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from airgate.model.query import DagFilter, Listing, Order, Page, RunFilter, RunSearch, TaskFilter
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, TaskState
from airgate.model.trigger import (
    Trigger,
    TriggerRequest,
)
from tests.support.memory_lists import among, like, window, within

T = TypeVar("T")


class World:
    """Everything there is, and the ports that show it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.dags: dict[str, Dag] = {}
        self.sources: dict[str, str] = {}
        self.failures: dict[int, ImportFailure] = {}
        self.runs: dict[tuple[str, str], DagRun] = {}
        self.instances: dict[tuple[str, str, str, int], TaskInstance] = {}
        self.history: dict[tuple[str, str, str, int], list[TaskInstance]] = {}
        self.logs: dict[tuple[str, str, str, int, int], bytes] = {}
        self.xcoms: list[XCom] = []
        self.pools: dict[str, Pool] = {"default_pool": Pool(name="default_pool", slots=128, description="Default pool")}
        self.variables: dict[str, Variable] = {}
        self.connections: dict[str, Connection] = {}
        self.started: list[DagRun] = []
        self.parsed: list[str] = []
        self.blockers: dict[tuple[str, str, str, int], tuple[Blocker, ...]] = {}
        self.keys: dict[str, tuple[TriggerRequest, DagRun, Trigger]] = {}
        self.triggers: dict[UUID, Trigger] = {}
        self.audit: list[AuditEntry] = []
        self.watch = Watch()
        self._moments = run_ids.Moments()
        self._seq = 0

    def deployment(self, name: str = "local") -> Deployment:
        return Deployment(
            name=name,
            dags=Dags(self),
            runs=Runs(self),
            tasks=Tasks(self),
            xcoms=XComs(self),
            pools=Pools(self),
            variables=Variables(self),
            connections=Connections(self),
            starter=Starter(self),
        )

    def put_run(self, run: DagRun) -> DagRun:
        self._seq += 1
        stored = replace(run, seq=self._seq)
        self.runs[run.dag_id, run.run_id] = stored
        return stored

    def change_run(self, run: DagRun, **changes: Any) -> DagRun:
        """Something happens to a run, and whoever follows it hears of it."""
        changed = replace(run, updated_at=self.clock(), **changes)
        self.runs[run.dag_id, run.run_id] = changed
        self.watch.changed(run.dag_id, run.run_id)
        return changed

    def put_instance(self, instance: TaskInstance) -> None:
        self.instances[instance.dag_id, instance.run_id, instance.task_id, instance.map_index] = instance

    def moment(self, request: TriggerRequest) -> datetime:
        now = self._moments.after(self.clock())
        return self._moments.whole_second(request.dag_id, now) if request.whole_second else now


def find(table: dict[Any, T], key: Any) -> T:
    try:
        return table[key]
    except KeyError:
        raise NotFound(f"{key!r} does not exist") from None


class _Port:
    def __init__(self, world: World) -> None:
        self.world = world


class Dags(_Port):
    async def list(self, which: DagFilter, order: Order, page: Page) -> Listing[Dag]:
        def matches(dag: Dag) -> bool:
            pattern = None if which.pattern is None else f"*{which.pattern.replace('%', '*')}*".lower()
            return (
                among(which.dag_ids, dag.dag_id)
                and (pattern is None or fnmatch.fnmatchcase(dag.dag_id.lower(), pattern))
                and (not which.tags or bool(set(which.tags) & set(dag.spec.tags)))
                and (not which.only_active or dag.is_active)
                and (which.paused is None or dag.is_paused == which.paused)
                and (which.file is None or dag.file == which.file)
            )

        return window(filter(matches, self.world.dags.values()), order, page)

    async def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self.world.dags))

    async def get(self, dag_id: str) -> Dag:
        return find(self.world.dags, dag_id)

    async def versions(self, dag_id: str) -> tuple[DagVersion, ...]:
        return (find(self.world.dags, dag_id).version,)

    async def pause(self, dag_ids: Sequence[str], *, paused: bool) -> None:
        for dag_id in dag_ids:
            self.world.dags[dag_id] = replace(find(self.world.dags, dag_id), is_paused=paused)

    async def delete(self, dag_id: str) -> None:
        find(self.world.dags, dag_id)
        if any(ti.state is TaskState.RUNNING for ti in self.world.instances.values() if ti.dag_id == dag_id):
            raise Conflict(f"Task instances of {dag_id} are running")
        del self.world.dags[dag_id]
        self.world.runs = {key: run for key, run in self.world.runs.items() if run.dag_id != dag_id}
        self.world.instances = {key: ti for key, ti in self.world.instances.items() if ti.dag_id != dag_id}

    async def source(self, file: str) -> str:
        return find(self.world.sources, file)

    async def parse(self, file: str) -> None:
        self.world.parsed.append(file)

    async def import_failures(self, order: Order, page: Page) -> Listing[ImportFailure]:
        return window(self.world.failures.values(), order, page)

    async def import_failure(self, failure_id: int) -> ImportFailure:
        return find(self.world.failures, failure_id)


class Runs(_Port):
    async def list(self, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
        def matches(run: DagRun) -> bool:
            return (
                among(which.dag_ids, run.dag_id)
                and among(which.run_ids, run.run_id)
                and among(which.states, run.state)
                and within(which.execution_date, run.execution_date)
                and within(which.start_date, run.start_date)
                and within(which.end_date, run.end_date)
                and within(which.updated_at, run.updated_at)
            )

        return window(filter(matches, self.world.runs.values()), order, page)

    async def search(self, which: RunSearch, limit: int) -> tuple[DagRun, ...]:
        found = [
            run
            for run in self.world.runs.values()
            if among(which.dag_ids, run.dag_id)
            and among(which.states, run.state)
            and which.external_trigger in (None, run.external_trigger)
            and (which.run_id_like is None or like(which.run_id_like, run.run_id))
            and (which.after is None or (run.execution_date, run.seq) > which.after)
        ]
        return tuple(sorted(found, key=lambda run: (run.execution_date, run.seq))[:limit])

    async def holding(
        self, dag_id: str, run_ids: Sequence[str], logical_dates: Sequence[datetime]
    ) -> tuple[DagRun, ...]:
        return tuple(
            run
            for run in self.world.runs.values()
            if run.dag_id == dag_id and (run.run_id in run_ids or run.logical_date in logical_dates)
        )

    async def newest_dates(self) -> dict[str, datetime]:
        newest: dict[str, datetime] = {}
        for run in self.world.runs.values():
            newest[run.dag_id] = max(run.execution_date, newest.get(run.dag_id, run.execution_date))
        return newest

    async def latest(self) -> tuple[DagRun, ...]:
        newest: dict[str, DagRun] = {}
        for run in sorted(self.world.runs.values(), key=lambda run: (run.dag_id, run.execution_date, run.seq)):
            newest[run.dag_id] = run
        return tuple(newest.values())

    async def get(self, dag_id: str, run_id: str) -> DagRun:
        return find(self.world.runs, (dag_id, run_id))

    def _change(self, run: DagRun, **changes: Any) -> DagRun:
        return self.world.change_run(run, **changes)

    async def follow(self, dag_id: str, run_id: str) -> AsyncGenerator[DagRun, None]:
        topic = self.world.watch.topic(dag_id, run_id)
        last = None
        while True:
            changes = topic.changes
            run = await self.get(dag_id, run_id)
            if run.state is not last:
                last = run.state
                yield run
            if run.state.finished:
                return
            if self.world.watch.closed:
                raise Unavailable("The server is stopping", code="stopping")
            await topic.after(changes)

    async def set_state(self, dag_id: str, run_id: str, state: RunState) -> DagRun:
        run = await self.get(dag_id, run_id)
        return self._change(run, state=state, end_date=self.world.clock() if state.finished else None)

    async def set_note(self, dag_id: str, run_id: str, note: str | None, user: str) -> DagRun:
        return self._change(await self.get(dag_id, run_id), note=note)

    async def delete(self, dag_id: str, run_id: str) -> None:
        await self.get(dag_id, run_id)
        del self.world.runs[dag_id, run_id]
        self.world.triggers = {
            key: one for key, one in self.world.triggers.items() if (one.dag_id, one.run_id) != (dag_id, run_id)
        }
        self.world.watch.changed(dag_id, run_id)
        for key in [key for key in self.world.instances if key[:2] == (dag_id, run_id)]:
            del self.world.instances[key]

    async def clear(self, dag_id: str, run_id: str, *, dry_run: bool, only_failed: bool = False) -> ClearResult:
        run = await self.get(dag_id, run_id)
        touched = tuple(
            ti
            for key, ti in self.world.instances.items()
            if key[:2] == (dag_id, run_id) and (not only_failed or ti.state is TaskState.FAILED)
        )
        if dry_run:
            return ClearResult(touched, run)
        for ti in touched:
            self.world.put_instance(replace(ti, state=None, start_date=None, end_date=None))
        return ClearResult(touched, self._change(run, state=RunState.QUEUED, end_date=None, start_date=None))


class Tasks(_Port):
    async def list(self, which: TaskFilter, order: Order, page: Page) -> Listing[TaskInstance]:
        found = [ti for ti in self.world.instances.values() if self._matches(which, ti)]
        found.sort(key=lambda ti: (ti.dag_id, ti.run_id, ti.task_id, ti.map_index))
        return window(found, order, page)

    def _matches(self, which: TaskFilter, ti: TaskInstance) -> bool:
        low, high = which.duration.start, which.duration.end
        return (
            among(which.dag_ids, ti.dag_id)
            and among(which.run_ids, ti.run_id)
            and among(which.task_ids, ti.task_id)
            and among(which.map_indexes, ti.map_index)
            and among(which.states, ti.state)
            and among(which.pools, ti.pool)
            and among(which.queues, ti.queue)
            and among(which.executors, ti.executor)
            and within(which.execution_date, self.world.runs[ti.dag_id, ti.run_id].execution_date)
            and within(which.start_date, ti.start_date)
            and within(which.end_date, ti.end_date)
            and within(which.updated_at, ti.updated_at)
            and (low is None or (ti.duration is not None and ti.duration >= low))
            and (high is None or (ti.duration is not None and ti.duration <= high))
        )

    async def get(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
        return find(self.world.instances, (dag_id, run_id, task_id, map_index))

    async def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
        present = await self.get(dag_id, run_id, task_id, map_index)
        earlier = self.world.history.get((dag_id, run_id, task_id, map_index), [])
        return (*earlier, present) if present.try_number else tuple(earlier)

    async def blockers(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[Blocker, ...]:
        return self.world.blockers.get((dag_id, run_id, task_id, map_index), ())

    async def clear(self, dag_id: str, request: ClearRequest) -> ClearResult:
        which = replace(request.which, dag_ids=(dag_id,), task_ids=request.task_ids)
        if request.run_id is not None:
            which = replace(which, run_ids=(request.run_id,))
        failed = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
        touched = tuple(
            ti
            for ti in self.world.instances.values()
            if self._matches(which, ti)
            and (not request.only_failed or ti.state in failed)
            and (not request.only_running or ti.state is TaskState.RUNNING)
        )
        if not request.dry_run:
            for ti in touched:
                self.world.put_instance(replace(ti, state=None))
        return ClearResult(touched)

    async def set_state(self, dag_id: str, request: SetStateRequest) -> tuple[TaskInstance, ...]:
        which = TaskFilter(
            dag_ids=(dag_id,), run_ids=(request.run_id,), task_ids=(request.task_id,), map_indexes=request.map_indexes
        )
        touched = tuple(
            ti for ti in self.world.instances.values() if self._matches(which, ti) and ti.state is not request.state
        )
        if not request.dry_run:
            for ti in touched:
                self.world.put_instance(replace(ti, state=request.state))
        return touched

    async def set_note(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, note: str | None, user: str
    ) -> TaskInstance:
        changed = replace(await self.get(dag_id, run_id, task_id, map_index), note=note)
        self.world.put_instance(changed)
        return changed

    async def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        text = find(self.world.logs, (dag_id, run_id, task_id, map_index, try_number))[offset:]
        for start in range(0, len(text), 7000):
            yield text[start : start + 7000]


class XComs(_Port):
    async def list(
        self,
        dag_ids: Sequence[str] | None,
        run_id: str | None,
        task_id: str | None,
        map_index: int | None,
        key: str | None,
        page: Page,
    ) -> Listing[XCom]:
        wanted = {"run_id": run_id, "task_id": task_id, "map_index": map_index, "key": key}
        found = [
            xcom
            for xcom in self.world.xcoms
            if all(value is None or getattr(xcom, name) == value for name, value in wanted.items())
            and among(dag_ids, xcom.dag_id)
        ]
        return window(found, Order("key"), page)

    async def get(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> XCom:
        listing = await self.list((dag_id,), run_id, task_id, map_index, key, Page(1))
        if not listing.items:
            raise NotFound("No such XCom")
        return listing.items[0]


class Pools(_Port):
    def _usage(self, name: str) -> PoolUsage:
        counts = {
            state: sum(ti.pool_slots for ti in self.world.instances.values() if ti.pool == name and ti.state is state)
            for state in (TaskState.RUNNING, TaskState.QUEUED, TaskState.SCHEDULED, TaskState.DEFERRED)
        }
        return PoolUsage(**{state.value: count for state, count in counts.items()})

    async def list(self, order: Order, page: Page) -> Listing[tuple[Pool, PoolUsage]]:
        found = window(self.world.pools.values(), order, page)
        return Listing(tuple((pool, self._usage(pool.name)) for pool in found.items), found.total)

    async def get(self, name: str) -> tuple[Pool, PoolUsage]:
        return find(self.world.pools, name), self._usage(name)

    async def create(self, pool: Pool) -> Pool:
        if pool.name in self.world.pools:
            raise Conflict(f"Pool {pool.name} exists")
        self.world.pools[pool.name] = pool
        return pool

    async def update(self, name: str, pool: Pool) -> Pool:
        find(self.world.pools, name)
        if pool.name != name and pool.name in self.world.pools:
            raise Conflict(f"Pool {pool.name} exists")
        del self.world.pools[name]
        self.world.pools[pool.name] = pool
        return pool

    async def delete(self, name: str) -> None:
        find(self.world.pools, name)
        del self.world.pools[name]


class Variables(_Port):
    async def list(self, order: Order, page: Page) -> Listing[Variable]:
        return window(self.world.variables.values(), order, page)

    async def get(self, key: str) -> Variable:
        return find(self.world.variables, key)

    async def put(self, variable: Variable) -> Variable:
        self.world.variables[variable.key] = variable
        return variable

    async def delete(self, key: str) -> None:
        find(self.world.variables, key)
        del self.world.variables[key]


class Connections(_Port):
    async def list(self, order: Order, page: Page) -> Listing[Connection]:
        return window(self.world.connections.values(), order, page)

    async def get(self, connection_id: str) -> Connection:
        return find(self.world.connections, connection_id)

    async def create(self, connection: Connection) -> Connection:
        if connection.connection_id in self.world.connections:
            raise Conflict(f"Connection {connection.connection_id} exists")
        self.world.connections[connection.connection_id] = connection
        return connection

    async def update(self, connection_id: str, connection: Connection) -> Connection:
        find(self.world.connections, connection_id)
        self.world.connections[connection_id] = connection
        return connection

    async def delete(self, connection_id: str) -> None:
        find(self.world.connections, connection_id)
        del self.world.connections[connection_id]


class Starter(_Port):
    async def plan(self, request: TriggerRequest) -> DagRun:
        dag = find(self.world.dags, request.dag_id)
        if not dag.is_active:
            raise NotFound(f"DAG {request.dag_id} is inactive", code="dag_not_found")
        if dag.has_import_errors:
            raise InvalidInput(f"DAG {request.dag_id} has import errors", code="dag_has_import_errors")
        if request.run_id:
            run_ids.check(request.run_id)
        for name, param in dag.spec.params.items():
            check_param(name, request.conf.get(name, param.value), param.schema)
        date = request.logical_date or self.world.moment(request)
        start, end = request.data_interval or interval_of(dag, date)
        return DagRun(
            id=new_id(),
            dag_id=request.dag_id,
            run_id=request.run_id or chosen_id(request, date),
            state=RunState.QUEUED,
            run_type=request.run_type,
            triggered_by=request.triggered_by,
            run_after=date,
            queued_at=self.world.clock(),
            logical_date=date,
            data_interval_start=start,
            data_interval_end=end,
            conf=request.conf,
            note=request.note,
            triggering_user=request.triggering_user,
        )

    def started(self, run: DagRun) -> None:
        self.world.started.append(run)


def chosen_id(request: TriggerRequest, date: datetime) -> str:
    if request.run_id_prefix is None:
        return run_ids.generate(request.run_type, date)
    run_id = run_ids.prefixed(request.run_id_prefix, date)
    run_ids.check(run_id)
    return run_id


def interval_of(dag: Dag, date: datetime) -> tuple[datetime, datetime]:
    """The last whole day before a date for DAGs with a schedule, of which there are only daily ones here."""
    if not dag.spec.schedule.periodic:
        return date, date
    end = date.replace(hour=0, minute=0, second=0, microsecond=0)
    return end - timedelta(days=1), end


def check_param(name: str, value: Any, schema: dict[str, Any]) -> None:
    """The two rules of JSON Schema that the recordings use, in the words of the library that Airflow asks."""
    if schema.get("type") == "integer" and not isinstance(value, int):
        keyword, message = "type", f"{value!r} is not of type 'integer'"
    elif "minimum" in schema and value < schema["minimum"]:
        keyword, message = "minimum", f"{value!r} is less than the minimum of {schema['minimum']}"
    else:
        return
    raise InvalidInput(
        f"Invalid input for param {name}: {message}\n\nFailed validating {keyword!r} in schema:\n    {schema!r}\n\n"
        f"On instance:\n    {value!r}",
        code="invalid_param",
    )


def new_id() -> UUID:
    return uuid7()
