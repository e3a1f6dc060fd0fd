"""Erathos's workspace API as a table. What its documentation does not have is Airgate's own."""

from __future__ import annotations

from typing import Final

from airgate.access.permissions import Permission
from airgate.http import checks
from airgate.http.erathos import deliveries, hooks, jobs, webhooks, workspaces
from airgate.http.erathos.problems import encode, explain
from airgate.http.erathos.reading import AUTHORIZED, BODY
from airgate.http.operations import Dialect, Handler, Operation

P = Permission
_ONE: Final = "/workspaces/{workspace_id}/"
_HOOKS: Final = f"{_ONE}orchestration/hooks/"
_HOOK: Final = f"{_HOOKS}{{hook_id}}/"
_WEBHOOKS: Final = f"{_ONE}orchestration/webhooks/"
_WEBHOOK: Final = f"{_WEBHOOKS}{{webhook_id}}/"
_DELIVERIES: Final = f"{_ONE}orchestration/deliveries/"
_JOB: Final = f"{_ONE}jobs/{{job_id}}/"
_BLOCKS: Final = f"{_ONE}block-windows/"
_BLOCK: Final = f"{_BLOCKS}{{block_window_id}}/"


def _row(
    method: str,
    path: str,
    handler: Handler,
    permission: Permission,
    event: str | None = None,
    noted: tuple[str, ...] = (),
) -> Operation:
    body = dict if method in ("POST", "PUT", "PATCH") else None
    return Operation(
        method=method, path=path, handler=handler, permission=permission, body=body, event=event, noted=noted
    )


_WORKSPACES: Final = (
    _row("GET", "/workspaces/", workspaces.list_workspaces, P.WEBHOOKS_READ),
    _row("POST", "/workspaces/", workspaces.create_workspace, P.WORKSPACES_EDIT, "post_workspace", ("name",)),
    _row("GET", _ONE, workspaces.get_workspace, P.WEBHOOKS_READ),
    _row("PATCH", _ONE, workspaces.patch_workspace, P.WORKSPACES_EDIT, "patch_workspace", ("name", "private_targets")),
    _row("DELETE", _ONE, workspaces.delete_workspace, P.WORKSPACES_EDIT, "delete_workspace"),
)


def _named(noun: str, edit: Permission, handlers: tuple[Handler, ...]) -> tuple[Operation, ...]:
    """The six operations of variables or secrets: list, create, get, put, patch, delete."""
    many = f"{_ONE}{noun}s/"
    one = f"{many}{{{noun}_id}}/"
    word = "secret" if noun == "secret" else "workspace_variable"
    listed, made, got, put, patched, deleted = handlers
    return (
        _row("GET", many, listed, P.VARIABLES_READ),
        _row("POST", many, made, edit, f"post_{word}", ("name",)),
        _row("GET", one, got, P.VARIABLES_READ),
        _row("PUT", one, put, edit, f"patch_{word}", ("name",)),
        _row("PATCH", one, patched, edit, f"patch_{word}", ("name",)),
        _row("DELETE", one, deleted, edit, f"delete_{word}"),
    )


