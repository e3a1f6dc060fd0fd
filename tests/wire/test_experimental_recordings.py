"""Every recorded exchange with Airflow 1.10.15's experimental API, replayed in order against Airgate.

Recorded were the endpoints of the newer web interface. Answers in JSON are compared in full, but for what depends on
the moment. Pages of HTML, of which nothing is a promise, are answered in JSON; where 1.10 crashed, so that no
recording can say what is right, the deviation names it. All of them are in docs/dialects/experimental.md.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio

from airgate.deployments.ports import Deployment
from airgate.http.operations import Services
from airgate.http.server import build_app
from tests.support.experimental_world import SOURCE, recorded_world
from tests.support.stable_v1_world import ADMIN, services_for
from tests.support.stored_world import stored

RECORDINGS = Path(__file__).parent.parent / "golden" / "experimental" / "exchanges.jsonl"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    status: int
    content_type: str
    body: str | None = None
    allow: str | None = None
    answer: Any = None


class Deviation(NamedTuple):
    status: int
    answer: Any = None


EXCHANGES = tuple(msgspec.json.decode(line, type=Exchange) for line in RECORDINGS.read_bytes().splitlines())
FORGETTING = ("DELETE", "/dags/hello", None)
"""Only the older interface had it. Here it does what it says, and so is sent last."""

DEVIATIONS: dict[tuple[str, str, str | None], Deviation] = {
    ("GET", "/dags/nope/paused", None): Deviation(404, {"error": "Dag id nope not found in DagModel"}),
    ("POST", "/dags/hello/paused/false", "{}"): Deviation(
        405, {"error": "This URL has other methods: GET, HEAD, OPTIONS"}
    ),
    ("POST", "/dags/hello/dag_runs", '{"run_id":"t2","execution_date":"2021-11-20T11:34:00"}'): Deviation(
        400, {"error": "A DAG Run already exists for DAG hello at 2021-11-20 11:34:00+00:00 with run id t1"}
    ),
    ("POST", "/dags/hello/dag_runs", None): Deviation(
        400, {"error": "The request has no body; it must be a JSON object, be it {}"}
    ),
    ("POST", "/dags/hello/dag_runs", "{bad"): Deviation(
        400, {"error": "The request body cannot be read: The text is not valid JSON in UTF-8"}
    ),
    ("POST", "/dags/hello/dag_runs", '{"replace_microseconds":false}'): Deviation(200),
    FORGETTING: Deviation(200),
    ("POST", "/pools", '{"name":"p1","slots":1}'): Deviation(
        400, {"error": "A pool needs name, slots and description; missing: description"}
    ),
    ("GET", "/info", None): Deviation(200, {"version": "2.11.2"}),
    ("GET", "/config", None): Deviation(200),
    ("GET", "/lineage/hello/2021-11-16T11:34:00", None): Deviation(200, {"task_ids": {}}),
}

HERE: dict[tuple[str, str, str | None], dict[str, str]] = {
    ("GET", "/dags/hello/tasks/a", None): {"bash_command": "None"},  # arguments of operators are not known here
    ("GET", "/dags/hello/dag_runs/2021-11-16T11:34:00/tasks/a", None): {"job_id": "None"},  # there are no jobs
}
"""Values that Airgate cannot know."""

_MOMENT = re.compile(r"2026-11-21.00(:|%3A)(?:24|39)(:|%3A)\d\d(\.\d+)?")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "store"])
async def replies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[httpx.Response]:
    """The answers to all recorded requests, sent in their order to one server."""
    world = recorded_world()
    if request.param == "memory":
        return await replay(services_for(world, default_deployment="local"), world.deployment())
    async with stored(world, tmp_path_factory.mktemp("world")) as real:
        return await replay(services_for(world, default_deployment="local", triggers=real.triggers), real.deployment)


async def replay(services: Services, deployment: Deployment) -> list[httpx.Response]:
    await deployment.dags.pause(["hello"], paused=False)
    app = build_app(deployments={"local": deployment}, default="local", services=services)
    answered: dict[int, httpx.Response] = {}
    headers = {"authorization": ADMIN, "content-type": "text/plain"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airgate") as client:
        for index in sorted(range(len(EXCHANGES)), key=lambda index: key_of(EXCHANGES[index]) == FORGETTING):
            exchange = EXCHANGES[index]
            path = "/api/experimental" + exchange.path
            answered[index] = await client.request(exchange.method, path, content=exchange.body, headers=headers)
    return [answered[index] for index in range(len(EXCHANGES))]


def key_of(exchange: Exchange) -> tuple[str, str, str | None]:
    return exchange.method, exchange.path, exchange.body


def name(index: int) -> str:
    exchange = EXCHANGES[index]
    return f"{index}-{exchange.method}-{exchange.path}-{(exchange.body or '')[:40]}"


@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=name)
def test_recorded_exchange_is_answered_as_airflow_answers(replies: list[httpx.Response], index: int) -> None:
    exchange, reply = EXCHANGES[index], replies[index]
    deviation = DEVIATIONS.get(key_of(exchange))
    if deviation is not None:
        assert reply.status_code == deviation.status, reply.text
        assert reply.headers["content-type"] == "application/json"
        assert deviation.answer is None or reply.json() == deviation.answer
    else:
        assert reply.status_code == exchange.status, reply.text
        assert reply.headers["content-type"] == exchange.content_type
    if exchange.allow is not None:
        assert set(reply.headers["allow"].split(", ")) == set(exchange.allow.split(", "))
    if exchange.path.endswith("/code") and exchange.status == 200:
        assert reply.text == SOURCE
    elif deviation is None:
        assert settled(reply.json()) == settled(expected(exchange))
        assert reply.content == compact(reply.json())


def compact(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted") + b"\n"


def expected(exchange: Exchange) -> Any:
    different = HERE.get(key_of(exchange))
    return exchange.answer if different is None else exchange.answer | different


def settled(value: Any) -> Any:
    """The value without what depends on the moment: present dates, numbers of pools, starts of runs."""
    if isinstance(value, dict):
        kept = {key: settled(item) for key, item in value.items() if key != "start_date" or "dag_run_url" not in value}
        return kept | {"id": 0} if "pool" in kept and "id" in kept else kept
    if isinstance(value, list):
        return [settled(item) for item in value]
    return _MOMENT.sub("now", value) if isinstance(value, str) else value


def test_present_dates_are_as_exact_as_airflows(replies: list[httpx.Response]) -> None:
    for exchange, reply in zip(EXCHANGES, replies, strict=True):
        date = exchange.answer.get("execution_date", "") if isinstance(exchange.answer, dict) else ""
        if _MOMENT.match(date):
            assert ("." in reply.json()["execution_date"]) == ("." in date)


def test_every_deviation_is_met_by_a_recording() -> None:
    met = {key_of(exchange) for exchange in EXCHANGES}
    assert DEVIATIONS.keys() | HERE.keys() <= met
