"""Targets beyond a plain URL: a DAG of a deployment, a chat, a mailbox. From a webhook to what is sent. Pure."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from airgate.model.job import Execution, ExecutionStatus
from airgate.model.states import TriggeredBy
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import TargetKind, Webhook
from airgate.orchestration.ports import Mail
from airgate.orchestration.requests import Rendered
from airgate.orchestration.templates import Lookup, TemplateError, render_json, render_text, render_url

_COLOURS: Final = {ExecutionStatus.FINISHED: 0x2E7D32, ExecutionStatus.FAILED: 0xC62828}
_UNENDED: Final = (ExecutionStatus.RUNNING, ExecutionStatus.MISSED)
_OTHER_COLOUR: Final = 0x8A6D00
_LONGEST_TITLE: Final = 200
_LONGEST_TEXT: Final = 1800
"""Discord takes 2,000 characters, Slack more."""


KEY_BEGINS: Final = "webhook:"
"""How the idempotency key begins of a run that a webhook starts; the delivery's id follows."""


def trigger_of(webhook: Webhook, lookup: Lookup, delivery_id: UUID) -> TriggerRequest:
    """The trigger a webhook comes to whose target is a DAG. Its body is the conf.

    The delivery's id is the idempotency key: however often it is tried, there is one run. Raises TemplateError.
    """
    assert webhook.target.dag_id is not None
    conf = {} if webhook.body is None else render_json(webhook.body, lookup)
    if not isinstance(conf, dict):
        raise TemplateError("body: the conf of a run is an object")
    return TriggerRequest(
        dag_id=webhook.target.dag_id,
        conf=conf,
        note=f"Started by webhook {webhook.description!r}",
        triggered_by=TriggeredBy.REST_API,
        triggering_user=webhook.created_by or None,
        idempotency_key=f"{KEY_BEGINS}{delivery_id}",
    )


def chat_message(webhook: Webhook, lookup: Lookup, execution: Execution, count: int) -> Rendered:
    """The request that says it in Slack or Discord. Raises TemplateError."""
    title, text = title_and_text(webhook, lookup, execution, count)
    colour = _COLOURS.get(execution.status, _OTHER_COLOUR)
    body = _slack(title, text, colour) if webhook.target.kind is TargetKind.SLACK else _discord(title, text, colour)
    return Rendered(
        method="POST",
        url=render_url(webhook.url, lookup),
        headers=(("content-type", "application/json"),),
        body=msgspec.json.encode(body),
    )


def _slack(title: str, text: str, colour: int) -> dict[str, Any]:
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": text}}]
    return {"text": title, "attachments": [{"color": f"#{colour:06x}", "fallback": text, "blocks": blocks}]}


def _discord(title: str, text: str, colour: int) -> dict[str, Any]:
    embed = {"title": title, "description": text, "color": colour}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def mail_of(webhook: Webhook, lookup: Lookup, execution: Execution, count: int, message_id: str) -> Mail:
    """The message that says it by mail. Raises TemplateError."""
    title, text = title_and_text(webhook, lookup, execution, count)
    return Mail(to=webhook.target.to, subject=" ".join(title.split()), text=text, message_id=message_id)


def title_and_text(webhook: Webhook, lookup: Lookup, execution: Execution, count: int) -> tuple[str, str]:
    """The author's words, or the default ones. Raises TemplateError."""
    target = webhook.target
    title = default_title(execution, count) if target.title is None else render_text(target.title, lookup)
    text = default_text(execution, count) if target.text is None else render_text(target.text, lookup)
    return _cut(title, _LONGEST_TITLE), _cut(text, _LONGEST_TEXT)


def default_title(execution: Execution, count: int = 1) -> str:
    """One line that says what happened."""
    name = _name(execution)
    match execution.status:
        case ExecutionStatus.FINISHED:
            said = f"{name} succeeded"
        case ExecutionStatus.FAILED:
            said = f"{name} failed"
        case ExecutionStatus.RUNNING:
            said = f"{name} is taking long"
        case ExecutionStatus.MISSED if execution.run:
            said = f"{name} did not start in time"
        case ExecutionStatus.MISSED:
            said = "An expected execution did not come"
        case status:
            said = f"{name}: {status.value.lower()}"
    return said if count == 1 else f"{said} ({count} executions)"


def default_text(execution: Execution, count: int = 1) -> str:
    """What somebody who is woken by it wants to know, one fact a line."""
    run = execution.run or {}
    seconds = _duration(execution)
    facts = (
        ("Run", run.get("run_id")),
        ("Deployment", run.get("deployment")),
        ("Table", ".".join(filter(None, (execution.schema_name, execution.table_name))) or None),
        ("Rows", execution.rows),
        ("Duration", None if seconds is None else f"{seconds:.0f} s"),
        ("Started by", execution.triggered_by),
        ("Failed tasks", ", ".join(run.get("failed_tasks") or ()) or None),
        ("Reason" if execution.status in _UNENDED else "Error", execution.error),
        ("Executions", count if count > 1 else None),
        ("More", run.get("url")),
    )
    return "\n".join(f"{label}: {value}" for label, value in facts if value is not None) or default_title(execution)


def _name(execution: Execution) -> str:
    if execution.run:
        return f"DAG {execution.run.get('dag_id')}"
    return execution.table_name or execution.connection_name or f"Job {execution.job_id}"


def _duration(execution: Execution) -> float | None:
    if execution.started_at is None or execution.ended_at is None:
        return None
    return (execution.ended_at - execution.started_at).total_seconds()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
