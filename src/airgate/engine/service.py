"""The embedded engine as one thing: built, started, asked, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from airgate.engine.answers import Answers
from airgate.engine.calendar import Calendar
from airgate.engine.control import Control
from airgate.engine.folder import DagFolder
from airgate.engine.gatekeeper import Gatekeeper
from airgate.engine.held import why_held
from airgate.engine.planning import Planner
from airgate.engine.ports import FileVersion, TaskMessageError
from airgate.engine.processes.tree import ProcessTree, TreeConfig
from airgate.engine.recovery import all_pools, recover
from airgate.engine.registry import Registry
from airgate.engine.scheduler import Scheduler, Surroundings
from airgate.engine.timetables import AskedTimetables
from airgate.engine.why import Reason
from airgate.model.dag import Dag
from airgate.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from airgate.model.run import DagRun, TaskInstance
from airgate.model.states import RunType, TriggeredBy
from airgate.model.trigger import TriggerRequest
from airgate.store import dags, runs
from airgate.store.database import Database

log = structlog.get_logger(__name__)

TRIM_SECONDS = 30.0
RETRY_SECONDS = 1.0


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is built from. `data` is its own folder; times are seconds."""

    dags: Path
    data: Path
    python: str
    isolation: str = "fork"
    reuse_limit: int = 100
    parallelism: int = 32
    spares: int = 1
    warm_files: int = 10
    nice: int = 0
    import_timeout: float = 30.0
    kill_grace: float = 5.0
    dags_paused_at_creation: bool = False

    @property
    def logs(self) -> Path:
        """Where task logs go."""
        return self.data / "logs"


