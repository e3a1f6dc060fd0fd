"""Query strings of the v1 dialect: the parameters of its operations, and what it says of wrong ones."""

from __future__ import annotations

import functools
import math
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from airgate.http.dates import rfc3339
from airgate.http.operations import Call, Check
from airgate.http.params import Param, compiled, parse
from airgate.http.stable_v1.problems import Problem, bad_request

_INT32 = 2**31 - 1

Offset = Annotated[int, msgspec.Meta(ge=0)]


class NoQuery(msgspec.Struct, frozen=True):
    """No parameters at all."""


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """A window on a list."""

    limit: int | None = None
    offset: Offset = 0


class Listed(Paged, frozen=True, kw_only=True):
    """A window on an ordered list."""

    order_by: str | None = None


class Masked(msgspec.Struct, frozen=True):
    """Which fields of the body count."""

    update_mask: tuple[str, ...] | None = None


class Fields(msgspec.Struct, frozen=True):
    """Which fields of the answer are wanted."""

    fields: tuple[str, ...] | None = None


class DagsQuery(Listed, frozen=True, kw_only=True):
    """Which DAGs."""

    tags: tuple[str, ...] = ()
    only_active: bool = True
    paused: bool | None = None
    fields: tuple[str, ...] | None = None
    dag_id_pattern: str | None = None


class PatchDagsQuery(Paged, frozen=True, kw_only=True):
    """Which DAGs to change."""

    tags: tuple[str, ...] = ()
    update_mask: tuple[str, ...] | None = None
    only_active: bool = True
    dag_id_pattern: str


class TasksQuery(msgspec.Struct, frozen=True):
    """The order of a DAG's tasks."""

    order_by: str = "task_id"


class Dated(Paged, frozen=True, kw_only=True):
    """Bounds common to DAG runs and task instances."""

    execution_date_gte: datetime | None = None
    execution_date_lte: datetime | None = None
    start_date_gte: datetime | None = None
    start_date_lte: datetime | None = None
    end_date_gte: datetime | None = None
    end_date_lte: datetime | None = None
    updated_at_gte: datetime | None = None
    updated_at_lte: datetime | None = None
    state: tuple[str, ...] | None = None


class RunsQuery(Dated, frozen=True, kw_only=True):
    """Which DAG runs."""

    order_by: str = "id"
    fields: tuple[str, ...] | None = None


class InstancesQuery(Dated, frozen=True, kw_only=True):
    """Which task instances."""

    duration_gte: float | None = None
    duration_lte: float | None = None
    pool: tuple[str, ...] | None = None
    queue: tuple[str, ...] | None = None
    executor: tuple[str, ...] | None = None


class MappedQuery(InstancesQuery, frozen=True, kw_only=True):
    """Which instances of a mapped task."""

    order_by: str | None = None


class LinksQuery(msgspec.Struct, frozen=True):
    """Which instance."""

    map_index: int = -1


class LogQuery(msgspec.Struct, frozen=True):
    """Which part of which log."""

    full_content: bool = False
    map_index: int = -1
    token: str | None = None


class XComsQuery(Paged, frozen=True, kw_only=True):
    """Which XComs."""

    map_index: int | None = None
    xcom_key: str | None = None


class XComQuery(msgspec.Struct, frozen=True):
    """Which XCom, in which form."""

    map_index: int = -1
    deserialize: bool = False
    stringify: bool = True


class ConfigQuery(msgspec.Struct, frozen=True):
    """Which section of the configuration."""

    section: str | None = None


class DagStatsQuery(msgspec.Struct, frozen=True):
    """Which DAGs to count the runs of."""

    dag_ids: str


class DagWarningsQuery(Listed, frozen=True, kw_only=True):
    """Which DAG warnings."""

    dag_id: str | None = None
    warning_type: str | None = None


