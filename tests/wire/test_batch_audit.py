"""What the audit log is told of a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from airgate.model.audit import AuditEntry, AuditFilter, Outcome
from airgate.store import audit
from airgate.store.database import Database
from tests.support.batch_world import BASE, batch_world, client_of
from tests.support.stable_v1_world import TOKEN, VIEWER, services_for
from tests.support.stored_world import stored

HOURS = {"dag_id": "hourly", "start_date": "2022-02-01T00:00:00", "end_date": "2022-02-01T03:00:00"}


class Heard:
    """An auditor that remembers what it is told."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    def refused(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def served(tmp_path: Path, heard: Heard) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    world = batch_world()
    async with (
        stored(world, tmp_path) as real,
        client_of(real.deployment, services_for(world, triggers=real.triggers, audit=heard)) as client,
    ):
        client.headers["authorization"] = TOKEN
        yield client, real.database


async def kept(database: Database) -> Sequence[AuditEntry]:
    return await database.read(audit.newest, AuditFilter(), 100)


async def test_a_batch_is_one_entry_kept_with_its_runs(
    served: tuple[httpx.AsyncClient, Database], heard: Heard
) -> None:
    client, database = served

    for prefix in ("p", "q"):
        await client.post(f"{BASE}/dag_runs", json={**HOURS, "prefix": prefix})

    second, first = await kept(database)
    assert (first.event, first.outcome, first.dialect) == ("post_dag_runs", Outcome.DONE, "batch")
    assert (first.dag_id, first.actor, first.extra["prefix"]) == ("hourly", "admin", "p")
    assert (first.extra["accepted"], first.extra["refused"]) == (4, 0)
    assert (second.extra["accepted"], second.extra["refused"]) == (0, 4)
    assert heard.entries == []


async def test_what_is_refused_or_wrong_is_told_too(served: tuple[httpx.AsyncClient, Database], heard: Heard) -> None:
    client, database = served

    await client.post(f"{BASE}/dag_runs", json={**HOURS, "limit": 1, "conf": {"password": "hunter-2"}})
    await client.post(f"{BASE}/dag_runs", json=HOURS, headers={"authorization": VIEWER})
    await client.post(f"{BASE}/dag_runs", json=HOURS, headers={"authorization": "nobody-knows-this"})

    assert [(one.outcome, one.status) for one in heard.entries] == [
        (Outcome.FAILED, 400),
        (Outcome.REFUSED, 403),
        (Outcome.REFUSED, 401),
    ]
    assert "hunter-2" not in str(heard.entries)
    assert "nobody-knows-this" not in str(heard.entries)
    assert await kept(database) == ()


async def test_an_empty_batch_is_told(served: tuple[httpx.AsyncClient, Database], heard: Heard) -> None:
    client, _ = served

    await client.post(f"{BASE}/dag_runs", json={"dag_id": "nosched"})

    assert [(one.outcome, one.dag_id) for one in heard.entries] == [(Outcome.DONE, "nosched")]
