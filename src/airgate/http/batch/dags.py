"""GET /dags of the batch plugin."""

from __future__ import annotations

from typing import Any, Final

from airgate.http.batch.views import dag_view
from airgate.http.operations import Call
from airgate.http.visible import dag_ids
from airgate.model.query import DagFilter, Order, Page

_ALL: Final = Page(1_000_000)


async def list_dags(call: Call) -> dict[str, Any]:
    """Every DAG whose file is there, by id."""
    which = DagFilter(dag_ids=await dag_ids(call))
    listing = await call.deployment.dags.list(which, Order("dag_id"), _ALL)
    newest = await call.deployment.runs.newest_dates()
    return {"dags": [dag_view(dag, newest.get(dag.dag_id)) for dag in listing.items]}