class EventLogsQuery(Listed, frozen=True, kw_only=True):
    """Which entries of the audit log."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    event: str | None = None
    owner: str | None = None
    before: datetime | None = None
    after: datetime | None = None
    included_events: str | None = None
    excluded_events: str | None = None


class DatasetsQuery(Listed, frozen=True, kw_only=True):
    """Which datasets."""

    uri_pattern: str | None = None
    dag_ids: str | None = None


class DatasetEventsQuery(Listed, frozen=True, kw_only=True):
    """Which dataset events."""

    dataset_id: int | None = None
    source_dag_id: str | None = None
    source_task_id: str | None = None
    source_run_id: str | None = None
    source_map_index: int | None = None


class BeforeQuery(msgspec.Struct, frozen=True):
    """Up to which moment."""

    before: datetime | None = None


class _Table(NamedTuple):
    struct: type[msgspec.Struct]
    params: tuple[Param, ...]
    names: frozenset[str]
    default: msgspec.Struct | None
    """What an empty query string means; None where something is required."""


@functools.cache
def _table(struct: type[msgspec.Struct]) -> _Table:
    params = compiled(struct)
    default = None if any(param.required for param in params) else struct()
    return _Table(struct, params, frozenset(param.name for param in params), default)


def decode(struct: type[msgspec.Struct], raw: bytes) -> msgspec.Struct:
    """The parameters of a raw query string. Raises the dialect's problem with the first that is wrong."""
    table = _table(struct)
    if not raw and table.default is not None:
        return table.default
    given = parse(raw)
    extra = sorted(given.keys() - table.names)
    if extra:
        raise Problem(400, f"Extra query parameter(s) {', '.join(extra)} not in spec", title=None)
    values: dict[str, Any] = {}
    for param in table.params:
        texts = given.get(param.name)
        if texts is not None:
            values[param.name] = _value(param, texts)
        elif param.required:
            raise bad_request(f"Missing query parameter '{param.name}'")
    return struct(**values)


def _value(param: Param, texts: list[str]) -> Any:
    if any("\0" in text for text in texts):
        raise bad_request(f"NUL characters are not allowed in query parameter '{param.name}'")
    text = texts[-1]
    match param.kind:
        case "list":
            return tuple(part for value in texts for part in value.split(","))
        case "string":
            return text
        case "date-time":
            return _instant(text)
        case "boolean":
            return _boolean(param, text)
        case "integer" | "number":
            return _number(param, text)


def _boolean(param: Param, text: str) -> bool:
    lower = text.lower()
    if lower not in ("true", "false"):
        raise _wrong_type(param)
    return lower == "true"


def _number(param: Param, text: str) -> int | float:
    try:
        number: int | float = int(text) if param.kind == "integer" else float(text)
    except ValueError as error:
        raise _wrong_type(param) from error
    if not math.isfinite(number):
        raise _wrong_type(param)
    if param.minimum is not None and number < param.minimum:
        schema = {"type": param.kind, "minimum": int(param.minimum)}
        raise _unfit(f"{number!r} is less than the minimum of {int(param.minimum)}", "minimum", schema, number)
    return max(-_INT32, min(number, _INT32)) if param.kind == "integer" else number


def _instant(text: str) -> datetime:
    moment = rfc3339(text)
    if moment is None:
        schema = {"type": "string", "format": "date-time"}
        raise _unfit(f"{text!r} is not a 'date-time'", "format", schema, text)
    return moment


def _wrong_type(param: Param) -> Problem:
    return bad_request(f"Wrong type, expected '{param.kind}' for query parameter '{param.name}'")


def _unfit(message: str, keyword: str, schema: dict[str, Any], value: Any) -> Problem:
    return bad_request(
        f"{message}\n\nFailed validating {keyword!r} in schema:\n    {schema!r}\n\nOn instance:\n    {value!r}"
    )


def _run(call: Call) -> None:
    call.query = decode(call.operation.query or NoQuery, call.raw_query)


CHECKED = Check(_run, lambda _: True)
"""The first check of every operation: a parameter nobody knows is an error, whoever asks."""
