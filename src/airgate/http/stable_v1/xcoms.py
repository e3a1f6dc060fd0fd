"""XComs in v1: list and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airgate.http.operations import Call
from airgate.http.stable_v1.common import ALL, existing, page, shown_dags
from airgate.http.stable_v1.problems import bad_request, not_found
from airgate.http.stable_v1.task_instances import execution_dates
from airgate.http.stable_v1.views import xcom_value_view, xcom_view
from airgate.model.run import XCom


async def list_xcoms(call: Call) -> dict[str, Any]:
    """GET …/xcomEntries. A DAG, run or task nobody knows has none."""
    query, params = call.query, call.params
    run_id, task_id = (None if params[name] == ALL else params[name] for name in ("dag_run_id", "task_id"))
    listing = await call.deployment.xcoms.list(
        await shown_dags(call), run_id, task_id, query.map_index, query.xcom_key, page(call)
    )
    dates = await _dates(call, listing.items)
    return {
        "xcom_entries": [xcom_view(item, date) for item, date in zip(listing.items, dates, strict=True)],
        "total_entries": listing.total,
    }


async def get_xcom(call: Call) -> dict[str, Any]:
    """GET …/xcomEntries/{xcom_key}."""
    query, params = call.query, call.params
    if query.deserialize:
        raise bad_request("XCom deserialization is disabled in configuration.")
    found = call.deployment.xcoms.get(
        params["dag_id"], params["dag_run_id"], params["task_id"], params["xcom_key"], query.map_index
    )
    xcom = await existing(found, lambda: not_found(title="XCom entry not found"))
    (date,) = await _dates(call, (xcom,))
    return xcom_value_view(xcom, date, stringify=query.stringify)


async def _dates(call: Call, xcoms: Sequence[XCom]) -> list[datetime | None]:
    """The execution date of each XCom's run; only runs without a logical date are asked for."""
    undated = [xcom for xcom in xcoms if xcom.logical_date is None]
    dates = await execution_dates(call.deployment, undated)
    return [xcom.logical_date or dates.get((xcom.dag_id, xcom.run_id)) for xcom in xcoms]
