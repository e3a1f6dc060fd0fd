"""Triggers: one, many, waited for, watched."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from airgate.access.permissions import Permission
from airgate.http import visible
from airgate.http.native.common import encode, id_in_path, until_ended
from airgate.http.native.paging import cut, key_after
from airgate.http.native.problems import Refused, problem_of
from airgate.http.native.table import HeaderParameter, NativeOperation, Reach
from airgate.http.native.trigger_views import (
    BulkAnswer,
    BulkResult,
    NewTrigger,
    NewTriggers,
    TriggerEvent,
    TriggerQuery,
    TriggersPage,
    TriggersQuery,
    TriggerView,
    WaitQuery,
    accepted_view,
    request_of,
    run_view,
    trigger_view,
)
from airgate.http.operations import Call
from airgate.http.presence import or_silence, while_present
from airgate.http.replies import Reply
from airgate.model.errors import NotFound, PermissionDenied, Unavailable
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Followed, Trigger, TriggerFilter, TriggerKey, TriggerRequest

KEEP_ALIVE: Final = 15.0
"""Seconds without an event after which a comment is sent, so that nothing on the way takes the stream for dead."""
SLICE: Final = 250
"""Triggers of a bulk that are read or shown before others have their turn."""

_TAG: Final = "triggers"
_TRIGGERS: Final = "/deployments/{deployment}/triggers"
_TRIGGER: Final = _TRIGGERS + "/{trigger_id}"
_EVENT: Final = "post_dag_run"
_KEY: Final = HeaderParameter(
    "Idempotency-Key", "1 to 255 characters. Sent again with the same request, it answers with the same run."
)
_LAST_EVENT: Final = HeaderParameter(
    "Last-Event-ID", "Sent by clients that come back. After `end` there is nothing more: the answer is 204."
)


async def post_trigger(call: Call) -> Reply:
    """Trigger a DAG: accept it durably, and start its run at once.

    With `wait` the answer is given when the run has ended, or that many seconds later. A client that goes away
    meanwhile takes nothing back.
    """
    body: NewTrigger = call.body
    call.about(dag_id=body.dag_id)
    visible.require(call, [body.dag_id])
    request = request_of(body, call.user, call.header(b"idempotency-key"))
    accepted = await call.accept(request, 201)
    view = accepted_view(accepted)
    if call.query.wait:
        await while_present(call.receive, _until_ended(call, accepted.run, call.query.wait))
        with suppress(NotFound):  # deleted meanwhile; that it was accepted stays true
            view = _view(await call.services.triggers.get(call.deployment.name, view.id))
    return encode(view, 201 if accepted.created else 200)


async def post_triggers(call: Call) -> BulkAnswer:
    """Trigger many DAGs in one transaction: whatever happens, either all that can be are accepted, or none.

    Each trigger is answered by itself, as if it had come after the one before it: one that is refused keeps no other
    from being accepted. A body that is not of the form described refuses them all.
    """
    results: list[Accepted | Exception | None] = [None] * len(call.body.triggers)
    requests: dict[int, TriggerRequest] = {}
    allowed = visible.limit_of(call)
    for index, item in enumerate(call.body.triggers):
        if allowed is not None and not allowed(item.dag_id):
            results[index] = PermissionDenied(f"This needs {Permission.RUNS_CREATE.value} for the DAG '{item.dag_id}'")
            continue
        try:
            requests[index] = request_of(item, call.user, item.idempotency_key, f"#/triggers/{index}")
        except Refused as refusal:
            results[index] = refusal
        if not index % SLICE:
            await asyncio.sleep(0)
    if len(requests) < len(results):
        call.about(refused_at_once=len(results) - len(requests))
    answers = await call.services.triggers.accept_many(call.deployment, [*requests.values()], call.audit_entry())
    call.audited = True
    for index, answer in zip(requests, answers, strict=True):
        results[index] = answer
    return await _bulk_answer(results)


async def _bulk_answer(results: Sequence[Accepted | Exception | None]) -> BulkAnswer:
    counts: Counter[str] = Counter()
    shown: list[BulkResult] = []
    for index, answer in enumerate(results):
        if isinstance(answer, Accepted):
            counts["accepted" if answer.created else "repeated"] += 1
            shown.append(BulkResult(index=index, trigger=accepted_view(answer)))
        else:
            assert answer is not None
            counts["refused"] += 1
            shown.append(BulkResult(index=index, problem=problem_of(answer)))
        if not index % SLICE:
            await asyncio.sleep(0)
    return BulkAnswer(
        accepted=counts["accepted"], repeated=counts["repeated"], refused=counts["refused"], results=shown
    )


async def list_triggers(call: Call) -> TriggersPage:
    """List triggers, the newest first, each with its run as it is now."""
    query: TriggersQuery = call.query
    which = TriggerFilter(
        dag_ids=await visible.dag_ids(call, None if query.dag_id is None else [query.dag_id]),
        states=None if query.state is None else (query.state,),
        since=query.since,
        until=query.until,
    )
    after = key_after(call)
    before = None if after is None else TriggerKey(datetime.fromisoformat(after[0]), UUID(after[1]))
    found = await call.services.triggers.list(call.deployment.name, which, query.limit + 1, before)
    page, following = cut(call, found, lambda one: [one.trigger.created_at.isoformat(), str(one.trigger.id)])
    return TriggersPage(items=tuple(map(_view, page)), next=following)


async def get_trigger(call: Call) -> TriggerView:
    """Show one trigger, with its run as it is now."""
    return _view(await _trigger(call))


async def wait_for_trigger(call: Call) -> TriggerView:
    """Wait until the run of a trigger has ended, and show it then; or, when the time is over, as it is by then."""
    found = await _trigger(call)
    if call.query.timeout and not found.run.state.finished:
        await while_present(call.receive, _until_ended(call, found.run, call.query.timeout))
        found = await _trigger(call)
    return _view(found)


async def watch_trigger(call: Call) -> Reply:
    """Watch the run of a trigger, as server-sent events.

    An event `state` comes at once and after each change of the run's state, an event `end` after the last one. When
    the stream breaks off without it, come again: it begins with the state as it is by then.
    """
    found = await _trigger(call)
    if call.header(b"last-event-id") == "end":
        return Reply(status=204, media_type=None)
    return Reply(
        media_type="text/event-stream",
        headers=((b"x-accel-buffering", b"no"),),
        body=b"retry: 1000\n\n",
        stream=_events(call, found.trigger),
    )


async def _trigger(call: Call) -> Followed:
    trigger_id = id_in_path(call, "trigger_id", "trigger")
    found = await call.services.triggers.get(call.deployment.name, trigger_id)
    allowed = visible.limit_of(call)
    if allowed is not None and not allowed(found.trigger.dag_id):
        raise NotFound(f"There is no trigger '{trigger_id}' of '{call.deployment.name}'", code="trigger_not_found")
    return found


async def _until_ended(call: Call, run: DagRun, seconds: float) -> None:
    await until_ended(call.deployment.runs, run.dag_id, run.run_id, seconds)


async def _events(call: Call, trigger: Trigger) -> AsyncGenerator[bytes, None]:
    last: DagRun | None = None
    runs = call.deployment.runs.follow(trigger.dag_id, trigger.run_id)
    try:
        async with aclosing(runs), aclosing(or_silence(runs, KEEP_ALIVE)) as heard:
            async for run in heard:
                if run is None:
                    yield b": still here\n\n"
                else:
                    last = run
                    yield _event("state", run.state.value, trigger, run)
    except NotFound:
        pass  # deleted: nothing more will come of it
    except Unavailable:
        return  # the stream breaks off without an end, and its reader comes back
    if last is not None:
        yield _event("end", "end", trigger, last)


def _event(name: str, event_id: str, trigger: Trigger, run: DagRun) -> bytes:
    data = encode(TriggerEvent(trigger=trigger_view(trigger, run), run=run_view(run))).body
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), event_id.encode(), data)


def _view(found: Followed) -> TriggerView:
    return trigger_view(found.trigger, found.run)


OPERATIONS: Final = (
    NativeOperation(
        method="POST", path=_TRIGGERS, handler=post_trigger, tag=_TAG, permission=Permission.RUNS_CREATE,
        query=TriggerQuery, body=NewTrigger, status=201, answer=TriggerView, also={200: TriggerView}, errors=(409,),
        headers=(_KEY,), reach=Reach.DEPLOYMENT, event=_EVENT,
    ),
    NativeOperation(
        method="POST", path=_TRIGGERS + "/bulk", handler=post_triggers, tag=_TAG, permission=Permission.RUNS_CREATE,
        body=NewTriggers, answer=BulkAnswer, reach=Reach.DEPLOYMENT, event="post_dag_runs",
    ),
    NativeOperation(
        method="GET", path=_TRIGGERS, handler=list_triggers, tag=_TAG, permission=Permission.RUNS_READ,
        query=TriggersQuery, answer=TriggersPage, reach=Reach.DEPLOYMENT,
    ),
    NativeOperation(
        method="GET", path=_TRIGGER, handler=get_trigger, tag=_TAG, permission=Permission.RUNS_READ,
        answer=TriggerView, reach=Reach.DEPLOYMENT,
    ),
    NativeOperation(
        method="GET", path=_TRIGGER + "/wait", handler=wait_for_trigger, tag=_TAG, permission=Permission.RUNS_READ,
        query=WaitQuery, answer=TriggerView, reach=Reach.DEPLOYMENT,
    ),
    NativeOperation(
        method="GET", path=_TRIGGER + "/events", handler=watch_trigger, tag=_TAG, permission=Permission.RUNS_READ,
        answer=TriggerEvent, also={204: None}, media_type="text/event-stream", headers=(_LAST_EVENT,),
        reach=Reach.DEPLOYMENT,
    ),
)  # fmt: skip
