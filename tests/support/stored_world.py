"""The recorded world in a real store, behind the embedded deployment. Its engine is never started: nothing runs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet

from airgate.deployments.local.deployment import local_deployment
from airgate.deployments.ports import Deployment
from airgate.engine.service import Engine, EngineConfig
from airgate.model.query import Order, Page, RunFilter
from airgate.store import dags, runs, tasks
from airgate.store.database import Database, Tx
from airgate.triggers.accept import Triggers
from tests.support.memory_deployment import World, new_id
from tests.support.stable_v1_world import FILE, START, SteppingClock, schedule

_ALL = Page(10_000)


class Stored(NamedTuple):
    """What a server is built from."""

    deployment: Deployment
    triggers: Triggers
    database: Database


@asynccontextmanager
async def stored(world: World, folder: Path) -> AsyncIterator[Stored]:
    """The world's DAGs, runs and task instances, in an SQLite database of the folder."""
    source = folder / "dags" / FILE
    source.parent.mkdir()
    source.write_text(world.sources[FILE])
    database = await Database.open(f"sqlite:///{folder / 'world.db'}", secret=Fernet.generate_key())
    try:
        config = EngineConfig(dags=source.parent, data=folder / "engine", python=sys.executable)
        engine = Engine(database, config, clock=SteppingClock(), new_id=new_id)
        await database.write(_fill, world)
        for dag in await database.read(dags.all_active):
            engine.scheduler.dag_changed(dag)
        engine.scheduler.roster.open.set()  # nothing was left unfinished: changes by hand need not wait
        await engine.scheduler.stop()  # and what happened to the recorded runs is written down already: none starts
        triggers = Triggers(database, clock=world.clock, new_id=new_id)
        yield Stored(local_deployment(database, engine), triggers, database)
    finally:
        await database.close()


def _fill(tx: Tx, world: World) -> None:
    specs = [dag.spec for dag in world.dags.values()]
    dags.record_file(tx, FILE, specs, now=START, parse_seconds=0.1, paused_at_creation=True, new_id=new_id)
    for dag in world.dags.values():
        dags.set_next_run(tx, dag.dag_id, dag.next_run)
    for run in world.runs.values():
        runs.insert(tx, run)
    tasks.insert(tx, tuple(world.instances.values()))


def schedule_stored(tx: Tx) -> None:
    """What the scheduler of the recording did, done to the store."""
    world = World(SteppingClock())
    for run in runs.list_runs(tx, RunFilter(), Order("seq"), _ALL).items:
        world.runs[run.dag_id, run.run_id] = run
    schedule(world)
    runs.save(tx, tuple(world.runs.values()))
    tasks.insert(tx, tuple(world.instances.values()))