_VARIABLES: Final = _named(
    "variable",
    P.VARIABLES_EDIT,
    (
        workspaces.list_variables,
        workspaces.create_variable,
        workspaces.get_variable,
        workspaces.put_variable,
        workspaces.patch_variable,
        workspaces.delete_variable,
    ),
)
_SECRETS: Final = _named(
    "secret",
    P.SECRETS_EDIT,
    (
        workspaces.list_secrets,
        workspaces.create_secret,
        workspaces.get_secret,
        workspaces.put_secret,
        workspaces.patch_secret,
        workspaces.delete_secret,
    ),
)
_JOBS: Final = (
    _row("GET", f"{_ONE}jobs/", jobs.list_jobs, P.WEBHOOKS_READ),
    _row("POST", f"{_ONE}jobs/", jobs.create_job, P.WEBHOOKS_EDIT, "post_job", ("name",)),
    _row("GET", _JOB, jobs.get_job, P.WEBHOOKS_READ),
    _row("PATCH", _JOB, jobs.patch_job, P.WEBHOOKS_EDIT, "patch_job", ("name", "is_active")),
    _row("DELETE", _JOB, jobs.delete_job, P.WEBHOOKS_EDIT, "delete_job"),
    _row("POST", f"{_JOB}run/", jobs.run_job, P.RUNS_CREATE, "run_job", ("force_history",)),
    _row("GET", f"{_JOB}executions/", jobs.list_job_executions, P.WEBHOOKS_READ),
    _row("POST", f"{_JOB}executions/", jobs.report_execution, P.RUNS_CREATE, "report_execution"),
    _row("GET", f"{_ONE}executions/", jobs.list_executions, P.WEBHOOKS_READ),
)
_NOTED: Final = ("description", "is_active")
_OUTGOING: Final = (
    _row("GET", _WEBHOOKS, webhooks.list_webhooks, P.WEBHOOKS_READ),
    _row("POST", _WEBHOOKS, webhooks.create_webhook, P.WEBHOOKS_EDIT, "post_webhook", _NOTED),
    _row("GET", _WEBHOOK, webhooks.get_webhook, P.WEBHOOKS_READ),
    _row("PUT", _WEBHOOK, webhooks.put_webhook, P.WEBHOOKS_EDIT, "patch_webhook", _NOTED),
    _row("PATCH", _WEBHOOK, webhooks.patch_webhook, P.WEBHOOKS_EDIT, "patch_webhook", _NOTED),
    _row("DELETE", _WEBHOOK, webhooks.delete_webhook, P.WEBHOOKS_EDIT, "delete_webhook"),
    _row("POST", f"{_WEBHOOK}test/", webhooks.test_webhook, P.WEBHOOKS_EDIT, "test_webhook"),
    _row("GET", f"{_WEBHOOK}keys/", webhooks.list_keys, P.WEBHOOKS_READ),
    _row("POST", f"{_WEBHOOK}keys/", webhooks.rotate_key, P.WEBHOOKS_EDIT, "post_webhook_key", ("scheme",)),
    _row("DELETE", f"{_WEBHOOK}keys/{{signing_key_id}}/", webhooks.delete_key, P.WEBHOOKS_EDIT, "delete_webhook_key"),
    _row("GET", f"{_WEBHOOK}deliveries/", deliveries.list_webhook_deliveries, P.WEBHOOKS_READ),
    _row("POST", f"{_WEBHOOK}replay/", deliveries.replay_webhook, P.WEBHOOKS_EDIT, "replay_webhook", ("since",)),
    _row("GET", _DELIVERIES, deliveries.list_deliveries, P.WEBHOOKS_READ),
    _row("GET", f"{_DELIVERIES}{{delivery_id}}/", deliveries.get_delivery, P.WEBHOOKS_READ),
    _row(
        "POST", f"{_DELIVERIES}{{delivery_id}}/replay/", deliveries.replay_delivery, P.WEBHOOKS_EDIT, "replay_delivery"
    ),
)
_INCOMING: Final = (
    _row("GET", _HOOKS, hooks.list_hooks, P.WEBHOOKS_READ),
    _row("POST", _HOOKS, hooks.create_hook, P.WEBHOOKS_EDIT, "post_hook", ("name", "scheme")),
    _row("GET", _HOOK, hooks.get_hook, P.WEBHOOKS_READ),
    _row("PUT", _HOOK, hooks.put_hook, P.WEBHOOKS_EDIT, "patch_hook", ("name", "is_active")),
    _row("PATCH", _HOOK, hooks.patch_hook, P.WEBHOOKS_EDIT, "patch_hook", ("name", "is_active")),
    _row("DELETE", _HOOK, hooks.delete_hook, P.WEBHOOKS_EDIT, "delete_hook"),
)
_WINDOWS: Final = (
    _row("GET", _BLOCKS, hooks.list_blocks, P.WEBHOOKS_READ),
    _row("POST", _BLOCKS, hooks.create_block, P.WEBHOOKS_EDIT, "post_block_window", ("name", "is_active")),
    _row("GET", _BLOCK, hooks.get_block, P.WEBHOOKS_READ),
    _row("PUT", _BLOCK, hooks.put_block, P.WEBHOOKS_EDIT, "patch_block_window", ("name", "is_active")),
    _row("PATCH", _BLOCK, hooks.patch_block, P.WEBHOOKS_EDIT, "patch_block_window", ("name", "is_active")),
    _row("DELETE", _BLOCK, hooks.delete_block, P.WEBHOOKS_EDIT, "delete_block_window"),
)

ERATHOS: Final = Dialect(
    name="erathos",
    prefix="/developers",
    operations=(*_WORKSPACES, *_VARIABLES, *_SECRETS, *_JOBS, *_OUTGOING, *_INCOMING, *_WINDOWS),
    checks=(checks.AUTHENTICATED, checks.ADMITTED, AUTHORIZED, BODY),
    encode=encode,
    explain=explain,
    headers=((b"cache-control", b"no-store"),),
    per_deployment=False,
    trailing_slash=True,
)
