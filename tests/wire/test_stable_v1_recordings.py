"""Every recorded exchange with Airflow 2.11.2 in the dialect's scope, replayed in order against Airgate.

Statuses, media types and error bodies are compared exactly, but for the deviations named below, all of which are
documented. Of successful answers everything is compared that does not depend on the moment or on what ran meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio

from airgate.deployments.ports import Deployment
from airgate.http.operations import Services
from airgate.http.server import build_app
from airgate.http.stable_v1.files import file_signer
from tests.support.stable_v1_document import misfit_of_answer
from tests.support.stable_v1_world import ADMIN, FILE, recorded_world, schedule, services_for
from tests.support.stored_world import schedule_stored, stored

RECORDINGS = Path(__file__).parent.parent / "golden" / "stable_v1" / "exchanges.jsonl"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    status: int
    content_type: str | None
    answer: Any
    body: str | None = None
    headers: dict[str, str] = {}
    authorization: str | None = ADMIN
    request_content_type: str = "application/json"


class Deviation(NamedTuple):
    """Where Airgate answers otherwise on purpose; each is in docs/dialects/stable-v1.md."""

    status: int
    detail: str | None = None
    title: str | None = "Bad Request"


EXCHANGES = tuple(msgspec.json.decode(line, type=Exchange) for line in RECORDINGS.read_bytes().splitlines())

_JSON = ("application/json", "application/problem+json")

UNAUTHORIZED = Deviation(401, None, "Unauthorized")
KNOWN = ("Basic YWRtaW46YWRtaW4=", "Basic dmlld2VyOnB3", "Basic dXNlcjpwdw==", "Basic b3A6cHc=")

DEVIATIONS = {
    ("PATCH", "/dags/hello", "{}"): Deviation(400, "{'is_paused': ['Missing data for required field.']}"),
    ("PATCH", "/dags/slow/dagRuns/s1", "{}"): Deviation(400, "{'state': ['Missing data for required field.']}"),
    ("PATCH", "/dags/slow/dagRuns/s1/setNote", "{}"): Deviation(400, "{'note': ['Missing data for required field.']}"),
    ("POST", "/dags/nosched/dagRuns", '{"dag_run_id": "a b/c"}'): Deviation(
        400, "The run id 'a b/c' may only consist of letters, digits and the characters _ . ~ : + -"
    ),
    ("GET", "/dags/nosched/dagRuns/r1/taskInstances?state=bogus", None): Deviation(
        400,
        "'bogus' is not one of [None, 'success', 'running', 'failed', 'upstream_failed', 'skipped', 'up_for_retry', "
        "'up_for_reschedule', 'queued', 'none', 'scheduled', 'deferred', 'removed', 'restarting']",
    ),
    ("POST", "/dags/nosched/dagRuns", '{"run_id": "x"}'): Deviation(200),
    ("PATCH", "/variables/k?update_mask=value", '{"key": "k", "value": "v10"}'): Deviation(200),
    ("GET", "/variables?order_by=-key", None): Deviation(200),  # shows the value that the line before has set
}

VOLATILE = {
    "total_entries", "count", "git_version", "file_token", "content", "continuation_token", "occupied_slots",
    "open_slots", "queued_slots", "scheduled_slots",
}  # fmt: skip
"""What depends on the moment, on what ran meanwhile, or on whose server it is."""

ENGINES = {
    ("POST", "/dags/hello/dagRuns"): {".data_interval_start", ".data_interval_end"},  # the timetable's to say
    ("PATCH", "/dags/slow/dagRuns/s1/setNote"): {".state", ".start_date", ".last_scheduling_decision"},  # it has begun
}
"""What an engine adds to an answer, which these deployments have none of, or a faster one."""

NOT_EMPTY_HERE = {".owners"}
"""Lists that Airflow forgets to fill. A DAG's details name no owners there."""

_MOMENT = re.compile(r"2026-11-2\d")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "store"])
async def replies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[httpx.Response]:
    """The answers to all recorded requests, sent in their order to one server."""
    world = recorded_world()
    if request.param == "memory":

        async def pass_time() -> None:
            schedule(world)

        return await replay(services_for(world), world.deployment(), pass_time)
    async with stored(world, tmp_path_factory.mktemp("world")) as real:

        async def pass_time_in_store() -> None:
            await real.database.write(schedule_stored)

        return await replay(services_for(world, triggers=real.triggers), real.deployment, pass_time_in_store)


