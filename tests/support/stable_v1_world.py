"""The DAGs and runs that the recorded exchanges with Airflow 2.11 began with, and what its scheduler did meanwhile."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from airgate.access.decisions import Caller
from airgate.access.permissions import GRANTED
from airgate.access.rates import Buckets, Standing
from airgate.deployments.ports import Deployment, Health
from airgate.http.operations import Services
from airgate.model.audit import AuditEntry, AuditFilter
from airgate.model.dag import Dag, DagSpec, DagVersion, NextRun, ParamSpec, ScheduleSpec, TaskSpec
from airgate.model.errors import NotFound
from airgate.model.identity import Identity, Role
from airgate.model.query import Listing, Order, Page
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunState, RunType, TaskState, TriggeredBy
from tests.support.memory_deployment import World, new_id
from tests.support.memory_triggers import MemoryTriggers

START = datetime(2026, 11, 21, 0, 24, 20, 418294, tzinfo=UTC)
FILE = "hello.py"
FILELOC = "/opt/airflow/dags/hello.py"


class SteppingClock:
    """A clock that advances a little whenever it is read."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


class PasswordList:
    """Knows people by Basic credentials, and machines by bearer or bare tokens."""

    def __init__(self, people: dict[str, tuple[str, Role]], tokens: dict[str, str] | None = None) -> None:
        self._known: dict[str, Caller] = {}
        self._buckets = Buckets()
        callers = {}
        for name, (password, role) in people.items():
            callers[name] = caller_of(name, role)
            self.add("Basic " + b64encode(f"{name}:{password}".encode()).decode(), callers[name])
        for token, name in (tokens or {}).items():
            self.add(token, callers[name])
            self.add(f"Bearer {token}", callers[name])

    def add(self, authorization: str, caller: Caller) -> None:
        self._known[authorization] = caller

    async def authenticate(self, authorization: str | None, address: str | None = None) -> Caller | None:
        return self._known.get(authorization or "")

    def admit(self, caller: Caller) -> Standing | None:
        limit = caller.identity.limits.rate
        return None if limit is None else self._buckets.take(caller.identity.id, limit, 0.0)


def caller_of(name: str, role: Role, **more: Any) -> Caller:
    """Somebody with one of the built-in roles; `more` are fields of the identity."""
    identity = Identity(id=new_id(), name=name, roles=(role.value,), created_at=START, **more)
    return Caller(identity=identity, permissions=GRANTED[role])


