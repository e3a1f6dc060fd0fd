"""Puts the embedded engine behind the door."""

from __future__ import annotations

from collections.abc import Sequence

from airgate.deployments.local.admin import LocalConnections, LocalPools, LocalVariables
from airgate.deployments.local.runs import LocalRuns
from airgate.deployments.local.tasks import LocalTasks, LocalXComs
from airgate.deployments.ports import Deployment
from airgate.engine.active import LOCAL
from airgate.engine.service import Engine
from airgate.model.dag import Dag, DagVersion, ImportFailure
from airgate.model.errors import NotFound
from airgate.model.query import DagFilter, Listing, Order, Page
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.store import dags
from airgate.store.database import Database
from airgate.store.run_index import RunIndex


def local_deployment(database: Database, engine: Engine, index: RunIndex | None = None) -> Deployment:
    """The deployment named ``local``."""
    return Deployment(
        name=LOCAL,
        dags=LocalDags(database, engine),
        runs=LocalRuns(database, engine, index or RunIndex()),
        tasks=LocalTasks(database, engine),
        xcoms=LocalXComs(database),
        pools=LocalPools(database, engine),
        variables=LocalVariables(database),
        connections=LocalConnections(database),
        starter=LocalStarter(engine),
    )


class LocalStarter:
    """Implements `airgate.deployments.ports.Starter`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def plan(self, request: TriggerRequest) -> DagRun:
        """See the port."""
        return await self._engine.plan(request)

    def started(self, run: DagRun) -> None:
        """See the port."""
        self._engine.started(run)


class LocalDags:
    """Implements `airgate.deployments.ports.Dags`."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def list(self, which: DagFilter, order: Order, page: Page) -> Listing[Dag]:
        """See the port."""
        return await self._database.read(dags.list_dags, which, order, page)

    async def ids(self) -> tuple[str, ...]:
        """See the port."""
        return await self._database.read(dags.ids)

    async def get(self, dag_id: str) -> Dag:
        """See the port."""
        return await self._database.read(dags.get, dag_id)

    async def versions(self, dag_id: str) -> tuple[DagVersion, ...]:
        """See the port."""
        return await self._database.read(dags.versions, dag_id)

    async def pause(self, dag_ids: Sequence[str], *, paused: bool) -> None:
        """See the port."""
        await self._engine.pause(tuple(dag_ids), paused=paused)

    async def delete(self, dag_id: str) -> None:
        """See the port."""
        await self._engine.delete_dag(dag_id)

    async def source(self, file: str) -> str:
        """See the port."""
        root = self._engine.config.dags.resolve()
        path = (root / file).resolve()
        # The name comes from outside: it must not lead out of the DAG folder.
        if not path.is_relative_to(root) or not path.is_file():
            raise NotFound(f"There is no DAG file {file}.", code="dag_source_not_found")
        return path.read_text(errors="replace")

    async def parse(self, file: str) -> None:
        """See the port."""
        self._engine.folder.parse(file)

    async def import_failures(self, order: Order, page: Page) -> Listing[ImportFailure]:
        """See the port."""
        return await self._database.read(dags.list_failures, order, page)

    async def import_failure(self, failure_id: int) -> ImportFailure:
        """See the port."""
        return await self._database.read(dags.get_failure, failure_id)
