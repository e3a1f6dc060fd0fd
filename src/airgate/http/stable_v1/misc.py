"""The rest of v1: health, version, configuration, counts, and nouns Airgate has none of yet."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from airgate.http.operations import Call, Handler
from airgate.http.replies import Reply, pretty_json
from airgate.http.stable_v1.accept import best_match
from airgate.http.stable_v1.admin_views import health_view
from airgate.http.stable_v1.common import page
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import AIRFLOW_VERSION, not_found
from airgate.model.query import DagFilter, Order, Page, RunFilter
from airgate.model.states import RunState

DATASET_EVENT: Final = Form(
    Field("dataset_uri", "string", demanded=True), Field("extra", "object", nullable=True, none=True)
)
_MEDIA_TYPES: Final = ("text/plain", "application/json")


async def health(call: Call) -> dict[str, Any]:
    """GET /health."""
    return health_view(await call.services.health(call.deployment))


async def version(call: Call) -> dict[str, Any]:
    """GET /version: the Airflow whose API this is, and, where Airflow names its commit, Airgate and its version."""
    return {"git_version": f"airgate {call.services.version}", "version": AIRFLOW_VERSION}


async def dag_stats(call: Call) -> dict[str, Any]:
    """GET /dagStats: how many runs of each state the named DAGs have."""
    wanted = tuple(dict.fromkeys(call.query.dag_ids.split(",")))
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


async def config(call: Call) -> Reply:
    """GET /config: the settings that are no secret."""
    media_type = best_match(call.header(b"accept"), _MEDIA_TYPES)
    if media_type is None:
        return _not_acceptable()
    sections = dict(call.services.config)
    wanted = call.query.section
    if wanted:
        if wanted not in sections:
            raise not_found(f"section={wanted} not found.", "section not found.")
        sections = {wanted: sections[wanted]}
    return _config_reply(sections, media_type)


async def config_option(call: Call) -> Reply:
    """GET /config/section/{section}/option/{option}."""
    section, option = call.params["section"], call.params["option"]
    media_type = best_match(call.header(b"accept"), _MEDIA_TYPES)
    if media_type is None:
        return _not_acceptable()
    value = call.services.config.get(section, {}).get(option)
    if value is None:
        raise not_found(f"The option [{section}/{option}] is not found in config.", "Config not found.")
    return _config_reply({section: {option: value}}, media_type)


def _config_reply(sections: dict[str, Any], media_type: str) -> Reply:
    if media_type == "text/plain":
        parts = (
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
            for name, options in sections.items()
        )
        return Reply(body="\n".join(parts).encode(), media_type=media_type)
    listed = [
        {"name": name, "options": [{"key": key, "value": value} for key, value in options.items()]}
        for name, options in sections.items()
    ]
    return Reply(body=pretty_json({"sections": listed}))


def _not_acceptable() -> Reply:
    return Reply(status=406, media_type="text/html; charset=utf-8")


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


async def get_dataset(call: Call) -> dict[str, Any]:
    """GET /datasets/{uri}."""
    raise not_found(f"The Dataset with uri: `{call.params['uri']}` was not found", "Dataset not found")


async def post_dataset_event(call: Call) -> dict[str, Any]:
    """POST /datasets/events."""
    uri = DATASET_EVENT.load(call.body)["dataset_uri"]
    raise not_found(f"Dataset with uri: '{uri}' not found", "Dataset not found")