class MemoryAuditor:
    """An audit log that is two lists. What is recorded gets its place, counted from one, as its `seq`."""

    def __init__(self) -> None:
        self.recorded: list[AuditEntry] = []
        self.refusals: list[AuditEntry] = []

    async def record(self, entry: AuditEntry) -> None:
        self.recorded.append(replace(entry, seq=len(self.recorded) + 1))

    def refused(self, entry: AuditEntry) -> None:
        self.refusals.append(entry)

    async def newest(self, which: AuditFilter, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        known = [it for it in reversed(self.recorded) if before is None or it.seq < before]
        return tuple(it for it in known if _lets_through(which, it))[:limit]

    async def list_entries(self, which: AuditFilter, order: Order, page: Page) -> Listing[AuditEntry]:
        found = [it for it in self.recorded if _lets_through(which, it)]
        found.sort(key=lambda it: (getattr(it, order.field) is not None, getattr(it, order.field)))
        if order.descending:
            found.reverse()
        return Listing(tuple(found[page.offset : page.offset + page.limit]), len(found))

    async def get(self, seq: int, which: AuditFilter) -> AuditEntry:
        found = [it for it in self.recorded if it.seq == seq and _lets_through(which, it)]
        if not found:
            raise NotFound(f"no entry {seq}", code="audit_entry_not_found")
        return found[0]


def _lets_through(which: AuditFilter, entry: AuditEntry) -> bool:
    among = ((which.deployments, entry.deployment), (which.dag_ids, entry.dag_id), (which.events, entry.event))
    exact = [(getattr(which, name), getattr(entry, name)) for name in ("run_id", "task_id", "map_index", "actor")]
    exact += [(which.key_id, entry.key_id), (which.outcome, entry.outcome)]
    return (
        all(allowed is None or value in allowed for allowed, value in among)
        and all(wanted is None or value == wanted for wanted, value in exact)
        and entry.event not in which.excluded_events
        and (which.since is None or entry.at >= which.since)
        and (which.until is None or entry.at < which.until)
    )


PEOPLE = {
    "admin": ("admin", Role.ADMIN),
    "op": ("pw", Role.OP),
    "user": ("pw", Role.USER),
    "viewer": ("pw", Role.VIEWER),
}
TOKEN = "0123456789abcdef0123456789abcdef"
ADMIN = "Basic " + b64encode(b"admin:admin").decode()
VIEWER = "Basic " + b64encode(b"viewer:pw").decode()


async def health(_: Deployment) -> Health:
    beat = START.isoformat()
    return Health(store=True, scheduler=True, scheduler_heartbeat=beat, triggerer=True, triggerer_heartbeat=beat)


def services_for(world: World, **changes: Any) -> Services:
    """What handlers may use. Accounts, roles and tokens need a store: a test that is about them gives its own."""
    given: dict[str, Any] = {
        "access": PasswordList(PEOPLE, {TOKEN: "admin"}),
        "accounts": None,
        "roles": None,
        "tokens": None,
        "audit": MemoryAuditor(),
        "triggers": MemoryTriggers(world),
        "clock": world.clock,
        "secret": b"a secret of the tests",
        "version": "0.0.0",
        "health": health,
    }
    return Services(**(given | changes))


def operator(
    task_id: str, kind: str = "EmptyOperator", module: str = "airflow.operators.empty", **more: Any
) -> TaskSpec:
    return TaskSpec(task_id=task_id, operator=kind, operator_class=kind, operator_module=module, **more)


_BASH: dict[str, Any] = {
    "kind": "BashOperator",
    "module": "airflow.operators.bash",
    "owner": "me",
    "start_date": datetime(2021, 1, 1, tzinfo=UTC),
    "template_fields": ("bash_command", "env", "cwd"),
    "ui_color": "#f0ede4",
    "params": {"x": ParamSpec(value=3)},
}
HELLO = DagSpec(
    dag_id="hello",
    description="desc",
    doc_md="# hi",
    fileloc=FILELOC,
    tags=("t1", "t2"),
    owners=("me",),
    schedule=ScheduleSpec(
        summary="0 0 * * *",
        description="At 00:00",
        periodic=True,
        can_be_scheduled=True,
        interval={"__type": "CronExpression", "value": "@daily"},
    ),
    start_date=datetime(2021, 1, 1, tzinfo=UTC),
    params={"x": ParamSpec(value=3)},
    tasks=(operator("a", downstream=("b",), **_BASH), operator("b", upstream=("a",), **_BASH)),
)
NOSCHED = DagSpec(
    dag_id="nosched",
    fileloc=FILELOC,
    schedule=ScheduleSpec(description="Never, external triggers only"),
    params={"n": ParamSpec(value=1, schema={"type": "integer", "minimum": 0})},
    tasks=(
        operator("x"),
        operator("px", "PythonOperator", "airflow.operators.python"),
        operator("m", "BashOperator", "airflow.operators.bash", mapped=True),
    ),
)
OTHERS = tuple(
    DagSpec(dag_id=name, fileloc=FILELOC, tasks=(operator("x"),)) for name in ("consumer", "failing", "hourly", "slow")
)


def dag_of(spec: DagSpec, **changes: Any) -> Dag:
    version = DagVersion(id=new_id(), dag_id=spec.dag_id, number=1, created_at=START, spec=spec, digest=spec.dag_id)
    known = Dag(
        dag_id=spec.dag_id,
        version=version,
        file=FILE,
        is_paused=True,
        is_active=True,
        has_import_errors=False,
        last_parsed_at=START,
    )
    return replace(known, **changes)


def run_of(dag_id: str, run_id: str, **changes: Any) -> DagRun:
    date = changes.pop("logical_date", datetime(2026, 11, 20, tzinfo=UTC))
    run = DagRun(
        id=new_id(),
        dag_id=dag_id,
        run_id=run_id,
        state=RunState.SUCCESS,
        run_type=RunType.MANUAL,
        triggered_by=TriggeredBy.REST_API,
        run_after=date,
        queued_at=START,
        logical_date=date,
        data_interval_start=date,
        data_interval_end=date,
    )
    return replace(run, **changes)


def instance_of(run: DagRun, task_id: str, state: TaskState | None = None, **changes: Any) -> TaskInstance:
    known = TaskInstance(
        id=new_id(),
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=task_id,
        state=state,
        try_number=1,
        operator="EmptyOperator",
        unixname="root",
    )
    return replace(known, **changes)


def recorded_world() -> World:
    """The world as it was before the first recorded exchange."""
    world = World(SteppingClock())
    day = datetime(2026, 11, 20, tzinfo=UTC)
    due = NextRun(day + timedelta(days=1), day, day, day + timedelta(days=1))
    for spec in (HELLO, NOSCHED, *OTHERS):
        world.dags[spec.dag_id] = dag_of(spec, next_run=due if spec is HELLO else None)
    world.sources[FILE] = "from __future__ import annotations\n"
    done: dict[str, Any] = {"start_date": START, "end_date": START, "last_scheduling_decision": START}
    scheduled = run_of(
        "hello", "scheduled__2026-11-20T00:00:00+00:00", run_type=RunType.SCHEDULED, logical_date=day, **done
    )
    world.put_run(replace(scheduled, data_interval_end=day + timedelta(days=1)))
    asset = run_of(
        "consumer",
        "dataset_triggered__2026-11-21T00:21:48.839075+00:00",
        run_type=RunType.ASSET_TRIGGERED,
        logical_date=START,
        **done,
    )
    world.put_run(asset)
    world.put_instance(instance_of(asset, "x", TaskState.SUCCESS, start_date=START, end_date=START))
    return world


def schedule(world: World) -> None:
    """What the scheduler of the recording did to the triggered runs in the end."""
    now = world.clock()
    failed = world.runs["failing", "f1"]
    world.runs["failing", "f1"] = replace(failed, state=RunState.FAILED, start_date=now, end_date=now)
    world.put_instance(instance_of(failed, "x", TaskState.FAILED, start_date=now, end_date=now))
    world.put_instance(instance_of(world.runs["slow", "s1"], "x", TaskState.QUEUED))
    for key, run in sorted(world.runs.items(), key=lambda item: item[0][1] == "r1"):
        now = world.clock()
        if run.dag_id == "nosched":
            world.runs[key] = replace(run, state=RunState.RUNNING, start_date=now, last_scheduling_decision=now)
            world.put_instance(instance_of(run, "x", TaskState.SUCCESS, start_date=now, end_date=now))
            queued: dict[str, Any] = {"state": TaskState.QUEUED, "queued_at": now}
            world.put_instance(instance_of(run, "px", operator="PythonOperator", **queued))
            for index in (0, 1):
                world.put_instance(instance_of(run, "m", operator="BashOperator", map_index=index, **queued))
