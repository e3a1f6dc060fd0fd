"""The native dialect under requests made up from its own document: no 5xx, and no answer outside its schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from airgate.http.native import openapi
from airgate.http.native.dialect import OPERATIONS, PREFIX
from airgate.model.identity import Role
from airgate.model.job import ExecutionStatus
from airgate.model.trigger import TriggerFilter, TriggerRequest
from airgate.model.webhook import BlockWindow, Delivery, DeliveryState, Hook, HookScheme, Webhook
from airgate.model.workspace import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID
from airgate.orchestration.jobs import Report
from airgate.store import deliveries
from tests.support.fuzzing import Document, Known, Server, serving
from tests.support.memory_deployment import new_id
from tests.support.native_world import ADMIN, AT_LOCAL, LOCAL, NativeWorld, native_world
from tests.support.stable_v1_world import recorded_world
from tests.support.stored_world import stored

DOCUMENT = Document(openapi.document(OPERATIONS, prefix=PREFIX, version="0.0.0"), PREFIX)


ENDLESS = "/events"
"""Answers as long as a run takes, and no run of this world ever ends: only made-up triggers are asked for."""
NO_WAITING = {"wait": 0, "timeout": 0}
FIELDS = {
    "dag_id": "nosched",
    "conf": {},
    "deployment": LOCAL,
    "workspace": None,
    "role": "editor",
    "roles": ["Viewer"],
    "scope": {"kind": "everything"},
    "expires_at": None,
    "networks": [],
    "limits": {},
    "dags": None,
    "email": "",
    "category": "",
    "header": None,
    "time_zone": "Europe/Lisbon",
    "coalesce": None,
    "gather": None,
    "absence": None,
    "watch": None,
    "any_of": [],
    "target": {"kind": "http"},
    "url": "https://example.com/${{erathos.table_name}}",
    "rules": [{"variable_name": "STATUS", "operation": "EQUAL", "value": "FINISHED"}],
    "timeout": 15,
    "max_concurrency": 8,
    "max_per_second": None,
    "send": False,
    "private_targets": [],
    "secret": None,
}
"""Without these, made-up bodies would hardly ever name anything there is."""


async def furnish(world: NativeWorld) -> dict[str, str]:
    """One of everything that a workspace holds; by the names of path parameters."""
    rooms, home, now = world.orchestration, DEFAULT_WORKSPACE_ID, world.clock()
    made: dict[str, Any] = {"id": home, "workspace_id": home, "created_at": now, "updated_at": now}
    await rooms.workspaces.create_variable(home, "host", "example.com")
    await rooms.secrets.create(home, "token", "a secret value")
    job = await rooms.jobs.register(home, "load")
    webhook = Webhook(description="w", is_active=True, url="https://example.com/", jobs=(job.id,), **made)
    webhook = await rooms.webhooks.create(home, webhook, "ada")
    key, _ = await rooms.webhooks.rotate_key(home, webhook.id, "v1")
    report = Report(status=ExecutionStatus.FINISHED, triggered_by="ada")
    execution = await rooms.jobs.report(home, job.id, report, "ada")
    delivery = Delivery(
        id=new_id(), webhook_id=webhook.id, workspace_id=home, execution=execution.id, cause="made up",
        state=DeliveryState.DEAD, created_at=now, next_attempt_at=None,
    )  # fmt: skip
    await world.database.write(deliveries.enqueue, [delivery])
    hook = Hook(name="in", scheme=HookScheme.TOKEN, deployment=LOCAL, dag_id="nosched", **made)
    hook, _ = await rooms.hooks.create(home, hook, None, "ada")
    window = BlockWindow(name="night", weekdays=(1,), start=time(1), end=time(2), **made)
    window = await rooms.blocks.create(home, window)
    kept: dict[str, Any] = {"job": job, "webhook": webhook, "signing_key": key, "hook": hook, "block_window": window}
    kept |= {"delivery": delivery, "execution": execution}
    return {"variable": "host", "secret": "token"} | {f"{name}_id": str(one.id) for name, one in kept.items()}


class Fuzzed:
    """The server, and what there is in it."""

    def __init__(self) -> None:
        self.known = Known()
        self.with_trigger = Known()
        self.server: Server

    @asynccontextmanager
    async def app(self, folder: Path) -> AsyncIterator[ASGIApp]:
        async with stored(recorded_world(), folder) as kept:
            world = await native_world(kept.database, kept.deployment)
            person, _ = await world.person("ada", Role.OP)
            machine, _ = await world.machine("robot", "editor", AT_LOCAL)
            keys = await world.access.accounts.keys(world.root, machine.id)
            await world.access.roles.create(world.root, "Own", frozenset())
            await kept.triggers.accept(kept.deployment, TriggerRequest(dag_id="nosched", conf={"n": 5}))
            trigger = (await kept.triggers.list(LOCAL, TriggerFilter(), 1))[0].trigger
            ids = {"user_id": str(person.id), "service_account_id": str(machine.id), "key_id": str(keys[0].id)}
            here = {"deployment": LOCAL, "workspace": DEFAULT_WORKSPACE}
            known = {**here, "role": "Own", "identity_id": str(machine.id), **ids}
            kept_here = await furnish(world)
            fields = {**FIELDS, "jobs": [kept_here["job_id"]]}
            self.known = Known(paths=({**known, **kept_here}, here), query=NO_WAITING, fields=fields)
            self.with_trigger = Known(paths=({**here, "trigger_id": str(trigger.id)},), query=NO_WAITING)
            yield world.app(triggers=kept.triggers)


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    world = Fuzzed()
    with serving(lambda: world.app(tmp_path), {"authorization": ADMIN}) as world.server:
        yield world


def hold(fuzzed: Fuzzed, label: str, examples: int) -> None:
    one_trigger = "{trigger_id}" in label and not label.endswith(ENDLESS)
    DOCUMENT.fuzz(label, fuzzed.server, examples=examples, known=fuzzed.with_trigger if one_trigger else fuzzed.known)


@pytest.mark.parametrize("label", DOCUMENT.labels)
def test_made_up_requests_are_answered_as_the_document_says(fuzzed: Fuzzed, label: str) -> None:
    hold(fuzzed, label, 30)


@pytest.mark.conformance
@pytest.mark.parametrize("label", DOCUMENT.labels)
def test_many_made_up_requests_are_answered_as_the_document_says(fuzzed: Fuzzed, label: str) -> None:
    hold(fuzzed, label, 400)
