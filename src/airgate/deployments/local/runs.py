"""DAG runs of the embedded engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from airgate.deployments.local.following import Following
from airgate.deployments.ports import ClearResult
from airgate.engine.clearing import to_clear
from airgate.engine.service import Engine
from airgate.model.query import Listing, Order, Page, RunFilter, RunSearch
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import run_search, runs, tasks
from airgate.store.database import Database
from airgate.store.run_index import RunIndex, is_short


class LocalRuns:
    """Implements `airgate.deployments.ports.Runs`."""

    def __init__(self, database: Database, engine: Engine, index: RunIndex) -> None:
        self._database = database
        self._engine = engine
        self._index = index
        self._following = Following(database, engine.scheduler.watch)

    async def list(self, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
        """See the port."""
        if is_short(which, order, page):
            return await self._database.read(runs.list_runs, which, order, page)
        while not self._index.prepared(order.field) and await self._database.read_apart(
            self._index.prepare, order.field
        ):
            pass
        return await self._database.read_apart(self._index.list_runs, which, order, page)

    async def get(self, dag_id: str, run_id: str) -> DagRun:
        """See the port."""
        return await self._database.read(runs.get, dag_id, run_id)

    async def search(self, which: RunSearch, limit: int) -> tuple[DagRun, ...]:
        """See the port."""
        return await self._database.read(run_search.search, which, limit)

    async def holding(
        self, dag_id: str, run_ids: Sequence[str], logical_dates: Sequence[datetime]
    ) -> tuple[DagRun, ...]:
        """See the port."""
        return await self._database.read(run_search.holding, dag_id, run_ids, logical_dates)

    async def newest_dates(self) -> Mapping[str, datetime]:
        """See the port."""
        return await self._database.read(run_search.newest_dates)

    async def latest(self) -> tuple[DagRun, ...]:
        """See the port."""
        return await self._database.read(run_search.latest)

    async def set_state(self, dag_id: str, run_id: str, state: RunState) -> DagRun:
        """See the port."""
        return await self._engine.control.set_run_state(dag_id, run_id, state)

    async def set_note(self, dag_id: str, run_id: str, note: str | None, user: str) -> DagRun:
        """See the port."""
        return await self._engine.control.set_run_note(dag_id, run_id, note)

    async def delete(self, dag_id: str, run_id: str) -> None:
        """See the port."""
        await self._database.read(runs.get, dag_id, run_id)
        await self._engine.control.delete_run(dag_id, run_id)

    async def clear(self, dag_id: str, run_id: str, *, dry_run: bool, only_failed: bool = False) -> ClearResult:
        """See the port."""
        run = await self._database.read(runs.get, dag_id, run_id)
        if dry_run:
            instances = await self._database.read(tasks.of_run, dag_id, run_id)
            return ClearResult(to_clear(instances, None, only_failed=only_failed), run)
        touched = await self._engine.control.clear_run(dag_id, run_id, only_failed=only_failed)
        return ClearResult(touched, await self.get(dag_id, run_id))

    def follow(self, dag_id: str, run_id: str) -> AsyncGenerator[DagRun, None]:
        """See the port."""
        return self._following.follow(dag_id, run_id)
