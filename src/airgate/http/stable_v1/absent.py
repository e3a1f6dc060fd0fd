"""What v1 has nouns for and Airgate has none of yet: empty lists, and things that are not found."""

from __future__ import annotations

from typing import Any

from airgate.http.operations import Call, Handler
from airgate.http.stable_v1.common import order, page


def nothing(plural: str, *sortable: str) -> Handler:
    """A list that is always empty, and could be ordered by these words, the first of which is the default."""

    async def empty_list(call: Call) -> dict[str, Any]:
        page(call)
        if sortable:
            order(call.query.order_by, sortable[0], dict.fromkeys(sortable, ""))
        return {plural: [], "total_entries": 0}

    return empty_list


async def providers(_: Call) -> dict[str, Any]:
    """GET /providers. They are the DAG interpreter's, which the server does not look into."""
    return {"providers": [], "total_entries": 0}
