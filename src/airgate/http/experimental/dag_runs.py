"""DAG runs in the experimental dialect: trigger, list, look at, and the latest of each DAG."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from airgate.http.experimental.dates import read_date
from airgate.http.experimental.errors import Refusal, bad_request, no_dag
from airgate.http.experimental.requests import find_active_dag, find_run, json_object, path_date, run_at
from airgate.http.experimental.views import latest_view, run_view, state_of
from airgate.http.json_input import BadJson, read_json
from airgate.http.operations import Call
from airgate.http.params import parse
from airgate.http.replies import Reply, compact_json
from airgate.http.visible import limit_of
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import RunSearch
from airgate.model.run import DagRun
from airgate.model.run_ids import generate
from airgate.model.states import RunState, RunType
from airgate.model.trigger import TriggerRequest

_TRUE: Final = frozenset({"true", "t", "y", "yes", "1"})
_CHUNK: Final = 5000
"""Runs that are read at once. Lists of this dialect have no pages: they are all there is."""

_STATES: Final = {
    RunState.RUNNING.value: (RunState.QUEUED, RunState.RUNNING),
    RunState.SUCCESS.value: (RunState.SUCCESS,),
    RunState.FAILED.value: (RunState.FAILED,),
}


async def trigger(call: Call) -> dict[str, str]:
    """POST /dags/{dag_id}/dag_runs."""
    try:
        request, asked = _asked_for(call)
    except Refusal:
        await find_active_dag(call)  # that there is no such DAG is told before what is wrong with the body
        raise
    try:
        accepted = await call.accept(request)
    except NotFound:
        await find_active_dag(call)
        raise no_dag(request.dag_id) from None
    except Conflict as conflict:
        raise bad_request(await _taken(call, request, asked, conflict)) from None
    return _receipt(accepted.run, asked)


def _receipt(run: DagRun, asked: datetime | None) -> dict[str, str]:
    """What tells a caller of its run. A date is printed with the offset, and as the type, that it came in."""
    date = run.execution_date if asked is None else asked
    printed = str(date) if asked is None else date.isoformat()
    return {
        "execution_date": date.isoformat(),
        "message": f"Created <DagRun {run.dag_id} @ {printed}: {run.run_id}, externally triggered: True>",
        "run_id": run.run_id,
    }


def _asked_for(call: Call) -> tuple[TriggerRequest, datetime | None]:
    """What the body asks for, and its date with the offset it was written with."""
    body = json_object(call)
    run_id = body.get("run_id")
    if run_id is not None and not isinstance(run_id, str):
        raise bad_request("run_id must be a string, or null")
    asked = None
    if body.get("execution_date") is not None:
        asked = read_date(body["execution_date"], call.services.clock())
    cut = _flag(body.get("replace_microseconds"), default=asked is None)
    if asked is not None and cut:
        asked = asked.replace(microsecond=0)
    if asked is not None and not run_id:
        run_id = generate(RunType.MANUAL, asked)
    request = TriggerRequest(
        dag_id=call.params["dag_id"],
        run_id=run_id or None,
        logical_date=asked and asked.astimezone(UTC),
        has_logical_date=asked is not None,
        conf=_conf(body.get("conf")),
        triggering_user=call.user,
        idempotency_key=call.header(b"idempotency-key"),
        whole_second=asked is None and cut,
    )
    return request, asked


def _flag(value: Any, *, default: bool) -> bool:
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.lower() in _TRUE
    raise bad_request('replace_microseconds must be "true" or "false"')


def _conf(value: Any) -> dict[str, Any]:
    """An object, or a string that holds one; whatever is empty is no conf."""
    if isinstance(value, str) and value:
        try:
            value = read_json(value.encode())
        except BadJson as error:
            raise bad_request(f"conf is a string that holds no JSON object: {error}") from None
    if not value:
        return {}
    if not isinstance(value, dict):
        raise bad_request("Dag Run conf must be a dictionary object, other types are not supported")
    return value


async def _taken(call: Call, request: TriggerRequest, asked: datetime | None, conflict: Conflict) -> str:
    """Why there cannot be such a run. As in 1.10, a run id that is taken is told before a date."""
    dag_id, run_id = request.dag_id, request.run_id
    if run_id is not None and conflict.code in ("run_exists", "logical_date_exists"):
        try:
            await call.deployment.runs.get(dag_id, run_id)
        except NotFound:
            pass
        else:
            return f"Run id {run_id} already exists for dag id {dag_id}"
    if conflict.code == "logical_date_exists" and asked is not None:
        holder = await run_at(call, dag_id, asked)
        if holder is not None:
            return f"A DAG Run already exists for DAG {dag_id} at {asked} with run id {holder.run_id}"
    return conflict.detail


async def list_runs(call: Call) -> list[dict[str, Any]] | Reply:
    """GET /dags/{dag_id}/dag_runs: all of them, by date. That there is no such DAG is a bad request here, not a 404."""
    try:
        dag = await find_active_dag(call)
    except Refusal as error:
        raise bad_request(error.text) from None
    which = RunSearch(dag_ids=(dag.dag_id,), states=_states(call))
    first = await call.deployment.runs.search(which, _CHUNK)
    if len(first) < _CHUNK:
        return [run_view(call, run) for run in first]
    return Reply(body=b"[", stream=_chunks(call, which, first))


def _states(call: Call) -> tuple[RunState, ...] | None:
    """The states that the query's word stands for; none for a word nobody knows."""
    word = parse(call.raw_query).get("state", [""])[0].lower()
    return _STATES.get(word, ()) if word else None


async def _chunks(call: Call, which: RunSearch, found: Sequence[DagRun]) -> AsyncIterator[bytes]:
    """A long list, piece by piece, each read from where the one before it ended."""
    comma = b""
    while found:
        for run in found:
            yield comma + compact_json(run_view(call, run))[:-1]
            comma = b","
        after = (found[-1].execution_date, found[-1].seq)
        found = await call.deployment.runs.search(msgspec.structs.replace(which, after=after), _CHUNK)
    yield b"]\n"


async def get_state(call: Call) -> dict[str, str]:
    """GET /dags/{dag_id}/dag_runs/{execution_date}."""
    date = path_date(call)
    await find_active_dag(call)
    return {"state": state_of(await find_run(call, date))}


async def latest(call: Call) -> dict[str, Any]:
    """GET /latest_runs: of each DAG the run with the latest date."""
    shown = limit_of(call)
    newest = await call.deployment.runs.latest()
    return {"items": [latest_view(call, run) for run in newest if shown is None or shown(run.dag_id)]}
