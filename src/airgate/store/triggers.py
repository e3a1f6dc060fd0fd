"""Triggers: durable, accepted requests, each kept together with the run it makes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from airgate.model.errors import Conflict, NotFound
from airgate.model.run import DagRun
from airgate.model.trigger import Accepted, Trigger, TriggerState
from airgate.store import _schema as schema
from airgate.store import runs
from airgate.store._mapping import Mapping
from airgate.store._query import by_key
from airgate.store.database import Tx

_TRIGGER = schema.trigger_request
_MAPPING = Mapping(Trigger, _TRIGGER)
_SELECT = select(*_MAPPING.columns)


def accept(tx: Tx, items: Sequence[tuple[Trigger, DagRun]]) -> Sequence[Accepted | Exception]:
    """Keep triggers and their runs; made for `Database.write_item`. One answer per item, in order.

    A known (deployment, idempotency key) is answered with the existing run if the fingerprint is the same, and is a
    Conflict (code ``idempotency_key_reused``) otherwise. A run that exists is a Conflict as in `runs.insert`; then the
    trigger is not kept.
    """
    answers: dict[int, Accepted | Exception] = {}
    waiting = list(range(len(items)))
    while waiting:
        answers.update(_accept(tx, {index: items[index] for index in waiting}))
        # What is left shares its key with a trigger that was refused just now, and may fare better.
        waiting = [index for index in waiting if index not in answers]
    return [answers[index] for index in range(len(items))]


def get(tx: Tx, deployment: str, idempotency_key: str) -> Trigger:
    """One trigger. Raises NotFound (code ``trigger_not_found``)."""
    conditions = (_TRIGGER.c.deployment == deployment, _TRIGGER.c.idempotency_key == idempotency_key)
    row = tx.run(_SELECT.where(*conditions)).first()
    if row is None:
        raise NotFound(f"There is no trigger '{idempotency_key}' of '{deployment}'", code="trigger_not_found")
    return _MAPPING.decode(row)


def set_state(tx: Tx, deployment: str, dag_id: str, run_id: str, state: TriggerState, error: str | None = None) -> None:
    """Note how far the triggers of a run have come. A run nobody triggered has none, which is no error."""
    conditions = (_TRIGGER.c.deployment == deployment, _TRIGGER.c.dag_id == dag_id, _TRIGGER.c.run_id == run_id)
    tx.run(_TRIGGER.update().where(*conditions).values(state=state, last_error=error))


Items = dict[int, tuple[Trigger, DagRun]]
Answers = dict[int, Accepted | Exception]


def _accept(tx: Tx, items: Items) -> Answers:
    """One round: four statements however many items there are, a few more where some clash.

    The database itself sorts out what is new, by refusing quietly whatever breaks a unique rule.
    """
    statement = tx.insert(_TRIGGER).on_conflict_do_nothing().returning(_TRIGGER.c.id)
    kept = set(tx.run(statement, _MAPPING.encode_all(trigger for trigger, _ in items.values())).scalars())
    new = {index: item for index, item in items.items() if item[0].id in kept}
    answers: Answers = {}
    if new:
        numbers = runs.insert_many(tx, [run for _, run in new.values()])
        for (index, (_, run)), seq in zip(new.items(), numbers, strict=True):
            if seq is None:
                answers[index] = runs.clash(tx, run)
            else:
                answers[index] = Accepted(msgspec.structs.replace(run, seq=seq), created=True)
    refused = [new[index][0].id for index, answer in answers.items() if isinstance(answer, Exception)]
    if refused:
        tx.run(_TRIGGER.delete().where(_TRIGGER.c.id.in_(refused)))
    if len(new) < len(items):
        answers.update(_repeated(tx, {index: item for index, item in items.items() if index not in new}))
    return answers


def _repeated(tx: Tx, items: Items) -> Answers:
    """Answers to triggers whose key is known."""
    keys = [(trigger.deployment, trigger.idempotency_key) for trigger, _ in items.values()]
    known: dict[tuple[str, str], Trigger] = {}
    for among in by_key((_TRIGGER.c.deployment, _TRIGGER.c.idempotency_key), keys):
        for found in _MAPPING.decode_all(tx.run(_SELECT.where(among))):
            known[found.deployment, found.idempotency_key] = found
    answers: Answers = {}
    for index, (trigger, _) in items.items():
        first = known.get((trigger.deployment, trigger.idempotency_key))
        if first is None:
            continue
        if first.fingerprint != trigger.fingerprint:
            answers[index] = Conflict(
                f"The idempotency key '{trigger.idempotency_key}' was used for another request",
                code="idempotency_key_reused",
            )
        else:
            answers[index] = Accepted(runs.get(tx, first.dag_id, first.run_id), created=False)
    return answers
