"""A DAG's timetable answers about dates, by the class Airflow's own scheduler would ask."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pendulum
from airflow.sdk import AssetOrTimeSchedule
from airflow.serialization.encoders import coerce_to_core_timetable, ensure_serialized_asset
from airflow.timetables.assets import AssetOrTimeSchedule as CoreAssetOrTimeSchedule
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.base import Timetable as CoreTimetable
from airflow.utils.types import DagRunType

from airgate.sdk import protocol

_ODD_MOMENT = pendulum.datetime(2001, 2, 3, 4, 5, 6, 789)
"""A moment no schedule would hit by accident."""


def core_timetable(timetable: Any) -> Any:
    """The timetable that can compute: the DAG file's own where it is one, else what Airflow makes of it.

    Timetables of the Task SDK only describe; their counterparts in Airflow compute. A custom timetable needs no
    plugin here, because nothing is looked up by name.

    Raises:
        Exception: whatever Airflow raises for a timetable it does not know.
    """
    if isinstance(timetable, CoreTimetable):
        return timetable
    if isinstance(timetable, AssetOrTimeSchedule):
        return CoreAssetOrTimeSchedule(
            timetable=core_timetable(timetable.timetable), assets=ensure_serialized_asset(timetable.asset_condition)
        )
    return coerce_to_core_timetable(timetable)


def manual_interval_is_exact(core: Any) -> bool:
    """Whether a manual run's data interval is surely [run_after, run_after]. Only Airflow's own classes are sure."""
    if not type(core).__module__.startswith("airflow.timetables.") or hasattr(core, "event_dates"):
        return False
    try:
        return bool(core.infer_manual_data_interval(run_after=_ODD_MOMENT) == DataInterval.exact(_ODD_MOMENT))
    except Exception:
        return False


def answer(timetable: Any, question: protocol.NextRun | protocol.ManualInterval) -> protocol.RunDates:
    """Answer the engine. Raises what the timetable raises."""
    core = core_timetable(timetable)
    if isinstance(question, protocol.NextRun):
        return _next_run(core, question)
    run_after = _moment(question.run_after)
    interval = core.infer_manual_data_interval(run_after=run_after)
    return protocol.RunDates(run_after=_text(run_after), data_interval=_texts(interval))


def _next_run(core: Any, question: protocol.NextRun) -> protocol.RunDates:
    info = core.next_dagrun_info_v2(
        last_dagrun_info=_last(question),
        restriction=TimeRestriction(
            earliest=_optional(question.earliest), latest=_optional(question.latest), catchup=question.catchup
        ),
    )
    if info is None:
        return protocol.RunDates()
    run_id = core.generate_run_id(
        run_type=DagRunType.SCHEDULED,
        run_after=info.run_after,
        data_interval=info.data_interval,
        partition_key=info.partition_key,
    )
    return protocol.RunDates(
        run_after=_text(info.run_after),
        data_interval=_texts(info.data_interval),
        run_id=run_id,
        partition_key=info.partition_key,
    )


def _last(question: protocol.NextRun) -> Any:
    if question.last_interval is None and question.last_run_after is None:
        return None
    interval = None
    if question.last_interval is not None:
        start, end = (_moment(text) for text in question.last_interval)
        interval = DataInterval(start, end)
    run_after = _optional(question.last_run_after) or interval.end  # type: ignore[union-attr]
    return DagRunInfo(run_after=run_after, data_interval=interval)


def _optional(text: str | None) -> Any:
    return None if text is None else _moment(text)


def _moment(text: str) -> Any:
    return pendulum.instance(datetime.fromisoformat(text.replace("Z", "+00:00"))).in_timezone("UTC")


def _text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat()


def _texts(interval: Any) -> Any:
    return None if interval is None else [_text(interval.start), _text(interval.end)]
