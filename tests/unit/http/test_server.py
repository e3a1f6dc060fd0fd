"""Which request reaches which dialect of which deployment, with and without proxies in front."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from airgate.access.decisions import Caller
from airgate.access.permissions import GRANTED
from airgate.deployments.ports import Deployment, Health
from airgate.http.addresses import DIRECT, Proxies
from airgate.http.cors import Cors
from airgate.http.errors import MethodNotAllowed, RouteNotFound
from airgate.http.operations import Call, Dialect, Guest, Operation, Services
from airgate.http.replies import Reply
from airgate.http.server import build_app
from airgate.model.errors import PermissionDenied
from airgate.model.identity import Identity, Role
from tests.support.memory_deployment import World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUSES: dict[type[Exception], int] = {RouteNotFound: 404, MethodNotAllowed: 405}


class Keys:
    """Knows two keys: a plain one, and one that asks for the guest's dialect."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str | None]] = []

    async def authenticate(self, authorization: str | None, address: str | None = None) -> Caller | None:
        self.asked.append((authorization, address))
        if authorization == "barred":
            raise PermissionDenied("not from here")
        if authorization not in ("plain", "batch", "Basic batch"):
            return None
        identity = Identity(id=uuid7(), name="someone", roles=(Role.ADMIN,), created_at=NOON)
        return Caller(identity=identity, permissions=GRANTED[Role.ADMIN], batch="batch" in authorization)


class Unheard:
    """An audit log that nothing is written to."""

    async def record(self, entry: Any) -> None:
        raise AssertionError(entry)

    def refused(self, entry: Any) -> None:
        raise AssertionError(entry)


def tiny(name: str, prefix: str, *paths: str, guest: Guest | None = None) -> Dialect:
    """A dialect that answers with its own name, the deployment's, and what was asked."""

    async def answer(call: Call) -> str:
        return f"{name} {call.deployment.name} {call.operation.path} {call.address}"

    def explain(error: Exception) -> Reply:
        return Reply(status=STATUSES.get(type(error), 500), body=f"{name} {type(error).__name__}".encode())

    return Dialect(
        name=name,
        prefix=prefix,
        operations=tuple(Operation(method="GET", path=path, handler=answer) for path in paths),
        checks=(),
        encode=lambda value: Reply(body=str(value).encode()),
        explain=explain,
        guest=guest,
    )


HOST = tiny("host", "/api/v1", "/dags", "/pools/{name}")
GUEST = tiny(
    "guest", "/batch/api/v1", "/dags", "/dag_runs", "/dag_runs/{id}",
    guest=Guest(prefix="/api/v1", segments=("dag_runs",), preferred=(("GET", "/dags"),)),
)  # fmt: skip
NATIVE = replace(tiny("native", "/airgate/v1", "/me"), per_deployment=False)


async def health(_: Deployment) -> Health:
    return Health(store=True, scheduler=True)


def services(**given: Any) -> Services:
    usual: dict[str, Any] = {
        "access": Keys(),
        "triggers": None,  # no operation of these dialects triggers anything
        "accounts": None,
        "roles": None,
        "tokens": None,
        "audit": Unheard(),
        "clock": lambda: NOON,
        "secret": b"s",
        "version": "0",
        "health": health,
    }
    return Services(**(usual | given))


