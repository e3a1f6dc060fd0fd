"""Workspaces, variables, secrets, jobs, executions, hooks and block windows at ``/developers``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from airgate.model.identity import DagGrant, DagVerb, Limits, Role
from airgate.model.job import dag_job_id
from tests.support.erathos_world import HOME, WORKSPACES, ErathosWorld
from tests.support.native_world import LOCAL, basic

DAG = "nosched"
DAG_JOB = dag_job_id(LOCAL, DAG)


async def test_workspace_is_made_changed_and_deleted_once_it_is_empty(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        made = await client.post(WORKSPACES, {"name": "spare", "private_targets": ["10.1.2.3/8"]})
        one = f"{WORKSPACES}{made['_id']}/"
        assert made["private_targets"] == ["10.0.0.0/8"]
        await client.post(WORKSPACES, {"name": "spare"}, expect=409)
        await client.post(WORKSPACES, {"name": "Spare!"}, expect=400)
        changed = await client.ask("PATCH", one, {"name": "spare-two"}, expect=200)
        assert changed["name"] == "spare-two"
        assert [it["name"] for it in (await client.get(WORKSPACES))["results"]] == ["default", "spare-two"]
        job = await client.post(f"{one}jobs/", {"name": "x"})
        await client.ask("DELETE", one, expect=409)
        await client.ask("DELETE", f"{one}jobs/{job['_id']}/", expect=204)
        await client.ask("DELETE", one, expect=204)
        await client.get(one, expect=404)
        await client.ask("DELETE", HOME, expect=409)


@pytest.mark.parametrize("noun", ["variables", "secrets"])
async def test_variables_and_secrets_are_kept_under_names_of_any_case(erathos: ErathosWorld, noun: str) -> None:
    async with erathos.client() as client:
        made = await client.post(f"{noun}/", {"name": "Token", "value": "planted-1", "description": "d"})
        one = f"{noun}/{made['_id']}/"
        await client.post(f"{noun}/", {"name": "TOKEN", "value": "x"}, expect=409)
        await client.post(f"{noun}/", {"name": "no spaces", "value": ""}, expect=400)
        patched = await client.ask("PATCH", one, {"value": "planted-2"}, expect=200)
        assert patched["description"] == "d"
        put = await client.ask("PUT", one, {"name": "token", "value": "planted-3"}, expect=200)
        assert put["description"] == ""
        listed = await client.get(f"{noun}/?page_size=1")
        assert listed["results"] == [await client.get(one)]
        await client.ask("DELETE", one, expect=204)
        await client.ask("DELETE", one, expect=404)
    shown = [answer for answer in erathos.answers if "planted" in answer]
    assert bool(shown) == (noun == "variables")


async def test_jobs_are_the_dags_and_what_was_registered(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        external = await client.post("jobs/", {"name": "loader", "schema_name": "raw"})
        everything = await client.get("jobs/?page_size=500")
        one = await client.get(f"jobs/{DAG_JOB}/")
        assert one in everything["results"]
        assert external in everything["results"]
        assert (one["kind"], one["deployment"], one["dag_id"]) == ("dag", LOCAL, DAG)
        for query, names in {
            "kind=external": ["loader"],
            f"dag_id={DAG}": [DAG],
            "schema_name=RAW": ["loader"],
            "connection_id=01a1fc77-0000-7000-8000-000000000000": [],
        }.items():
            assert [job["name"] for job in (await client.get(f"jobs/?{query}"))["results"]] == names
        changed = await client.ask("PATCH", f"jobs/{external['_id']}/", {"table_name": "t"}, expect=200)
        assert (changed["schema_name"], changed["table_name"]) == ("raw", "t")
        await client.ask("PATCH", f"jobs/{DAG_JOB}/", {"name": "x"}, expect=409)
        await client.ask("DELETE", f"jobs/{DAG_JOB}/", expect=409)
        await client.post("jobs/", {"name": "loader"}, expect=409)


async def test_running_a_job_starts_its_dag_once_per_key(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        body = {"conf": {"a": 1}, "force_history": True}
        first = await client.post(f"jobs/{DAG_JOB}/run/", body, headers={"idempotency-key": "k"})
        again = await client.post(f"jobs/{DAG_JOB}/run/", body, headers={"idempotency-key": "k"})
        await client.post(f"jobs/{DAG_JOB}/run/", {}, expect=409, headers={"idempotency-key": "k"})
        external = await client.job()
        await client.post(f"jobs/{external}/run/", expect=409)
        await client.post(f"jobs/{DAG_JOB}/run/", {"conf": []}, expect=400)
        history = await client.get(f"jobs/{DAG_JOB}/executions/")
    assert first["_id"] == again["_id"]
    assert (first["status"], first["is_orchestration"], first["force_history"]) == ("RUNNING", True, True)
    assert first["triggered_by"] == "admin"
    assert first["_id"] in [one["_id"] for one in history["results"]]


async def test_executions_of_a_job_are_listed_in_pages_and_by_filters(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job = await client.job()
        for day, status in enumerate(("FINISHED", "FAILED", "FINISHED", "CANCELLED", "RUNNING"), start=1):
            ended = {} if status == "RUNNING" else {"ended_at": f"2026-01-0{day}T01:00:00Z"}
            told = {"status": status, "started_at": f"2026-01-0{day}T00:00:00Z", **ended}
            await client.post(f"jobs/{job}/executions/", told)
        seen: list[str] = []
        page: int | None = 1
        while page is not None:
            listed = await client.get(f"jobs/{job}/executions/?page_size=2&page={page}")
            seen += [one["started_at"][8:10] for one in listed["results"]]
            page = listed["next_page"]
        assert seen == ["05", "04", "03", "02", "01"]
        for query, days in {
            "status=FINISHED": ["03", "01"],
            "status=failed,CANCELLED": ["04", "02"],
            "ended_at_gte=2026-01-03T01:00:00Z": ["04", "03"],
            "ended_at_lte=2026-01-01T02:00:00+01:00": ["01"],
        }.items():
            found = await client.get(f"jobs/{job}/executions/?{query.replace('+', '%2B')}")
            assert [one["started_at"][8:10] for one in found["results"]] == days, query
        assert (await client.get(f"executions/?job={job}"))["count"] == 5
        await client.get(f"jobs/{job}/executions/?status=MISSED", expect=400)
        await client.get(f"jobs/{job}/executions/?ended_at_gte=yesterday", expect=400)


async def test_report_that_is_repeated_changes_nothing(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job, other = await client.job(), await client.job("other")
        begun = await client.post(f"jobs/{job}/executions/", {"status": "RUNNING"})
        told = {"status": "FINISHED", "execution_id": begun["execution_id"], "rows": 3, "extra": {"a": [1]}}
        ended = await client.post(f"jobs/{job}/executions/", told)
        late = await client.post(f"jobs/{job}/executions/", told | {"status": "FAILED"})
        await client.post(f"jobs/{other}/executions/", told, expect=409)
        await client.post(f"jobs/{DAG_JOB}/executions/", {"status": "FINISHED"}, expect=409)
    assert (ended["_id"], ended["status"], ended["rows"]) == (begun["_id"], "FINISHED", 3)
    assert late == ended


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"status": "DONE"},
        {"status": "MISSED"},
        {"status": "FINISHED", "rows": -1},
        {"status": "FINISHED", "rows": "7 rows"},
        {"status": "FINISHED", "rows": 2**70},
        {"status": "FINISHED", "ended_at": "yesterday"},
        {"status": "FINISHED", "ended_at": "2026-01-01T00:00:00"},
        {"status": "FINISHED", "ended_at": "0001-01-01T00:00:00+14:00"},
        {"status": "FINISHED", "started_at": "2026-01-02T00:00:00Z", "ended_at": "2026-01-01T00:00:00Z"},
        {"status": "FINISHED", "execution_id": "mine"},
        {"status": "FINISHED", "extra": {"x": "y" * 70_000}},
        {"status": "FINISHED", "unknown": 1},
    ],
)
async def test_wrong_report_is_refused(erathos: ErathosWorld, told: dict[str, Any]) -> None:
    async with erathos.client() as client:
        await client.post(f"jobs/{await client.job()}/executions/", told, expect=400)


EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/loader",
    "type": "com.example.load.completed",
    "subject": "run/7",
    "time": "2026-01-01T00:00:00Z",
}
DATA = {"rows": 9, "table_name": "orders", "bytes": 512}


async def test_cloud_events_tell_of_an_execution_in_either_form(erathos: ErathosWorld) -> None:
    binary = {f"ce-{name}": value for name, value in EVENT.items()} | {"content-type": "application/json"}
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}
    async with erathos.client() as client:
        job = await client.job()
        path = f"jobs/{job}/executions/"
        started = EVENT | {"type": "com.example.load.started", "id": "e-0", "time": "2025-12-31T23:00:00Z"}
        begun = await client.post(path, started | {"data": {}}, headers=structured)
        ended = await client.post(path, DATA, headers=binary)
        again = await client.post(path, EVENT | {"data": DATA}, headers=structured)
        listed = await client.get(path)
    assert begun["status"] == "RUNNING"
    assert begun["_id"] == ended["_id"] == again["_id"]
    assert (ended["status"], ended["rows"], ended["ended_at"]) == ("FINISHED", 9, "2026-01-01T00:00:00.000Z")
    assert ended["extra"]["bytes"] == 512
    assert ended["extra"]["cloud_event"]["subject"] == "run/7"
    assert listed["count"] == 1


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"type": "com.example.load"}, "type"),
        ({"data": [1]}, "data"),
        ({"data_base64": "AAAA"}, "data"),
        ({"time": "later"}, "ended_at"),
        ({"data": {"rows": "x"}}, "rows"),
        ({"data": {"extra": 1}}, "extra"),
        ({"data": {"status": 5}}, "status"),
    ],
)
async def test_wrong_cloud_event_is_refused_by_name(erathos: ErathosWorld, changes: dict[str, Any], place: str) -> None:
    async with erathos.client() as client:
        path = f"jobs/{await client.job()}/executions/"
        headers = {"content-type": "application/cloudevents+json"}
        refused = await client.post(path, EVENT | changes, expect=400, headers=headers)
    assert place in refused


async def test_hook_is_kept_and_its_secret_shown_once(erathos: ErathosWorld) -> None:
    hooks = "orchestration/hooks/"
    async with erathos.client() as client:
        body = {"name": "shop", "scheme": "token", "deployment": LOCAL, "dag_id": DAG, "conf": {"a": "${{payload.a}}"}}
        made = await client.post(hooks, body)
        one = f"{hooks}{made['_id']}/"
        assert made["path"] == "/hooks/shop"
        assert made["secret"]
        assert "secret" not in await client.get(one)
        await client.ask("PATCH", one, {"secret": "planted-secret-of-a-hook", "is_active": False}, expect=200)
        await client.ask("PUT", one, body, expect=200)
        assert (await client.get(hooks))["count"] == 1
        for wrong in ({"scheme": "carrier pigeon"}, {"deployment": "x"}, {"conf": "${{secrets.x}}"}, {"name": "a/b"}):
            await client.post(hooks, body | wrong, expect=400)
        await client.ask("DELETE", one, expect=204)
    assert not [answer for answer in erathos.answers if "planted-secret" in answer]


async def test_block_window_is_kept(erathos: ErathosWorld) -> None:
    body = {"name": "nightly", "days": [1, 5], "start_time": "22:00", "end_time": "06:00", "time_zone": "Asia/Tokyo"}
    async with erathos.client() as client:
        made = await client.post("block-windows/", body)
        one = f"block-windows/{made['_id']}/"
        assert body.items() <= made.items()
        patched = await client.ask("PATCH", one, {"allow_manual_executions": True}, expect=200)
        assert patched["allow_manual_executions"]
        assert not (await client.ask("PUT", one, body, expect=200))["allow_manual_executions"]
        assert [it["_id"] for it in (await client.get("block-windows/"))["results"]] == [made["_id"]]
        wrong: dict[str, Any]
        for wrong in ({"days": []}, {"days": [7]}, {"start_time": "25:00"}, {"time_zone": "x"}, {"name": ""}):
            await client.post("block-windows/", body | wrong, expect=400)
        await client.ask("DELETE", one, expect=204)
        await client.get(one, expect=404)


async def test_identity_limited_to_some_dags_runs_only_those(erathos: ErathosWorld) -> None:
    limits = Limits(dags=(DagGrant("nosch*", (DagVerb.TRIGGER,)),))
    await erathos.native.person("narrow", Role.USER, limits=limits)
    async with erathos.client() as client:
        jobs = (await client.get("jobs/?kind=dag&page_size=500"))["results"]
        external = await client.job()
    other = next(job["_id"] for job in jobs if job["dag_id"] != DAG)
    async with erathos.client(basic("narrow", "pw")) as client:
        await client.post(f"jobs/{DAG_JOB}/run/")
        await client.post(f"jobs/{other}/run/", expect=403)
        await client.post(f"jobs/{external}/executions/", {"status": "FINISHED"}, expect=403)
        await client.get("jobs/", expect=403)


def test_job_of_a_dag_has_an_id_that_lasts() -> None:
    assert dag_job_id("local", "nosched") == UUID(str(DAG_JOB)) == dag_job_id("local", "nosched")
