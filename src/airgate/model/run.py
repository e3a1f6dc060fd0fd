"""DAG runs, task instances, their tries, and XComs. All datetimes are aware and UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from airgate.model.states import RunState, RunType, TaskState, TriggeredBy


class DagRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a DAG. (dag_id, run_id) is unique; so is (dag_id, logical_date) where there is one."""

    id: UUID
    dag_id: str
    run_id: str
    state: RunState
    run_type: RunType
    triggered_by: TriggeredBy
    run_after: datetime
    queued_at: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    conf: dict[str, Any] = {}
    note: str | None = None
    triggering_user: str | None = None
    last_scheduling_decision: datetime | None = None
    updated_at: datetime | None = None
    dag_version_id: UUID | None = None
    clear_number: int = 0
    partition_key: str | None = None
    seq: int = 0
    """Position in the order of creation: the v1 dialect's default order, and the key lists page by."""

    @property
    def external_trigger(self) -> bool:
        """The older dialects' word: made by somebody, not by the schedule or a backfill."""
        return self.run_type not in (RunType.SCHEDULED, RunType.BACKFILL)

    @property
    def execution_date(self) -> datetime:
        """The older dialects' date: the logical date, or `run_after` where there is none."""
        return self.logical_date or self.run_after


class TaskInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One task of one run (`map_index` -1 unless mapped), in its present try.

    `try_number` is 0 before the first try was scheduled, then the number of the newest try.
    `max_tries` is the number of retries allowed, as Airflow counts: tries allowed minus one, raised by clearing.
    """

    id: UUID
    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    state: TaskState | None = None
    try_number: int = 0
    max_tries: int = 0
    start_date: datetime | None = None
    end_date: datetime | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    retry_at: datetime | None = None
    """When an ``up_for_retry`` or ``up_for_reschedule`` instance goes on."""
    hostname: str = ""
    unixname: str = ""
    pid: int | None = None
    operator: str = ""
    task_display_name: str = ""
    pool: str = "default_pool"
    pool_slots: int = 1
    queue: str = "default"
    priority_weight: int = 1
    executor: str | None = None
    executor_config: str = "{}"
    note: str | None = None
    rendered_fields: dict[str, Any] = {}
    rendered_map_index: str | None = None
    updated_at: datetime | None = None
    dag_version_id: UUID | None = None
    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None
    reschedule_count: int = 0
    end_reason: str | None = None
    """Why a try ended without saying so itself, e.g. ``killed by signal 9``. None for ordinary ends."""

    @property
    def duration(self) -> float | None:
        """Seconds from start to end of the present try; None while it runs or before it starts."""
        if self.start_date is None or self.end_date is None:
            return None
        return (self.end_date - self.start_date).total_seconds()


class XCom(msgspec.Struct, frozen=True, kw_only=True):
    """One XCom entry. `value` is the JSON the Task SDK sent: already serialised by its own serde."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str
    value: Any
    timestamp: datetime
    logical_date: datetime | None = None
    mapped_length: int | None = None
