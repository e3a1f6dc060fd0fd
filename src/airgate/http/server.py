"""The server: every dialect, for the default deployment at its own path and for each at ``/{deployment}/airflow/…``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from airgate.deployments.ports import Deployment
from airgate.http.auth_token.dialect import AUTH_TOKEN
from airgate.http.batch.dialect import BATCH
from airgate.http.cors import Cors
from airgate.http.erathos.dialect import ERATHOS
from airgate.http.experimental.dialect import EXPERIMENTAL
from airgate.http.hooks.dialect import HOOKS
from airgate.http.mounts import Mounts, Served, find, mounts
from airgate.http.native.dialect import NATIVE
from airgate.http.operations import Dialect, Services
from airgate.http.pages import routes
from airgate.http.runner import Runner
from airgate.http.stable_v1.dialect import STABLE_V1

DIALECTS: tuple[Dialect, ...] = (STABLE_V1, EXPERIMENTAL, BATCH, AUTH_TOKEN, NATIVE, HOOKS, ERATHOS)
DEFAULT_MAX_BODY = 10 * 1024 * 1024
_MARK = b"airflow"
"""The segment after a deployment's name."""


def build_app(
    *,
    deployments: Mapping[str, Deployment],
    default: str,
    services: Services,
    max_body: int = DEFAULT_MAX_BODY,
    cors: Cors | None = None,
    dialects: Sequence[Dialect] = DIALECTS,
) -> ASGIApp:
    """The ASGI application.

    Args:
        deployments: by name, as in the path ``/{deployment}/airflow/api/v1``.
        default: name of the deployment served at ``/api/v1`` and shown at ``/``.
        services: what handlers may use.
        max_body: largest request body that is read, in bytes.
        cors: what pages of other origins may do; None: nothing is said of it.
        dialects: what is spoken.
    """

    def house(deployment: Deployment, spoken: Sequence[Dialect]) -> _House:
        def runner(dialect: Dialect) -> Runner:
            return Runner(dialect, services, deployment, max_body, cors)

        return _House(mounts(spoken, runner, services), Starlette(routes=routes(deployment, services)))

    everywhere = [dialect for dialect in dialects if dialect.per_deployment]
    houses = {name.encode(): house(deployment, everywhere) for name, deployment in deployments.items()}
    return Front(houses, house(deployments[default], dialects), services)


class _House(NamedTuple):
    """What is served of one deployment."""

    dialects: Mounts
    pages: ASGIApp


class Front:
    """Sends a request to the dialect its path begins with, and every other to the pages.

    It stands before Starlette so that a trigger passes no middleware it does not need. With a base path, requests with
    and without it are served: some proxies take it off, and health checks go past the proxy.
    """

    def __init__(self, houses: Mapping[bytes, _House], default: _House, services: Services) -> None:
        self._houses = houses
        self._default = default
        self._base = services.base_path.encode()
        self._proxies = services.proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._default.pages(scope, receive, send)
            return
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        path = path.partition(b"?")[0]
        below = _below(self._base, path)
        found = self._dialect(below)
        if found is None and below != path:
            found = self._dialect(path)  # a path of ours may begin as the base path does
        if found is not None:
            await found[0].serve(scope, receive, send, found[1])
            return
        await self._page(below, scope, receive, send)

    def _dialect(self, path: bytes) -> tuple[Served, bytes] | None:
        found = find(self._default.dialects, path)
        if found is not None:
            return found
        named = _named(path) or _unmarked(path)
        house = self._houses.get(named[0]) if named else None
        return find(house.dialects, named[1]) if named and house else None

    async def _page(self, path: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Anything but a dialect: the pages of a deployment, or nothing."""
        named = _named(path)
        if named is None:
            root, below, house = self._base, path, self._default
        else:
            known = self._houses.get(named[0])
            if known is None:
                await _answer(_no_deployment(named[0]), scope, send)
                return
            root, below, house = self._base + path[: len(path) - len(named[1])], named[1], known
            if below not in _PAGES:
                await _answer(_no_dialect(path), scope, send)
                return
        prefix = unquote_to_bytes(root).decode("utf-8", "replace")
        scope = {
            **scope,
            "root_path": prefix,
            "path": prefix + (unquote_to_bytes(below).decode("utf-8", "replace") or "/"),
            "raw_path": root + (below or b"/"),
            "scheme": self._proxies.scheme(scope),
        }
        await house.pages(scope, receive, send)


_PAGES = frozenset({b"", b"/", b"/health"})


def _below(base: bytes, path: bytes) -> bytes:
    """The path without the base path; the path itself where it does not begin with it."""
    if base and path.startswith(base) and path[len(base) : len(base) + 1] in (b"/", b""):
        return path[len(base) :]
    return path


def _named(path: bytes) -> tuple[bytes, bytes] | None:
    """The deployment that ``/{deployment}/airflow…`` names, and the rest of the path; None for any other path."""
    parts = path.split(b"/", 3)
    if len(parts) < 3 or parts[0] or parts[2] != _MARK:
        return None
    return unquote_to_bytes(parts[1]), b"/" + parts[3] if len(parts) > 3 else b""


def _unmarked(path: bytes) -> tuple[bytes, bytes] | None:
    """The same of ``/{deployment}/api/…``, as Astronomer's documentation prints it in places."""
    parts = path.split(b"/", 2)
    if len(parts) < 3 or parts[0] or not parts[2].startswith(b"api/"):
        return None
    return unquote_to_bytes(parts[1]), b"/" + parts[2]


def _no_deployment(name: bytes) -> dict[str, object]:
    shown = name.decode("utf-8", "replace")[:200]
    return {
        "type": "about:blank",
        "title": "Deployment not found",
        "status": 404,
        "detail": f"There is no deployment '{shown}' here. Paths of a deployment begin with /NAME/airflow/.",
    }


def _no_dialect(path: bytes) -> dict[str, object]:
    shown = path.decode("ascii", "replace")[:200]
    return {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"Nothing is served at {shown}. The stable API of a deployment is at /NAME/airflow/api/v1.",
    }


async def _answer(problem: dict[str, object], scope: Scope, send: Send) -> None:
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
