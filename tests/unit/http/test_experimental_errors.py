"""Errors of the experimental dialect: always JSON, never more than may be told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgate.http.errors import BodyTooLarge, MethodNotAllowed, RouteNotFound
from airgate.http.experimental.errors import explain
from airgate.http.server import build_app
from airgate.model.errors import (
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from tests.support.experimental_world import recorded_world
from tests.support.stable_v1_world import ADMIN, services_for


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (InvalidInput("why"), 400, {}),
        (Conflict("why"), 400, {}),
        (NotFound("why"), 404, {}),
        (NotAuthenticated("why"), 401, {b"www-authenticate": b"Basic"}),
        (PermissionDenied("why"), 403, {}),
        (RateLimited("why", retry_after=2.1), 429, {b"retry-after": b"3"}),
        (Unavailable("why", retry_after=0.2), 503, {b"retry-after": b"1"}),
    ],
)
def test_error_of_the_tree_has_its_status_and_its_detail(
    error: Exception, status: int, headers: dict[bytes, bytes]
) -> None:
    reply = explain(error)
    assert (reply.status, dict(reply.headers)) == (status, headers)
    assert (reply.body, reply.media_type) == (b'{"error":"why"}\n', "application/json")


def test_errors_before_any_handler_are_json_too() -> None:
    assert explain(RouteNotFound()).status == 404
    assert explain(BodyTooLarge(10)).body == b'{"error":"The request body exceeds 10 bytes"}\n'
    refused = explain(MethodNotAllowed(("GET", "HEAD")))
    assert (refused.status, refused.headers) == (405, ((b"allow", b"GET, HEAD"),))


def test_unexpected_error_is_not_told() -> None:
    assert explain(RuntimeError("password=secret")).body == b'{"error":"Internal Server Error"}\n'


def test_very_long_text_is_cut() -> None:
    assert len(json.loads(explain(NotFound("x" * 100_000)).body)["error"]) < 5000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_TRIGGERS = st.dictionaries(
    st.sampled_from(["run_id", "conf", "execution_date", "replace_microseconds", "other"]), _JSON, max_size=5
)
_POOLS = st.fixed_dictionaries({"name": _JSON, "slots": _JSON, "description": _JSON})


@settings(max_examples=150, deadline=None)
@given(_TRIGGERS | _JSON, _POOLS | _JSON, st.text(min_size=1, max_size=12))
def test_no_request_breaks_the_server(trigger: Any, pool: Any, word: str) -> None:
    async def ask() -> list[httpx.Response]:
        world = recorded_world()
        app = build_app(deployments={"local": world.deployment()}, default="local", services=services_for(world))
        headers = {"authorization": ADMIN}
        base = "http://airgate/api/experimental"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base, headers=headers) as client:
            quoted = "".join(f"%{byte:02X}" for byte in word.encode("utf-8", "surrogatepass"))
            return [
                await client.post("/dags/hello/dag_runs", content=json.dumps(trigger)),
                await client.post("/pools", content=json.dumps(pool)),
                await client.get(f"/dags/hello/dag_runs/{quoted}/tasks/{quoted}"),
                await client.get(f"/dags/{quoted}/dag_runs?state={quoted}"),
                await client.get(f"/pools/{quoted}"),
            ]

    for answer in asyncio.run(ask()):
        assert answer.status_code in (200, 400, 404), answer.text
        assert "error" in answer.json() or answer.status_code == 200
