"""Answers to what a running task asks: XComs, other runs and tasks; the rest is `airgate.engine.vault`'s.

Shapes are those of Airflow 3.3's ``airflow.sdk.execution_time.comms``; a thing that does not exist is answered as
Airflow's supervisor answers it, with an ``ErrorResponse`` as the body rather than as a failure of the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

from airgate.engine.patience import patiently
from airgate.engine.startup import run_map
from airgate.engine.vault import Answer, Body, Vault, missing
from airgate.model.errors import NotFound
from airgate.model.query import RunFilter, TaskFilter
from airgate.model.run import TaskInstance, XCom
from airgate.model.states import RunState, TaskState
from airgate.store import dags, runs, tasks, xcoms
from airgate.store.database import Database, Tx

WAITS = "A request of DAG code waits for the database"


class Answers:
    """Answers requests of any try. While the database is gone, they wait.

    A try's own XComs are submitted in order and not awaited. What is not known to be stored when the try ends
    (`unsure_xcoms`) is committed once more, together with that end.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.vault = Vault(database)
        self._xcoms: dict[UUID, list[tuple[XCom, asyncio.Future[None]]]] = {}
        self._table: Mapping[str, Callable[[TaskInstance, Body], Awaitable[Answer]]] = {
            "GetXCom": self._get_xcom,
            "GetXComCount": self._get_xcom_count,
            "GetXComSequenceItem": self._get_xcom_item,
            "GetXComSequenceSlice": self._get_xcom_slice,
            "SetXCom": self._set_xcom,
            "DeleteXCom": self._delete_xcom,
            "GetDagRun": self._get_dag_run,
            "GetDagRunState": self._get_dag_run_state,
            "GetPreviousDagRun": self._get_previous_dag_run,
            "GetPrevSuccessfulDagRun": self._get_previous_successful,
            "GetPreviousTI": self._get_previous_ti,
            "GetTICount": self._get_ti_count,
            "GetTaskStates": self._get_task_states,
            "GetTaskBreadcrumbs": self._get_breadcrumbs,
            "GetDRCount": self._get_dr_count,
            "GetDag": self._get_dag,
            "ValidateInletsAndOutlets": self._validate_assets,
            "GetTaskRescheduleStartDate": self._no_reschedule,
        }

    async def answer(self, instance: TaskInstance, body: Body) -> Answer:
        """Answer one request of the try `instance`.

        Raises:
            TaskMessageError: the request is not one Airgate knows.
        """
        handler = self._table.get(str(body.get("type")))
        if handler is None:
            return await patiently(lambda: self.vault.answer(body), WAITS)
        return await patiently(lambda: handler(instance, body), WAITS)

    async def answer_file(self, body: Body) -> Answer:
        """Answer one request of code at the top of a DAG file, or in a timetable: it may ask for what is in the vault.

        Raises:
            TaskMessageError: it asks for anything else.
        """
        return await patiently(lambda: self.vault.answer(body), WAITS)

    def unsure_xcoms(self, instance: TaskInstance) -> tuple[XCom, ...]:
        """XComs this try has left, of which it is not known whether they are in the store. Each is given once."""
        left = self._xcoms.pop(instance.id, ())
        return tuple({(one.map_index, one.key): one for one, written in left if not _is_stored(written)}.values())

    async def _validate_assets(self, instance: TaskInstance, body: Body) -> Answer:
        return {"type": "InactiveAssetsResult", "inactive_assets": []}

    async def _no_reschedule(self, instance: TaskInstance, body: Body) -> Answer:
        return {"type": "TaskRescheduleStartDate", "start_date": instance.start_date}

    # --- XComs -----------------------------------------------------------------------------------

    async def _own_xcoms_are_stored(self, instance: TaskInstance) -> None:
        """A try that reads finds what it has set before. Raises Unavailable while that cannot be stored."""
        left = self._xcoms.get(instance.id, [])
        pending = [written for _, written in left if not written.done()]
        if pending:
            await asyncio.wait(pending)
        for place, (entry, written) in enumerate(left):
            if not _is_stored(written):
                again = self._database.write(xcoms.put, entry)
                left[place] = (entry, again)
                await again

    async def _get_xcom(self, instance: TaskInstance, body: Body) -> Answer:
        await self._own_xcoms_are_stored(instance)
        index = body.get("map_index")
        found = await self._database.read(_find_xcom, body, -1 if index is None else index)
        return {"type": "XComResult", "key": body["key"], "value": found.value if found else None}

    async def _get_xcom_count(self, instance: TaskInstance, body: Body) -> Answer:
        values = await self._xcom_values(instance, body)
        return {"type": "XComCountResponse", "len": len(values)}

    async def _get_xcom_item(self, instance: TaskInstance, body: Body) -> Answer:
        values = await self._xcom_values(instance, body)
        offset = body["offset"]
        if not -len(values) <= offset < len(values):
            return missing("XCOM_NOT_FOUND", **{k: body[k] for k in ("dag_id", "run_id", "task_id", "key", "offset")})
        return {"type": "XComSequenceIndexResult", "root": values[offset].value}

    async def _get_xcom_slice(self, instance: TaskInstance, body: Body) -> Answer:
        values = await self._xcom_values(instance, body)
        if not values and body.get("include_prior_dates"):
            prior = await self._database.read(_find_xcom, body, -1)
            values = (prior,) if prior else ()
        window = values[slice(body.get("start"), body.get("stop"), body.get("step"))]
        return {"type": "XComSequenceSliceResult", "root": [entry.value for entry in window]}

    async def _xcom_values(self, instance: TaskInstance, body: Body) -> tuple[XCom, ...]:
        await self._own_xcoms_are_stored(instance)
        return await self._database.read(xcoms.values, body["dag_id"], body["run_id"], body["task_id"], body["key"])

    async def _set_xcom(self, instance: TaskInstance, body: Body) -> Answer:
        index = body.get("map_index")
        entry = XCom(
            dag_id=body["dag_id"],
            run_id=body["run_id"],
            task_id=body["task_id"],
            map_index=-1 if index is None else index,
            key=body["key"],
            value=body["value"],
            timestamp=self._clock(),
            mapped_length=body.get("mapped_length"),
        )
        written = self._database.write(xcoms.put, entry)
        if entry.task_id != instance.task_id or entry.run_id != instance.run_id:
            await written  # somebody else may read it before this try ends
        else:
            written.add_done_callback(_heard)
            self._xcoms.setdefault(instance.id, []).append((entry, written))
        return None

    async def _delete_xcom(self, instance: TaskInstance, body: Body) -> Answer:
        index = -1 if body.get("map_index") is None else body["map_index"]
        key = (body["dag_id"], body["run_id"], body["task_id"], body["key"], index)
        left = self._xcoms.get(instance.id, [])
        left[:] = [
            (entry, written)
            for entry, written in left
            if (entry.dag_id, entry.run_id, entry.task_id, entry.key, entry.map_index) != key
        ]
        await self._database.write(xcoms.delete, *key)
        return None

    # --- runs and task instances -----------------------------------------------------------------

    async def _get_dag_run(self, instance: TaskInstance, body: Body) -> Answer:
        found = await self._database.read(runs.get, body["dag_id"], body["run_id"])
        return {"type": "DagRunResult", **run_map(found)}

    async def _get_dag_run_state(self, instance: TaskInstance, body: Body) -> Answer:
        found = await self._database.read(runs.get, body["dag_id"], body["run_id"])
        return {"type": "DagRunStateResult", "state": found.state}

    async def _get_previous_dag_run(self, instance: TaskInstance, body: Body) -> Answer:
        state = RunState(body["state"]) if body.get("state") else None
        found = await self._database.read(runs.previous, body["dag_id"], body["logical_date"], state)
        return {"type": "PreviousDagRunResult", "dag_run": run_map(found) if found else None}

    async def _get_previous_successful(self, instance: TaskInstance, body: Body) -> Answer:
        def find(tx: Tx) -> Body:
            run = runs.get(tx, instance.dag_id, instance.run_id)
            found = runs.previous_successful(tx, instance.dag_id, run.logical_date) if run.logical_date else None
            names = ("data_interval_start", "data_interval_end", "start_date", "end_date")
            return {name: getattr(found, name) for name in names} if found else {}

        return {"type": "PrevSuccessfulDagRunResult", **await self._database.read(find)}

    async def _get_previous_ti(self, instance: TaskInstance, body: Body) -> Answer:
        found = await self._database.read(_previous_instance, body)
        return {"type": "PreviousTIResult", "task_instance": found}

    async def _get_ti_count(self, instance: TaskInstance, body: Body) -> Answer:
        which = await self._database.read(_task_filter, body)
        return {"type": "TICount", "count": await self._database.read(tasks.count, which)}

    async def _get_task_states(self, instance: TaskInstance, body: Body) -> Answer:
        which = await self._database.read(_task_filter, body)
        return {"type": "TaskStatesResult", "task_states": await self._database.read(tasks.states, which)}

    async def _get_breadcrumbs(self, instance: TaskInstance, body: Body) -> Answer:
        found = await self._database.read(tasks.of_run, body["dag_id"], body["run_id"])
        crumbs = [
            {
                "task_id": one.task_id,
                "map_index": one.map_index,
                "state": one.state,
                "operator": one.operator,
                "duration": one.duration,
            }
            for one in found
            if one.state is not None
        ]
        return {"type": "TaskBreadcrumbsResult", "breadcrumbs": crumbs}

    async def _get_dr_count(self, instance: TaskInstance, body: Body) -> Answer:
        states = body.get("states")
        which = RunFilter(
            dag_ids=(body["dag_id"],),
            run_ids=tuple(body["run_ids"]) if body.get("run_ids") is not None else None,
            states=tuple(RunState(state) for state in states) if states is not None else None,
        )
        count = await self._database.read(runs.count, which, body.get("logical_dates"))
        return {"type": "DRCount", "count": count}

    async def _get_dag(self, instance: TaskInstance, body: Body) -> Answer:
        found = await self._database.read(dags.get, body["dag_id"])
        return {
            "type": "DagResult",
            "dag_id": found.dag_id,
            "is_paused": found.is_paused,
            "bundle_name": "dags-folder",
            "bundle_version": None,
            "relative_fileloc": found.file,
            "owners": ", ".join(found.spec.owners),
            "tags": list(found.spec.tags),
            "next_dagrun": found.next_run.logical_date if found.next_run else None,
        }


