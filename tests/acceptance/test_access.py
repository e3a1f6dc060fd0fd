"""A machine's key on a real server: made, used in every form, limited, carried over a restart, revoked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx

from tests.acceptance.server import PASSWORD, USER, Server

FILE = """
from airflow.sdk import DAG, task

for name in ("sales_day", "sales_month", "finance"):
    with DAG(name):
        @task
        def work():
            pass
        work()
"""
LOADER = {
    "label": "Sales loader",
    "role": "DEPLOYMENT_EDITOR",
    "deployment": "local",
    "dags": [{"pattern": "sales_*", "verbs": ["read", "trigger"]}],
    "networks": ["127.0.0.0/8"],
    "rate_limit": {"requests": 1000, "seconds": 60},
}


def ask(server: Server, method: str, path: str, authorization: str, body: Any = None) -> httpx.Response:
    return httpx.request(method, server.url + path, headers={"authorization": authorization}, json=body, timeout=30)


def trigger(server: Server, dag_id: str, authorization: str) -> int:
    return ask(server, "POST", f"/api/v1/dags/{dag_id}/dagRuns", authorization, {}).status_code


def test_machine_does_what_its_key_allows_and_no_more_until_it_is_revoked(start: Callable[..., Server]) -> None:
    server = start({"dags.py": FILE})
    server.wait_for_dag("finance")
    admin = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    made = ask(server, "POST", "/airgate/v1/service-accounts", admin, LOADER)
    assert made.status_code == 201, made.text
    account, key = made.json(), made.json()["api_key"]
    basic = "Basic " + base64.b64encode(f"{account['name']}:{key}".encode()).decode()
    signed_in = httpx.post(f"{server.url}/auth/token", json={"username": account["name"], "password": key})
    token = f"Bearer {signed_in.json()['access_token']}"
    forms = (key, f"Bearer {key}", f"Api-Key {key}", basic, token)

    for form in forms:
        assert trigger(server, "sales_day", form) == 200, form.split()[0]
        assert trigger(server, "finance", form) == 403
    listed = ask(server, "GET", "/api/v1/dags", key)
    assert {dag["dag_id"] for dag in listed.json()["dags"]} == {"sales_day", "sales_month"}
    assert listed.headers["ratelimit-policy"] == '"default";q=1000;w=60'
    assert ask(server, "GET", "/api/v1/variables", key).status_code == 403
    assert ask(server, "POST", "/airgate/v1/service-accounts", key, LOADER).status_code == 403

    server.stop()
    server.start()
    for form in forms:
        assert trigger(server, "sales_month", form) == 200, "after a restart"

    path = f"/airgate/v1/identities/{account['id']}/keys/{account['key']['id']}"
    assert ask(server, "DELETE", path, admin).status_code == 204
    for form in forms:
        assert trigger(server, "sales_month", form) == 401
    assert key not in server.log.read_text()


def test_machine_may_be_used_from_its_networks_only(start: Callable[..., Server]) -> None:
    server = start({"dags.py": FILE})
    admin = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    elsewhere = LOADER | {"networks": ["192.0.2.0/24"]}
    key = ask(server, "POST", "/airgate/v1/service-accounts", admin, elsewhere).json()["api_key"]
    for path in ("/api/v1/dags", "/api/experimental/dags/finance/dag_runs", "/batch/api/v1/dags", "/airgate/v1/me"):
        assert ask(server, "GET", path, key).status_code == 403, path
    events = ask(server, "GET", "/airgate/v1/audit?outcome=refused", admin).json()["items"]
    assert all(key not in str(event) for event in events)
