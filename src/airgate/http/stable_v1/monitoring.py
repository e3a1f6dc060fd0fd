"""Health, version and counts in v1."""

from __future__ import annotations

import asyncio
from typing import Any

from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.stable_v1.admin_views import health_view
from airgate.http.stable_v1.problems import AIRFLOW_VERSION
from airgate.model.query import DagFilter, Order, Page, RunFilter
from airgate.model.states import RunState


async def health(call: Call) -> dict[str, Any]:
    """GET /health."""
    return health_view(await call.services.health(call.deployment))


async def version(call: Call) -> dict[str, Any]:
    """GET /version: the Airflow whose API this is, and, where Airflow names its commit, Airgate and its version."""
    return {"git_version": f"airgate {call.services.version}", "version": AIRFLOW_VERSION}


async def dag_stats(call: Call) -> dict[str, Any]:
    """GET /dagStats: how many runs of each state the named DAGs have."""
    wanted = await visible.dag_ids(call, dict.fromkeys(call.query.dag_ids.split(","))) or ()
    known = await call.deployment.dags.list(
        DagFilter(dag_ids=wanted, only_active=False), Order("dag_id"), Page(len(wanted))
    )
    dags = []
    for dag in known.items:
        counts = await asyncio.gather(*(_count(call, dag.dag_id, state) for state in RunState))
        stats = [{"count": count, "state": state.value} for state, count in zip(RunState, counts, strict=True)]
        dags.append({"dag_id": dag.dag_id, "stats": stats})
    return {"dags": dags, "total_entries": len(dags)}


async def _count(call: Call, dag_id: str, state: RunState) -> int:
    which = RunFilter(dag_ids=(dag_id,), states=(state,))
    return (await call.deployment.runs.list(which, Order("seq"), Page(1))).total
