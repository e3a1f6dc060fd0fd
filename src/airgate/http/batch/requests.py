"""What clients ask of the plugin: query strings and the body of a batch, in the plugin's order and words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from airgate.http.json_input import BadJson, read_json
from airgate.http.params import parse
from airgate.model.errors import InvalidInput

MOST_RUNS: Final = 500
"""Runs that one request may make, and makes unless it says otherwise."""
LONGEST_PAGE: Final = 100
PAGE: Final = 50

_DATE: Final = "%Y-%m-%dT%H:%M:%S"
_EXAMPLE: Final = 'e.g. {"dag_id": "example_dag"}'
_KINDS: Final = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}


class RunsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list. `start` is the run after which the list begins."""

    start: str | None = None
    limit: int = PAGE
    state: str | None = None
    external_trigger: bool | None = None
    prefix: str | None = None
    dag_id: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Runs to make: one per date of the DAG's schedule from `start` to `end`. None: now.

    `limit` is for the dates, or, where `partial`, for the runs that are made of them.
    """

    dag_id: str
    prefix: str
    conf: dict[str, Any]
    limit: int
    partial: bool
    start: datetime | None
    end: datetime | None


def runs_query(raw: bytes) -> RunsQuery:
    """The parameters of a list. Of one given twice the first counts; those unknown are ignored.

    Raises:
        InvalidInput: `limit` is no number above 0, or something holds a NUL character.
    """
    given = {name: values[0] for name, values in parse(raw).items()}
    if any("\0" in value for value in given.values()):
        raise InvalidInput("A query parameter cannot hold a NUL character")
    external = given.get("external_trigger")
    return RunsQuery(
        start=given.get("start"),
        limit=min(_limit(given["limit"]), LONGEST_PAGE) if given.get("limit") else PAGE,
        state=given.get("state"),
        external_trigger=None if external is None else external in ("true", "True"),
        prefix=given.get("prefix"),
        dag_id=given.get("dag_id"),
    )


def batch(raw: bytes, now: datetime) -> Batch:
    """The body of a POST. `now` makes the prefix where none is given.

    Raises:
        InvalidInput: with what is wrong first, in the plugin's order.
    """
    body = _body(raw)
    if body.get("dag_id") is None:
        raise InvalidInput("Must specify the dag id to create dag runs for")
    dag_id = _scalar(body, "dag_id")
    limit = MOST_RUNS if body.get("limit") is None else _limit(body["limit"])
    if limit > MOST_RUNS:
        raise InvalidInput(f"Limit cannot exceed {MOST_RUNS}")
    start, end = _date(body, "start_date"), _date(body, "end_date")
    return Batch(
        dag_id=dag_id,
        limit=limit,
        partial=body.get("partial") is True or body.get("partial") in ("true", "True"),
        start=start,
        end=end,
        prefix=_prefix(body, now),
        conf=_conf(body.get("conf")),
    )


def _body(raw: bytes) -> Mapping[str, Any]:
    try:
        body = read_json(raw)
    except BadJson as error:
        raise InvalidInput(
            f"{error}. The body must be a raw JSON object, not form or multipart data, {_EXAMPLE}"
        ) from None
    if not isinstance(body, dict):
        raise InvalidInput(f"The body must be a JSON object, {_EXAMPLE}")
    return body


def _scalar(body: Mapping[str, Any], name: str) -> str:
    value = body[name]
    if isinstance(value, dict | list):
        raise InvalidInput(f"'{name}' must be a string, not {_KINDS[type(value)]}")
    return str(value)


def _limit(value: Any) -> int:
    try:
        limit = int(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput("Limit must be an integer") from None
    if limit <= 0:
        raise InvalidInput("Limit must be a number greater than 0")
    return limit


def _date(body: Mapping[str, Any], name: str) -> datetime | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        return datetime.strptime(value, _DATE).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise InvalidInput(f"'{name}' has invalid format '{value}', Ex format: YYYY-MM-DDThh:mm:ss") from None


def _prefix(body: Mapping[str, Any], now: datetime) -> str:
    prefix = body.get("prefix")
    if prefix is None:
        return f"manual_{int(now.timestamp())}"
    if not isinstance(prefix, str):
        raise InvalidInput(f"'prefix' must be a string, not {_KINDS[type(prefix)]}")
    if "backfill" in prefix:
        raise InvalidInput("Prefix cannot contain 'backfill', Airflow will ignore dag runs using it")
    return prefix


def _conf(value: Any) -> dict[str, Any]:
    """An object, or the text of one."""
    if isinstance(value, str) and value:
        try:
            value = read_json(value.encode())
        except BadJson as error:
            raise InvalidInput(f"'conf' must be a JSON object, or a string that holds one: {error}") from None
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("'conf' must be a JSON object, or a string that holds one")
    return value
