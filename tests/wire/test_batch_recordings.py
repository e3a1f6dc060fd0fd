"""Every recorded exchange with the batch plugin on Airflow 1.9, replayed in order against Airgate.

Answers are compared whole, text for text where nothing in them depends on the moment; where Airgate answers otherwise
on purpose, the recording says how, and docs/dialects/batch.md says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from tests.support.batch_world import BASE, batch_world, client_of
from tests.support.stable_v1_world import TOKEN, services_for
from tests.support.stored_world import stored

Answer = dict[str, Any]


class Exchange(NamedTuple):
    """A request, and what the plugin answered; `ours` where Airgate's answer differs."""

    request: str
    body: str | None
    status: int
    answer: Answer | None
    ours: tuple[int, Answer] | None = None


def error(text: str) -> Answer:
    return {"response": {"error": text}}


def ids(*run_ids: str) -> Answer:
    return {"response": {"dag_run_ids": list(run_ids)}}


def dag(dag_id: str, last_execution: str) -> Answer:
    return {"dag_id": dag_id, "full_path": "dags/hello.py", "is_active": True, "last_execution": last_execution}


def run(run_id: str, date: str, start_date: str | None) -> Answer:
    return {
        "run_id": run_id,
        "dag_id": "hourly",
        "state": "running",
        "start_date": start_date,
        "end_date": None,
        "external_trigger": True,
        "execution_date": date,
    }


def first(*runs: Answer) -> Answer:
    return {"response": {"dag_runs": list(runs)}}


EXAMPLE = 'e.g. {"dag_id": "example_dag"}'
NO_DAG_ID = error("Must specify the dag id to create dag runs for")
TOO_MANY = (
    "{} dag runs would be created, which exceeds the limit of {}. Reduce start/end date to reduce the dag run count"
)
HOURS = '"start_date":"2022-02-01T00:00:00","end_date":"2022-02-01T03:00:00"'
BEFORE = "Wait. start_date needs to be before end_date"

