"""A running try, as the engine talks to it: its answers, and what its words mean for its task instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from airgate.engine.answers import Answers
from airgate.engine.ports import Slot, TaskMessageError
from airgate.engine.retry import AsksRetry, Deferred, Failed, Killed, Outcome, Rescheduled, Skipped, Succeeded
from airgate.engine.snapshot import SkipChoice
from airgate.model.run import TaskInstance, XCom

Body = dict[str, Any]
SKIP_CHOICE_KEY = "skipmixin_key"
"""The XCom in which Airflow's branches and short circuits leave what they chose."""


class TryOwner(Protocol):
    """The scheduler, as a try sees it."""

    def try_ended(self, talk: TryTalk, outcome: Outcome) -> Awaitable[None]:
        """The try has ended like this. Resolves once that is committed."""

    def try_gone(self, talk: TryTalk, outcome: Outcome | None) -> None:
        """Its process is done with it: the slot is free. `outcome`: how it ended, where it did not say so."""

    def try_changed(self, talk: TryTalk, changes: dict[str, Any]) -> None:
        """Fields of the task instance change while it runs."""

    def choice_made(self, talk: TryTalk, choice: SkipChoice) -> None:
        """A branch or short circuit left its choice."""

    def skip_downstream(self, talk: TryTalk, targets: list[str | tuple[str, int]]) -> Awaitable[None]:
        """The try skips tasks downstream of it. Resolves once that is committed."""

    def trigger_run(self, talk: TryTalk, body: Body) -> Awaitable[Body | None]:
        """The try triggers a run of some DAG."""


class TryTalk:
    """Implements `airgate.engine.ports.TryListener` for one try of one task instance."""

    def __init__(
        self, instance: TaskInstance, slot: Slot, owner: TryOwner, answers: Answers, *, clock: Callable[[], datetime]
    ) -> None:
        self.instance = instance
        self.slot = slot
        self.reported = False
        """Whether the try has said how it ended."""
        self._owner = owner
        self._answers = answers
        self._clock = clock

    async def message(self, body: Body) -> Body | None:
        """See the port."""
        kind = body.get("type")
        outcome = _outcome(body)
        if outcome is not None:
            self.reported = True
            await self._owner.try_ended(self, outcome)
            return None
        match kind:
            case "SetRenderedFields":
                self._owner.try_changed(self, {"rendered_fields": body["rendered_fields"]})
                return {"type": "OKResponse", "ok": True}
            case "SetRenderedMapIndex":
                self._owner.try_changed(self, {"rendered_map_index": body["rendered_map_index"]})
                return {"type": "OKResponse", "ok": True}
            case "SkipDownstreamTasks":
                targets = [one if isinstance(one, str) else (one[0], one[1]) for one in body["tasks"]]
                await self._owner.skip_downstream(self, targets)
                return None
            case "TriggerDagRun":
                return await self._owner.trigger_run(self, body)
            case "SetXCom" if body["key"] == SKIP_CHOICE_KEY:
                self._note_choice(body["value"])
            case _:
                pass
        return await self._answers.answer(self.instance, body)

    def ended(self, reason: str | None) -> None:
        """See the port. A process that leaves in order without a word has succeeded, as in Airflow."""
        outcome: Outcome | None = None
        if not self.reported:
            self.reported = True
            now = self._clock()
            outcome = Succeeded(ended_at=now) if reason is None else Killed(ended_at=now, reason=reason)
        self._owner.try_gone(self, outcome)
        self.unsure_xcoms()  # of callbacks after its end: nothing is committed any more that they could go with

    def unsure_xcoms(self) -> tuple[XCom, ...]:
        """XComs it has left, of which it is not known yet whether they are in the store."""
        return self._answers.unsure_xcoms(self.instance)

    def _note_choice(self, value: Any) -> None:
        choice = SkipChoice.from_xcom(value)
        if choice is not None:
            self._owner.choice_made(self, choice)


def _outcome(body: Body) -> Outcome | None:
    ended_at = body.get("end_date")
    index = body.get("rendered_map_index")
    match body.get("type"):
        case "SucceedTask":
            return Succeeded(ended_at=_date(ended_at), rendered_map_index=index)
        case "TaskState" if body["state"] == "skipped":
            return Skipped(ended_at=_date(ended_at), rendered_map_index=index)
        case "TaskState":
            return Failed(ended_at=_date(ended_at), rendered_map_index=index)
        case "RetryTask":
            return AsksRetry(ended_at=_date(ended_at), delay=body.get("retry_delay_seconds"), rendered_map_index=index)
        case "RescheduleTask":
            return Rescheduled(ended_at=_date(ended_at), resume_at=_date(body["reschedule_date"]))
        case "DeferTask":
            return Deferred(
                next_method=body["next_method"], next_kwargs=body.get("next_kwargs"), rendered_map_index=index
            )
        case "AwaitInputTask":
            raise TaskMessageError(
                "API_SERVER_ERROR", {"status_code": 501, "message": "Tasks that await human input are not run yet."}
            )
        case _:
            return None


def _date(value: Any) -> datetime:
    # Dates travel as MessagePack timestamps; a pendulum date that slipped through comes as text.
    return value if isinstance(value, datetime) else msgspec.convert(value, datetime, strict=False)


class CallbackTalk:
    """Listens to a callback that runs in a slot: it may ask, and its end changes nothing."""

    def __init__(self, instance: TaskInstance, answers: Answers, on_end: Callable[[], None]) -> None:
        self._instance = instance
        self._answers = answers
        self._on_end = on_end

    async def message(self, body: Body) -> Body | None:
        """See the port. States a callback reports are ignored: the try they belong to has ended."""
        if _outcome(body) is not None or body.get("type") in {"SetRenderedFields", "SetRenderedMapIndex"}:
            return None
        return await self._answers.answer(self._instance, body)

    def ended(self, reason: str | None) -> None:
        """See the port."""
        self._answers.unsure_xcoms(self._instance)
        self._on_end()
