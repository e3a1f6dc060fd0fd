"""The DAGs and runs that the recorded exchanges with the batch plugin began with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from airgate.deployments.ports import Deployment
from airgate.http.operations import Services
from airgate.http.server import build_app
from airgate.model.dag import DagSpec, ScheduleSpec
from airgate.model.states import RunState
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import FILE, FILELOC, SteppingClock, dag_of, run_of

BASE = "/batch/api/v1"
BEGUN = datetime(2026, 11, 21, 0, 10, 27, tzinfo=UTC)
HELLO_RAN = datetime(2026, 11, 21, 0, 10, 28, 370666, tzinfo=UTC)
SCHEDULES: dict[str, dict[str, Any] | None] = {
    "hello": {"__type": "CronExpression", "value": "@daily"},
    "nosched": None,
    "hourly": {"__type": "CronExpression", "value": "0 * * * *"},
    "once": {"__type": "CronExpression", "value": "@once"},
}


def batch_world(schedules: dict[str, dict[str, Any] | None] | None = None) -> World:
    """The world as it was before the first recorded exchange."""
    world = World(SteppingClock())
    for dag_id, interval in (schedules or SCHEDULES).items():
        spec = DagSpec(dag_id=dag_id, fileloc=FILELOC, schedule=ScheduleSpec(interval=interval))
        world.dags[dag_id] = dag_of(spec, is_paused=False)
    world.sources[FILE] = "from __future__ import annotations\n"
    for hour in range(4):
        date = datetime(2021, 2, 1, hour, tzinfo=UTC)
        begun: dict[str, Any] = {"state": RunState.RUNNING, "start_date": BEGUN, "logical_date": date}
        world.put_run(run_of("hourly", f"pp__2021-02-01T0{hour}:00:00", **begun))
    world.put_run(run_of("hello", "manual_1795219828_2026-11-21T00:10:28.370666", logical_date=HELLO_RAN))
    return world


@asynccontextmanager
async def client_of(deployment: Deployment, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server in this process."""
    app = build_app(deployments={"local": deployment}, default="local", services=services)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airgate") as client:
        yield client
