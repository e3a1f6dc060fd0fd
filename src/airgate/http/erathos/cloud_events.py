"""CloudEvents 1.0, structured or binary, as reports of executions. Pure.

The event's ``subject`` names the execution: an execution's events share it. Where it is a UUID it is the execution's
id; else the id is made of source and subject, and without a subject of source and id. The status is ``data.status``,
else it follows from the last word of ``type``. ``time`` is when the execution ended, or began. Fields of ``data`` that
no report has are kept as ``extra``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID, uuid5

from airgate.http.erathos.bodies import ReportBody
from airgate.http.erathos.problems import wrong

STRUCTURED: Final = "application/cloudevents+json"
_EXECUTIONS: Final = UUID("0b7f6f0e-3d19-5d35-9a7b-6f1d3b7f2c11")
_NEEDED: Final = ("id", "source", "type")
_KEPT: Final = ("id", "source", "type", "subject", "time")
_STATUSES: Final = {
    "RUNNING": ("started", "start", "running", "begun", "created", "queued"),
    "FINISHED": ("finished", "finish", "succeeded", "success", "completed", "complete", "ended", "done"),
    "FAILED": ("failed", "failure", "fail", "error", "errored"),
    "CANCELLED": ("cancelled", "canceled", "aborted", "stopped"),
}
_BY_WORD: Final = {word: status for status, words in _STATUSES.items() for word in words}


def event_of(headers: Iterable[tuple[bytes, bytes]], body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The CloudEvent of a request, ``data`` among its attributes; None where the request is none."""
    given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    media_type = next((value for name, value in given if name == "content-type"), "")
    if media_type.partition(";")[0].strip().lower() == STRUCTURED:
        return dict(body)
    attributes: dict[str, Any] = {name[3:]: unquote(value) for name, value in given if name.startswith("ce-")}
    return {**attributes, "data": dict(body)} if attributes else None


def report_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a report that an event tells. Raises Refused."""
    faults = [(f"/{name}", "This field is required.") for name in _NEEDED if not _text(event.get(name))]
    if event.get("specversion") != "1.0":
        faults.append(("/specversion", 'Only CloudEvents "1.0" are understood.'))
    data = event.get("data", {})
    if "data_base64" in event or not isinstance(data, dict | None):
        faults.append(("/data", "The data is a JSON object."))
    data = data if isinstance(data, dict) else {}
    status = data.get("status") or _status(event.get("type"))
    if status is None:
        words = ", ".join(words[0] for words in _STATUSES.values())
        faults.append(("/type", f"The type ends with none of {words}, and data has no status."))
    if faults:
        raise wrong(faults)
    known = {name: value for name, value in data.items() if name in ReportBody.__struct_fields__}
    extra = {name: value for name, value in data.items() if name not in known}
    extra |= {"cloud_event": {name: event[name] for name in _KEPT if _text(event.get(name))}}
    if isinstance(known.get("extra", {}), dict):
        known["extra"] = known.get("extra", {}) | extra
    report = {"execution_id": _execution_id(event), **known, "status": status}
    when = "started_at" if status == "RUNNING" else "ended_at"
    if _text(event.get("time")):
        report.setdefault(when, event["time"])
    return report


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _status(kind: Any) -> str | None:
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(kind)).lower())
    return next((_BY_WORD[word] for word in reversed(words) if word in _BY_WORD), None)


def _execution_id(event: Mapping[str, Any]) -> str:
    subject = event.get("subject")
    if not _text(subject):
        return str(uuid5(_EXECUTIONS, f"{event['source']}\n{event['id']}"))
    try:
        return str(UUID(subject))
    except ValueError:
        return str(uuid5(_EXECUTIONS, f"{event['source']}\n\n{subject}"))