@dataclass
class Asker:
    """Asks an application whose deployments are `local`, the default, and `far away`."""

    base_path: str = ""
    proxies: Proxies = DIRECT
    cors: Cors | None = None
    access: Keys | None = None
    peer: str = "10.0.0.9"

    async def ask(self, path: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        local = World(lambda: NOON).deployment()
        app = build_app(
            deployments={name: replace(local, name=name) for name in ("local", "far away")},
            default="local",
            services=services(access=self.access or Keys(), base_path=self.base_path, proxies=self.proxies),
            cors=self.cors,
            dialects=(HOST, GUEST, NATIVE),
        )
        transport = httpx.ASGITransport(app=app, client=(self.peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gate:8080") as client:
            return await client.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def text(path: str, base_path: str = "", **headers: str) -> str:
    reply = await Asker(base_path).ask(path, **headers)
    return reply.text.rpartition(" ")[0] if reply.status_code == 200 else f"{reply.status_code} {reply.text}"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/dags", "host local /dags"),
        ("/local/airflow/api/v1/dags", "host local /dags"),
        ("/far%20away/airflow/api/v1/dags", "host far away /dags"),
        ("/far%20away/airflow/batch/api/v1/dags", "guest far away /dags"),
        ("/airgate/v1/me", "native local /me"),
        ("/api/v1/dags?x=/local/airflow", "host local /dags"),
        ("/api/v1/nothing", "404 host RouteNotFound"),
        ("/api/v1", "404 host RouteNotFound"),
    ],
)
async def test_a_dialect_is_served_for_the_default_and_for_each_deployment(path: str, answer: str) -> None:
    assert await text(path) == answer


@pytest.mark.parametrize("path", ["/api/v1x/dags", "/api", "//local/airflow/api/v1/dags", "/nope", "/local"])
async def test_what_only_resembles_a_prefix_reaches_no_dialect(path: str) -> None:
    reply = await Asker().ask(path)
    assert reply.status_code == 404
    assert "RouteNotFound" not in reply.text


async def test_a_dialect_with_deployments_in_its_paths_is_served_once() -> None:
    assert (await Asker().ask("/local/airflow/airgate/v1/me")).status_code == 404


async def test_an_unknown_deployment_is_named_in_a_json_404() -> None:
    reply = await Asker().ask("/nope/airflow/api/v1/dags")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.json()["detail"].startswith("There is no deployment 'nope' here.")


@pytest.mark.parametrize("path", ["/local/airflow/api/v9/dags", "/local/airflow/nothing"])
async def test_an_unknown_path_of_a_deployment_is_a_json_404(path: str) -> None:
    reply = await Asker().ask(path)
    assert reply.status_code == 404
    assert path in reply.json()["detail"]


@pytest.mark.parametrize("path", ["/%ff/airflow/api/v1/dags", f"/{'x' * 5000}/airflow/api/v1/dags"])
async def test_a_name_that_nobody_would_give_is_answered_briefly(path: str) -> None:
    reply = await Asker().ask(path)
    assert reply.status_code == 404
    assert len(reply.content) < 500


# ------------------------------------------------------------------------------------------------------ base path


@pytest.mark.parametrize("prefix", ["/gate/way", ""])
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/dags", "host local /dags"),
        ("/far%20away/airflow/api/v1/dags", "host far away /dags"),
        ("/airgate/v1/me", "native local /me"),
    ],
)
async def test_requests_reach_their_dialect_with_and_without_the_base_path(prefix: str, path: str, answer: str) -> None:
    assert await text(prefix + path, "/gate/way") == answer


@pytest.mark.parametrize("path", ["/airgate/airgate/v1/me", "/airgate/v1/me"])
async def test_a_base_path_may_begin_as_a_path_of_ours_does(path: str) -> None:
    assert await text(path, "/airgate") == "native local /me"


@pytest.mark.parametrize("path", ["/gate/", "/gate", "/"])
async def test_the_page_prints_addresses_with_the_base_path(path: str) -> None:
    page = await Asker("/gate").ask(path)
    assert "http://gate:8080/gate/api/v1/dags/YOUR_DAG/dagRuns" in page.text
    assert (await Asker("/gate").ask("/gate/health")).status_code == 200


async def test_every_deployment_has_its_page_and_its_health() -> None:
    for path in ("/far%20away/airflow", "/far%20away/airflow/"):
        page = await Asker("/gate").ask(path)
        assert "http://gate:8080/gate/far%20away/airflow/api/v1/dags/YOUR_DAG/dagRuns" in page.text
    assert (await Asker().ask("/local/airflow/health")).status_code == 200


# ---------------------------------------------------------------------------------------------------------- guests


