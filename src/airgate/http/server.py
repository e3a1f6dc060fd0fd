"""The server: every dialect, for the default deployment at its own path and for each at ``/{deployment}/airflow/…``."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from airgate.deployments.ports import Deployment
from airgate.http.operations import Dialect, Services
from airgate.http.pages import routes
from airgate.http.runner import Runner
from airgate.http.stable_v1.dialect import STABLE_V1

DIALECTS: tuple[Dialect, ...] = (STABLE_V1,)
DEFAULT_MAX_BODY = 10 * 1024 * 1024


def build_app(
    *, deployments: Mapping[str, Deployment], default: str, services: Services, max_body: int = DEFAULT_MAX_BODY
) -> ASGIApp:
    """The ASGI application.

    Args:
        deployments: by name, as in the path ``/{deployment}/airflow/api/v1``.
        default: name of the deployment served at ``/api/v1`` and shown at ``/``.
        services: what handlers may use.
        max_body: largest request body that is read, in bytes.
    """
    mounts: dict[bytes, Runner] = {}
    for dialect in DIALECTS:
        for name, deployment in deployments.items():
            runner = Runner(dialect, services, deployment, max_body)
            mounts[f"/{name}/airflow{dialect.prefix}".encode()] = runner
            if name == default:
                mounts[dialect.prefix.encode()] = runner
    return Front(mounts, Starlette(routes=routes(deployments[default], services)))


class Front:
    """Sends a request to the dialect its path begins with, and every other to the pages.

    It stands before Starlette so that a trigger passes no middleware it does not need.
    """

    def __init__(self, mounts: Mapping[bytes, Runner], pages: ASGIApp) -> None:
        self._mounts = sorted(((prefix, runner) for prefix, runner in mounts.items()), key=lambda m: -len(m[0]))
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            path = path.partition(b"?")[0]
            for prefix, runner in self._mounts:
                if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"/", b""):
                    await runner.serve(scope, receive, send, path[len(prefix) :])
                    return
        await self._pages(scope, receive, send)