class Engine:
    """Runs DAG files. Everything it knows is in the store; what it holds in memory can be read from there again."""

    def __init__(
        self,
        database: Database,
        config: EngineConfig,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self.config = config
        self._database = database
        self._clock = clock
        answers = Answers(database, clock=clock)
        self._tree = ProcessTree(_tree_config(config), self, answers.answer_file)
        self._registry = registry = Registry()
        self.scheduler = Scheduler(
            database,
            self._tree,
            registry,
            answers,
            Surroundings(
                clock=clock,
                new_id=new_id,
                logs=config.logs,
                parallelism=config.parallelism,
                kill_grace=config.kill_grace,
            ),
        )
        timetables = AskedTimetables(self._tree, registry.version_of)
        self._planner = Planner(registry.dag, timetables, clock=clock, new_id=new_id)
        self.control = Control(database, self.scheduler, registry, clock=clock, new_id=new_id)
        self.gatekeeper = Gatekeeper(self.scheduler, self.control, clock=clock)
        self._calendar = Calendar(database, timetables, self.scheduler, registry, clock=clock, new_id=new_id)
        self.folder = DagFolder(
            config.dags,
            self._tree,
            database,
            self,
            clock=clock,
            new_id=new_id,
            paused_at_creation=config.dags_paused_at_creation,
        )
        self.scheduler.desk.trigger = self._trigger_from_task
        self.scheduler.hooks.place_free = self._calendar.consider
        self.scheduler.hooks.pause_dag = self._pause_one
        self._new_id = new_id
        self._tasks: list[asyncio.Task[None]] = []
        self._reading_pools = asyncio.Lock()

    @property
    def failure(self) -> str | None:
        """Why no DAG code can be run at all, in plain words; None while it can."""
        return self._tree.failure

    async def load(self) -> None:
        """Learn which DAGs there are, so that they can be triggered. Call it once, before anybody asks for anything."""
        for dag in await self._database.read(dags.all_active):
            self.scheduler.dag_changed(dag)

    async def start(self) -> None:
        """Begin: returns at once, the work goes on in the background. Triggers may be accepted before and after."""
        self._tasks.append(asyncio.create_task(self._run(), name="engine"))
        self._tasks.append(asyncio.create_task(self._trim(), name="trim"))

    async def stop(self) -> None:
        """End running tries, record them, and leave no process behind."""
        self._calendar.stop()
        self.gatekeeper.stop()
        self.folder.stop()
        await self.scheduler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tree.stop()

    async def _run(self) -> None:
        await self._tree.start()
        await self._insist(self._recover)
        await self._insist(self.folder.run)

    async def _recover(self) -> None:
        await recover(self._database, self.scheduler, self._registry, clock=self._clock)
        self.gatekeeper.changed()

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what the engine cannot do without, however often it fails."""
        while True:
            try:
                return await work()
            except Unavailable as error:
                log.warning("The engine waits for the database", reason=error.detail)
            except Exception:
                log.exception("The engine made a mistake, and tries again")
            await asyncio.sleep(RETRY_SECONDS)

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            self._tree.trim(self.folder.pinned)

    # --- runs ------------------------------------------------------------------------------------

    async def plan(self, request: TriggerRequest) -> DagRun:
        """Draft a run (see `airgate.deployments.ports.Starter`)."""
        return await self._planner.plan(request)

    def started(self, run: DagRun) -> None:
        """A run was accepted and is in the store."""
        self.scheduler.accepted(run)

    async def _trigger_from_task(self, instance: TaskInstance, body: dict[str, Any]) -> dict[str, Any] | None:
        request = TriggerRequest(
            dag_id=body["dag_id"],
            run_id=body["run_id"],
            logical_date=body.get("logical_date"),
            has_logical_date=True,
            run_after=body.get("run_after"),
            conf=body.get("conf") or {},
            note=body.get("note"),
            run_type=RunType.OPERATOR_TRIGGERED,
            triggered_by=TriggeredBy.OPERATOR,
            partition_key=body.get("partition_key"),
        )
        try:
            stored = await self._insert_run(request)
        except Conflict:
            if body.get("reset_dag_run"):
                await self.control.clear_run(body["dag_id"], body["run_id"])
                return {"type": "OKResponse", "ok": True}
            detail = {"dag_id": body["dag_id"], "run_id": body["run_id"]}
            return {"type": "ErrorResponse", "error": "DAGRUN_ALREADY_EXISTS", "detail": detail}
        except (NotFound, InvalidInput) as error:
            raise TaskMessageError("API_SERVER_ERROR", {"status_code": 400, "message": error.detail}) from error
        self.started(stored)
        return {"type": "OKResponse", "ok": True}

    async def _insert_run(self, request: TriggerRequest) -> DagRun:
        """Plan and store a run, however long the database, or the DAG's timetable, takes to be there."""
        while True:
            try:
                return await self._database.write(runs.insert, await self._planner.plan(request))
            except Unavailable as error:
                log.warning("A run that a task triggers waits", dag_id=request.dag_id, reason=error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def why(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> tuple[Reason, ...]:
        """Why a task instance that could yet be started is not. Raises NotFound."""
        return await self._database.read(
            why_held, dag_id, run_id, task_id, map_index, now=self._clock(), parallelism=self.config.parallelism
        )

    # --- DAGs ------------------------------------------------------------------------------------

    def slot_free(self, file_key: str) -> None:
        """See `airgate.engine.ports.SlotListener`."""
        self.scheduler.slot_free(file_key)

    def dags_changed(self, version: FileVersion, dags: tuple[Dag, ...]) -> None:
        """See `airgate.engine.folder.FolderListener`."""
        self.scheduler.file_imported(version, dags)
        for dag in dags:
            self._calendar.consider(dag.dag_id)

    def dags_broken(self, file: str) -> None:
        """See `airgate.engine.folder.FolderListener`."""
        self._registry.broken(file)

    def dags_gone(self, dag_ids: tuple[str, ...]) -> None:
        """See `airgate.engine.folder.FolderListener`."""
        self._registry.drop(dag_ids)
        for dag_id in dag_ids:
            self._calendar.forget(dag_id)

    async def delete_dag(self, dag_id: str) -> None:
        """Forget a DAG and its history; where its file is still there, it comes back without, as in Airflow.

        Raises:
            NotFound: there is no such DAG.
            Conflict: tries of it run.
        """
        dag = self._registry.dag(dag_id)
        await self.control.delete_dag(dag_id)
        self._calendar.forget(dag_id)
        if dag is not None:
            self.folder.read_again(dag.file)

    async def pause(self, dag_ids: tuple[str, ...], *, paused: bool) -> None:
        """Pause or unpause DAGs, and with them their schedules."""
        await self.control.pause(dag_ids, paused=paused)
        for dag_id in dag_ids:
            self._calendar.consider(dag_id)

    async def _pause_one(self, dag_id: str) -> None:
        """Pause one DAG."""
        await self.pause((dag_id,), paused=True)

    async def pools_changed(self) -> None:
        """Pools were edited in the store."""
        async with self._reading_pools:  # what was read last is what counts last
            self.scheduler.pools_changed(await self._database.read(all_pools))


def _tree_config(config: EngineConfig) -> TreeConfig:
    return TreeConfig(
        python=config.python,
        dags=config.dags,
        home=config.data / "airflow-home",
        lock=config.data / "engine.lock",
        nice=config.nice,
        import_timeout=config.import_timeout,
        warm_files=config.warm_files,
        spares=config.spares,
        reuse_limit=config.reuse_limit if config.isolation == "reuse" else 1,
    )
