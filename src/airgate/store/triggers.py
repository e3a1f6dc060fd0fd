"""Triggers: durable, accepted requests, each kept together with the run it makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, literal, select, tuple_

from airgate.model.audit import AuditEntry
from airgate.model.errors import AirgateError, Conflict, NotFound, Unavailable
from airgate.model.query import Span
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.model.trigger import Accepted, Followed, Trigger, TriggerFilter, TriggerKey, TriggerState, state_of
from airgate.store import _schema as schema
from airgate.store import audit, runs
from airgate.store._mapping import Mapping
from airgate.store._query import Conditions, by_key, one_of, unindexed, within
from airgate.store._savepoint import Lost, guarded
from airgate.store.database import Tx

_TRIGGER = schema.trigger_request
_RUN = schema.dag_run
_MAPPING = Mapping(Trigger, _TRIGGER)
_SELECT = select(*_MAPPING.columns)
_WIDTH = len(_MAPPING.columns)
_OF_RUN = (_RUN.c.dag_id == _TRIGGER.c.dag_id) & (_RUN.c.run_id == _TRIGGER.c.run_id)
_FOLLOWED = select(*_MAPPING.columns, *runs.COLUMNS).select_from(_TRIGGER.join(_RUN, _OF_RUN))
_UNFINISHED = {TriggerState.ACCEPTED: RunState.QUEUED, TriggerState.RUNNING: RunState.RUNNING}

CHUNK = 500
"""Triggers of a bulk that are written together: few enough for one list of values in any database."""


class Draft(NamedTuple):
    """A trigger and its run, not kept yet.

    `keyed`: the client named the idempotency key, so that a repeat is answered with the run of the first; without one
    the run exists already, and that is a Conflict. `entry` is kept with what is accepted, made or repeated.
    """

    trigger: Trigger
    run: DagRun
    keyed: bool = True
    entry: AuditEntry | None = None


class Taken(Exception):
    """Something the server chose is taken, and may be chosen anew. `places` are those of the drafts."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(f"{len(places)} drafts")
        self.places = places


def accept(tx: Tx, drafts: Sequence[Draft]) -> Sequence[Accepted | Exception]:
    """Keep triggers and their runs; made for `Database.write_item`. One answer per draft, in order.

    A known (deployment, idempotency key) is answered with the existing run if the fingerprint is the same, and is a
    Conflict (code ``idempotency_key_reused``) otherwise. A run that exists is a Conflict as in `runs.insert`; then the
    trigger is not kept.
    """
    answers = _settled(tx, drafts)
    entries = [
        accepted_entry(draft.entry, answer)
        for draft, answer in zip(drafts, answers, strict=True)
        if draft.entry is not None and isinstance(answer, Accepted)
    ]
    if entries:
        audit.append(tx, entries)
    return answers


def accept_many(
    tx: Tx,
    drafts: Sequence[Draft],
    count: Callable[[Sequence[Accepted | Exception]], AuditEntry | None],
    may_differ: Callable[[int, Exception], bool],
) -> Sequence[Accepted | Exception]:
    """Keep many triggers in this one transaction, each answered as if it had come after the one before it.

    `count` makes the one audit entry of them all from their answers; `may_differ` says whether the draft at a place,
    refused with an error, is to be planned anew.

    Raises:
        Taken: such drafts there are; nothing is to be kept before they are planned anew.
        Unavailable: the database cannot do it.
    """
    answers: list[Accepted | Exception] = []
    for start in range(0, len(drafts), CHUNK):
        answers.extend(_chunk(tx, drafts[start : start + CHUNK]))
    taken = [
        place for place, answer in enumerate(answers) if isinstance(answer, Exception) and may_differ(place, answer)
    ]
    if taken:
        raise Taken(taken)
    entry = count(answers)
    if entry is not None:
        audit.append(tx, [entry])
    return answers


