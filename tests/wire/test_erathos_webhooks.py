"""Webhooks at ``/developers``: kept, checked, listed, tried out, and sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airgate.model.identity import Role, Scope, ScopeKind
from tests.support.erathos_world import HOME, WORKSPACES, ErathosWorld, receiver, webhook
from tests.support.native_world import ADMIN, basic

WEBHOOKS = "orchestration/webhooks/"
NO_ID = "01a1fc77-0000-7000-8000-000000000000"


async def test_webhook_is_answered_as_documented_when_it_is_created(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job = await client.job()
        rules = [{"variable_name": "JOB_ID", "operation": "EQUAL", "value": job}]
        made = await client.webhook(job, rules=rules, header={"X-One": "1"})
    documented = ("description", "is_active", "method", "url", "header", "body", "rules", "jobs")
    assert {name: made[name] for name in documented} == webhook(job, rules=rules, header={"X-One": "1"})
    assert made["_created_at"].endswith("Z")
    assert len(made["_created_at"]) == len("2025-06-27T06:33:13.726Z")


async def test_list_shows_summaries_in_pages_with_numbers(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job = await client.job()
        for number in range(5):
            await client.webhook(job, description=f"number {number}")
        listed = await client.get(f"{WEBHOOKS}?page=2&page_size=2&ordering=-description")
        last = await client.get(f"{WEBHOOKS}?page=3&page_size=2")
        await client.ask("GET", f"{WEBHOOKS}?page=4&page_size=2", expect=404)
    results = listed.pop("results")
    assert listed == {
        "count": 5,
        "next_page": 3,
        "previous_page": 1,
        "page_size": 2,
        "total_pages": 3,
        "current_page": 2,
    }
    assert [one["description"] for one in results] == ["number 2", "number 1"]
    assert set(results[0]) == {"_id", "_created_at", "_updated_at", "description", "is_active"}
    assert (last["next_page"], last["previous_page"]) == (None, 2)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("description=ONE", ["one"]),
        ("is_active=false", ["two"]),
        ("is_active=True", ["one", "three"]),
        ("method=get", ["three"]),
        ("url=/two", ["two"]),
        ("job={job}", ["three"]),
        (f"job={NO_ID}", []),
        ("ordering=-method&is_active=true", ["one", "three"]),
    ],
)
async def test_list_shows_only_what_its_filters_ask_for(erathos: ErathosWorld, query: str, found: list[str]) -> None:
    async with erathos.client() as client:
        job, other = await client.job(), await client.job("other")
        await client.webhook(job, description="one")
        await client.webhook(job, description="two", is_active=False, url="https://example.com/two")
        await client.webhook(other, description="three", method="GET")
        listed = await client.get(f"{WEBHOOKS}?{query.format(job=other)}")
    assert [one["description"] for one in listed["results"]] == found


@pytest.mark.parametrize("query", ["job=x", "is_active=perhaps", "page=0", "page=x", "ordering=secret", "unknown=1"])
async def test_wrong_parameter_of_a_list_is_named(erathos: ErathosWorld, query: str) -> None:
    async with erathos.client() as client:
        refused = await client.get(f"{WEBHOOKS}?{query}", expect=400)
    assert list(refused) == [query.partition("=")[0]]


async def test_paths_are_served_with_a_slash_at_their_end_and_without(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        for path in (WEBHOOKS, WEBHOOKS.rstrip("/")):
            assert (await client.get(path))["count"] == 0
        assert (await client.get("/developers/workspaces"))["count"] == 1


async def test_put_replaces_patch_changes_and_delete_deletes(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job = await client.job()
        one = WEBHOOKS + (await client.webhook(job, timeout=3, header={"A": "b"}))["_id"] + "/"
        patched = await client.ask("PATCH", one, {"is_active": False}, expect=200)
        assert (patched["is_active"], patched["timeout"], patched["header"]) == (False, 3, {"A": "b"})
        put = await client.ask("PUT", one, webhook(job, description="new"), expect=200)
        assert (put["description"], put["timeout"], put["header"]) == ("new", 15, None)
        assert await client.get(one) == put
        assert await client.ask("PUT", one, put, expect=200) | {"_updated_at": ""} == put | {"_updated_at": ""}
        assert await client.ask("DELETE", one, expect=204) is None
        await client.get(one, expect=404)


# --------------------------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"description": ""}, ["description"], "may not be blank"),
        ({"description": "x" * 256}, ["description"], "no more than 255"),
        ({"url": "ftp://example.com"}, ["url"], "https://"),
        ({"url": "https://example.com/" + "x" * 1000}, ["url"], "no more than 1000"),
        ({"url": "https://${{variables.host}}/"}, ["url"], "no variable 'host'"),
        ({"url": "https://cloud.getdbt.com/jobs/<DBT_JOB_ID/run/"}, ["url"], "Enter a valid URL"),
        ({"method": "FETCH"}, ["method"], "DELETE, GET, PATCH, POST, PUT"),
        ({"is_active": "yes!"}, ["is_active"], "bool"),
        ({"jobs": []}, ["jobs"], "may not be empty"),
        ({"jobs": [NO_ID]}, ["jobs", "0"], "no job"),
        ({"jobs": ["text"]}, ["jobs", "0"], "UUID"),
        ({"header": {"Bad Name": "x"}}, ["header", "Bad Name"], "header"),
        ({"header": ["x"]}, ["header"], "object"),
        ({"body": {"a": ["${{secrets.nobody}}"]}}, ["body", "a", "0"], "no secret 'nobody'"),
        ({"body": {"a": "{{erathos.JOB_ID}}"}}, ["body", "a"], "lacks its dollar sign"),
        ({"body": "${{erathos.TABLES}}"}, ["body"], "Below erathos there are"),
        ({"rules": [{"erathos_variable": "STATUS", "operation": "EQUAL", "value": "x"}]},
         ["rules", "0", "erathos_variable"], "named variable_name"),
        ({"rules": [{"variable_name": "STATE", "operation": "EQUAL", "value": "x"}]},
         ["rules", "0", "variable_name"], "STATUS"),
        ({"rules": [{"variable_name": "STATUS", "operation": "GREATER_THAN", "value": "x"}]},
         ["rules", "0", "operation"], "STATUS"),
        ({"rules": [{"variable_name": "STATUS", "operation": "LIKE", "value": "x"}]},
         ["rules", "0", "operation"], "BETWEEN"),
        ({"rules": [{"variable_name": "ROWS", "operation": "EQUAL", "value": "many"}]},
         ["rules", "0", "value"], "integer"),
        ({"rules": [{"variable_name": "ROWS", "operation": "IN", "value": "1"}]}, ["rules", "0", "value"], "list"),
        ({"headers": {}}, ["headers"], "named header"),
        ({"time_zone": "Mars/Olympus"}, ["time_zone"], "no time zone"),
        ({"target": {"kind": "dag"}}, ["target", "deployment"], "no deployment"),
        ({"absence": {"at": "8", "since": "07:00"}}, ["absence", "at"], "08:30"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_webhook_is_said_where_it_is(
    erathos: ErathosWorld, changes: dict[str, Any], place: list[str], words: str
) -> None:
    async with erathos.client() as client:
        job = await client.job()
        refused = await client.post(WEBHOOKS, webhook(job, **changes), expect=400)
    found = refused
    for step in place:
        assert step in found, refused
        found = found[step]
    assert isinstance(found, list), refused
    assert words in " ".join(found)


async def test_all_that_is_wrong_is_said_at_once(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        job = await client.job()
        body = webhook(job, description="", url="nowhere", timeout=0, body="${{variables.x}}")
        refused = await client.post(WEBHOOKS, body, expect=400)
        empty = await client.post(WEBHOOKS, {}, expect=400)
    assert set(refused) == {"description", "url", "timeout", "body"}
    assert empty == {
        name: ["This field is required."] for name in ("description", "is_active", "jobs", "method", "url")
    }


async def test_names_of_metadata_may_be_in_either_case_and_values_may_be_numbers(erathos: ErathosWorld) -> None:
    rules = [
        {"variable_name": "rows", "operation": "greater_than", "value": 0},
        {"variable_name": "NESTED_TABLE", "operation": "EQUAL", "value": False},
        {"variable_name": "FINISHED_AT_WEEKDAY", "operation": "IN", "value": [1, "2"]},
    ]
    async with erathos.client() as client:
        made = await client.webhook(await client.job(), body="${{erathos.STATUS}} ${{ERATHOS.rows}}", rules=rules)
    assert [(rule["variable_name"], rule["value"]) for rule in made["rules"]] == [
        ("ROWS", "0"),
        ("NESTED_TABLE", "false"),
        ("FINISHED_AT_WEEKDAY", ["1", "2"]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"description": "x" "is_active": true}', "Is a comma missing"),
        (b"{'description': 1}", "double quotes"),
        (b'{"jobs": ["a", ...]}', "three dots"),
        (b"[1]", "Expected an object"),
        (b"\xff", "JSON parse error"),
    ],
)
async def test_json_that_is_none_is_explained(erathos: ErathosWorld, text: bytes, words: str) -> None:
    async with erathos.client() as client:
        refused = await client.post(WEBHOOKS, text, expect=400, headers={"content-type": "application/json"})
    assert words in json.dumps(refused)


async def test_commas_at_the_end_of_lists_are_forgiven(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        text = json.dumps(webhook(await client.job())).replace("]", ",]").replace('"rules": [,]', '"rules": []')
        await client.post(WEBHOOKS, text.encode(), headers={"content-type": "application/json"})


# ------------------------------------------------------------------------------------------------------------ sending


async def test_report_of_an_end_makes_the_request_that_the_webhook_describes(erathos: ErathosWorld) -> None:
    await erathos.allow_loopback()
    async with erathos.client() as client, receiver() as target, erathos.working():
        job = await client.job()
        await client.post("variables/", {"name": "Path", "value": "a b"})
        await client.post("secrets/", {"name": "token", "value": "planted-secret"})
        made = await client.webhook(
            job,
            url=f"{target.url}/${{{{variables.path}}}}",
            header={"Authorization": "Bearer ${{secrets.token}}"},
            body={"rows": "${{erathos.rows}}", "text": "got ${{erathos.rows}}"},
            rules=[{"variable_name": "STATUS", "operation": "EQUAL", "value": "FINISHED"}],
        )
        await client.post(f"jobs/{job}/executions/", {"status": "FAILED", "rows": 1})
        await client.post(f"jobs/{job}/executions/", {"status": "FINISHED", "rows": 7})
        heard = await target.next()
        listed = await until_state(client, made["_id"], "delivered")
        one = await client.get(f"orchestration/deliveries/{listed[0]['_id']}/")
        again = await client.post(f"orchestration/deliveries/{listed[0]['_id']}/replay/")
        heard_again = await target.next()
    assert (heard.method, heard.path, json.loads(heard.body)) == ("POST", "/a%20b", {"rows": 7, "text": "got 7"})
    assert heard.headers["authorization"] == "Bearer planted-secret"
    assert heard.headers["webhook-id"] == listed[0]["_id"]
    assert [attempt["status"] for attempt in one["attempt_list"]] == [200]
    assert heard_again.headers["webhook-id"] == again["_id"] != listed[0]["_id"]
    assert again["replay_of"] == listed[0]["_id"]
    assert heard_again.body == heard.body
    assert not [answer for answer in erathos.answers if "planted-secret" in answer]


async def until_state(client: Any, webhook_id: str, state: str) -> list[dict[str, Any]]:
    """The deliveries of a webhook, once all of them are in a state. The dispatcher writes soon after it sends."""
    while True:
        listed = (await client.get(f"{WEBHOOKS}{webhook_id}/deliveries/"))["results"]
        if listed and all(one["state"] == state for one in listed):
            return list(listed)


async def test_address_that_is_not_allowed_stops_the_delivery_and_says_so(erathos: ErathosWorld) -> None:
    async with erathos.client() as client, receiver() as target, erathos.working():
        job = await client.job()
        made = await client.webhook(job, url=target.url)
        await client.post(f"jobs/{job}/executions/", {"status": "FINISHED", "table_name": "t"})
        (stopped,) = await until_state(client, made["_id"], "stopped")
        counted = await client.post(
            f"{WEBHOOKS}{made['_id']}/replay/", {"since": "2020-01-01T00:00:00Z", "states": ["STOPPED"]}
        )
    assert "not public" in stopped["reason"]
    assert counted == {"replayed": 1}
    assert target.heard.empty()


async def test_webhook_is_tried_out_without_and_with_sending(erathos: ErathosWorld) -> None:
    await erathos.allow_loopback()
    async with erathos.client() as client, receiver() as target:
        job = await client.job()
        await client.post("secrets/", {"name": "token", "value": "planted-secret"})
        made = await client.webhook(job, url=target.url, header={"Authorization": "Bearer ${{secrets.token}}"})
        shown = await client.post(f"{WEBHOOKS}{made['_id']}/test/", expect=200)
        assert (shown["sent"], shown["fires"]) == (False, True)
        assert "sample_table" in json.dumps(shown["request"])
        kept = await client.post(f"jobs/{job}/executions/", {"status": "FINISHED", "table_name": "orders"})
        sent = await client.post(f"{WEBHOOKS}{made['_id']}/test/", {"send": True, "execution": kept["_id"]}, expect=200)
        heard = await target.next()
        await client.post(f"{WEBHOOKS}{made['_id']}/test/", {"execution": NO_ID}, expect=404)
    assert (sent["sent"], sent["response"].get("status")) == (True, 200)
    assert json.loads(heard.body) == {"table": "orders"}
    assert heard.headers["authorization"] == "Bearer planted-secret"
    assert not [answer for answer in erathos.answers if "planted-secret" in answer]


async def test_signing_key_is_shown_once_and_signs_what_is_sent(erathos: ErathosWorld) -> None:
    await erathos.allow_loopback()
    async with erathos.client() as client, receiver() as target:
        made = await client.webhook(await client.job(), url=target.url)
        keys = f"{WEBHOOKS}{made['_id']}/keys/"
        first = await client.post(keys)
        second = await client.post(keys, {"scheme": "v1a"})
        listed = (await client.get(keys))["results"]
        await client.post(f"{WEBHOOKS}{made['_id']}/test/", {"send": True}, expect=200)
        heard = await target.next()
        await client.post(keys, {"scheme": "v9"}, expect=400)
        await client.post(keys, {"secret": "short"}, expect=400)
        await client.ask("DELETE", f"{keys}{first['_id']}/", expect=204)
        await client.ask("DELETE", f"{keys}{first['_id']}/", expect=404)
    assert first["secret"].startswith("whsec_")
    assert [one["_id"] for one in listed] == [first["_id"], second["_id"]]
    assert listed[0]["expires_at"] is not None
    assert not any("secret" in one for one in listed)
    assert sorted(one.partition(",")[0] for one in heard.headers["webhook-signature"].split()) == ["v1", "v1a"]


# ---------------------------------------------------------------------------------------------------------- who may do


@pytest.mark.parametrize("form", ["Api-Key {}", "{}", "Bearer {}", "api-key {}"])
async def test_key_counts_in_every_form_that_documentation_shows(erathos: ErathosWorld, form: str) -> None:
    person, _ = await erathos.native.person("ada", Role.OP)
    key = (await erathos.native.key_of(person)).removeprefix("Bearer ")
    async with erathos.client(form.format(key)) as client:
        await client.get(WEBHOOKS)


async def test_stranger_is_asked_for_a_key(erathos: ErathosWorld) -> None:
    async with erathos.client(None) as client:
        refused = await client.get(WEBHOOKS, expect=401)
    assert list(refused) == ["detail"]


async def test_workspace_is_closed_to_whoever_belongs_to_another(erathos: ErathosWorld) -> None:
    scope = Scope(ScopeKind.WORKSPACE, "lab")
    await erathos.native.person("lab", Role.ADMIN, scope=scope)
    async with erathos.client() as client:
        await client.post(WORKSPACES, {"name": "lab"})
        made = await client.webhook(await client.job())
    async with erathos.client(basic("lab", "pw")) as client:
        listed = await client.get(WORKSPACES)
        lab = f"{WORKSPACES}{listed['results'][0]['_id']}/"
        await client.get(f"{HOME}{WEBHOOKS}", expect=403)
        await client.get(f"{lab}{WEBHOOKS}{made['_id']}/", expect=404)
        await client.post(f"{lab}{WEBHOOKS}", webhook(made["jobs"][0]), expect=400)
        await client.get(f"{WORKSPACES}{NO_ID}/{WEBHOOKS}", expect=403)
        await client.ask("PATCH", lab, {"private_targets": ["0.0.0.0/0"]}, expect=403)
    async with erathos.client(ADMIN) as client:
        await client.get(f"{WORKSPACES}{NO_ID}/{WEBHOOKS}", expect=404)
    assert [one["name"] for one in listed["results"]] == ["lab"]
