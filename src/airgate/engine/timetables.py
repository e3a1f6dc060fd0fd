"""DAG code's answers about dates, asked of the DAG-file process (see `airgate.engine.ports.Timetables`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from airgate.engine.ports import FileVersion, RunDates
from airgate.engine.processes.tree import ProcessTree
from airgate.engine.startup import when
from airgate.model.errors import Unavailable
from airgate.sdk import protocol


class AskedTimetables:
    """Implements `airgate.engine.ports.Timetables` by asking the process that has imported the DAG's file."""

    def __init__(self, tree: ProcessTree, version_of: Callable[[str], FileVersion | None]) -> None:
        self._tree = tree
        self._version_of = version_of

    async def next_run(
        self, dag_id: str, *, last: RunDates | None, earliest: datetime | None, latest: datetime | None, catchup: bool
    ) -> RunDates | None:
        """See the port."""
        interval = last.data_interval if last is not None else None
        question = protocol.NextRun(
            dag_id=dag_id,
            last_interval=[interval[0].isoformat(), interval[1].isoformat()] if interval else None,
            last_run_after=when(last.run_after) if last else None,
            earliest=when(earliest),
            latest=when(latest),
            catchup=catchup,
        )
        answer = await self._tree.ask(self._version(dag_id), question)
        if answer.run_after is None:
            return None
        return RunDates(
            run_after=_date(answer.run_after),
            data_interval=_interval(answer.data_interval),
            run_id=answer.run_id,
            partition_key=answer.partition_key,
        )

    async def manual_interval(self, dag_id: str, run_after: datetime) -> tuple[datetime, datetime]:
        """See the port."""
        question = protocol.ManualInterval(dag_id=dag_id, run_after=run_after.isoformat())
        answer = await self._tree.ask(self._version(dag_id), question)
        return _interval(answer.data_interval) or (run_after, run_after)

    def _version(self, dag_id: str) -> FileVersion:
        version = self._version_of(dag_id)
        if version is None:
            raise Unavailable(
                f"The file of DAG {dag_id} has not been imported yet since the start; try again in a moment.",
                retry_after=2.0,
            )
        return version


def _interval(value: list[str] | None) -> tuple[datetime, datetime] | None:
    return None if value is None else (_date(value[0]), _date(value[1]))


def _date(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