def accepted_entry(entry: AuditEntry, accepted: Accepted) -> AuditEntry:
    """The audit entry of an accepted trigger: what is known of it now besides. No dialect says 201 to a repeat."""
    run = accepted.run
    replace = msgspec.structs.replace
    if not accepted.created:
        entry = replace(entry, status=200, extra={**entry.extra, "repeated": True})
    return replace(entry, dag_id=run.dag_id, run_id=run.run_id, logical_date=run.logical_date)


def get(tx: Tx, deployment: str, idempotency_key: str) -> Trigger:
    """One trigger, as stored. Raises NotFound (code ``trigger_not_found``)."""
    found = with_keys(tx, deployment, [idempotency_key]).get(idempotency_key)
    if found is None:
        raise _unknown(idempotency_key, deployment)
    return found


def with_keys(tx: Tx, deployment: str, idempotency_keys: Iterable[str]) -> dict[str, Trigger]:
    """Those triggers of a deployment, by key, that exist."""
    found = _by_keys(tx, {(deployment, key) for key in idempotency_keys})
    return {key: trigger for (_, key), trigger in found.items()}


def of_run(tx: Tx, deployment: str, dag_id: str, run_id: str) -> Trigger | None:
    """The trigger that a run was made of, if it was made of one."""
    same = (_TRIGGER.c.dag_id == dag_id, _TRIGGER.c.run_id == run_id, _TRIGGER.c.deployment == deployment)
    row = tx.run(_SELECT.where(*same).order_by(_TRIGGER.c.created_at.desc()).limit(1)).first()
    return None if row is None else _MAPPING.decode(row)


def followed(tx: Tx, deployment: str, trigger_id: UUID) -> Followed:
    """One trigger as it is now, with its run. Raises NotFound (code ``trigger_not_found``)."""
    one = _FOLLOWED.where(_TRIGGER.c.id == trigger_id, _TRIGGER.c.deployment == deployment)
    row = tx.run(one).first()
    if row is None:
        raise _unknown(str(trigger_id), deployment)
    return _decode(row)


def list_triggers(
    tx: Tx, deployment: str, which: TriggerFilter, limit: int, before: TriggerKey | None = None
) -> tuple[Followed, ...]:
    """The newest triggers that match, older than `before` where that is given, newest first."""
    page = _matching(deployment, which).order_by(_TRIGGER.c.created_at.desc(), _TRIGGER.c.id.desc()).limit(limit)
    if before is not None:
        key = tuple_(literal(before.created_at, _TRIGGER.c.created_at.type), literal(before.id, _TRIGGER.c.id.type))
        page = page.where(tuple_(_TRIGGER.c.created_at, _TRIGGER.c.id) < key)
    return tuple(_decode(row) for row in tx.run(page))


def _unknown(name: str, deployment: str) -> NotFound:
    return NotFound(f"There is no trigger '{name}' of '{deployment}'", code="trigger_not_found")


def _decode(row: Row[Any]) -> Followed:
    trigger, run = _MAPPING.decode(row[:_WIDTH]), runs.decode(row[_WIDTH:])
    return Followed(msgspec.structs.replace(trigger, state=state_of(trigger.state, run.state)), run)


def _matching(deployment: str, which: TriggerFilter) -> Select[Any]:
    """Triggers that match, with their runs.

    Those of unfinished runs are few, and found by their runs; all others by their dates.
    """
    few = which.states is not None and set(which.states) <= _UNFINISHED.keys()
    of = unindexed(_TRIGGER.c.deployment) if few else _TRIGGER.c.deployment
    conditions: Conditions = [
        of == deployment,
        *one_of(_TRIGGER.c.dag_id, which.dag_ids),
        *within(_TRIGGER.c.created_at, Span(which.since, which.until)),
    ]
    if few:
        conditions.append(schema.RUN_UNFINISHED)
    if which.states is not None:
        conditions.extend(one_of(_RUN.c.state, _run_states(which.states)))
    return _FOLLOWED.where(*conditions)


def _run_states(states: Collection[TriggerState]) -> tuple[RunState, ...]:
    """The states of runs whose triggers are in these states."""
    return tuple(state for state in RunState if state_of(TriggerState.ACCEPTED, state) in states)


