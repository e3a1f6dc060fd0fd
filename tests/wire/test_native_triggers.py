"""Triggers on the native wire: what is answered, to whom, and what is left when the client goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from airgate.http.native.dialect import PREFIX
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.states import RunState
from airgate.store.database import Database
from tests.support.native_world import ADMIN, AT_FAR, AT_LOCAL, NativeWorld, native_world

PATH = f"{PREFIX}/deployments/local/triggers"
DAG = "nosched"
BOUND = 20.0


@pytest.fixture
async def native(sqlite_database: Database) -> NativeWorld:
    return await native_world(sqlite_database)


@pytest.fixture
async def client(native: NativeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with native.client() as client:
        yield client


async def post(client: httpx.AsyncClient, key: str | None = None, path: str = PATH, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(path, json={"dag_id": DAG, **body}, headers=headers)


def finish(native: NativeWorld, trigger: dict[str, Any], state: RunState = RunState.SUCCESS) -> None:
    run = native.world.runs[trigger["dag_id"], trigger["run_id"]]
    native.world.change_run(run, state=state, end_date=native.clock())


async def test_trigger_is_answered_with_its_run(client: httpx.AsyncClient) -> None:
    reply = await post(
        client,
        run_id="mine",
        logical_date="2026-03-01T12:00:00+02:00",
        data_interval={"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T10:00:00Z"},
        conf={"n": 5},
        note="because",
    )
    assert reply.status_code == 201
    made = reply.json()
    assert {name: made[name] for name in ("deployment", "dag_id", "run_id", "state", "identity")} == {
        "deployment": "local",
        "dag_id": DAG,
        "run_id": "mine",
        "state": "accepted",
        "identity": "admin",
    }
    run = made["run"]
    assert run["logical_date"] == "2026-03-01T10:00:00Z"
    assert run["data_interval"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T10:00:00Z"}
    assert (run["state"], run["conf"], run["note"], run["triggering_user"]) == ("queued", {"n": 5}, "because", "admin")
    assert (await client.get(f"{PATH}/{made['id']}")).json() == made


async def test_repeat_under_a_key_is_200_and_another_request_under_it_409(client: httpx.AsyncClient) -> None:
    first = await post(client, "k", run_id="r1")
    again = await post(client, "k", run_id="r1")
    other = await post(client, "k", run_id="r2")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json() == first.json()
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"dag_id": "nobody"}, 404, "not_found"),
        ({"run_id": "no spaces please"}, 400, "run_id_characters"),
        ({"logical_date": "2026-03-01T12:00:00"}, 400, "invalid_body"),
        ({"logical_date": "0001-01-01T00:00:00+14:00"}, 400, "invalid_body"),
        ({"data_interval": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-01T00:00:00Z"}}, 400, "invalid_body"),
        ({"data_interval": {"start": "2026-03-02T00:00:00Z"}}, 400, "invalid_body"),
        ({"conf": []}, 400, "invalid_body"),
        ({"colour": "red"}, 400, "invalid_body"),
    ],
)
async def test_what_is_wrong_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    reply = await post(client, **body)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


@pytest.mark.parametrize("wait", ["-1", "300.5", "soon", "nan"])
async def test_time_to_wait_has_bounds(client: httpx.AsyncClient, wait: str) -> None:
    assert (await client.post(f"{PATH}?wait={wait}", json={"dag_id": DAG})).status_code == 400
    made = (await post(client)).json()
    assert (await client.get(f"{PATH}/{made['id']}/wait?timeout={wait}")).status_code == 400


async def test_waiting_for_no_time_answers_as_it_is(client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    assert (await client.get(f"{PATH}/{made['id']}/wait?timeout=0")).json() == made


async def test_thousand_waiters_are_answered_at_the_end_of_the_run(native: NativeWorld) -> None:
    async with native.client() as client:
        made = (await post(client)).json()
        async with asyncio.timeout(60):
            waiting = [asyncio.create_task(client.get(f"{PATH}/{made['id']}/wait")) for _ in range(1000)]
            while not native.world.watch.topics():  # noqa: ASYNC110 - until the first of them waits
                await asyncio.sleep(0)
            finish(native, made, RunState.FAILED)
            told = {(await one).json()["run"]["state"] for one in waiting}
    assert told == {"failed"}


async def test_run_deleted_while_it_is_waited_for_is_gone(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    waiting = asyncio.create_task(client.get(f"{PATH}/{made['id']}/wait"))
    while not native.world.watch.topics():  # noqa: ASYNC110 - until it waits
        await asyncio.sleep(0)
    await native.deployments["local"].runs.delete(DAG, made["run_id"])
    reply = await asyncio.wait_for(waiting, BOUND)
    assert (reply.status_code, reply.json()["code"]) == (404, "trigger_not_found")


async def test_list_is_paged_by_key_and_filtered(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = [(await post(client, run_id=f"r{i}")).json() for i in range(5)]
    finish(native, made[1])

    seen, after = [], ""
    while True:
        page = (await client.get(f"{PATH}?limit=2{after}")).json()
        seen += [one["run_id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == ["r4", "r3", "r2", "r1", "r0"]

    async def listed(query: str) -> list[str]:
        return [one["run_id"] for one in (await client.get(f"{PATH}?{query}")).json()["items"]]

    assert await listed("state=finished") == ["r1"]
    assert await listed("state=running") == []
    assert await listed(f"since={made[3]['created_at']}") == ["r4", "r3"]
    assert await listed(f"until={made[0]['created_at']}") == ["r0"]
    assert await listed("dag_id=other") == []
    assert (await client.get(f"{PATH}?after=made-up")).status_code == 400
    assert (await client.get(f"{PATH}?since=0001-01-01T00:00:00%2B14:00")).status_code == 400


# ------------------------------------------------------------------------------------------------------------ many


async def test_bulk_answers_each_by_itself(client: httpx.AsyncClient) -> None:
    items = [
        {"dag_id": DAG, "run_id": "r1"},
        {"dag_id": "nobody"},
        {"dag_id": DAG, "run_id": "r1"},
        {"dag_id": DAG, "idempotency_key": "k"},
        {"dag_id": DAG, "idempotency_key": "k"},
        {"dag_id": DAG, "logical_date": "0001-01-01T00:00:00+14:00"},
    ]
    reply = await client.post(f"{PATH}/bulk", json={"triggers": items})
    told = reply.json()
    assert (told["accepted"], told["repeated"], told["refused"]) == (2, 1, 3)
    assert [one["index"] for one in told["results"]] == [0, 1, 2, 3, 4, 5]
    assert [one.get("problem", {}).get("status") for one in told["results"]] == [None, 404, 409, None, None, 400]
    assert told["results"][3]["trigger"]["id"] == told["results"][4]["trigger"]["id"]
    assert told["results"][5]["problem"]["errors"][0]["pointer"] == "#/triggers/5/logical_date"


@pytest.mark.parametrize("triggers", [[], [{"dag_id": DAG}] * 10_001, [{"dag_id": DAG}, {"run_id": "r"}], {}])
async def test_bulk_of_none_too_many_or_another_form_makes_nothing(native: NativeWorld, triggers: Any) -> None:
    before = len(native.world.runs)
    async with native.client() as client:
        reply = await client.post(f"{PATH}/bulk", json={"triggers": triggers})
    assert reply.status_code in (400, 413)
    assert len(native.world.runs) == before


# ---------------------------------------------------------------------------------------------------------- who may


async def limited(native: NativeWorld, *grants: DagGrant) -> str:
    _, authorization = await native.machine("robot", "editor", AT_LOCAL, limits=Limits(dags=grants))
    return authorization


async def test_caller_limited_to_some_dags_triggers_and_sees_those_alone(
    native: NativeWorld, client: httpx.AsyncClient
) -> None:
    hidden = (await post(client, run_id="hidden")).json()
    robot = await limited(native, DagGrant("etl*", (DagVerb.READ, DagVerb.TRIGGER)))
    async with native.client(robot) as limited_client:
        assert (await post(limited_client)).status_code == 403
        told = (
            await limited_client.post(f"{PATH}/bulk", json={"triggers": [{"dag_id": DAG}, {"dag_id": "etl_no"}]})
        ).json()
        assert [one["problem"]["status"] for one in told["results"]] == [403, 404]
        assert (await limited_client.get(PATH)).json()["items"] == []
        for path in ("", "/wait", "/events"):
            assert (await limited_client.get(f"{PATH}/{hidden['id']}{path}")).status_code == 404


async def test_viewer_reads_triggers_and_makes_none(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    _, viewer = await native.person("vera", Role.VIEWER)
    async with native.client(viewer) as reading:
        assert (await reading.get(f"{PATH}/{made['id']}")).status_code == 200
        assert (await post(reading)).status_code == 403
        assert (await reading.post(f"{PATH}/bulk", json={"triggers": [{"dag_id": DAG}]})).status_code == 403


async def test_trigger_of_one_deployment_is_unknown_to_another(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    assert (await client.get(f"{PREFIX}/deployments/far/triggers/{made['id']}")).status_code == 404
    _, robot = await native.machine("robot", "editor", AT_FAR)
    async with native.client(robot) as foreign:
        assert (await foreign.get(f"{PATH}/{made['id']}")).status_code == 403


# ----------------------------------------------------------------------------------------------------------- events


class Reader:
    """A client of one stream, that reads as it comes and may go away."""

    def __init__(self, native: NativeWorld, path: str) -> None:
        self._app = native.app()
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._asked = False
        headers = [(b"authorization", ADMIN.encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "scheme": "http",
            "server": ("airgate", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        serving: Any = self._app(scope, self._receive, self._send)
        self.served: asyncio.Task[None] = asyncio.create_task(serving)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            await self._sent.put(message.get("body", b""))

    async def next(self) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self._sent.get()

    async def event(self) -> tuple[str, str]:
        """Name of the next event, and the state of the run in it."""
        name, _, data = (line.partition(b": ")[2] for line in (await self.next()).strip().split(b"\n"))
        return name.decode(), json.loads(data)["run"]["state"]


async def test_stream_tells_each_change_and_the_end(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    reader = Reader(native, f"{PATH}/{made['id']}/events")
    assert await reader.next() == b"retry: 1000\n\n"
    assert await reader.event() == ("state", "queued")
    finish(native, made, RunState.RUNNING)
    assert await reader.event() == ("state", "running")
    finish(native, made)
    assert [await reader.event(), await reader.event()] == [("state", "success"), ("end", "success")]
    await asyncio.wait_for(reader.served, BOUND)


@pytest.mark.parametrize("path", ["events", "wait"])
async def test_client_that_goes_away_leaves_nothing(native: NativeWorld, client: httpx.AsyncClient, path: str) -> None:
    made = (await post(client)).json()
    before = asyncio.all_tasks()
    reader = Reader(native, f"{PATH}/{made['id']}/{path}")
    async with asyncio.timeout(BOUND):
        while not native.world.watch.topics():  # noqa: ASYNC110 - until it follows
            await asyncio.sleep(0)
    reader.gone.set()
    await asyncio.wait_for(reader.served, BOUND)
    assert native.world.watch.topics() == []
    assert asyncio.all_tasks() == before


async def test_stream_breaks_off_without_an_end_when_the_server_stops(
    native: NativeWorld, client: httpx.AsyncClient
) -> None:
    made = (await post(client)).json()
    reader = Reader(native, f"{PATH}/{made['id']}/events")
    await reader.next()
    await reader.event()
    native.world.watch.close()
    assert await reader.next() == b""
    await asyncio.wait_for(reader.served, BOUND)


async def test_stream_of_a_deleted_run_ends(native: NativeWorld, client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    reader = Reader(native, f"{PATH}/{made['id']}/events")
    await reader.next()
    await reader.event()
    await native.deployments["local"].runs.delete(DAG, made["run_id"])
    assert await reader.event() == ("end", "queued")
    await asyncio.wait_for(reader.served, BOUND)


async def test_reader_that_has_seen_the_end_is_told_not_to_come_again(client: httpx.AsyncClient) -> None:
    made = (await post(client)).json()
    reply = await client.get(f"{PATH}/{made['id']}/events", headers={"Last-Event-ID": "end"})
    assert (reply.status_code, reply.content) == (204, b"")
