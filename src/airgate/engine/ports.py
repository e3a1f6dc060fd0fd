"""The engine's ports: where tries run, and who hears of it.

The engine asks for a slot, commits that a try runs in it, and only then starts it: state is committed before it is
acted upon. An executor never decides what runs; it only says where something could.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One try to run, or a callback to call (`callback`, see ``airgate.sdk.protocol.StartTry``)."""

    try_id: UUID
    """The task instance's id for this try (Airflow: each try has an id of its own)."""
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    startup: Mapping[str, Any]
    log_path: str
    env: Mapping[str, str] = {}
    callback: str | None = None
    reason: str = ""
    execution_timeout: float | None = None


class Slot(Protocol):
    """A warm process (here or on another machine) that will run exactly one piece of work at a time.

    Obligations: after a `start` that was True, exactly one `TryListener.ended` follows, whatever happens to the
    process; after one that was False, or after `release`, none does. `stop` is a request: SIGTERM now, SIGKILL after
    `grace` seconds.
    """

    pid: int
    hostname: str

    def start(self, work: Work, listener: TryListener) -> bool:
        """Send the work to the process. False: it had died before, and nothing of the work was done. Never blocks.

        Raises:
            ValueError: the work cannot be sent to any process.
        """

    def release(self) -> None:
        """Give the slot back unused."""

    def stop(self, grace: float) -> None:
        """End what runs in it. A no-op once it has ended."""


class TryListener(Protocol):
    """Who a running try talks to."""

    def message(self, body: dict[str, Any]) -> Awaitable[dict[str, Any] | None]:
        """Answer one request of the Task SDK (a map with its ``type``).

        Raises:
            TaskMessageError: answered to the task as Airflow's ErrorResponse.
        """

    def ended(self, reason: str | None) -> None:
        """The process is done with the work: None after an orderly end, else how it died (``killed by signal 9``)."""


class TaskMessageError(Exception):
    """An answer that is an error in the Task SDK's own terms (``ErrorType`` value and detail)."""

    def __init__(self, error: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.detail = detail or {}


class Executor(Protocol):
    """Where tries run.

    Obligations:
      * `reserve` never blocks; it returns a slot whose process has imported this very file version, or None.
      * after `reserve` returned None for a file, `SlotListener.slot_free` is called when one becomes available.
      * `demand` says how many tries wait for each file; the executor warms processes accordingly, and may forget
        what it was told when told anew.
    """

    def reserve(self, file_key: str) -> Slot | None:
        """Take a free slot for this DAG-file version."""

    def demand(self, waiting: Mapping[str, int]) -> None:
        """Tell how many tries wait per DAG-file version (absent means none)."""


class SlotListener(Protocol):
    """Who is told that work can be placed."""

    def slot_free(self, file_key: str) -> None:
        """A slot for this DAG-file version has become available."""


class FileVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one DAG file, as imported by a DAG-file process. `key` names both."""

    key: str
    file: str
    digest: str


class Gate(Protocol):
    """Says when runs may not start. `manual`: of runs that somebody asked for; not of those made by schedule."""

    def blocks(self, dag_id: str, now: datetime, *, manual: bool) -> bool:
        """Whether runs of this DAG may not start at `now`. Asked before every start: to be cheap."""

    def cancels(self, dag_id: str, now: datetime, *, manual: bool) -> str | None:
        """Why running runs of this DAG are to be ended at `now`, in a few words; None: they go on."""

    def next_change(self, now: datetime) -> datetime | None:
        """When one of these answers may next become another by itself."""


class OpenGate:
    """Lets everything through."""

    def blocks(self, dag_id: str, now: datetime, *, manual: bool) -> bool:
        """See the port."""
        return False

    def cancels(self, dag_id: str, now: datetime, *, manual: bool) -> str | None:
        """See the port."""
        return None

    def next_change(self, now: datetime) -> datetime | None:
        """See the port."""
        return None


class RunDates(msgspec.Struct, frozen=True, kw_only=True):
    """Dates a timetable gave for a run."""

    run_after: datetime
    data_interval: tuple[datetime, datetime] | None
    run_id: str | None = None
    partition_key: str | None = None


class Timetables(Protocol):
    """DAG code's answers about dates, given by the timetable's own class in the DAG-file process."""

    async def next_run(
        self, dag_id: str, *, last: RunDates | None, earliest: datetime | None, latest: datetime | None, catchup: bool
    ) -> RunDates | None:
        """The next scheduled run, or None when there is none (for now).

        Raises:
            Unavailable: the file's process cannot be had.
            InvalidInput: the timetable raised; its message is in the error.
        """

    async def manual_interval(self, dag_id: str, run_after: datetime) -> tuple[datetime, datetime]:
        """The data interval of a manual run at `run_after`. Raises as `next_run` does."""
