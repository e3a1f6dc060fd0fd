"""The one page for a browser, and the health of the server."""

from __future__ import annotations

from starlette.routing import BaseRoute

from airgate.deployments.ports import Deployment
from airgate.http.operations import Services


def routes(deployment: Deployment, services: Services) -> list[BaseRoute]:
    return []
