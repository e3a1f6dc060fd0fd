"""Run ids: what callers may choose, and what is chosen for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from airgate.model.errors import InvalidInput
from airgate.model.states import RunType

MAX_LENGTH: Final = 250
ALLOWED: Final = re.compile(r"[A-Za-z0-9_.~:+-]+")

RESERVED: Final = {
    "scheduled__": "scheduled",
    "backfill__": "backfill",
    "dataset_triggered__": "dataset_triggered",
    "asset_triggered__": "asset_triggered",
    "asset_materialization__": "asset_materialization",
    "operator_triggered__": "operator_triggered",
}
"""Prefixes by which any Airflow, old or new, tells what made a run, and the word for those runs."""

_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST_LEAD: Final = timedelta(seconds=1)


def check(run_id: str, run_type: RunType = RunType.MANUAL) -> None:
    """Refuse a run id that nobody, or nobody asking for this type of run, may use.

    Raises:
        InvalidInput: code ``run_id_empty``, ``run_id_too_long``, ``run_id_characters`` or ``run_id_reserved``.
    """
    if not run_id:
        raise InvalidInput("A run id must not be empty.", code="run_id_empty")
    if len(run_id) > MAX_LENGTH:
        raise InvalidInput(
            f"A run id has at most {MAX_LENGTH} characters; this one has {len(run_id)}.", code="run_id_too_long"
        )
    if not ALLOWED.fullmatch(run_id):
        raise InvalidInput(
            f"The run id {run_id!r} may only consist of letters, digits and the characters _ . ~ : + -",
            code="run_id_characters",
        )
    owner = reserved_for(run_id)
    if owner is not None and owner != run_type.value:
        raise InvalidInput(
            f"A {run_type.value} DAG run cannot use ID {run_id!r} since it is reserved for {owner} runs",
            code="run_id_reserved",
        )


def reserved_for(run_id: str) -> str | None:
    """The kind of run whose prefix the id has; None for an id anybody may choose."""
    prefix, separator, _ = run_id.partition("__")
    return RESERVED.get(prefix + separator)


def generate(run_type: RunType, date: datetime) -> str:
    """The id Airflow gives a run of that type: of its logical date, or of `run_after` where it has none."""
    return f"{run_type.value}__{date.isoformat()}"


def prefixed(prefix: str, date: datetime) -> str:
    """The id the batch plugin gives a run: its prefix and its date, which has no offset there and is UTC."""
    return f"{prefix}_{date.astimezone(UTC).replace(tzinfo=None).isoformat()}"


class Moments:
    """Gives every run whose date the server chooses a microsecond of its own.

    Dates rise strictly, so that a burst of triggers within one microsecond gets different dates and run ids. Other
    processes on the same store have choosers of their own; between them the store's unique keys decide.
    """

    def __init__(self) -> None:
        self._latest: datetime | None = None
        self._in_second: dict[str, datetime] = {}

    def after(self, now: datetime) -> datetime:
        """`now`, or the next free microsecond.

        A clock that was put back is followed: a date may run ahead of it by a second at most, since a run in the
        future would have to wait for it.
        """
        latest = self._latest
        if latest is not None and now <= latest <= now + _LARGEST_LEAD:
            now = latest + _MICROSECOND
        self._latest = now
        return now

    def whole_second(self, dag_id: str, now: datetime) -> datetime:
        """`now` cut to the second, or the microsecond after the last that was chosen for this DAG in that second.

        The old dialect's dates are seconds; a burst within one second still gets a date for every run.
        """
        second = now.replace(microsecond=0)
        latest = self._in_second.get(dag_id)
        chosen = second
        if latest is not None and second <= latest < second + _LARGEST_LEAD:
            chosen = latest + _MICROSECOND
        self._in_second[dag_id] = chosen
        return chosen