async def replay(
    services: Services, deployment: Deployment, pass_time: Callable[[], Awaitable[None]]
) -> list[httpx.Response]:
    app = build_app(deployments={"local": deployment}, default="local", services=services)
    token = file_signer(services.secret).sign(FILE)
    answered = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airgate") as client:
        del client.headers["accept"]
        for exchange in EXCHANGES:
            if exchange.path == "/dags/nosched/dagRuns?limit=2":
                await pass_time()
            answered.append(await send(client, exchange, token))
    return answered


async def send(client: httpx.AsyncClient, exchange: Exchange, file_token: str) -> httpx.Response:
    headers = dict(exchange.headers)
    if exchange.authorization is not None:
        headers["authorization"] = exchange.authorization
    if exchange.method in ("POST", "PATCH") and exchange.request_content_type:
        headers["content-type"] = exchange.request_content_type
    path = "/api/v1" + exchange.path.replace("FILE_TOKEN", file_token)
    return await client.request(exchange.method, path, content=exchange.body, headers=headers)


def name(index: int) -> str:
    exchange = EXCHANGES[index]
    return f"{index}-{exchange.method}-{exchange.path}-{(exchange.body or '')[:40]}"


@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=name)
def test_recorded_exchange_is_answered_as_airflow_answers(replies: list[httpx.Response], index: int) -> None:
    exchange, reply = EXCHANGES[index], replies[index]
    deviation = deviation_of(exchange)
    if deviation is not None:
        assert reply.status_code == deviation.status
        if deviation.status >= 400:
            assert (reply.json()["detail"], reply.json()["title"]) == (deviation.detail, deviation.title)
        return
    assert reply.status_code == exchange.status, reply.text
    assert reply.headers["content-type"] == exchange.content_type
    if exchange.answer is None:
        return
    if isinstance(exchange.answer, str):
        assert reply.text.strip() == exchange.answer.strip() or exchange.content_type == "text/plain"
    elif exchange.status >= 400:
        assert reply.json() == exchange.answer
    else:
        compare(reply.json(), exchange.answer, but=ENGINES.get((exchange.method, exchange.path), set()))


@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=name)
def test_answer_is_as_the_document_describes_it(replies: list[httpx.Response], index: int) -> None:
    exchange, reply = EXCHANGES[index], replies[index]
    content_type = reply.headers.get("content-type")
    answer = reply.json() if reply.content and content_type in _JSON else None
    assert misfit_of_answer(exchange.method, exchange.path, reply.status_code, content_type, answer) is None


def deviation_of(exchange: Exchange) -> Deviation | None:
    if exchange.status == 403 and exchange.authorization not in KNOWN:
        return UNAUTHORIZED
    return DEVIATIONS.get((exchange.method, exchange.path, exchange.body))


def compare(ours: Any, recorded: Any, where: str = "", but: Collection[str] = ()) -> None:
    """Same keys everywhere, same values but for volatile ones; lists compare by their first item."""
    if isinstance(recorded, dict):
        assert isinstance(ours, dict), where
        assert list(ours) == sorted(recorded), where
        for key in recorded.keys() - VOLATILE:
            if f"{where}.{key}" not in but:
                compare(ours[key], recorded[key], f"{where}.{key}", but)
    elif isinstance(recorded, list):
        assert isinstance(ours, list), where
        assert bool(ours) == bool(recorded) or where in NOT_EMPTY_HERE, where
        if recorded:
            compare(counterpart(ours, recorded[0]), recorded[0], f"{where}[0]", but)
    elif isinstance(recorded, str) and _MOMENT.search(recorded):
        assert isinstance(ours, str), where
        assert _MOMENT.search(ours), where
    else:
        assert type(ours) is type(recorded), where
        assert ours == recorded, where


def counterpart(items: list[Any], wanted: Any) -> Any:
    """The item of the same name, where items have names; Airflow gives some lists in no order."""
    names = ("dag_id", "dag_run_id", "task_id", "map_index")
    for item in items:
        if isinstance(item, dict) and all(item.get(key) == wanted.get(key) for key in names):
            return item
    return items[0]


def test_every_deviation_is_met_by_a_recording() -> None:
    met = {(exchange.method, exchange.path, exchange.body) for exchange in EXCHANGES}
    assert DEVIATIONS.keys() <= met
