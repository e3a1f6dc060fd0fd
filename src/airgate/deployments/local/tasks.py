"""Task instances, their logs, and XComs of the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from airgate.deployments.ports import Blocker, ClearRequest, ClearResult, SetStateRequest
from airgate.engine.clearing import marked_with, related, runs_around, to_clear
from airgate.engine.service import Engine
from airgate.engine.snapshot import Graph
from airgate.engine.startup import log_file
from airgate.model.errors import NotFound
from airgate.model.query import Listing, Order, Page, RunFilter, TaskFilter
from airgate.model.run import DagRun, TaskInstance, XCom
from airgate.store import dags, runs, tasks, xcoms
from airgate.store.database import Database, Tx

LOG_CHUNK = 256 * 1024


class LocalTasks:
    """Implements `airgate.deployments.ports.Tasks`."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def list(self, which: TaskFilter, order: Order, page: Page) -> Listing[TaskInstance]:
        """See the port."""
        return await self._database.read(tasks.list_tasks, which, order, page)

    async def get(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
        """See the port."""
        return await self._database.read(tasks.get, dag_id, run_id, task_id, map_index)

    async def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
        """See the port."""
        return await self._database.read(tasks.tries, dag_id, run_id, task_id, map_index)

    async def blockers(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[Blocker, ...]:
        """See the port."""
        found = await self._engine.why(dag_id, run_id, task_id, map_index)
        return tuple(Blocker(reason.name, reason.text) for reason in found)

    async def clear(self, dag_id: str, request: ClearRequest) -> ClearResult:
        """See the port."""
        graph = Graph((await self._database.read(dags.get, dag_id)).spec)
        wanted = request.task_ids
        if wanted is not None and (request.include_upstream or request.include_downstream):
            wanted = tuple(
                related(graph, wanted, upstream=request.include_upstream, downstream=request.include_downstream)
            )
        chosen = await self._runs(dag_id, request)
        if not request.dry_run:
            touched = await self._engine.control.clear(
                [(run.dag_id, run.run_id) for run in chosen],
                wanted,
                only_failed=request.only_failed,
                only_running=request.only_running,
                reset_dag_runs=request.reset_dag_runs,
            )
            return ClearResult(touched)
        instances = await self._database.read(tasks.of_runs, [(run.dag_id, run.run_id) for run in chosen])
        return ClearResult(
            to_clear(instances, wanted, only_failed=request.only_failed, only_running=request.only_running)
        )

    async def _runs(self, dag_id: str, request: ClearRequest) -> tuple[DagRun, ...]:
        if request.run_id is None:
            return await self._engine.control.runs_of(dag_id, RunFilter(execution_date=request.which.execution_date))
        return await self._around(dag_id, request.run_id, future=request.include_future, past=request.include_past)

    async def _around(self, dag_id: str, run_id: str, *, future: bool, past: bool) -> tuple[DagRun, ...]:
        anchor = await self._database.read(runs.get, dag_id, run_id)
        if not (future or past):
            return (anchor,)
        return runs_around(await self._engine.control.runs_of(dag_id, RunFilter()), anchor, future=future, past=past)

    async def set_state(self, dag_id: str, request: SetStateRequest) -> tuple[TaskInstance, ...]:
        """See the port."""
        graph = Graph((await self._database.read(dags.get, dag_id)).spec)
        if request.task_id not in graph.tasks:
            raise NotFound(f"Task ID {request.task_id} not found", code="task_not_found")
        wanted = marked_with(
            graph, request.task_id, upstream=request.include_upstream, downstream=request.include_downstream
        )
        chosen = await self._around(dag_id, request.run_id, future=request.include_future, past=request.include_past)
        keys = [(run.dag_id, run.run_id) for run in chosen]
        if request.dry_run:
            found = await self._database.read(tasks.of_runs, keys)
            return tuple(one for one in found if one.task_id in wanted and one.state is not request.state)
        return await self._engine.control.set_task_state(
            keys, wanted, request.state, anchor=request.task_id, map_indexes=request.map_indexes
        )

    async def set_note(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, note: str | None, user: str
    ) -> TaskInstance:
        """See the port."""
        return await self._engine.control.set_task_note(dag_id, run_id, task_id, map_index, note)

    async def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """See the port."""
        path = self._engine.config.logs / log_file(dag_id, run_id, task_id, map_index, try_number)
        while chunk := await asyncio.to_thread(_read_at, path, offset):
            offset += len(chunk)
            yield chunk


def _read_at(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(LOG_CHUNK)
    except FileNotFoundError:
        return b""


class LocalXComs:
    """Implements `airgate.deployments.ports.XComs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        dag_ids: Sequence[str] | None,
        run_id: str | None,
        task_id: str | None,
        map_index: int | None,
        key: str | None,
        page: Page,
    ) -> Listing[XCom]:
        """See the port."""
        return await self._database.read(
            _listed, dag_ids=dag_ids, run_id=run_id, task_id=task_id, map_index=map_index, key=key, page=page
        )

    async def get(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> XCom:
        """See the port."""
        return await self._database.read(_got, dag_id, run_id, task_id, key, map_index)


def _listed(tx: Tx, /, **given: Any) -> Listing[XCom]:
    found = xcoms.list_xcoms(tx, **given)
    return Listing(_dated(tx, found.items), found.total)


def _got(tx: Tx, /, *key: Any) -> XCom:
    return _dated(tx, [xcoms.get(tx, *key)])[0]


def _dated(tx: Tx, entries: Sequence[XCom]) -> tuple[XCom, ...]:
    """XComs are shown with the date of their run, which is the run's to know."""
    dated = runs.get_many(tx, {(one.dag_id, one.run_id) for one in entries})
    return tuple(
        msgspec.structs.replace(one, logical_date=dated[one.dag_id, one.run_id].execution_date) for one in entries
    )
