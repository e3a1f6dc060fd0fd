"""The native dialect under requests made up from its own document: no 5xx, and no answer outside its schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from airgate.http.native import openapi
from airgate.http.native.dialect import OPERATIONS, PREFIX
from airgate.model.identity import Role
from airgate.model.trigger import TriggerFilter, TriggerRequest
from tests.support.fuzzing import Document, Known, Server, serving
from tests.support.native_world import ADMIN, AT_LOCAL, LOCAL, native_world
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
}
"""Without these, made-up bodies would hardly ever name anything there is."""


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
            here = {"deployment": LOCAL}
            known = {**here, "role": "Own", "identity_id": str(machine.id), **ids}
            self.known = Known(paths=(known, here), query=NO_WAITING, fields=FIELDS)
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
