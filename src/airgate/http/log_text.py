"""Structured log entries as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SHOWN: Final = frozenset({"timestamp", "level", "logger", "event", "filename", "lineno", "error_detail", "exception"})


def readable(entry: Mapping[str, Any]) -> str:
    """An entry as Airflow 2 would have written it: ``[time] {origin} LEVEL - event key=value``, then its traceback."""
    origin = str(entry.get("filename") or entry.get("logger") or "")
    if entry.get("lineno") is not None:
        origin = f"{origin}:{entry['lineno']}"
    head = [f"[{entry['timestamp']}]" if entry.get("timestamp") else "", f"{{{origin}}}" if origin else ""]
    level = str(entry.get("level", "info")).upper()
    extra = [f"{key}={value!r}" for key, value in entry.items() if key not in _SHOWN]
    text = " ".join([*filter(None, head), level, "-", str(entry.get("event", "")), *extra]) + "\n"
    details = entry.get("error_detail")
    if isinstance(details, list):
        text += "".join(_traceback(detail) for detail in details if isinstance(detail, dict))
    elif entry.get("exception"):
        text += f"{entry['exception']}\n"
    return text


def _traceback(detail: Mapping[str, Any]) -> str:
    """One exception of a chain, as Python prints it."""
    frames = [frame for frame in detail.get("frames") or () if isinstance(frame, dict)]
    lines = ["Traceback (most recent call last):\n"] if frames else []
    places = ((frame.get("filename"), frame.get("lineno"), frame.get("name")) for frame in frames)
    lines += [f'  File "{file}", line {line}, in {name}\n' for file, line, name in places]
    lines.append(f"{detail.get('exc_type', 'Exception')}: {detail.get('exc_value', '')}\n")
    return "".join(lines)
