"""Bodies of requests: what may be given, and how it becomes what the rooms keep.

Fields are optional here, since a PATCH gives only some of them; which are required is said where they are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.http.erathos.problems import wrong
from airgate.model.job import ExecutionStatus
from airgate.model.webhook import (
    Absence,
    Coalesce,
    DeliveryState,
    Gather,
    HookScheme,
    Method,
    Operation,
    Rule,
    Target,
    Watch,
    WatchKind,
)
from airgate.model.webhook import TargetKind as Kind

W = TypeVar("W", bound=StrEnum)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Plain = str | int | float | bool


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body of known fields."""


class WorkspaceBody(_Body, frozen=True, kw_only=True):
    """A workspace."""

    name: str | UnsetType = UNSET
    private_targets: tuple[str, ...] | UnsetType = UNSET


class NamedBody(_Body, frozen=True, kw_only=True):
    """A variable or a secret."""

    name: str | UnsetType = UNSET
    value: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class JobBody(_Body, frozen=True, kw_only=True):
    """An external job."""

    name: str | UnsetType = UNSET
    connection_id: UUID | UnsetType | None = UNSET
    connection_name: str | UnsetType | None = UNSET
    schema_name: str | UnsetType | None = UNSET
    table_name: str | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class RunBody(_Body, frozen=True, kw_only=True):
    """What a job is started with."""

    conf: dict[str, Any] | UnsetType | None = UNSET
    force_history: bool | UnsetType = UNSET


class ReportBody(_Body, frozen=True, kw_only=True):
    """What is told of an execution."""

    status: str | UnsetType = UNSET
    execution_id: UUID | UnsetType = UNSET
    started_at: Instant | UnsetType | None = UNSET
    ended_at: Instant | UnsetType | None = UNSET
    schema_name: str | UnsetType | None = UNSET
    table_name: str | UnsetType | None = UNSET
    rows: int | UnsetType | None = UNSET
    columns: int | UnsetType | None = UNSET
    nested_table: bool | UnsetType = UNSET
    force_history: bool | UnsetType = UNSET
    triggered_by: str | UnsetType | None = UNSET
    is_orchestration: bool | UnsetType = UNSET
    error: str | UnsetType | None = UNSET
    extra: dict[str, Any] | UnsetType = UNSET


class RuleBody(_Body, frozen=True, kw_only=True):
    """A rule. Numbers and booleans count as the texts they are written as."""

    variable_name: str
    operation: str
    value: Plain | tuple[Plain, ...] | None = None


class TargetBody(_Body, frozen=True, kw_only=True):
    """Where a webhook leads."""

    kind: str
    deployment: str | None = None
    dag_id: str | None = None
    to: tuple[str, ...] = ()
    title: str | None = None
    text: str | None = None


class CoalesceBody(_Body, frozen=True, kw_only=True):
    """Many events, one delivery."""

    seconds: int
    key: str = ""


class GatherBody(_Body, frozen=True, kw_only=True):
    """All jobs within a window."""

    seconds: int


class AbsenceBody(_Body, frozen=True, kw_only=True):
    """None came by then."""

    at: str
    since: str
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


class WatchBody(_Body, frozen=True, kw_only=True):
    """Runs that take too long, or do not start in time."""

    kind: str
    seconds: int


class WebhookBody(_Body, frozen=True, kw_only=True):
    """A webhook."""

    description: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    method: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    header: dict[str, Plain] | UnsetType | None = UNSET
    body: Any = UNSET
    rules: tuple[RuleBody, ...] | UnsetType = UNSET
    jobs: tuple[UUID, ...] | UnsetType = UNSET
    any_of: tuple[tuple[RuleBody, ...], ...] | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    target: TargetBody | UnsetType = UNSET
    coalesce: CoalesceBody | UnsetType | None = UNSET
    gather: GatherBody | UnsetType | None = UNSET
    absence: AbsenceBody | UnsetType | None = UNSET
    watch: WatchBody | UnsetType | None = UNSET
    timeout: float | UnsetType = UNSET
    max_concurrency: int | UnsetType = UNSET
    max_per_second: float | UnsetType | None = UNSET


class TestBody(_Body, frozen=True, kw_only=True):
    """How a webhook is tried out."""

    send: bool = False
    execution: UUID | None = None


class KeyBody(_Body, frozen=True, kw_only=True):
    """A new signing key."""

    scheme: str = "v1"
    secret: str | None = None


class ReplayBody(_Body, frozen=True, kw_only=True):
    """What is to be sent again."""

    since: Instant | UnsetType = UNSET
    states: tuple[str, ...] | UnsetType = UNSET


class HookBody(_Body, frozen=True, kw_only=True):
    """An inbound hook."""

    name: str | UnsetType = UNSET
    scheme: str | UnsetType = UNSET
    deployment: str | UnsetType = UNSET
    dag_id: str | UnsetType = UNSET
    conf: Any = UNSET
    run_id: str | UnsetType | None = UNSET
    idempotency_key: str | UnsetType | None = UNSET
    shared_in: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    secret: str | UnsetType | None = UNSET
    drop_previous_secret: bool | UnsetType = UNSET