def _is_stored(written: asyncio.Future[None]) -> bool:
    return written.done() and not written.cancelled() and written.exception() is None


def _heard(written: asyncio.Future[None]) -> None:
    # Whether it succeeded is asked when the try ends.
    if not written.cancelled():
        written.exception()


def _find_xcom(tx: Tx, body: Body, map_index: int) -> XCom | None:
    try:
        return xcoms.get(tx, body["dag_id"], body["run_id"], body["task_id"], body["key"], map_index)
    except NotFound:
        if not body.get("include_prior_dates"):
            return None
    logical_date = runs.get(tx, body["dag_id"], body["run_id"]).logical_date
    if logical_date is None:
        return None
    return xcoms.prior(tx, body["dag_id"], body["task_id"], body["key"], logical_date)


def _previous_instance(tx: Tx, body: Body) -> Body | None:
    state = TaskState(body["state"]) if body.get("state") else None
    found = tasks.previous(
        tx, body["dag_id"], body["task_id"], body.get("logical_date"), body.get("map_index", -1), state
    )
    if found is None:
        return None
    return {
        "task_id": found.task_id,
        "dag_id": found.dag_id,
        "run_id": found.run_id,
        "logical_date": runs.get(tx, found.dag_id, found.run_id).logical_date,
        "start_date": found.start_date,
        "end_date": found.end_date,
        "state": found.state,
        "try_number": found.try_number,
        "map_index": found.map_index,
        "duration": found.duration,
    }


