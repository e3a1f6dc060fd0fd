"""Deployments, and how they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from airgate.access.decisions import Place
from airgate.deployments.ports import Deployment, Health
from airgate.http.native.common import Instant
from airgate.http.native.guard import covers
from airgate.http.native.paging import Next, Paged, page_of
from airgate.http.native.table import NativeOperation, Reach
from airgate.http.operations import Call, caller_of

_DEPLOYMENT: Final = "/deployments/{deployment}"


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a deployment works, part by part, and when each part was last heard of. Null: it has no such part."""

    store: bool
    scheduler: bool
    scheduler_heartbeat: Instant | None
    dag_processor: bool | None
    dag_processor_heartbeat: Instant | None
    triggerer: bool | None
    triggerer_heartbeat: Instant | None


class DeploymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A place where DAGs run. `default` is the one that dialects serve at their usual paths."""

    name: str
    workspace: str
    kind: str
    default: bool
    health: HealthView


class Deployments(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deployments, by name."""

    items: tuple[DeploymentView, ...]
    next: Next | None


def visible_deployments(call: Call) -> tuple[Deployment, ...]:
    """The deployments within the caller's scope, by name."""
    caller = caller_of(call)
    found = sorted(call.services.deployments.items())
    return tuple(one for _, one in found if covers(caller, Place(one.name, one.workspace)))


async def list_deployments(call: Call) -> Deployments:
    """List the deployments that the caller's scope covers."""
    page, following = page_of(call, visible_deployments(call), lambda one: one.name)
    return Deployments(items=tuple([await _view(call, one) for one in page]), next=following)


async def get_deployment(call: Call) -> DeploymentView:
    """Show one deployment, and how it is."""
    return await _view(call, call.deployment)


async def _view(call: Call, deployment: Deployment) -> DeploymentView:
    return DeploymentView(
        name=deployment.name,
        workspace=deployment.workspace,
        kind=deployment.kind,
        default=deployment.name == call.services.default_deployment,
        health=_health(await call.services.health(deployment)),
    )


def _health(health: Health) -> HealthView:
    return HealthView(
        store=health.store,
        scheduler=health.scheduler,
        scheduler_heartbeat=_instant(health.scheduler_heartbeat),
        dag_processor=health.dag_processor,
        dag_processor_heartbeat=_instant(health.dag_processor_heartbeat),
        triggerer=health.triggerer,
        triggerer_heartbeat=_instant(health.triggerer_heartbeat),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


OPERATIONS: Final = (
    NativeOperation(
        method="GET", path="/deployments", handler=list_deployments, tag="deployments", query=Paged, answer=Deployments,
        reach=Reach.SCOPE,
    ),
    NativeOperation(
        method="GET", path=_DEPLOYMENT, handler=get_deployment, tag="deployments", answer=DeploymentView,
        reach=Reach.DEPLOYMENT,
    ),
)  # fmt: skip
