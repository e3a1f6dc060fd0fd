"""Event logs in v1: the audit log, as far as it is about the deployment that is asked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

import msgspec

from airgate.http.dates import iso
from airgate.http.operations import Call
from airgate.http.stable_v1.common import existing, order, page, span
from airgate.http.stable_v1.problems import not_found
from airgate.model.audit import AuditEntry, AuditFilter

_SORTABLE: Final = {
    "event_log_id": "seq", "when": "at", "dag_id": "dag_id", "task_id": "task_id", "run_id": "run_id",
    "event": "event", "execution_date": "logical_date", "owner": "actor", "extra": "extra",
}  # fmt: skip
_PREFIX: Final = "api."
"""Airflow puts this before the operations of its API; with and without it, an event is found."""
_TOLD_IN_EXTRA: Final = ("outcome", "status", "dialect", "method", "path", "address", "count")
_AFTER: Final = timedelta(microseconds=1)


def event_log_view(entry: AuditEntry) -> dict[str, Any]:
    """An entry of the audit log. What v1 has no field for is in its `extra`, a JSON text."""
    facts = {name: getattr(entry, name) for name in _TOLD_IN_EXTRA}
    extra = msgspec.to_builtins({**entry.extra, **facts, "key_id": entry.key_id})
    return {
        "dag_id": entry.dag_id,
        "event": _PREFIX + entry.event,
        "event_log_id": entry.seq,
        "execution_date": iso(entry.logical_date),
        "extra": json.dumps({name: value for name, value in extra.items() if value is not None}),
        "map_index": entry.map_index,
        "owner": entry.actor,
        "run_id": entry.run_id,
        "task_id": entry.task_id,
        "try_number": None,
        "when": iso(entry.at),
    }


async def list_event_logs(call: Call) -> dict[str, Any]:
    """GET /eventLogs."""
    query = call.query
    window = page(call)
    ordered = order(query.order_by, "event_log_id", _SORTABLE)
    listing = await call.services.audit.list_entries(_filter(call), ordered, window)
    return {"event_logs": [event_log_view(entry) for entry in listing.items], "total_entries": listing.total}


def _filter(call: Call) -> AuditFilter:
    query = call.query
    when = span(query.after, query.before)
    return AuditFilter(
        deployments=() if query.try_number is not None else (call.deployment.name,),  # no entry is about a try
        dag_ids=None if query.dag_id is None else (query.dag_id,),
        run_id=query.run_id,
        task_id=query.task_id,
        map_index=query.map_index,
        events=_included(query.event, query.included_events),
        excluded_events=_words(query.excluded_events) or (),
        actor=query.owner,
        since=when.start and when.start + _AFTER,
        until=when.end,
    )


def _included(event: str | None, included: str | None) -> tuple[str, ...] | None:
    one, some = _words(event), _words(included)
    return one if some is None else some if one is None else tuple(word for word in one if word in some)


def _words(text: str | None) -> tuple[str, ...] | None:
    return tuple(word.removeprefix(_PREFIX) for word in text.split(",")) if text else None


async def get_event_log(call: Call) -> dict[str, Any]:
    """GET /eventLogs/{event_log_id}."""
    here = AuditFilter(deployments=(call.deployment.name,))
    found = call.services.audit.get(call.params["event_log_id"], here)
    return event_log_view(await existing(found, lambda: not_found(title="Event Log not found")))
