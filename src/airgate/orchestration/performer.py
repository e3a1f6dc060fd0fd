"""One attempt, of whatever kind of target."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import structlog

from airgate.model.errors import AirgateError, Unavailable
from airgate.model.webhook import Delivery, TargetKind, Webhook
from airgate.orchestration import signing, targets
from airgate.orchestration.outcome import Outcome, stopped
from airgate.orchestration.ports import Mailer, MailFailed, MailRefused, StartRun
from airgate.orchestration.requests import Rendered, Sources, lookup_in, render
from airgate.orchestration.schedule import retry_after
from airgate.orchestration.sender import Answer, Sender
from airgate.orchestration.templates import Lookup, TemplateError

log = structlog.get_logger(__name__)


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery to attempt, and all that is needed for it."""

    delivery: Delivery
    webhook: Webhook
    sources: Sources
    keys: tuple[tuple[str, str], ...] = ()
    """Scheme and secret of each signing key."""
    allowed: tuple[str, ...] = ()
    """Networks that are allowed although they are not public."""

    def __repr__(self) -> str:
        return f"Work({self.delivery.id})"  # it holds secrets


class Performer:
    """Makes attempts. Never raises: whatever happens is an outcome."""

    def __init__(self, sender: Sender, start_run: StartRun, mailer: Mailer) -> None:
        self._sender = sender
        self._start_run = start_run
        self._mailer = mailer

    async def perform(self, work: Work, now: datetime) -> Outcome:
        """One attempt."""
        lookup = lookup_in(work.sources)
        try:
            match work.webhook.target.kind:
                case TargetKind.HTTP:
                    return await self._send(work, render(work.webhook, lookup), now, signed=True)
                case TargetKind.DAG:
                    return await self._start(work, lookup)
                case TargetKind.SLACK | TargetKind.DISCORD:
                    return await self._send(work, _chat(work, lookup), now, signed=False)
                case TargetKind.EMAIL:
                    return await self._mail(work, lookup)
        except TemplateError as error:
            return stopped(str(error))
        except Exception as error:
            log.exception("An attempt failed by a mistake of ours", delivery=str(work.delivery.id))
            return Outcome(sent=True, arrived=False, error=f"a mistake of Airgate's: {type(error).__name__}")

    async def _send(self, work: Work, request: Rendered, now: datetime, *, signed: bool) -> Outcome:
        message_id = str(work.delivery.id)
        headers = signing.headers(message_id, now, request.body, work.keys if signed else ())
        answer = await self._sender.send(request, headers, allowed=work.allowed, seconds=work.webhook.timeout)
        return _outcome(answer, request, now)

    async def _start(self, work: Work, lookup: Lookup) -> Outcome:
        request = targets.trigger_of(work.webhook, lookup, work.delivery.id)
        deployment = work.webhook.target.deployment or ""
        shown: dict[str, Any] = {"deployment": deployment, "dag_id": request.dag_id, "conf": request.conf}
        rendered = Rendered(method="TRIGGER", url=request.dag_id, headers=(), body=msgspec.json.encode(shown))
        try:
            run = await self._start_run(deployment, request)
        except AirgateError as error:
            later = isinstance(error, Unavailable)
            return Outcome(sent=True, arrived=False, final=not later, error=error.detail, request=rendered)
        answer = msgspec.json.encode({"dag_id": run.dag_id, "run_id": run.run_id})
        return Outcome(sent=True, arrived=True, request=rendered, status=200, response_body=answer)

    async def _mail(self, work: Work, lookup: Lookup) -> Outcome:
        execution = work.sources.execution
        assert execution is not None
        mail = targets.mail_of(work.webhook, lookup, execution, work.delivery.count, str(work.delivery.id))
        shown = Rendered(
            method="MAIL", url=", ".join(mail.to), headers=(("subject", mail.subject),), body=mail.text.encode()
        )
        try:
            said = await self._mailer.send(mail)
        except MailRefused as error:
            return Outcome(sent=True, arrived=False, final=True, error=str(error), request=shown)
        except MailFailed as error:
            return Outcome(sent=True, arrived=False, error=str(error), request=shown)
        return Outcome(sent=True, arrived=True, status=250, request=shown, response_body=said.encode())


def _chat(work: Work, lookup: Lookup) -> Rendered:
    assert work.sources.execution is not None
    return targets.chat_message(work.webhook, lookup, work.sources.execution, work.delivery.count)


def _outcome(answer: Answer, request: Rendered, now: datetime) -> Outcome:
    if answer.refused:
        return stopped(answer.error or "it may not be sent there")
    error = answer.error
    if answer.status is not None and not answer.arrived:
        error = f"the target answered {answer.status}"
        if 300 <= answer.status < 400:
            error += "; redirects are not followed, so give the webhook the address it leads to"
    return Outcome(
        sent=True,
        arrived=answer.arrived,
        final=answer.status == 410,
        gone=answer.status == 410,
        status=answer.status,
        error=error,
        latency=answer.latency,
        retry_after=retry_after(answer.header("retry-after"), now),
        request=request,
        response_headers=answer.headers,
        response_body=answer.body,
    )
