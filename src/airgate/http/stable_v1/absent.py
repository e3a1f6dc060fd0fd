"""What v1 has nouns for and Airgate has none of yet: empty lists, and things that are not found."""

from __future__ import annotations

from typing import Any

from airgate.http.operations import Call, Handler
from airgate.http.stable_v1.common import page
from airgate.http.stable_v1.problems import not_found


def nothing(plural: str) -> Handler:
    """A list that is always empty."""

    async def empty_list(call: Call) -> dict[str, Any]:
        page(call.query)
        return {plural: [], "total_entries": 0}

    return empty_list


async def providers(_: Call) -> dict[str, Any]:
    """GET /providers. They are the DAG interpreter's, which the server does not look into."""
    return {"providers": [], "total_entries": 0}


async def get_event_log(_: Call) -> dict[str, Any]:
    """GET /eventLogs/{event_log_id}."""
    raise not_found(title="Event Log not found")