@pytest.mark.parametrize(
    ("path", "key", "answer"),
    [
        ("/batch/api/v1/dags", "plain", "guest local /dags"),
        ("/batch/api/v1/pools/p", "plain", "404 guest RouteNotFound"),
        ("/api/v1/dag_runs", "plain", "guest local /dag_runs"),
        ("/api/v1/dag_runs/7", "", "guest local /dag_runs/{id}"),
        ("/api/v1/dag_runs/7/8", "", "404 guest RouteNotFound"),
        ("/api/v1/dags", "plain", "host local /dags"),
        ("/api/v1/dags", "batch", "guest local /dags"),
        ("/api/v1/dags", "", "host local /dags"),
        ("/api/v1/dags", "barred", "host local /dags"),
        ("/api/v1/dags", "Basic batch", "host local /dags"),
        ("/api/v1/dags/", "batch", "404 host RouteNotFound"),
        ("/api/v1/pools/p", "batch", "host local /pools/{name}"),
        ("/far%20away/airflow/api/v1/dags", "batch", "guest far away /dags"),
        ("/far%20away/airflow/batch/api/v1/dags", "", "guest far away /dags"),
    ],
)
async def test_a_guest_answers_for_its_paths_and_for_keys_that_ask_for_it(path: str, key: str, answer: str) -> None:
    assert await text(path, **({"authorization": key} if key else {})) == answer


async def test_head_of_a_shared_path_is_answered_by_the_one_that_answers_get() -> None:
    head = await Asker().ask("/api/v1/dags", method="HEAD", authorization="batch")
    got = await Asker().ask("/api/v1/dags", authorization="batch")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert got.text.startswith("guest")


async def test_other_methods_of_a_shared_path_are_the_hosts() -> None:
    reply = await Asker().ask("/api/v1/dags", method="POST", authorization="batch")
    assert reply.text == "host MethodNotAllowed"


async def test_only_a_path_that_two_dialects_have_asks_who_is_there() -> None:
    keys = Keys()
    await Asker(access=keys).ask("/api/v1/pools/p", authorization="batch")
    assert keys.asked == []
    await Asker(access=keys).ask("/api/v1/dags", authorization="batch")
    assert keys.asked == [("batch", "10.0.0.9")]


def test_a_guest_without_a_host_is_a_mistake() -> None:
    lonely = tiny("lonely", "/lonely", "/x", guest=Guest(prefix="/nowhere"))
    with pytest.raises(ValueError, match="no dialect is served"):
        build_app(
            deployments={"local": World(lambda: NOON).deployment()},
            default="local",
            services=services(),
            dialects=(lonely,),
        )


# ------------------------------------------------------------------------------------------------ proxies and origins


@pytest.mark.parametrize(("peer", "seen"), [("10.0.0.9", "192.0.2.7"), ("203.0.113.5", "203.0.113.5")])
async def test_only_a_trusted_proxy_says_who_the_client_is(peer: str, seen: str) -> None:
    asker = Asker(proxies=Proxies([ip_network("10.0.0.0/8")]), peer=peer)
    reply = await asker.ask("/api/v1/pools/p", x_forwarded_for="192.0.2.7")
    assert reply.text == f"host local /pools/{{name}} {seen}"


@pytest.mark.parametrize(("peer", "scheme"), [("10.0.0.9", "https"), ("203.0.113.5", "http")])
async def test_the_page_prints_the_scheme_that_a_trusted_proxy_speaks(peer: str, scheme: str) -> None:
    asker = Asker(proxies=Proxies([ip_network("10.0.0.0/8")]), peer=peer)
    page = await asker.ask("/", x_forwarded_proto="https", host="airflow.example.com")
    assert f"curl -X POST {scheme}://airflow.example.com/api/v1/dags" in page.text


async def test_cross_origin_headers_are_on_every_reply_of_every_dialect() -> None:
    cors = Cors(headers="origin, content-type", methods="GET, POST", origins=["https://a.example", "https://b.example"])
    for path in ("/api/v1/dags", "/api/v1/nothing", "/airgate/v1/me", "/api/v1/dag_runs"):
        reply = await Asker(cors=cors).ask(path, origin="https://b.example")
        assert reply.headers["access-control-allow-origin"] == "https://b.example"
        assert reply.headers["access-control-allow-headers"] == "origin, content-type"
        assert reply.headers["access-control-allow-methods"] == "GET, POST"


async def test_options_is_answered_with_the_methods_and_the_cross_origin_headers() -> None:
    reply = await Asker(cors=Cors(origins=["*"])).ask("/api/v1/dags", method="OPTIONS", origin="https://x.example")
    assert (reply.status_code, reply.headers["allow"]) == (200, "GET, HEAD, OPTIONS")
    assert reply.headers["access-control-allow-origin"] == "*"