def _settled(tx: Tx, drafts: Sequence[Draft]) -> list[Accepted | Exception]:
    answers: dict[int, Accepted | Exception] = {}
    waiting = list(range(len(drafts)))
    while waiting:
        answers.update(_round(tx, {index: drafts[index] for index in waiting}))
        # What is left shares its key with a trigger that was refused just now, and may fare better.
        waiting = [index for index in waiting if index not in answers]
    return [answers[index] for index in range(len(drafts))]


def _chunk(tx: Tx, drafts: Sequence[Draft]) -> list[Accepted | Exception]:
    """Drafts written together; each alone where one of them cannot be stored, so that it harms no other."""
    try:
        return guarded(tx.connection, partial(_settled, tx, drafts))
    except (Lost, Unavailable):
        raise
    except Exception as error:
        if len(drafts) > 1:
            return [_chunk(tx, [draft])[0] for draft in drafts]
        if isinstance(error, AirgateError):
            return [error]
        raise


Drafts = dict[int, Draft]
Answers = dict[int, Accepted | Exception]


def _round(tx: Tx, drafts: Drafts) -> Answers:
    """One round: four statements however many drafts there are, a few more where some clash.

    The database itself sorts out what is new, by refusing quietly whatever breaks a unique rule.
    """
    statement = tx.insert(_TRIGGER).on_conflict_do_nothing().returning(_TRIGGER.c.id)
    kept = set(tx.run(statement, _MAPPING.encode_all(draft.trigger for draft in drafts.values())).scalars())
    new = {index: draft for index, draft in drafts.items() if draft.trigger.id in kept}
    answers: Answers = {}
    numbers = runs.insert_many(tx, [draft.run for draft in new.values()])
    for (index, draft), seq in zip(new.items(), numbers, strict=True):
        if seq is not None:
            answers[index] = Accepted(msgspec.structs.replace(draft.run, seq=seq), True, draft.trigger)
    refused = [index for index in new if index not in answers]
    if refused:
        answers.update(_clashing(tx, {index: new[index] for index in refused}))
        tx.run(_TRIGGER.delete().where(_TRIGGER.c.id.in_([new[index].trigger.id for index in refused])))
    if len(new) < len(drafts):
        answers.update(_repeated(tx, {index: draft for index, draft in drafts.items() if index not in new}))
    return answers


def _repeated(tx: Tx, drafts: Drafts) -> Answers:
    """Answers to triggers whose key is known."""
    known = _by_keys(tx, {(draft.trigger.deployment, draft.trigger.idempotency_key) for draft in drafts.values()})
    made = runs.get_many(tx, {(first.dag_id, first.run_id) for first in known.values()})
    answers: Answers = {}
    unkeyed: Drafts = {}
    for index, draft in drafts.items():
        trigger = draft.trigger
        first = known.get((trigger.deployment, trigger.idempotency_key))
        if first is None:
            continue
        if not draft.keyed:  # who named no key is told of the run, never of keys
            unkeyed[index] = draft
        elif first.fingerprint != trigger.fingerprint:
            answers[index] = key_reused()
        else:
            answers[index] = Accepted(made[first.dag_id, first.run_id], False, first)
    return answers | _clashing(tx, unkeyed)


def _clashing(tx: Tx, drafts: Drafts) -> Answers:
    return dict(zip(drafts, runs.clashes(tx, [draft.run for draft in drafts.values()]), strict=True))


def key_reused() -> Conflict:
    """The refusal of a key that was used for another request."""
    return Conflict("This Idempotency-Key was used for another request", code="idempotency_key_reused")


def _by_keys(tx: Tx, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Trigger]:
    known: dict[tuple[str, str], Trigger] = {}
    for among in by_key((_TRIGGER.c.deployment, _TRIGGER.c.idempotency_key), keys):
        for found in _MAPPING.decode_all(tx.run(_SELECT.where(among))):
            known[found.deployment, found.idempotency_key] = found
    return known