def _task_filter(tx: Tx, body: Body) -> TaskFilter:
    task_ids = body.get("task_ids")
    if group := body.get("task_group_id"):
        members = _group_members(tx, body["dag_id"], group)
        task_ids = [one for one in members if task_ids is None or one in task_ids]
    run_ids = body.get("run_ids")
    if body.get("logical_dates") is not None:
        by_date = runs.ids_at(tx, body["dag_id"], body["logical_dates"])
        run_ids = [one for one in by_date if run_ids is None or one in run_ids]
    states = body.get("states")
    index = body.get("map_index")
    return TaskFilter(
        dag_ids=(body["dag_id"],),
        task_ids=tuple(task_ids) if task_ids is not None else None,
        run_ids=tuple(run_ids) if run_ids is not None else None,
        states=tuple(_state(state) for state in states) if states is not None else None,
        map_indexes=(index,) if index is not None and index >= 0 else None,
    )


def _state(word: str | None) -> TaskState | None:
    # Airflow writes the state nobody has given yet as "null" (or leaves it out).
    return None if word in (None, "null", "none") else TaskState(word)


def _group_members(tx: Tx, dag_id: str, group: str) -> tuple[str, ...]:
    groups = {one.group_id: one for one in dags.get(tx, dag_id).spec.groups}
    if group not in groups:
        raise NotFound(f"DAG {dag_id} has no task group {group}.", code="group_not_found")
    members: list[str] = []
    pending = [group]
    while pending:
        for child in groups[pending.pop()].children:
            if child in groups:
                pending.append(child)
            else:
                members.append(child)
    return tuple(members)
