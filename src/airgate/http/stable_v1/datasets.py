"""Datasets in v1: those that DAGs name are told; their events are not followed, so there are none, queued or past."""

from __future__ import annotations

from typing import Any, Final

from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.stable_v1.common import order, page
from airgate.http.stable_v1.dataset_views import Dataset, dataset_view, datasets_of
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.query import DagFilter, Order, Page

_ALL: Final = Page(100_000)
_SORTABLE: Final = {name: name for name in ("id", "uri", "created_at", "updated_at")}
_EVENTS_SORTABLE: Final = {
    name: name for name in ("source_dag_id", "source_task_id", "source_run_id", "source_map_index", "timestamp")
}

EVENT: Final = Form(Field("dataset_uri", "string", demanded=True), Field("extra", "object", nullable=True))


async def _known(call: Call) -> tuple[Dataset, ...]:
    """The datasets of the DAGs that the caller may see."""
    which = DagFilter(dag_ids=await visible.dag_ids(call))
    return datasets_of((await call.deployment.dags.list(which, Order("dag_id"), _ALL)).items)


async def list_datasets(call: Call) -> dict[str, Any]:
    """GET /datasets."""
    query = call.query
    window = page(call)
    ordered = order(query.order_by, "id", _SORTABLE)
    pattern = (query.uri_pattern or "").lower()
    wanted = frozenset((query.dag_ids or "").split(",")) - {""}
    found = [
        dataset
        for dataset in await _known(call)
        if pattern in dataset.uri.lower() and (not wanted or not wanted.isdisjoint(dataset.dag_ids))
    ]
    found.sort(key=lambda dataset: getattr(dataset, ordered.field), reverse=ordered.descending)
    shown = found[window.offset : window.offset + window.limit]
    return {"datasets": [dataset_view(dataset) for dataset in shown], "total_entries": len(found)}


async def get_dataset(call: Call) -> dict[str, Any]:
    """GET /datasets/{uri}."""
    uri = call.params["uri"]
    for dataset in await _known(call):
        if dataset.uri == uri:
            return dataset_view(dataset)
    raise not_found(f"The Dataset with uri: `{uri}` was not found", "Dataset not found")


async def list_events(call: Call) -> dict[str, Any]:
    """GET /datasets/events. None are known."""
    page(call)
    order(call.query.order_by, "timestamp", _EVENTS_SORTABLE)
    return {"dataset_events": [], "total_entries": 0}


async def post_event(call: Call) -> dict[str, Any]:
    """POST /datasets/events. Nothing would come of an event, and the client is told so rather than thanked."""
    uri = EVENT.load(call.body)["dataset_uri"]
    for dataset in await _known(call):
        if dataset.uri == uri:
            raise bad_request(_no_events(dataset), "Dataset events are not followed")
    raise not_found(f"Dataset with uri: '{uri}' not found", "Dataset not found")


def _no_events(dataset: Dataset) -> str:
    consumers = ", ".join(one.dag_id for one in dataset.consumers)
    waiting = f"trigger what waits for it instead: {consumers}" if consumers else "no DAG waits for it"
    return f"This deployment does not start DAGs for dataset events, so nothing was kept of this one; {waiting}."


async def no_queued_of_dag(call: Call) -> dict[str, Any]:
    """GET and DELETE /dags/{dag_id}/datasets/queuedEvent."""
    raise _not_queued(f"dag_id: `{call.params['dag_id']}`")


async def no_queued_of_dag_and_dataset(call: Call) -> dict[str, Any]:
    """GET and DELETE /dags/{dag_id}/datasets/queuedEvent/{uri}."""
    raise _not_queued(f"dag_id: `{call.params['dag_id']}` and dataset uri: `{call.params['uri']}`")


async def no_queued_of_dataset(call: Call) -> dict[str, Any]:
    """GET and DELETE /datasets/queuedEvent/{uri}."""
    raise _not_queued(f"dataset uri: `{call.params['uri']}`")


def _not_queued(what: str) -> Problem:
    return not_found(f"Queue event with {what} was not found", "Queue event not found")