EXCHANGES = (
    Exchange("POST /dag_runs", "{}", 400, NO_DAG_ID),
    Exchange("POST /dag_runs", '{"dag_id":null}', 400, NO_DAG_ID),
    Exchange(
        "POST /dag_runs", "dag_id=hello&prefix=p", 400, None,
        (400, error(
            "The text is not valid JSON in UTF-8. The body must be a raw JSON object, not form or multipart data, "
            + EXAMPLE
        )),
    ),
    Exchange("POST /dag_runs", '{"dag_id":"nope"}', 400, error("Dag id nope not found")),
    Exchange(
        "POST /dag_runs", '{"dag_id":"hourly","prefix":"backfill_x"}', 400,
        error("Prefix cannot contain 'backfill', Airflow will ignore dag runs using it"),
    ),
    Exchange("POST /dag_runs", '{"dag_id":"hourly","limit":0}', 400, error("Limit must be a number greater than 0")),
    Exchange("POST /dag_runs", '{"dag_id":"hourly","limit":501}', 400, error("Limit cannot exceed 500")),
    Exchange("POST /dag_runs", '{"dag_id":"hourly","limit":"x"}', 400, error("Limit must be an integer")),
    Exchange(
        "POST /dag_runs", '{"dag_id":"hourly","limit":[1]}', 500, None, (400, error("Limit must be an integer"))
    ),
    Exchange(
        "POST /dag_runs", '{"dag_id":"hourly","start_date":"2021-02-01"}', 400,
        error("'start_date' has invalid format '2021-02-01', Ex format: YYYY-MM-DDThh:mm:ss"),
    ),
    Exchange(
        "POST /dag_runs", f'{{"dag_id":"hourly","limit":"2",{HOURS},"prefix":"zz_"}}', 400,
        error(TOO_MANY.format(4, 2)),
    ),
    Exchange(
        "POST /dag_runs", f'{{"dag_id":"hourly","limit":"2","partial":true,{HOURS},"prefix":"zz_","conf":{{"a":1}}}}',
        200, ids("zz__2022-02-01T00:00:00", "zz__2022-02-01T01:00:00"),
    ),
    Exchange(
        "POST /dag_runs", f'{{"dag_id":"hourly","limit":"2","partial":"True",{HOURS},"prefix":"zz_"}}',
        200, ids("zz__2022-02-01T02:00:00", "zz__2022-02-01T03:00:00"),
    ),
    Exchange("POST /dag_runs", f'{{"dag_id":"hourly",{HOURS},"prefix":"qq"}}', 200, ids()),
    Exchange(
        "POST /dag_runs",
        '{"dag_id":"hourly","start_date":"2022-02-05T00:00:00","end_date":"2022-02-01T03:00:00"}', 500,
        error(BEFORE), (400, error(BEFORE)),
    ),
    Exchange(
        "POST /dag_runs",
        '{"dag_id":"hello","start_date":"2022-02-10T05:00:00","end_date":"2022-02-12T03:00:00","prefix":"d"}',
        200, ids("d_2022-02-10T05:00:00", "d_2022-02-11T00:00:00", "d_2022-02-12T00:00:00"),
    ),
    Exchange("POST /dag_runs", '{"dag_id":"nosched","prefix":"d"}', 200, ids()),
    Exchange("POST /dag_runs", '{"dag_id":"hourly"}', 200, ids("manual_1795221565_2026-11-21T00:39:25.462218")),
    Exchange(
        "POST /dag_runs",
        '{"dag_id":"hourly","start_date":"2022-05-01T00:00:00","end_date":"2022-07-01T00:00:00","prefix":"big"}', 400,
        error(TOO_MANY.format(1465, 500)),
    ),
    Exchange(
        "GET /dags", None, 200,
        {"response": {"dags": [
            dag("hello", "2026-11-21 00:10:28.370666"), dag("nosched", "None"),
            dag("hourly", "2026-11-21 00:39:25.462218"), dag("once", "None"),
        ]}},
        (200, {"response": {"dags": [  # by id
            dag("hello", "2026-11-21 00:10:28.370666"), dag("hourly", "2026-11-21 00:39:25.462218"),
            dag("nosched", "None"), dag("once", "None"),
        ]}}),
    ),
    Exchange(
        "GET /dag_runs?limit=1&start=3", None, 200,
        first(run("pp__2021-02-01T00:00:00", "2021-02-01 00:00:00", "2026-11-21 00:10:27")),
        (400, error("'start' names no dag run: 3 not found")),
    ),
    Exchange(
        "GET /dag_runs?limit=3", None, 200,  # recorded above: the plugin looked at neither parameter
        first(
            *(run(f"pp__2021-02-01T0{hour}:00:00", f"2021-02-01 0{hour}:00:00", "2026-11-21 00:10:27")
              for hour in range(3))
        ),
    ),
    Exchange(
        "GET /dag_runs?prefix=ZZ", None, 200,
        first(
            *(run(f"zz__2022-02-01T0{hour}:00:00", f"2022-02-01 0{hour}:00:00", None)  # queued: not started yet
              for hour in range(4))
        ),
    ),
    Exchange("GET /dag_runs?state=bogus", None, 200, first()),
    Exchange("GET /dag_runs?external_trigger=false", None, 200, first()),
    Exchange(
        "GET /dag_runs/zz__2022-02-01T00:00:00", None, 200,
        {"response": {"dag_run": run("zz__2022-02-01T00:00:00", "2022-02-01 00:00:00", None)}},
    ),
    Exchange("GET /dag_runs/nope", None, 404, error("Dag run not found")),
    Exchange(
        "GET /nope", None, 404, None,
        (404, error("There is no such path: it is dags, dag_runs or dag_runs/<dag run id>")),
    ),
    Exchange("DELETE /dag_runs/nope", None, 405, None, (405, error("This path takes GET, HEAD, OPTIONS"))),
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "store"])
async def replies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[httpx.Response]:
    """The answers to all recorded requests, sent in their order to one server."""
    world = batch_world()
    if request.param == "memory":
        async with client_of(world.deployment(), services_for(world)) as client:
            return await replay(client)
    async with (
        stored(world, tmp_path_factory.mktemp("world")) as real,
        client_of(real.deployment, services_for(world, triggers=real.triggers)) as client,
    ):
        await real.deployment.dags.pause(tuple(world.dags), paused=False)
        return await replay(client)


async def replay(client: httpx.AsyncClient) -> list[httpx.Response]:
    answered = []
    for exchange in EXCHANGES:
        method, _, path = exchange.request.partition(" ")
        headers = {"authorization": TOKEN}
        answered.append(await client.request(method, BASE + path, content=exchange.body, headers=headers))
    return answered


def name(index: int) -> str:
    return f"{index}-{EXCHANGES[index].request}-{(EXCHANGES[index].body or '')[:60]}"


@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=name)
def test_recorded_exchange_is_answered_as_the_plugin_answers(replies: list[httpx.Response], index: int) -> None:
    exchange, reply = EXCHANGES[index], replies[index]
    status, answer = exchange.ours or (exchange.status, exchange.answer)

    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert answer is not None
    assert momentless(reply.text) == momentless(json.dumps(answer))


def momentless(text: str) -> str:
    """The text without what depends on the moment at which it was recorded."""
    text = re.sub(r"manual_\d{10}_2026-11-21T\d\d:\d\d:\d\d(\.\d+)?", "manual_NOW", text)
    return re.sub(r"2026-11-21 00:(?!10)\d\d:\d\d(\.\d+)?", "NOW", text)


def test_a_method_that_a_path_does_not_take_is_told_those_it_does(replies: list[httpx.Response]) -> None:
    assert replies[-1].headers["allow"] == "GET, HEAD, OPTIONS"


def test_the_run_without_dates_is_of_the_second_in_its_prefix(replies: list[httpx.Response]) -> None:
    (index,) = (n for n, exchange in enumerate(EXCHANGES) if exchange.body == '{"dag_id":"hourly"}')
    answer: Mapping[str, Any] = replies[index].json()
    _, seconds, date = answer["response"]["dag_run_ids"][0].split("_")

    assert int(seconds) == int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp())
