"""Stable v1 under requests made up from its own document: no 5xx, and no answer outside its schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from starlette.types import ASGIApp

from airgate.access.ports import NewPerson
from airgate.http.stable_v1.dialect import OPERATIONS
from airgate.http.stable_v1.files import file_signer
from airgate.http.stable_v1.openapi import document
from airgate.model.trigger import TriggerRequest
from tests.support.fuzzing import Document, Known, Server, serving
from tests.support.native_world import ADMIN, native_world
from tests.support.stable_v1_world import FILE, recorded_world
from tests.support.stored_world import stored

PREFIX: Final = "/api/v1"
DOCUMENT: Final = Document(document(OPERATIONS, server=PREFIX, version="0.0.0"), PREFIX)
SECRET: Final = b"a secret of the tests"
FIELDS: Final = {"conf": {}, "roles": [{"name": "Viewer"}], "actions": [], "slots": 3, "state": "queued"}
"""Without these, made-up bodies would hardly ever name anything there is."""
PLACE: Final = {
    "dag_id": "consumer",
    "dag_run_id": "dataset_triggered__2026-11-21T00:21:48.839075+00:00",
    "task_id": "x",
    "map_index": "0",
    "task_try_number": "1",
    "xcom_key": "k",
    "uri": "s3%3A%2F%2Fb%2Fk",
    "pool_name": "default_pool",
    "username": "ann",
    "role_name": "Own",
    "file_token": file_signer(SECRET).sign(FILE),
    "section": "core",
    "option": "parallelism",
}


class Fuzzed:
    """The server, with what is known to be in it."""

    known = Known(paths=(PLACE, {"dag_id": "nosched"}), fields=FIELDS)

    def __init__(self) -> None:
        self.server: Server

    @asynccontextmanager
    async def app(self, folder: Path) -> AsyncIterator[ASGIApp]:
        async with stored(recorded_world(), folder) as kept:
            world = await native_world(kept.database, kept.deployment)
            await world.access.accounts.create_person(world.root, NewPerson(name="ann", roles=("Viewer",)))
            await world.access.roles.create(world.root, "Own", frozenset())
            await kept.triggers.accept(kept.deployment, TriggerRequest(dag_id="nosched", conf={"n": 5}))
            yield world.app(triggers=kept.triggers, secret=SECRET)


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    world = Fuzzed()
    with serving(lambda: world.app(tmp_path), {"authorization": ADMIN}) as world.server:
        yield world


@pytest.mark.parametrize("label", DOCUMENT.labels)
def test_made_up_requests_are_answered_as_the_document_says(fuzzed: Fuzzed, label: str) -> None:
    DOCUMENT.fuzz(label, fuzzed.server, examples=25, known=fuzzed.known)


@pytest.mark.conformance
@pytest.mark.parametrize("label", DOCUMENT.labels)
def test_many_made_up_requests_are_answered_as_the_document_says(fuzzed: Fuzzed, label: str) -> None:
    DOCUMENT.fuzz(label, fuzzed.server, examples=300, known=fuzzed.known)
