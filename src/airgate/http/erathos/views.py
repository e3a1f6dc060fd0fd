"""Model to wire: ids and dates with an underscore before them, dates to the millisecond. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from airgate.model.job import Execution, Job
from airgate.model.webhook import Attempt, BlockWindow, Delivery, Hook, SigningKey, Webhook
from airgate.model.workspace import Workspace, WorkspaceSecret, WorkspaceVariable


def stamp(moment: datetime | None) -> str | None:
    """A date as this API prints it: ``2025-06-27T06:33:13.726Z``."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _head(noun: Any) -> dict[str, Any]:
    return {
        "_id": str(noun.id),
        "_created_at": stamp(noun.created_at),
        "_updated_at": stamp(noun.updated_at),
    }


def workspace_view(workspace: Workspace) -> dict[str, Any]:
    """A workspace."""
    return {**_head(workspace), "name": workspace.name, "private_targets": list(workspace.private_targets)}


def variable_view(variable: WorkspaceVariable) -> dict[str, Any]:
    """A variable."""
    return {
        **_head(variable), "name": variable.name, "value": variable.value, "description": variable.description
    }  # fmt: skip


def secret_view(secret: WorkspaceSecret) -> dict[str, Any]:
    """A secret, without its value."""
    return {**_head(secret), "name": secret.name, "description": secret.description}


def job_view(job: Job) -> dict[str, Any]:
    """A job."""
    return {
        **_head(job),
        "name": job.name,
        "kind": job.kind.value,
        "deployment": job.deployment,
        "dag_id": job.dag_id,
        "connection_id": None if job.connection_id is None else str(job.connection_id),
        "connection_name": job.connection_name,
        "schema_name": job.schema_name,
        "table_name": job.table_name,
        "is_active": job.is_active,
    }


def execution_view(execution: Execution) -> dict[str, Any]:
    """An execution."""
    seconds = None
    if execution.started_at and execution.ended_at:
        seconds = int((execution.ended_at - execution.started_at).total_seconds())
    return {
        "_id": str(execution.id),
        "execution_id": str(execution.execution_id),
        "job": str(execution.job_id),
        "status": execution.status.value,
        "started_at": stamp(execution.started_at),
        "ended_at": stamp(execution.ended_at),
        "total_duration": seconds,
        "connection_id": None if execution.connection_id is None else str(execution.connection_id),
        "connection_name": execution.connection_name,
        "schema_name": execution.schema_name,
        "table_name": execution.table_name,
        "rows": execution.rows,
        "columns": execution.columns,
        "nested_table": execution.nested_table,
        "force_history": execution.force_history,
        "triggered_by": execution.triggered_by,
        "is_orchestration": execution.is_orchestration,
        "error": execution.error,
        "run": execution.run,
        "extra": execution.extra,
    }


def webhook_summary(webhook: Webhook) -> dict[str, Any]:
    """A webhook in a list."""
    return {**_head(webhook), "description": webhook.description, "is_active": webhook.is_active}


def webhook_view(webhook: Webhook) -> dict[str, Any]:
    """A webhook. What is Airgate's own stands below the fields of Erathos's documentation."""
    fields = (
        *("method", "url", "header", "body", "rules", "jobs"),
        *("any_of", "time_zone", "target", "coalesce", "gather", "absence", "watch", "timeout", "max_concurrency"),
        *("max_per_second", "created_by", "disabled_reason"),
    )
    shown = {field: msgspec.to_builtins(getattr(webhook, field)) for field in fields}
    return {**webhook_summary(webhook), **shown, "failing_since": stamp(webhook.failing_since)}


def key_view(key: SigningKey, secret: str | None = None) -> dict[str, Any]:
    """A signing key; its secret in the answer to its making alone."""
    shown = {
        "_id": str(key.id),
        "_created_at": stamp(key.created_at),
        "scheme": key.scheme,
        "expires_at": stamp(key.expires_at),
        "public_key": key.public,
    }
    return shown if secret is None else {**shown, "secret": secret}


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """A delivery."""
    return {
        "_id": str(delivery.id),
        "_created_at": stamp(delivery.created_at),
        "webhook": str(delivery.webhook_id),
        "execution": str(delivery.execution),
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next_attempt_at": stamp(delivery.next_attempt_at),
        "last_status": delivery.last_status,
        "reason": delivery.reason,
        "count": delivery.count,
        "replay_of": None if delivery.replay_of is None else str(delivery.replay_of),
        "finished_at": stamp(delivery.finished_at),
    }


def attempt_view(attempt: Attempt) -> dict[str, Any]:
    """An attempt, as it was kept: without secrets."""
    return {
        "number": attempt.number,
        "at": stamp(attempt.at),
        "latency": round(attempt.latency, 6),
        "status": attempt.status,
        "error": attempt.error,
        "request": attempt.request,
        "response": attempt.response,
    }


def hook_view(hook: Hook, secret: str | None = None) -> dict[str, Any]:
    """A hook; its secret in the answer to its making alone."""
    fields = ("name", "scheme", "deployment", "dag_id", "conf", "run_id", "idempotency_key", "shared_in", "is_active")
    shown = {field: msgspec.to_builtins(getattr(hook, field)) for field in fields}
    times = {"last_used_at": stamp(hook.last_used_at), "previous_secret_until": stamp(hook.previous_until)}
    head = {**_head(hook), **shown, "path": f"/hooks/{hook.name}", **times}
    return head if secret is None else {**head, "secret": secret}


def block_view(window: BlockWindow) -> dict[str, Any]:
    """A block window."""
    return {
        **_head(window),
        "name": window.name,
        "days": list(window.weekdays),
        "start_time": f"{window.start:%H:%M}",
        "end_time": f"{window.end:%H:%M}",
        "time_zone": window.time_zone,
        "jobs": [str(job) for job in window.jobs],
        "allow_manual_executions": window.allow_manual,
        "cancel_running_executions": window.cancel_running,
        "is_active": window.is_active,
    }
