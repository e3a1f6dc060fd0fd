"""The port behind the door: what every deployment can do, in Airflow 3.3's nouns.

A `Deployment` is a bundle of small ports, one per noun, so that a remote Airflow of an old version may lack one
without lying about it. Every method may raise `airgate.model.errors.Unavailable`; reads of one thing raise `NotFound`.
Handlers of dialects call these and nothing below them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from airgate.model.admin import Connection, Pool, PoolUsage, Variable
from airgate.model.dag import Dag, DagVersion, ImportFailure
from airgate.model.query import DagFilter, Listing, Order, Page, RunFilter, RunSearch, TaskFilter
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.model.states import RunState, TaskState
from airgate.model.trigger import TriggerRequest


class Dags(Protocol):
    """DAGs of a deployment."""

    async def list(self, which: DagFilter, order: Order, page: Page) -> Listing[Dag]:
        """One page of the DAGs."""

    async def ids(self) -> tuple[str, ...]:
        """The id of every DAG, sorted, whether or not its file is still there. Costs far less than a list."""

    async def get(self, dag_id: str) -> Dag:
        """One DAG, whether or not its file is still there."""

    async def versions(self, dag_id: str) -> tuple[DagVersion, ...]:
        """Every structure a DAG has had, oldest first."""

    async def pause(self, dag_ids: Sequence[str], *, paused: bool) -> None:
        """Pause or unpause; running runs go on, queued ones of a paused DAG wait."""

    async def delete(self, dag_id: str) -> None:
        """Forget a DAG and its history. Raises Conflict while task instances of it run."""

    async def source(self, file: str) -> str:
        """The text of a DAG file, by its path relative to the DAG folder."""

    async def parse(self, file: str) -> None:
        """Have a DAG file imported again soon, even if it has not changed. Nothing happens if it is not there."""

    async def import_failures(self, order: Order, page: Page) -> Listing[ImportFailure]:
        """One page of the files that cannot be imported."""

    async def import_failure(self, failure_id: int) -> ImportFailure:
        """One of them."""


class Runs(Protocol):
    """DAG runs. Making one is `airgate.triggers`' work, never this port's."""

    async def list(self, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
        """One page of the runs."""

    async def get(self, dag_id: str, run_id: str) -> DagRun:
        """One run."""

    async def search(self, which: RunSearch, limit: int) -> tuple[DagRun, ...]:
        """The first runs that match by execution date, then `seq`; nothing is counted."""

    async def holding(
        self, dag_id: str, run_ids: Sequence[str], logical_dates: Sequence[datetime]
    ) -> tuple[DagRun, ...]:
        """The runs of a DAG that have one of these ids or one of these logical dates, in any order."""

    async def newest_dates(self) -> Mapping[str, datetime]:
        """The latest execution date of each DAG that has runs."""

    async def latest(self) -> tuple[DagRun, ...]:
        """Of each DAG that has runs the one with the latest execution date, by DAG id; of several the one made last."""

    async def set_state(self, dag_id: str, run_id: str, state: RunState) -> DagRun:
        """Airflow's manual marking: success and failed end the run and its tasks; queued clears and reruns it."""

    async def set_note(self, dag_id: str, run_id: str, note: str | None, user: str) -> DagRun:
        """Write the run's note, as `user`."""

    async def delete(self, dag_id: str, run_id: str) -> None:
        """Delete a run and all that is known of it."""

    async def clear(self, dag_id: str, run_id: str, *, dry_run: bool, only_failed: bool = False) -> ClearResult:
        """Run all of a run again, or what failed of it."""

    def follow(self, dag_id: str, run_id: str) -> AsyncGenerator[DagRun, None]:
        """The run as it is now, then again after each change of its state, until it has ended. To be closed.

        No change of state is missed that lasts; several in quick succession may be seen as the last of them.

        Raises:
            NotFound: there is no such run, or it was deleted meanwhile.
            Unavailable: it cannot be followed any longer, the server being about to stop (code ``stopping``) or for
                another reason; what is known of it then may be asked for as ever.
        """


class ClearResult(msgspec.Struct, frozen=True):
    """Which task instances clearing touches (or would), and the run as it is afterwards."""

    instances: tuple[TaskInstance, ...]
    run: DagRun | None = None


class ClearRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Airflow's clearing of task instances across runs of one DAG."""

    task_ids: tuple[str, ...] | None = None
    run_id: str | None = None
    which: TaskFilter = TaskFilter()
    only_failed: bool = True
    only_running: bool = False
    include_upstream: bool = False
    include_downstream: bool = False
    include_future: bool = False
    include_past: bool = False
    reset_dag_runs: bool = True
    dry_run: bool = True


class SetStateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Airflow's manual marking of task instances."""

    task_id: str
    run_id: str
    map_indexes: tuple[int, ...] | None = None
    state: TaskState
    include_upstream: bool = False
    include_downstream: bool = False
    include_future: bool = False
    include_past: bool = False
    dry_run: bool = True


class Blocker(msgspec.Struct, frozen=True):
    """What keeps a task instance from starting: Airflow's name for this kind of reason, and a sentence."""

    name: str
    reason: str


class Tasks(Protocol):
    """Task instances and their tries."""

    async def list(self, which: TaskFilter, order: Order, page: Page) -> Listing[TaskInstance]:
        """One page of the task instances."""

    async def get(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
        """One task instance."""

    async def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
        """Every try, oldest first, the present one last; each with the state it ended in."""

    async def blockers(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[Blocker, ...]:
        """Why an instance that could yet be started is not, by name; nothing where it is past that."""

    async def clear(self, dag_id: str, request: ClearRequest) -> ClearResult:
        """Clear task instances of a DAG."""

    async def set_state(self, dag_id: str, request: SetStateRequest) -> tuple[TaskInstance, ...]:
        """The instances whose state changes (or would)."""

    async def set_note(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, note: str | None, user: str
    ) -> TaskInstance:
        """Write the task instance's note, as `user`."""

    def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """The try's log from byte `offset`, as JSON lines in chunks; ends at what is written so far."""


class XComs(Protocol):
    """XComs."""

    async def list(
        self,
        dag_ids: Sequence[str] | None,
        run_id: str | None,
        task_id: str | None,
        map_index: int | None,
        key: str | None,
        page: Page,
    ) -> Listing[XCom]:
        """One page of the XComs; None means any."""

    async def get(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> XCom:
        """One XCom."""


class Pools(Protocol):
    """Pools. Creating one that exists raises Conflict."""

    async def list(self, order: Order, page: Page) -> Listing[tuple[Pool, PoolUsage]]:
        """One page of the pools, with what is used of each."""

    async def get(self, name: str) -> tuple[Pool, PoolUsage]:
        """One pool."""

    async def create(self, pool: Pool) -> Pool:
        """Make a pool."""

    async def update(self, name: str, pool: Pool) -> Pool:
        """Change (and perhaps rename) a pool."""

    async def delete(self, name: str) -> None:
        """Delete a pool; `default_pool` stays (InvalidInput)."""


class Variables(Protocol):
    """Variables. `put` is an upsert, as in Airflow."""

    async def list(self, order: Order, page: Page) -> Listing[Variable]:
        """One page of the variables."""

    async def get(self, key: str) -> Variable:
        """One variable."""

    async def put(self, variable: Variable) -> Variable:
        """Make or change a variable."""

    async def delete(self, key: str) -> None:
        """Delete a variable."""


class Connections(Protocol):
    """Connections. Creating one that exists raises Conflict."""

    async def list(self, order: Order, page: Page) -> Listing[Connection]:
        """One page of the connections."""

    async def get(self, connection_id: str) -> Connection:
        """One connection."""

    async def create(self, connection: Connection) -> Connection:
        """Make a connection."""

    async def update(self, connection_id: str, connection: Connection) -> Connection:
        """Change a connection."""

    async def delete(self, connection_id: str) -> None:
        """Delete a connection."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a deployment works, part by part, with ISO heartbeats. None: it has no such part."""

    store: bool
    scheduler: bool
    scheduler_heartbeat: str | None = None
    dag_processor: bool | None = None
    dag_processor_heartbeat: str | None = None
    triggerer: bool | None = None
    triggerer_heartbeat: str | None = None


class Starter(Protocol):
    """What triggers need of a deployment. Accepting one is `airgate.triggers`' work; this makes and starts the run."""

    async def plan(self, request: TriggerRequest) -> DagRun:
        """Draft the run that the request asks for: id, dates and data interval chosen where it leaves them open.

        Nothing is stored. Asked again with the same request, dates and ids that the server chooses are new ones.

        Raises:
            NotFound: there is no such DAG (code ``dag_not_found``).
            InvalidInput: the DAG cannot be triggered, or not like this (bad run id, conf that fails its schema, …).
        """

    def started(self, run: DagRun) -> None:
        """The run is in the store: go. Called once per created run, in the event loop; must neither block nor raise."""


class Deployment(msgspec.Struct, frozen=True):
    """A place where DAGs run, as the bundle of its ports. `name` is its id too; it is part of paths."""

    name: str
    dags: Dags
    runs: Runs
    tasks: Tasks
    xcoms: XComs
    pools: Pools
    variables: Variables
    connections: Connections
    starter: Starter
    workspace: str = "default"
    kind: str = "embedded"