class BlockBody(_Body, frozen=True, kw_only=True):
    """A block window."""

    name: str | UnsetType = UNSET
    days: tuple[int, ...] | UnsetType = UNSET
    start_time: str | UnsetType = UNSET
    end_time: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    jobs: tuple[UUID, ...] | UnsetType = UNSET
    allow_manual_executions: bool | UnsetType = UNSET
    cancel_running_executions: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields of a body that were given."""
    values = {field: getattr(body, field) for field in body.__struct_fields__}
    return {field: value for field, value in values.items() if value is not UNSET}


# ----------------------------------------------------------------------------------------------------------- to model


class Faults:
    """Gathers what is wrong with a body, to say all of it at once."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def word(self, kind: type[W], text: str, pointer: str, default: W) -> W:
        """The word of an enumeration, in any case; `default` where it is none, which is noted."""
        for one in kind:
            if one.value.lower() == text.strip().lower():
                return one
        self.found.append((pointer, f'"{text}" is not a valid choice; there are {", ".join(kind)}.'))
        return default

    def hour(self, text: str, pointer: str) -> time:
        """A time of day, ``HH:MM``."""
        try:
            found = time.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None or found.second or found.microsecond:
            self.found.append((pointer, f'"{text}" is no time; it is written "08:30".'))
            return time()
        return found

    def check(self) -> None:
        """Raises Refused where something is wrong."""
        if self.found:
            raise wrong(self.found)


def webhook_fields(body: WebhookBody) -> dict[str, Any]:
    """The fields of a webhook as given, in the model's terms. Raises Refused."""
    fields, faults = given(body), Faults()
    if "method" in fields:
        fields["method"] = faults.word(Method, fields["method"], "/method", Method.POST)
    if fields.get("header") is not None:
        fields["header"] = {name: text_of(value) for name, value in fields["header"].items()}
    if "rules" in fields:
        fields["rules"] = tuple(_rules(fields["rules"], "/rules", faults))
    if "any_of" in fields:
        groups = enumerate(fields["any_of"])
        fields["any_of"] = tuple(tuple(_rules(group, f"/any_of/{index}", faults)) for index, group in groups)
    if "target" in fields:
        fields["target"] = _target(fields["target"], faults)
    fields |= _ways(fields, faults)
    faults.check()
    return fields


def _rules(rules: tuple[RuleBody, ...], pointer: str, faults: Faults) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        operation = faults.word(Operation, rule.operation, f"{pointer}/{index}/operation", Operation.EQUAL)
        value = None if rule.value is None else _texts(rule.value)
        yield Rule(variable_name=rule.variable_name.upper(), operation=operation, value=value)


def _target(target: TargetBody, faults: Faults) -> Target:
    kind = faults.word(Kind, target.kind, "/target/kind", Kind.HTTP)
    return Target(**(given(target) | {"kind": kind}))


def _ways(fields: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Waiting: how, where it is given."""
    found: dict[str, Any] = {}
    if fields.get("coalesce") is not None:
        found["coalesce"] = Coalesce(**given(fields["coalesce"]))
    if fields.get("gather") is not None:
        found["gather"] = Gather(**given(fields["gather"]))
    absence = fields.get("absence")
    if absence is not None:
        at, since = faults.hour(absence.at, "/absence/at"), faults.hour(absence.since, "/absence/since")
        found["absence"] = Absence(at=at, since=since, weekdays=absence.weekdays)
    watch = fields.get("watch")
    if watch is not None:
        kind = faults.word(WatchKind, watch.kind, "/watch/kind", WatchKind.DURATION)
        found["watch"] = Watch(kind=kind, seconds=watch.seconds)
    return found


def hook_fields(body: HookBody) -> dict[str, Any]:
    """The fields of a hook as given. Raises Refused."""
    fields, faults = given(body), Faults()
    if "scheme" in fields:
        fields["scheme"] = faults.word(HookScheme, fields["scheme"], "/scheme", HookScheme.TOKEN)
    faults.check()
    return fields


_BLOCK_NAMES = {
    "days": "weekdays",
    "start_time": "start",
    "end_time": "end",
    "allow_manual_executions": "allow_manual",
    "cancel_running_executions": "cancel_running",
}


def block_fields(body: BlockBody) -> dict[str, Any]:
    """The fields of a block window as given, in the model's terms. Raises Refused."""
    fields, faults = given(body), Faults()
    for name in ("start_time", "end_time"):
        if name in fields:
            fields[name] = faults.hour(fields[name], f"/{name}")
    if "days" in fields and (not fields["days"] or not all(0 <= day <= 6 for day in fields["days"])):
        faults.found.append(("/days", "Name at least one day of the week: 0 is Sunday, 6 is Saturday."))
    faults.check()
    return {_BLOCK_NAMES.get(name, name): value for name, value in fields.items()}


def status_of(text: str) -> ExecutionStatus:
    """The status that a report gives. Raises Refused."""
    faults = Faults()
    found = faults.word(_Told, text, "/status", _Told.FINISHED)
    faults.check()
    return ExecutionStatus(found.value)


def states_of(texts: tuple[str, ...], pointer: str) -> tuple[DeliveryState, ...]:
    """States of deliveries. Raises Refused."""
    faults = Faults()
    found = tuple(faults.word(DeliveryState, text, pointer, DeliveryState.DEAD) for text in texts)
    faults.check()
    return found


class _Told(StrEnum):
    """Statuses that a report may give."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


def text_of(value: Plain) -> str:
    """A value as the text that it is written as."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _texts(value: Plain | tuple[Plain, ...]) -> str | tuple[str, ...]:
    return tuple(map(text_of, value)) if isinstance(value, tuple) else text_of(value)
