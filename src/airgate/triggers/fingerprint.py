"""What makes two trigger requests the same request."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

from airgate.model.errors import InvalidInput
from airgate.model.trigger import TriggerRequest

_FORM = 1
"""Raised when the digest is computed differently; digests of other forms never match."""


def fingerprint(request: TriggerRequest) -> str:
    """Digest of what was asked, stable across processes and releases.

    Counts: DAG, run id, dates, conf, note and type as asked, with instants in UTC and keys in any order. Does not
    count: who asked, by which dialect, and under which idempotency key.

    Raises:
        InvalidInput: `conf` is nested too deeply to be kept (code ``conf_depth``).
    """
    interval = request.data_interval
    asked: list[Any] = [
        _FORM,
        request.dag_id,
        request.run_id or None,
        request.run_type.value,
        request.has_logical_date,
        _instant(request.logical_date),
        _instant(request.run_after),
        None if interval is None else [_instant(moment) for moment in interval],
        request.conf,
        request.note,
        request.partition_key,
    ]
    if request.run_id_prefix is not None:
        asked.append(request.run_id_prefix)
    try:
        form = msgspec.json.encode(asked, order="deterministic")
    except RecursionError as error:
        raise InvalidInput("conf is nested too deeply.", code="conf_depth") from error
    return sha256(form).hexdigest()


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")
