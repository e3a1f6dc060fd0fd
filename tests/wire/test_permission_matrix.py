"""Who may do what, where: every operation of every dialect, asked by every kind of caller, in every place.

What is expected comes from the tables below, which were written by hand: a change of who may do what is made here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import httpx
import pytest

from airgate.access.ports import NewPerson, PersonChange
from airgate.http.server import DIALECTS
from airgate.model.identity import EVERYWHERE, DagGrant, DagVerb, Limits, Role, Scope
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from tests.support.erathos_world import ErathosWorld
from tests.support.native_world import AT_FAR, AT_LOCAL, FAR, IN_LAB, LOCAL, NativeWorld, basic

DAG: Final = "nosched"

# Method, path, the least of the roles that may, the verb that a caller limited to some DAGs needs for it (-: no verb
# helps, *: none is needed), and what else counts:
#   dag     it is about one DAG, and the verb is needed for that one
#   file    it is about the file of a DAG, and the verb is needed for every DAG in it
#   all     it concerns more than any deployment: only for callers that reach everything
#   person  it is about a person who reaches everything, and does not exist for callers that do not
# Instead of a role: `public` for everybody, `known` for everybody who is known, `closed` for nobody who is known
# (401 for all others), `shut` for nobody at all (403).

_INSTANCE: Final = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
TABLES: Final = {
    "stable-v1": """
        GET    /dags                                           Viewer  read
        PATCH  /dags                                           User    edit
        GET    /dags/{dag_id}                                  Viewer  read     dag
        PATCH  /dags/{dag_id}                                  User    edit     dag
        DELETE /dags/{dag_id}                                  User    edit     dag
        GET    /dags/{dag_id}/details                          Viewer  read     dag
        GET    /dags/{dag_id}/tasks                            Viewer  read     dag
        GET    /dags/{dag_id}/tasks/{task_id}                  Viewer  read     dag
        GET    /dagSources/{file_token}                        Viewer  read
        PUT    /parseDagFile/{file_token}                      User    edit
        GET    /importErrors                                   Viewer  read
        GET    /importErrors/{import_error_id:int}             Viewer  read
        GET    /dagStats                                       Viewer  read
        GET    /dagWarnings                                    Viewer  read
        POST   /dags/{dag_id}/dagRuns                          User    trigger  dag
        GET    /dags/{dag_id}/dagRuns                          Viewer  read     dag
        POST   /dags/~/dagRuns/list                            Viewer  read
        GET    /dags/{dag_id}/dagRuns/{dag_run_id}             Viewer  read     dag
        PATCH  /dags/{dag_id}/dagRuns/{dag_run_id}             User    edit     dag
        DELETE /dags/{dag_id}/dagRuns/{dag_run_id}             User    edit     dag
        POST   /dags/{dag_id}/dagRuns/{dag_run_id}/clear       User    edit     dag
        PATCH  /dags/{dag_id}/dagRuns/{dag_run_id}/setNote     User    edit     dag
        GET    /dags/{dag_id}/dagRuns/{dag_run_id}/upstreamDatasetEvents  Viewer  read  dag
        GET    /dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances          Viewer  read  dag
        POST   /dags/~/dagRuns/~/taskInstances/list            Viewer  read
        POST   /dags/{dag_id}/clearTaskInstances               User    edit     dag
        POST   /dags/{dag_id}/updateTaskInstancesState         User    edit     dag
        GET    TI                                              Viewer  read     dag
        PATCH  TI                                              User    edit     dag
        PATCH  TI/setNote                                      User    edit     dag
        GET    TI/dependencies                                 Viewer  read     dag
        GET    TI/tries                                        Viewer  read     dag
        GET    TI/tries/{task_try_number:int}                  Viewer  read     dag
        GET    TI/{map_index:int}                              Viewer  read     dag
        PATCH  TI/{map_index:int}                              User    edit     dag
        PATCH  TI/{map_index:int}/setNote                      User    edit     dag
        GET    TI/{map_index:int}/dependencies                 Viewer  read     dag
        GET    TI/{map_index:int}/tries                        Viewer  read     dag
        GET    TI/{map_index:int}/tries/{task_try_number:int}  Viewer  read     dag
        GET    TI/listMapped                                   Viewer  read     dag
        GET    TI/links                                        Viewer  read     dag
        GET    TI/logs/{task_try_number:int}                   Viewer  read     dag
        GET    TI/xcomEntries                                  Viewer  read     dag
        GET    TI/xcomEntries/{xcom_key}                       Viewer  read     dag
        GET    /datasets                                       Viewer  read
        GET    /datasets/{uri}                                 Viewer  read
        GET    /datasets/events                                Viewer  read
        POST   /datasets/events                                User    trigger
        GET    /dags/{dag_id}/datasets/queuedEvent             Viewer  read     dag
        GET    /dags/{dag_id}/datasets/queuedEvent/{uri}       Viewer  read     dag
        GET    /datasets/queuedEvent/{uri}                     Viewer  read
        DELETE /dags/{dag_id}/datasets/queuedEvent             User    edit     dag
        DELETE /dags/{dag_id}/datasets/queuedEvent/{uri}       User    edit     dag
        DELETE /datasets/queuedEvent/{uri}                     User    edit
        GET    /pools                                          Viewer  -
        POST   /pools                                          Op      -
        GET    /pools/{pool_name}                              Viewer  -
        PATCH  /pools/{pool_name}                              Op      -
        DELETE /pools/{pool_name}                              Op      -
        GET    /variables                                      Op      -
        POST   /variables                                      Op      -
        GET    /variables/{variable_key}                       Op      -
        PATCH  /variables/{variable_key}                       Op      -
        DELETE /variables/{variable_key}                       Op      -
        GET    /connections                                    Op      -
        POST   /connections                                    Op      -
        POST   /connections/test                               closed  -
        GET    /connections/{connection_id}                    Op      -
        PATCH  /connections/{connection_id}                    Op      -
        DELETE /connections/{connection_id}                    Op      -
        GET    /users                                          Admin   -
        POST   /users                                          Admin   -        all
        GET    /users/{username}                               Admin   -
        PATCH  /users/{username}                               Admin   -
        DELETE /users/{username}                               Admin   -
        GET    /roles                                          Admin   -
        POST   /roles                                          Admin   -        all
        GET    /roles/{role_name}                              Admin   -
        PATCH  /roles/{role_name}                              Admin   -        all
        DELETE /roles/{role_name}                              Admin   -        all
        GET    /permissions                                    Admin   -
        GET    /health                                         public  *
        GET    /version                                        public  *
        GET    /config                                         Op      -
        GET    /config/section/{section}/option/{option}       Op      -
        GET    /providers                                      Op      -
        GET    /plugins                                        Op      -
        GET    /eventLogs                                      Admin   -
        GET    /eventLogs/{event_log_id:int}                   Admin   -
        GET    /openapi.json                                   public  *
        GET    /openapi.yaml                                   public  *
        GET    /ui                                             public  *
        GET    /ui/                                            public  *
    """.replace(" TI", f" {_INSTANCE}"),
    "experimental": """
        POST   /dags/{dag_id}/dag_runs                         User    trigger  dag
        GET    /dags/{dag_id}/dag_runs                         Viewer  read     dag
        GET    /dags/{dag_id}/dag_runs/{execution_date}        Viewer  read     dag
        GET    /dags/{dag_id}/dag_runs/{execution_date}/tasks/{task_id}  Viewer  read  dag
        DELETE /dags/{dag_id}                                  User    edit     dag
        GET    /dags/{dag_id}/code                             Viewer  read     file
        GET    /dags/{dag_id}/tasks/{task_id}                  Viewer  read     dag
        GET    /dags/{dag_id}/paused                           Viewer  read     dag
        GET    /dags/{dag_id}/paused/{paused}                  User    edit     dag
        GET    /latest_runs                                    Viewer  read
        GET    /pools                                          Viewer  -
        GET    /pools/{name}                                   Viewer  -
        POST   /pools                                          Op      -
        DELETE /pools/{name}                                   Op      -
        GET    /config                                         Op      -
        GET    /test                                           Viewer  *
        GET    /info                                           Viewer  *
        GET    /lineage/{dag_id}/{execution_date}              Viewer  read     dag
    """,
    "batch": """
        GET    /dags                                           Viewer  read
        GET    /dag_runs                                       Viewer  read
        GET    /dag_runs/{dag_run_id:path}                     Viewer  read
        POST   /dag_runs                                       User    trigger  dag
    """,
    "auth-token": """
        POST   /token                                          public  *
        POST   /token/cli                                      public  *
        GET    /token                                          shut    -
        GET    /token/login                                    shut    -
    """,
    "hooks": """
        POST   /{name}                                         public  -
    """,
    "erathos": """
        GET    /workspaces/                                             Viewer  -
        POST   /workspaces/                                             Admin   -        all
        GET    WS/                                                      Viewer  -
        PATCH  WS/                                                      Admin   -        all
        DELETE WS/                                                      Admin   -        all
        GET    WS/variables/                                            Op      -
        POST   WS/variables/                                            Op      -
        GET    WS/variables/{variable_id}/                              Op      -
        PUT    WS/variables/{variable_id}/                              Op      -
        PATCH  WS/variables/{variable_id}/                              Op      -
        DELETE WS/variables/{variable_id}/                              Op      -
        GET    WS/secrets/                                              Op      -
        POST   WS/secrets/                                              Op      -
        GET    WS/secrets/{secret_id}/                                  Op      -
        PUT    WS/secrets/{secret_id}/                                  Op      -
        PATCH  WS/secrets/{secret_id}/                                  Op      -
        DELETE WS/secrets/{secret_id}/                                  Op      -
        GET    WS/jobs/                                                 Viewer  -
        POST   WS/jobs/                                                 Op      -
        GET    WS/jobs/{job_id}/                                        Viewer  -
        PATCH  WS/jobs/{job_id}/                                        Op      -
        DELETE WS/jobs/{job_id}/                                        Op      -
        POST   WS/jobs/{job_id}/run/                                    User    trigger
        GET    WS/jobs/{job_id}/executions/                             Viewer  -
        POST   WS/jobs/{job_id}/executions/                             User    trigger
        GET    WS/executions/                                           Viewer  -
        GET    WS/orchestration/webhooks/                               Viewer  -
        POST   WS/orchestration/webhooks/                               Op      -
        GET    WS/orchestration/webhooks/{webhook_id}/                  Viewer  -
        PUT    WS/orchestration/webhooks/{webhook_id}/                  Op      -
        PATCH  WS/orchestration/webhooks/{webhook_id}/                  Op      -
        DELETE WS/orchestration/webhooks/{webhook_id}/                  Op      -
        POST   WS/orchestration/webhooks/{webhook_id}/test/             Op      -
        GET    WS/orchestration/webhooks/{webhook_id}/keys/             Viewer  -
        POST   WS/orchestration/webhooks/{webhook_id}/keys/             Op      -
        DELETE WS/orchestration/webhooks/{webhook_id}/keys/{signing_key_id}/ Op      -
        GET    WS/orchestration/webhooks/{webhook_id}/deliveries/       Viewer  -
        POST   WS/orchestration/webhooks/{webhook_id}/replay/           Op      -
        GET    WS/orchestration/deliveries/                             Viewer  -
        GET    WS/orchestration/deliveries/{delivery_id}/               Viewer  -
        POST   WS/orchestration/deliveries/{delivery_id}/replay/        Op      -
        GET    WS/orchestration/hooks/                                  Viewer  -
        POST   WS/orchestration/hooks/                                  Op      -
        GET    WS/orchestration/hooks/{hook_id}/                        Viewer  -
        PUT    WS/orchestration/hooks/{hook_id}/                        Op      -
        PATCH  WS/orchestration/hooks/{hook_id}/                        Op      -
        DELETE WS/orchestration/hooks/{hook_id}/                        Op      -
        GET    WS/block-windows/                                        Viewer  -
        POST   WS/block-windows/                                        Op      -
        GET    WS/block-windows/{block_window_id}/                      Viewer  -
        PUT    WS/block-windows/{block_window_id}/                      Op      -
        PATCH  WS/block-windows/{block_window_id}/                      Op      -
        DELETE WS/block-windows/{block_window_id}/                      Op      -
    """.replace(" WS/", " /workspaces/{workspace_id}/"),
    "native": """
        GET    /openapi.json                                   public  *
        GET    /me                                             known   *
        GET    /deployments                                    known   *
        GET    /deployments/{deployment}                       known   *
        GET    /users                                          Admin   -
        POST   /users                                          Admin   -        all
        GET    /users/{user_id}                                Admin   -
        PATCH  /users/{user_id}                                Admin   -        person
        DELETE /users/{user_id}                                Admin   -
        GET    /service-accounts                               Viewer  -
        POST   /service-accounts                               User    -        all
        GET    /service-accounts/{service_account_id}          Viewer  -
        PATCH  /service-accounts/{service_account_id}          User    -
        DELETE /service-accounts/{service_account_id}          User    -
        GET    /identities/{identity_id}/keys                  Admin   -        person
        POST   /identities/{identity_id}/keys                  Admin   -        person
        DELETE /identities/{identity_id}/keys/{key_id}         Admin   -        person
        GET    /roles                                          Admin   -
        POST   /roles                                          Admin   -        all
        GET    /roles/{role}                                   Admin   -
        PATCH  /roles/{role}                                   Admin   -        all
        DELETE /roles/{role}                                   Admin   -        all
        POST   /deployments/{deployment}/triggers              User    trigger  dag
        POST   /deployments/{deployment}/triggers/bulk         User    trigger
        GET    /deployments/{deployment}/triggers              Viewer  read
        GET    /deployments/{deployment}/triggers/{trigger_id}         Viewer  read
        GET    /deployments/{deployment}/triggers/{trigger_id}/wait    Viewer  read
        GET    /deployments/{deployment}/triggers/{trigger_id}/events  Viewer  read
        GET    /audit                                          Admin   -
        GET    /workspaces                                            Viewer  -
        POST   /workspaces                                            Admin   -        all
        GET    WS                                                     Viewer  -
        PATCH  WS                                                     Admin   -        all
        DELETE WS                                                     Admin   -        all
        GET    WS/variables                                           Op      -
        POST   WS/variables                                           Op      -
        GET    WS/variables/{variable}                                Op      -
        PATCH  WS/variables/{variable}                                Op      -
        DELETE WS/variables/{variable}                                Op      -
        GET    WS/secrets                                             Op      -
        POST   WS/secrets                                             Op      -
        GET    WS/secrets/{secret}                                    Op      -
        PATCH  WS/secrets/{secret}                                    Op      -
        DELETE WS/secrets/{secret}                                    Op      -
        GET    WS/jobs                                                Viewer  -
        POST   WS/jobs                                                Op      -
        GET    WS/jobs/{job_id}                                       Viewer  -
        PATCH  WS/jobs/{job_id}                                       Op      -
        DELETE WS/jobs/{job_id}                                       Op      -
        POST   WS/jobs/{job_id}/run                                   User    trigger
        POST   WS/jobs/{job_id}/executions                            User    trigger
        GET    WS/jobs/{job_id}/executions/{execution_id}             Viewer  -
        GET    WS/executions                                          Viewer  -
        GET    WS/webhooks                                            Viewer  -
        POST   WS/webhooks                                            Op      -
        GET    WS/webhooks/{webhook_id}                               Viewer  -
        PATCH  WS/webhooks/{webhook_id}                               Op      -
        DELETE WS/webhooks/{webhook_id}                               Op      -
        POST   WS/webhooks/{webhook_id}/test                          Op      -
        POST   WS/webhooks/{webhook_id}/replay                        Op      -
        GET    WS/webhooks/{webhook_id}/signing-keys                  Viewer  -
        POST   WS/webhooks/{webhook_id}/signing-keys                  Op      -
        DELETE WS/webhooks/{webhook_id}/signing-keys/{signing_key_id} Op      -
        GET    WS/deliveries                                          Viewer  -
        GET    WS/deliveries/{delivery_id}                            Viewer  -
        POST   WS/deliveries/{delivery_id}/replay                     Op      -
        GET    WS/hooks                                               Viewer  -
        POST   WS/hooks                                               Op      -
        GET    WS/hooks/{hook_id}                                     Viewer  -
        PATCH  WS/hooks/{hook_id}                                     Op      -
        DELETE WS/hooks/{hook_id}                                     Op      -
        GET    WS/block-windows                                       Viewer  -
        POST   WS/block-windows                                       Op      -
        GET    WS/block-windows/{block_window_id}                     Viewer  -
        PATCH  WS/block-windows/{block_window_id}                     Op      -
        DELETE WS/block-windows/{block_window_id}                     Op      -
    """.replace(" WS", " /workspaces/{workspace}"),
}

_STATE: Final = {"new_state": "success", "dry_run": True}
_PERSON: Final = {"email": "e@example.org", "first_name": "f", "last_name": "l", "roles": [{"name": "Viewer"}]}
BODIES: Final[Mapping[str, Any]] = {
    "stable-v1 PATCH /dags": {"is_paused": True},
    "stable-v1 PATCH /dags/{dag_id}": {"is_paused": True},
    "stable-v1 PATCH /dags/{dag_id}/dagRuns/{dag_run_id}": {"state": "success"},
    "stable-v1 POST /dags/{dag_id}/updateTaskInstancesState": _STATE | {"task_id": "x"},
    f"stable-v1 PATCH {_INSTANCE}/setNote": {"note": "n"},
    f"stable-v1 PATCH {_INSTANCE}/{{map_index:int}}/setNote": {"note": "n"},
    "stable-v1 POST /datasets/events": {"dataset_uri": "s3://somewhere"},
    "stable-v1 POST /pools": {"name": "new", "slots": 1},
    "stable-v1 PATCH /pools/{pool_name}": {"name": "new", "slots": 2},
    "stable-v1 POST /variables": {"key": "k", "value": "v"},
    "stable-v1 PATCH /variables/{variable_key}": {"key": "k", "value": "v"},
    "stable-v1 POST /connections": {"connection_id": "c", "conn_type": "http"},
    "stable-v1 POST /connections/test": {"connection_id": "c", "conn_type": "http"},
    "stable-v1 PATCH /connections/{connection_id}": {"connection_id": "c", "conn_type": "http"},
    "stable-v1 POST /users": {"username": "new", "password": "pw", **_PERSON},
    "stable-v1 PATCH /users/{username}": {"username": "nobody", **_PERSON},
    "stable-v1 POST /roles": {"name": "new", "actions": []},
    "stable-v1 PATCH /roles/{role_name}": {"name": "new", "actions": []},
    "experimental POST /pools": {"name": "new", "slots": 1, "description": ""},
    "batch POST /dag_runs": {"dag_id": DAG, "start_date": "2026-01-01T00:00:00", "end_date": "2026-01-01T00:00:00"},
    "auth-token POST /token": {"username": "victim", "password": "pw"},
    "auth-token POST /token/cli": {"username": "victim", "password": "pw"},
    "native POST /workspaces": {"name": "new"},
    "native POST /users": {"name": "new", "roles": ["Viewer"]},
    "native POST /service-accounts": {"label": "new"},
    "native POST /roles": {"name": "new", "permissions": []},
    "native POST /deployments/{deployment}/triggers": {"dag_id": DAG},
    "native POST /deployments/{deployment}/triggers/bulk": {"triggers": [{"dag_id": DAG}]},
}
HOME: Final = "the default workspace"
LAB: Final = "the other workspace"
QUERIES: Final = {
    "stable-v1 PATCH /dags": "?dag_id_pattern=nothing",
    "stable-v1 GET /dagStats": f"?dag_ids={DAG}",
}
VALUES: Final = {
    "dag_id": DAG, "map_index": "0", "task_try_number": "1", "import_error_id": "1", "event_log_id": "999999",
    "execution_date": "2026-01-01T00:00:00", "paused": "true", "task_id": "x", "role": "Own", "role_name": "Own",
}  # fmt: skip
NO_ID: Final = "01a1fc77-0000-7000-8000-000000000000"


class Row(NamedTuple):
    """A line of a table."""

    dialect: str
    method: str
    path: str
    role: str
    verb: str
    also: str = ""

    @property
    def name(self) -> str:
        return f"{self.dialect} {self.method} {self.path}"


ROWS: Final = tuple(
    Row(dialect, *line.split()) for dialect, table in TABLES.items() for line in table.splitlines() if line.strip()
)
PREFIXES: Final = {dialect.name: dialect.prefix for dialect in DIALECTS}


class Asker(NamedTuple):
    """A kind of caller. `grant`: the verb and the pattern of DAG ids it is limited to."""

    role: Role | None
    scope: Scope = EVERYWHERE
    grant: tuple[DagVerb, str] | None = None
    credential: str = "password"


def askers() -> Iterator[tuple[str, Asker]]:
    yield "nobody", Asker(None, credential="none")
    yield "unknown key", Asker(None, credential="unknown key")
    yield "wrong password", Asker(None, credential="wrong password")
    yield "expired administrator", Asker(Role.ADMIN, credential="expired")
    yield "deactivated administrator", Asker(Role.ADMIN, credential="deactivated")
    yield "administrator whose key was revoked", Asker(Role.ADMIN, credential="revoked key")
    for role in Role:
        yield f"{role} of everything", Asker(role)
        yield f"{role} of everything by key", Asker(role, credential="key")
        yield f"{role} of the default deployment", Asker(role, AT_LOCAL)
        yield f"{role} of the other deployment", Asker(role, AT_FAR)
        yield f"{role} of the other workspace", Asker(role, IN_LAB)
        for verb in DagVerb:
            yield f"{role} limited to {verb} this DAG", Asker(role, grant=(verb, "no*"))
            yield f"{role} limited to {verb} other DAGs", Asker(role, grant=(verb, "other*"))
    yield "Admin of the other deployment limited to read this DAG", Asker(Role.ADMIN, AT_FAR, (DagVerb.READ, "*"))


ASKERS: Final = dict(askers())
KNOWN: Final = frozenset({"password", "key"})


def expected(row: Row, asker: Asker, place: str | None) -> int | None:
    """401, 403, or None: let in. `place` None: the path names no deployment, nor does it stand for one."""
    if row.role in ("public", "shut"):
        return None if row.role == "public" else 403
    if asker.credential not in KNOWN:
        # Airflow 1.10 asked for a credential once, and took a wrong one for a refusal.
        return 403 if row.dialect == "experimental" and asker.credential != "none" else 401
    if row.also == "person" and asker.scope != EVERYWHERE:
        return None
    allowed = (
        _is_enough(asker.role, row.role)
        and (place is None or _reaches(asker.scope, place))
        and (row.also != "all" or asker.scope == EVERYWHERE)
        and (asker.grant is None or _is_granted(asker.grant, row))
    )
    return None if allowed else 403


def _is_enough(role: Role | None, least: str) -> bool:
    ladder = ["Viewer", "User", "Op", "Admin"]
    if least in ("known", "closed"):
        return least == "known"
    return role is not None and ladder.index(role.value) >= ladder.index(least)


def _reaches(scope: Scope, place: str) -> bool:
    return scope == EVERYWHERE or place in {AT_LOCAL: [LOCAL], AT_FAR: [FAR], IN_LAB: [FAR, LAB]}[scope]


def _is_granted(grant: tuple[DagVerb, str], row: Row) -> bool:
    verb, pattern = grant
    if row.verb == "*":
        return True
    enough = {"dag": ("no*", "*"), "file": ("*",)}.get(row.also)
    return verb.value == row.verb and (enough is None or pattern in enough)


async def authorization(world: NativeWorld, asker: Asker) -> str | None:
    """Make the caller, and give what it sends."""
    if asker.credential == "none":
        return None
    if asker.credential == "unknown key":
        return "Bearer 0123456789abcdef0123456789abcdef"
    if asker.role is None:
        return basic("admin", "wrong")
    expires = world.clock() + timedelta(hours=1) if asker.credential == "expired" else None
    grants = None if asker.grant is None else (DagGrant(asker.grant[1], (asker.grant[0],)),)
    limits = Limits(dags=grants, expires_at=expires)
    new = NewPerson(name="caller", password="pw", roles=(asker.role.value,), scope=asker.scope, limits=limits)
    person = await world.access.accounts.create_person(world.root, new)
    if asker.credential in ("key", "revoked key"):
        key = await world.key_of(person)
        if asker.credential == "revoked key":
            (kept,) = await world.access.accounts.keys(world.root, person.id)
            await world.access.accounts.revoke_key(world.root, person.id, kept.id)
        return key
    if asker.credential == "expired":
        world.clock.moment += timedelta(hours=2)
    if asker.credential == "deactivated":
        await world.access.accounts.update_person(world.root, person.id, PersonChange(active=False))
    return basic("caller", "pw")


def requests(row: Row, victim: str, lab: str) -> Iterator[tuple[str | None, str]]:
    """The places an operation is asked for in, and its path for each."""
    values = VALUES | ({"identity_id": victim, "user_id": victim} if row.also == "person" else {})
    parts = [segment[1:-1].partition(":")[0] for segment in row.path.split("/") if segment.startswith("{")]
    filled = {name: values.get(name, NO_ID if name.endswith("_id") else "something") for name in parts}
    path = "/".join(
        filled[segment[1:-1].partition(":")[0]] if segment.startswith("{") else segment
        for segment in row.path.split("/")
    )
    below = path + QUERIES.get(row.name, "")
    prefix = PREFIXES[row.dialect]
    if row.dialect in ("erathos", "hooks"):
        if "{workspace_id}" in row.path:
            yield LAB, (prefix + below).replace(NO_ID, lab, 1)
            yield HOME, (prefix + below).replace(NO_ID, str(DEFAULT_WORKSPACE_ID), 1)
        else:
            yield None, prefix + below
    elif row.dialect != "native":
        yield LOCAL, prefix + below
        yield LOCAL, f"/{LOCAL}/airflow{prefix}{below}"
        yield FAR, f"/{FAR}/airflow{prefix}{below}"
        if row.dialect == "batch" and path.startswith("/dag_runs"):
            yield LOCAL, f"/api/v1{below}"
            yield FAR, f"/{FAR}/airflow/api/v1{below}"
    elif "{workspace}" in row.path:
        yield LAB, prefix + row.path.format(**filled | {"workspace": "lab"})
        yield HOME, prefix + row.path.format(**filled | {"workspace": "default"})
    elif "{deployment}" in row.path:
        template = prefix + row.path.replace("{deployment}", "{}").replace("{trigger_id}", NO_ID)
        yield LOCAL, template.format(LOCAL)
        yield FAR, template.format(FAR)
    else:
        yield None, prefix + below


async def verdict(client: httpx.AsyncClient, row: Row, path: str) -> int | None:
    """401 or 403 where the caller was not let in."""
    body = None if row.method in ("GET", "DELETE", "PUT") else BODIES.get(row.name, {})
    reply = await client.request(row.method, path, json=body)
    assert reply.status_code < 500, (row.name, reply.text)
    return reply.status_code if reply.status_code in (401, 403) else None


def test_tables_have_every_operation_of_every_dialect() -> None:
    served = {f"{one.name} {row.method} {row.path}" for one in DIALECTS for row in one.operations}
    assert {row.name for row in ROWS} == served
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("asker", ASKERS.values(), ids=ASKERS)
async def test_every_operation_lets_in_whom_it_should_and_nobody_else(
    two_deployments: NativeWorld, asker: Asker
) -> None:
    orchestration = ErathosWorld(two_deployments).orchestration
    lab = await orchestration.workspaces.create("lab")
    victim, _ = await two_deployments.person("victim", Role.VIEWER)
    await two_deployments.access.roles.create(two_deployments.root, "Own", frozenset())
    header = await authorization(two_deployments, asker)
    wrong = []
    async with two_deployments.client(header, orchestration=orchestration) as client:
        for row in ROWS:
            for place, path in requests(row, str(victim.id), str(lab.id)):
                found, wanted = await verdict(client, row, path), expected(row, asker, place)
                if found != wanted:
                    wrong.append(f"{row.method} {path}: {found} instead of {wanted}")
    assert not wrong
