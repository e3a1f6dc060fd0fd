"""What the batch plugin's dialect does beyond its recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from airgate.http.batch.dialect import BATCH
from airgate.model.errors import RateLimited, Unavailable
from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.run import DagRun
from airgate.model.states import RunState, RunType
from tests.support.batch_world import BASE, BEGUN, SCHEDULES, batch_world, client_of
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import ADMIN, TOKEN, PasswordList, caller_of, run_of, services_for

BOUNDED = {"start_date": "2022-02-01T00:00:00", "end_date": "2022-02-01T03:00:00"}
LIMITED = "f" * 32
UNKNOWN = "e" * 32
BATCH_KEY = "b" * 32
TRIGGERS_ONLY = "d" * 32


@pytest.fixture
def world() -> World:
    return batch_world({**SCHEDULES, "yearly": {"__type": "RelativeDelta", "years": 1}, "still": interval(0)})


def interval(days: int) -> dict[str, Any]:
    return {"__type": "TimeDelta", "days": days, "seconds": 0, "microseconds": 0}


def people() -> PasswordList:
    known = PasswordList(
        {"admin": ("admin", Role.ADMIN), "viewer": ("pw", Role.VIEWER)}, {TOKEN: "admin", "a" * 32: "viewer"}
    )
    sees = Limits(dags=(DagGrant("hour*", (DagVerb.READ, DagVerb.TRIGGER)),))
    fires = Limits(dags=(DagGrant("hourly", (DagVerb.TRIGGER,)),))
    known.add(LIMITED, caller_of("limited", Role.USER, limits=sees))
    known.add(TRIGGERS_ONLY, caller_of("fires", Role.USER, limits=fires))
    known.add(BATCH_KEY, msgspec.structs.replace(caller_of("batch", Role.USER), batch=True))
    return known


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(world.deployment(), services_for(world, access=people())) as client:
        client.headers["authorization"] = TOKEN
        yield client


async def post(client: httpx.AsyncClient, body: Any = None, key: str = TOKEN, **more: Any) -> httpx.Response:
    return await client.post(
        f"{BASE}/dag_runs", json={**(body or {}), **more} if body is None or isinstance(body, dict) else body,
        headers={"authorization": key},
    )  # fmt: skip


async def refusal(client: httpx.AsyncClient, body: Any = None, **more: Any) -> str:
    answer = await post(client, body, **more)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["response"]["error"])


async def made(client: httpx.AsyncClient, **body: Any) -> list[str]:
    answer = await post(client, body)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["response"]["dag_run_ids"])


async def listed(client: httpx.AsyncClient, query: str = "", key: str = TOKEN) -> list[str]:
    answer = await client.get(f"{BASE}/dag_runs{query}", headers={"authorization": key})
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["response"]["dag_runs"]]


def hours(world: World, number: int) -> list[DagRun]:
    first = datetime(2000, 1, 1, tzinfo=UTC)
    return [world.put_run(run_of("hourly", f"h{n:03}", logical_date=first + timedelta(hours=n))) for n in range(number)]


# --------------------------------------------------------------------------------------------------- where it is found


@pytest.mark.parametrize("base", ["/api/v1", "/batch/api/v1", "/local/airflow/api/v1", "/local/airflow/batch/api/v1"])
async def test_dag_runs_are_found_beside_stable_v1_and_apart_from_it(client: httpx.AsyncClient, base: str) -> None:
    answer = await client.get(f"{base}/dag_runs/pp__2021-02-01T00:00:00")

    assert answer.json()["response"]["dag_run"]["dag_id"] == "hourly"
    assert (await client.post(f"{base}/dag_runs", json={})).json() == {
        "response": {"error": "Must specify the dag id to create dag runs for"}
    }


async def test_dags_beside_stable_v1_are_the_plugins_for_keys_marked_batch(client: httpx.AsyncClient) -> None:
    for_batch = await client.get("/api/v1/dags", headers={"authorization": BATCH_KEY})
    for_others = await client.get("/api/v1/dags")

    assert "full_path" in for_batch.json()["response"]["dags"][0]
    assert for_others.json()["total_entries"] == len(SCHEDULES) + 2


async def test_what_the_plugin_has_not_stays_stable_v1s_for_keys_marked_batch(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/dags/hourly", headers={"authorization": BATCH_KEY})

    assert answer.json()["dag_id"] == "hourly"


async def test_paths_with_a_slash_at_the_end_are_none(client: httpx.AsyncClient) -> None:
    for path in ("/dags/", "/dag_runs/"):
        answer = await client.get(BASE + path)
        assert (answer.status_code, list(answer.json()["response"])) == (404, ["error"])


async def test_head_is_answered_like_get_without_its_body(client: httpx.AsyncClient) -> None:
    answer = await client.head(f"{BASE}/dags")

    assert (answer.status_code, answer.content) == (200, b"")


# ------------------------------------------------------------------------------------------------------ who may do what

ROUTES = (("GET", "/dags"), ("GET", "/dag_runs"), ("GET", "/dag_runs/x"), ("POST", "/dag_runs"))


@pytest.mark.parametrize("authorization", [None, "", UNKNOWN, f"Bearer {UNKNOWN}"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_we_know_is_refused_in_the_plugins_words(
    client: httpx.AsyncClient, method: str, path: str, authorization: str | None
) -> None:
    del client.headers["authorization"]
    headers = {} if authorization is None else {"authorization": authorization}

    answer = await client.request(method, BASE + path, headers=headers, content="dag_id=x")

    assert answer.status_code == 401
    assert answer.json() == {"response": {"error": "You are not authorized to use this resource"}}


@pytest.mark.parametrize("authorization", [TOKEN, f"Bearer {TOKEN}", ADMIN])
async def test_a_key_is_taken_bare_as_bearer_and_a_password_as_basic(
    client: httpx.AsyncClient, authorization: str
) -> None:
    answer = await client.get(f"{BASE}/dags", headers={"authorization": authorization})

    assert answer.status_code == 200


async def test_who_may_only_read_creates_nothing(client: httpx.AsyncClient, world: World) -> None:
    before = len(world.runs)

    answer = await post(client, {"dag_id": "hourly"}, key="a" * 32)

    assert (answer.status_code, list(answer.json()["response"])) == (403, ["error"])
    assert len(world.runs) == before


async def test_lists_show_a_limited_key_its_dags_alone(client: httpx.AsyncClient) -> None:
    shown = await client.get(f"{BASE}/dags", headers={"authorization": LIMITED})

    assert [dag["dag_id"] for dag in shown.json()["response"]["dags"]] == ["hourly"]
    assert {run_id[:2] for run_id in await listed(client, key=LIMITED)} == {"pp"}


async def test_a_run_of_a_dag_that_is_not_shown_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    (hidden,) = (run.run_id for run in world.runs.values() if run.dag_id == "hello")

    answer = await client.get(f"{BASE}/dag_runs/{hidden}", headers={"authorization": LIMITED})
    start = await client.get(f"{BASE}/dag_runs?start={hidden}", headers={"authorization": LIMITED})

    assert (answer.status_code, answer.json()["response"]["error"]) == (404, "Dag run not found")
    assert start.status_code == 400


@pytest.mark.parametrize("dag_id", ["hello", "no such dag"])
async def test_a_dag_outside_the_grants_is_forbidden_whether_or_not_it_exists(
    client: httpx.AsyncClient, dag_id: str
) -> None:
    creation = await post(client, {"dag_id": dag_id}, key=LIMITED)
    listing = await client.get(f"{BASE}/dag_runs", params={"dag_id": dag_id}, headers={"authorization": LIMITED})

    assert (creation.status_code, listing.status_code) == (403, 403)


async def test_a_dag_within_the_grants_that_does_not_exist_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await post(client, {"dag_id": "hourglass"}, key=LIMITED)

    assert (answer.status_code, answer.json()["response"]["error"]) == (400, "Dag id hourglass not found")


async def test_a_key_that_may_only_trigger_creates_runs_and_sees_none(client: httpx.AsyncClient) -> None:
    assert (await post(client, {"dag_id": "hourly"}, key=TRIGGERS_ONLY)).status_code == 200
    answer = await client.get(f"{BASE}/dag_runs", headers={"authorization": TRIGGERS_ONLY})
    assert answer.status_code == 403


# ---------------------------------------------------------------------------------------------------------------- lists


async def test_a_list_has_fifty_runs_unless_more_are_asked_for_and_never_more_than_a_hundred(
    client: httpx.AsyncClient, world: World
) -> None:
    hours(world, 130)

    assert len(await listed(client)) == 50
    assert len(await listed(client, "?limit=70")) == 70
    assert len(await listed(client, "?limit=1000")) == 100


async def test_start_leads_through_the_whole_list_without_overlap(client: httpx.AsyncClient, world: World) -> None:
    expected = [run.run_id for run in hours(world, 25)]

    seen: list[str] = []
    start = "0"
    while page := await listed(client, f"?dag_id=hourly&prefix=h&limit=10&start={start}"):
        seen += page
        start = page[-1]

    assert seen == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?limit=0", "Limit must be a number greater than 0"),
        ("?limit=-3", "Limit must be a number greater than 0"),
        ("?limit=many", "Limit must be an integer"),
        ("?start=nobody", "'start' names no dag run: nobody not found"),
        ("?prefix=%00", "A query parameter cannot hold a NUL character"),
    ],
)
async def test_a_list_parameter_that_is_wrong_is_told(client: httpx.AsyncClient, query: str, message: str) -> None:
    answer = await client.get(f"{BASE}/dag_runs{query}")

    assert (answer.status_code, answer.json()) == (400, {"response": {"error": message}})


async def test_parameters_nobody_knows_and_empty_ones_change_nothing(client: httpx.AsyncClient) -> None:
    assert await listed(client, "?offset=3&limit=&start=") == await listed(client)


async def test_lists_filter_by_state_with_queued_runs_among_the_running(
    client: httpx.AsyncClient, world: World
) -> None:
    for state in RunState:
        world.put_run(run_of("once", state.value, state=state, logical_date=BEGUN))
        world.runs["once", state.value] = replace(world.runs["once", state.value], state=state)

    assert {"queued", "running"} <= set(await listed(client, "?state=running"))
    assert await listed(client, "?state=success&dag_id=once") == ["success"]
    assert await listed(client, "?state=failed") == ["failed"]
    assert await listed(client, "?state=queued") == []
    answer = await client.get(f"{BASE}/dag_runs/queued")
    assert answer.json()["response"]["dag_run"]["state"] == "running"


@pytest.mark.parametrize(
    ("value", "found"),
    [("true", True), ("True", True), ("false", False), ("TRUE", False), ("1", False), ("", False)],
)
async def test_external_trigger_is_true_for_two_words_and_false_for_all_others(
    client: httpx.AsyncClient, world: World, value: str, found: bool
) -> None:
    world.put_run(run_of("once", "by-schedule", run_type=RunType.SCHEDULED, logical_date=BEGUN))

    runs = await listed(client, f"?external_trigger={value}")

    assert ("by-schedule" in runs) is not found
    assert ("pp__2021-02-01T00:00:00" in runs) is found


@pytest.mark.parametrize("path", ["odd/id", "odd%2Fid"])
async def test_a_run_id_may_hold_a_slash(client: httpx.AsyncClient, world: World, path: str) -> None:
    world.put_run(run_of("once", "odd/id", logical_date=BEGUN))

    answer = await client.get(f"{BASE}/dag_runs/{path}")

    assert answer.json()["response"]["dag_run"]["run_id"] == "odd/id"


async def test_dates_are_utc_and_written_as_python_prints_them(client: httpx.AsyncClient, world: World) -> None:
    begun = datetime(2026, 11, 21, 8, 0, 0, 5, tzinfo=UTC)
    world.put_run(run_of("once", "dated", logical_date=BEGUN, start_date=begun, end_date=BEGUN))

    answer = await client.get(f"{BASE}/dag_runs/dated")

    run = answer.json()["response"]["dag_run"]
    assert run["start_date"] == "2026-11-21 08:00:00.000005"
    assert (run["end_date"], run["execution_date"]) == ("2026-11-21 00:10:27", "2026-11-21 00:10:27")


async def test_a_dag_whose_file_is_gone_is_neither_listed_nor_triggered(
    client: httpx.AsyncClient, world: World
) -> None:
    world.dags["hourly"] = replace(world.dags["hourly"], is_active=False)

    dags = (await client.get(f"{BASE}/dags")).json()["response"]["dags"]

    assert "hourly" not in [dag["dag_id"] for dag in dags]
    assert await refusal(client, dag_id="hourly") == "Dag id hourly not found"


async def test_a_paused_dag_is_not_active(client: httpx.AsyncClient, world: World) -> None:
    world.dags["hello"] = replace(world.dags["hello"], is_paused=True)

    dags = (await client.get(f"{BASE}/dags")).json()["response"]["dags"]

    assert [dag["is_active"] for dag in dags if dag["dag_id"] == "hello"] == [False]


# ------------------------------------------------------------------------------------------------------------- creation


async def test_created_runs_are_queued_external_and_of_who_asked(client: httpx.AsyncClient, world: World) -> None:
    run_ids = await made(client, dag_id="hourly", prefix="p", conf={"a": 1}, **BOUNDED)

    runs = [world.runs["hourly", run_id] for run_id in run_ids]
    assert [run.logical_date for run in runs] == [datetime(2022, 2, 1, hour, tzinfo=UTC) for hour in range(4)]
    assert {(run.state, run.external_trigger, run.triggering_user) for run in runs} == {
        (RunState.QUEUED, True, "admin")
    }
    assert all(run.conf == {"a": 1} for run in runs)
    assert [run.run_id for run in world.started] == run_ids


async def test_the_default_prefix_is_the_second_of_the_request(client: httpx.AsyncClient, world: World) -> None:
    now = world.clock()

    (run_id, *_) = await made(client, dag_id="hourly", **BOUNDED)

    assert run_id == f"manual_{int(now.timestamp())}_2022-02-01T00:00:00"


async def test_a_batch_without_dates_is_one_run_of_now_each_time(client: httpx.AsyncClient, world: World) -> None:
    found = [await made(client, dag_id="hourly", prefix="now") for _ in range(20)]

    assert [len(run_ids) for run_ids in found] == [1] * 20
    assert len({run_ids[0] for run_ids in found}) == 20
    assert all(run_ids[0].startswith("now_2026-11-21T00:") for run_ids in found)


async def test_a_start_without_an_end_ends_now(client: httpx.AsyncClient) -> None:
    run_ids = await made(client, dag_id="hourly", prefix="p", start_date="2026-11-20T22:30:00")

    assert run_ids == ["p_2026-11-20T22:30:00", "p_2026-11-20T23:00:00", "p_2026-11-21T00:00:00"]


async def test_a_start_in_the_future_needs_an_end(client: httpx.AsyncClient) -> None:
    message = "Wait. start_date needs to be before end_date"

    assert await refusal(client, dag_id="hourly", start_date="2030-01-01T00:00:00") == message
    assert await refusal(client, dag_id="nosched", start_date="2030-01-01T00:00:00") == message


async def test_an_end_without_a_start_begins_now(client: httpx.AsyncClient) -> None:
    run_ids = await made(client, dag_id="hourly", prefix="p", end_date="2026-11-21T02:00:00")

    assert run_ids[0].startswith("p_2026-11-21T00:24:")
    assert run_ids[1:] == ["p_2026-11-21T01:00:00", "p_2026-11-21T02:00:00"]


@pytest.mark.parametrize("dag_id", ["nosched", "once"])
async def test_a_dag_without_dates_of_its_own_gets_no_runs(client: httpx.AsyncClient, dag_id: str) -> None:
    assert await made(client, dag_id=dag_id, **BOUNDED) == []


async def test_a_complete_batch_counts_dates_that_are_taken_against_its_limit(client: httpx.AsyncClient) -> None:
    await made(client, dag_id="hourly", prefix="p", **BOUNDED)

    assert (await refusal(client, dag_id="hourly", prefix="p", limit=3, **BOUNDED)).startswith("4 dag runs would")
    assert await made(client, dag_id="hourly", prefix="p", limit=4, **BOUNDED) == []


async def test_a_partial_batch_goes_on_where_the_last_one_stopped(client: httpx.AsyncClient, world: World) -> None:
    whole = {"dag_id": "hourly", "prefix": "p", "start_date": "2000-01-01T00:00:00", "end_date": "2040-01-01T00:00:00"}
    batches = [await made(client, **whole, limit=7, partial=True) for _ in range(5)]

    run_ids = [run_id for batch in batches for run_id in batch]
    assert [len(batch) for batch in batches] == [7] * 5
    assert run_ids == sorted(set(run_ids))
    assert run_ids[-1] == "p_2000-01-02T10:00:00"


async def test_a_partial_batch_passes_over_ids_that_are_taken_at_other_dates(
    client: httpx.AsyncClient, world: World
) -> None:
    world.put_run(run_of("hourly", "p_2022-02-01T01:00:00", logical_date=BEGUN))

    run_ids = await made(client, dag_id="hourly", prefix="p", partial="true", **BOUNDED)

    assert run_ids == [f"p_2022-02-01T0{hour}:00:00" for hour in (0, 2, 3)]


@pytest.mark.parametrize("partial", [False, "false", "yes", 1, None, [], {}])
async def test_what_is_not_one_of_three_spellings_of_true_is_not_partial(
    client: httpx.AsyncClient, partial: Any
) -> None:
    assert "exceeds the limit of 2" in await refusal(client, dag_id="hourly", limit=2, partial=partial, **BOUNDED)


async def test_a_thousand_years_of_hours_are_refused_with_their_number(client: httpx.AsyncClient) -> None:
    message = await refusal(client, dag_id="hourly", start_date="1500-01-01T00:00:00", end_date="2500-01-01T00:00:00")

    assert message.startswith(f"{(datetime(2500, 1, 1) - datetime(1500, 1, 1)) // timedelta(hours=1) + 1} ")  # noqa: DTZ001


async def test_years_step_by_the_calendar(client: httpx.AsyncClient) -> None:
    run_ids = await made(
        client, dag_id="yearly", prefix="y", start_date="2020-03-01T00:00:00", end_date="2022-03-01T00:00:00"
    )

    assert run_ids == [f"y_{year}-03-01T00:00:00" for year in (2020, 2021, 2022)]


async def test_a_schedule_that_stands_still_is_refused(client: httpx.AsyncClient) -> None:
    assert "does not lead from" in await refusal(client, dag_id="still", **BOUNDED)
    assert "does not lead from" in await refusal(client, dag_id="still", partial=True, **BOUNDED)


# ----------------------------------------------------------------------------------------------------------- bad bodies


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"limit": {}}, "Limit must be an integer"),
        ({"limit": "2.5"}, "Limit must be an integer"),
        ({"start_date": ["x"]}, "'start_date' has invalid format '['x']', Ex format: YYYY-MM-DDThh:mm:ss"),
        ({"start_date": 5}, "'start_date' has invalid format '5', Ex format: YYYY-MM-DDThh:mm:ss"),
        (
            {"end_date": "2021-02-01T00:00:00Z"},
            "'end_date' has invalid format '2021-02-01T00:00:00Z', Ex format: YYYY-MM-DDThh:mm:ss",
        ),
        ({"prefix": 5}, "'prefix' must be a string, not a number"),
        ({"prefix": ["p"]}, "'prefix' must be a string, not a list"),
        ({"prefix": "my backfill"}, "Prefix cannot contain 'backfill', Airflow will ignore dag runs using it"),
        ({"dag_id": ["hourly"]}, "'dag_id' must be a string, not a list"),
        ({"dag_id": {}}, "'dag_id' must be a string, not an object"),
        ({"dag_id": 5}, "Dag id 5 not found"),
        ({"conf": [1]}, "'conf' must be a JSON object, or a string that holds one"),
        ({"conf": 5}, "'conf' must be a JSON object, or a string that holds one"),
        ({"conf": '"x"'}, "'conf' must be a JSON object, or a string that holds one"),
        (
            {"conf": "a=1"},
            "'conf' must be a JSON object, or a string that holds one: The text is not valid JSON in UTF-8",
        ),
    ],
)
async def test_a_value_that_cannot_be_used_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], message: str
) -> None:
    content = msgspec.json.encode({"dag_id": "hourly", **body})
    answer = await client.post(f"{BASE}/dag_runs", content=content)

    assert (answer.status_code, answer.json()) == (400, {"response": {"error": message}})


@pytest.mark.parametrize("conf", [None, "", "{}", "null", {}])
async def test_an_empty_conf_is_none(client: httpx.AsyncClient, world: World, conf: Any) -> None:
    (run_id,) = await made(client, dag_id="hourly", conf=conf)

    assert world.runs["hourly", run_id].conf == {}


async def test_a_conf_may_be_the_text_of_an_object(client: httpx.AsyncClient, world: World) -> None:
    (run_id,) = await made(client, dag_id="hourly", conf='{"a": [1]}')

    assert world.runs["hourly", run_id].conf == {"a": [1]}


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("a b", "may only consist of"),
        ("x" * 250, "at most 250 characters"),
        ("scheduled_", "reserved"),
        ("ü", "may only consist of"),
    ],
)
@pytest.mark.parametrize("dates", [{}, BOUNDED], ids=["now", "dated"])
async def test_a_prefix_that_makes_no_run_id_is_refused_and_nothing_is_made(
    client: httpx.AsyncClient, world: World, prefix: str, said: str, dates: dict[str, str]
) -> None:
    before = len(world.runs)

    assert said in await refusal(client, dag_id="hourly", prefix=prefix, **dates)
    assert len(world.runs) == before


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"dag_id"', b"--x\r\n\r\nhello", b"\xff", b"[" * 5000])
async def test_a_body_that_is_no_json_object_is_refused_as_json(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post(f"{BASE}/dag_runs", content=content)

    assert answer.status_code == 400
    assert "The body must be a" in answer.json()["response"]["error"]


async def test_the_media_type_of_a_body_does_not_matter(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    answer = await client.post(f"{BASE}/dag_runs", content=b'{"dag_id": "nosched", "x": 1}', headers=headers)

    assert (answer.status_code, answer.text) == (200, '{"response": {"dag_run_ids": []}}')


async def test_a_dag_that_cannot_be_imported_is_told(client: httpx.AsyncClient, world: World) -> None:
    world.dags["hourly"] = replace(world.dags["hourly"], has_import_errors=True)

    assert await refusal(client, dag_id="hourly") == "Dag id hourly has import errors"


def test_errors_have_one_form_whatever_they_are() -> None:
    for error, status in ((ValueError("secret"), 500), (Unavailable("later"), 503), (RateLimited("slower"), 429)):
        reply = BATCH.explain(error)
        assert reply.status == status
        assert list(msgspec.json.decode(reply.body)["response"]) == ["error"]
        assert b"secret" not in reply.body
        assert (status == 500) is (dict(reply.headers) == {})
