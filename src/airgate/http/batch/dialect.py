"""The batch plugin's API as a table."""

from __future__ import annotations

from typing import Final

from airgate.access.permissions import Permission
from airgate.http.batch import dag_runs, dags, problems
from airgate.http.checks import ADMITTED, AUTHENTICATED, AUTHORIZED
from airgate.http.operations import Dialect, Guest, Operation

_RUNS: Final = "/dag_runs"

BATCH: Final = Dialect(
    name="batch",
    prefix="/batch/api/v1",
    operations=(
        Operation(method="GET", path="/dags", handler=dags.list_dags, permission=Permission.DAGS_READ),
        Operation(method="GET", path=_RUNS, handler=dag_runs.list_runs, permission=Permission.RUNS_READ),
        Operation(
            method="GET",
            path=f"{_RUNS}/{{dag_run_id:path}}",
            handler=dag_runs.get_run,
            permission=Permission.RUNS_READ,
        ),
        Operation(
            method="POST",
            path=_RUNS,
            handler=dag_runs.create_runs,
            permission=Permission.RUNS_CREATE,
            body=bytes,
            event="post_dag_runs",
        ),
    ),
    checks=(AUTHENTICATED, ADMITTED, AUTHORIZED),
    encode=problems.encode,
    explain=problems.explain,
    headers=((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex, nofollow")),
    guest=Guest(prefix="/api/v1", segments=("dag_runs",), preferred=(("GET", "/dags"),)),
)
