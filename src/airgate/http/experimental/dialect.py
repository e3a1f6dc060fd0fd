"""The experimental dialect as a table: one row per operation."""

from __future__ import annotations

from typing import Any, Final

from airgate.access.permissions import Permission
from airgate.http.checks import ADMITTED, AUTHENTICATED, AUTHORIZED
from airgate.http.experimental import dag_runs, dags, errors, pools, tasks
from airgate.http.operations import Call, Check, Dialect, Handler, Operation
from airgate.http.replies import Reply, compact_json
from airgate.http.stable_v1.problems import AIRFLOW_VERSION
from airgate.model.errors import NotAuthenticated

P = Permission

_DAG: Final = "/dags/{dag_id}"
_RUN: Final = f"{_DAG}/dag_runs/{{execution_date}}"


async def check(call: Call) -> dict[str, str]:
    """GET /test."""
    return {"status": "OK"}


async def info(call: Call) -> dict[str, str]:
    """GET /info. Only Airflow 2 had it, so it answers the version whose stable API is served beside this one."""
    return {"version": AIRFLOW_VERSION}


async def config(call: Call) -> dict[str, Any]:
    """GET /config. No Airflow had it here, but Astronomer's documentation prints it."""
    return {"sections": [{"name": name, "options": dict(options)} for name, options in call.services.config.items()]}


def _row(
    method: str,
    path: str,
    handler: Handler,
    permission: Permission,
    body: Any = None,
    *,
    event: str | None = None,
    noted: tuple[str, ...] = (),
) -> Operation:
    return Operation(
        method=method, path=path, handler=handler, permission=permission, body=body, event=event, noted=noted
    )


_OPERATIONS: Final = (
    _row("POST", f"{_DAG}/dag_runs", dag_runs.trigger, P.RUNS_CREATE, dict, event="post_dag_run"),
    _row("GET", f"{_DAG}/dag_runs", dag_runs.list_runs, P.RUNS_READ),
    _row("GET", _RUN, dag_runs.get_state, P.RUNS_READ),
    _row("GET", f"{_RUN}/tasks/{{task_id}}", tasks.get_instance, P.TASKS_READ),
    _row("DELETE", _DAG, dags.delete_dag, P.DAGS_DELETE, event="delete_dag"),
    _row("GET", f"{_DAG}/code", dags.get_code, P.DAGS_READ),
    _row("GET", f"{_DAG}/tasks/{{task_id}}", tasks.get_task, P.DAGS_READ),
    _row("GET", f"{_DAG}/paused", dags.get_paused, P.DAGS_READ),
    _row("GET", f"{_DAG}/paused/{{paused}}", dags.set_paused, P.DAGS_EDIT, event="patch_dag"),
    _row("GET", "/latest_runs", dag_runs.latest, P.RUNS_READ),
    _row("GET", "/pools", pools.list_pools, P.POOLS_READ),
    _row("GET", "/pools/{name}", pools.get_pool, P.POOLS_READ),
    _row("POST", "/pools", pools.put_pool, P.POOLS_EDIT, dict, event="post_pool", noted=("name", "slots")),
    _row("DELETE", "/pools/{name}", pools.delete_pool, P.POOLS_EDIT, event="delete_pool"),
    _row("GET", "/config", config, P.CONFIG_READ),
    _row("GET", "/test", check, P.WEBSITE_READ),
    _row("GET", "/info", info, P.WEBSITE_READ),
    _row("GET", "/lineage/{dag_id}/{execution_date}", tasks.lineage, P.DAGS_READ),
)


async def _authenticate(call: Call) -> None:
    """Who sends no credential is asked for one (401); who sends a wrong one is turned away (403)."""
    try:
        found = AUTHENTICATED.run(call)
        if found is not None:
            await found
    except NotAuthenticated:
        if call.header(b"authorization"):
            raise errors.WrongCredential("Forbidden: this credential is not known here") from None
        raise NotAuthenticated("Unauthorized: this needs a credential, such as HTTP Basic") from None


def encode(value: Any) -> Reply:
    """A handler's value as the dialect prints it."""
    return Reply(body=compact_json(value))


EXPERIMENTAL: Final = Dialect(
    name="experimental",
    prefix="/api/experimental",
    operations=_OPERATIONS,
    checks=(Check(_authenticate, AUTHENTICATED.applies), ADMITTED, AUTHORIZED),
    encode=encode,
    explain=errors.explain,
    headers=((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex, nofollow")),
)
