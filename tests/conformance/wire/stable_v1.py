"""Stable v1: how to start an Airflow 2.11.2 that speaks it, and what is asked of it and of Airgate.

Nothing runs on either side: all DAGs are paused. What tasks that ran look like is compared with recordings instead, in
``tests/wire/test_stable_v1_recordings.py``.
"""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.wire.exchange import Credential, Request, Verdict
from tests.conformance.wire.real import PASSWORD, USER, Release

PREFIX: Final = "/api/v1"
RELEASE: Final = Release(
    version="2.11.2",
    python="3.11",
    settings={
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth",
        "AIRFLOW__WEBSERVER__EXPOSE_CONFIG": "True",
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "PYTHONWARNINGS": "ignore",
    },
    prepare=(
        ("airflow", "db", "migrate"),
        ("airflow", "users", "create", "-u", USER, "-p", PASSWORD, "-r", "Admin", "-f", "A", "-l", "B", "-e", "a@b.c"),
        ("airflow", "dags", "reserialize"),
    ),
    serve=("airflow", "webserver", "-p", "{port}"),
)

_JSON: Final = {"Content-Type": "application/json"}
_FILE: Final = frozenset({"file_token", "fileloc", "last_parsed_time", "last_parsed", "timezone"})
_CRASH: Final = "2.11 crashes (500, a page of HTML); here the error is a problem"
_NO_INSTANCES: Final = "a queued run has no task instances yet; Airflow makes them at once"
_DAG, _RUN = "/dags/hello", "/dags/hello/dagRuns/r1"


def _ask(method: str, operation: str, path: str | None = None, body: Any = None, **more: Any) -> Request:
    """One request; without a path of its own it is sent to the operation's."""
    headers = {"headers": _JSON} if body is not None else {}
    return Request(
        operation=f"{method} {operation}", method=method, path=path or operation, body=body, **(headers | more)
    )


def _get(operation: str, path: str | None = None, **more: Any) -> Request:
    return _ask("GET", operation, path, **more)


def _better(status: int, why: str, **more: Any) -> dict[str, Any]:
    return {"verdict": Verdict.BETTER, "status": status, "why": why, **more}


def _differs(status: int, why: str, **more: Any) -> dict[str, Any]:
    return {"verdict": Verdict.DIFFERS, "status": status, "why": why, **more}


_ANY: Final = (
    _get("authentication", "/pools", credential=Credential.NONE, **_differs(401, "as Airflow up to 2.8; 403 since")),
    _get("authentication", "/pools", credential=Credential.WRONG, **_differs(401, "as Airflow up to 2.8; 403 since")),
    _ask("HEAD", "any", "/pools"),
    _ask("OPTIONS", "any", "/pools"),
    _get("an unknown URL", "/nope"),
    _get("an unknown URL", "/dags/"),
    _ask("PUT", "another method", "/pools", **_better(405, "with an `Allow` header")),
)
_DAGS: Final = (
    _get("/dags", "/dags?limit=2&order_by=-dag_id", volatile=_FILE),
    _get("/dags", "/dags?fields=dag_id&only_active=true&paused=true&dag_id_pattern=HEL"),
    _get("/dags", "/dags?fields=bogus"),
    _get("/dags", "/dags?order_by=bogus"),
    _get("/dags", "/dags?limit=-1"),
    _get("/dags", "/dags?limit=x"),
    _get("/dags", "/dags?offset=-1"),
    _get("/dags", "/dags?only_active=1"),
    _get("/dags", "/dags?bogus=1"),
    _get("/dags", "/dags?offset=100"),
    _get("/dags/{dag_id}", _DAG, volatile=_FILE),
    _get("/dags/{dag_id}", "/dags/nope"),
    _get("/dags/{dag_id}", f"{_DAG}?fields=bogus"),
    _get("/dags/{dag_id}/details", f"{_DAG}/details", volatile=_FILE | {"owners"}),
    _get("/dags/{dag_id}/details", "/dags/waits/details?fields=dataset_expression,dag_id"),
    _get("/dags/{dag_id}/details", "/dags/nope/details"),
    _get("/dags/{dag_id}/tasks", "/dags/makes/tasks", volatile=frozenset({"class_ref", "operator_name"})),
    _get("/dags/{dag_id}/tasks", f"{_DAG}/tasks?order_by=bogus"),
    _get("/dags/{dag_id}/tasks", "/dags/nope/tasks"),
    _get(
        "/dags/{dag_id}/tasks/{task_id}", "/dags/makes/tasks/make", volatile=frozenset({"class_ref", "operator_name"})
    ),
    _get("/dags/{dag_id}/tasks/{task_id}", f"{_DAG}/tasks/zz"),
    _ask("PATCH", "/dags/{dag_id}", _DAG, {"is_paused": True}, volatile=_FILE),
    _ask("PATCH", "/dags/{dag_id}", _DAG, {}, **_better(400, _CRASH)),
    _ask("PATCH", "/dags/{dag_id}", _DAG, {"is_paused": "x"}),
    _ask("PATCH", "/dags/{dag_id}", _DAG, {"dag_id": "x"}),
    _ask("PATCH", "/dags/{dag_id}", f"{_DAG}?update_mask=bogus", {"is_paused": True}),
    _ask("PATCH", "/dags/{dag_id}", "/dags/nope", {"is_paused": True}),
    _ask("PATCH", "/dags/{dag_id}", _DAG, b"{bad"),
    _ask("PATCH", "/dags/{dag_id}", _DAG, b"{}", headers={"Content-Type": "text/plain"}),
    _ask("PATCH", "/dags", "/dags?dag_id_pattern=fus", {"is_paused": True}, volatile=_FILE),
    _ask("PATCH", "/dags", None, {"is_paused": True}),
    _ask("DELETE", "/dags/{dag_id}", "/dags/nope"),
    _get("/dagSources/{file_token}", "/dagSources/bad"),
    _ask("PUT", "/parseDagFile/{file_token}", "/parseDagFile/bad"),
    _get("/importErrors", "/importErrors?order_by=-timestamp"),
    _get("/importErrors", "/importErrors?order_by=bogus"),
    _get("/importErrors/{import_error_id}", "/importErrors/99"),
    _get("/importErrors/{import_error_id}", "/importErrors/x"),
    _get("/dagStats", "/dagStats?dag_ids=hello"),
    _get("/dagStats"),
    _get("/dagWarnings"),
    _get("/dagWarnings", "/dagWarnings?order_by=bogus"),
)
_LOGICAL: Final = {"dag_run_id": "r1", "logical_date": "2021-11-16T11:34:00Z", "conf": {"k": 1}, "note": "x"}
_TRIGGER: Final = "/dags/{dag_id}/dagRuns"
_RUNS: Final = f"{_DAG}/dagRuns"
_RUNS_AND_TASKS: Final = (
    _ask("POST", _TRIGGER, _RUNS, _LOGICAL),
    _ask("POST", _TRIGGER, _RUNS, _LOGICAL),
    _ask("POST", _TRIGGER, _RUNS, {"dag_run_id": "r1"}),
    _ask("POST", _TRIGGER, _RUNS, {"execution_date": "2021-11-17T11:34:00+02:00"}),
    _ask("POST", _TRIGGER, _RUNS, {"dag_run_id": None}),
    _ask("POST", _TRIGGER, _RUNS, {"conf": "x"}),
    _ask("POST", _TRIGGER, _RUNS, {"state": "x"}),
    _ask("POST", _TRIGGER, _RUNS, {"bogus": 1}),
    _ask("POST", _TRIGGER, _RUNS, {"logical_date": "2021-11-16T11:34:00"}),
    _ask("POST", _TRIGGER, _RUNS, {"data_interval_start": "2021-11-16T11:34:00Z"}),
    _ask("POST", _TRIGGER, _RUNS, {"dag_run_id": "scheduled__x"}),
    _ask("POST", _TRIGGER, _RUNS, {"dag_run_id": "a b"}, **_better(400, _CRASH)),
    _ask("POST", _TRIGGER, _RUNS, b""),
    _ask("POST", _TRIGGER, _RUNS, []),
    _ask("POST", _TRIGGER, "/dags/nope/dagRuns", {}),
    _get(_TRIGGER, f"{_RUNS}?limit=1&order_by=id"),
    _get(_TRIGGER, "/dags/~/dagRuns?limit=1&state=queued&execution_date_lte=2021-11-16T12:00:00Z"),
    _get(_TRIGGER, "/dags/nope/dagRuns"),
    _get(_TRIGGER, f"{_RUNS}?state=bogus"),
    _get(_TRIGGER, f"{_RUNS}?order_by=logical_date"),
    _get(_TRIGGER, f"{_RUNS}?fields=bogus"),
    _get(_TRIGGER, f"{_RUNS}?execution_date_gte=2021-11-16"),
    _ask("POST", "/dags/~/dagRuns/list", None, {"dag_ids": ["hello"], "page_limit": 1, "order_by": "dag_run_id"}),
    _ask("POST", "/dags/~/dagRuns/list", None, {"page_limit": 0}),
    _ask("POST", "/dags/~/dagRuns/list", None, {"bogus": 0}),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}", _RUN),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}", f"{_RUN}?fields=state,conf"),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}", f"{_RUNS}/nope"),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}", _RUN, {"state": "running"}),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}", _RUN, {}, **_better(400, _CRASH)),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}", f"{_RUNS}/nope", {"state": "success"}),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/setNote", f"{_RUN}/setNote", {"note": "y"}),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/setNote", f"{_RUN}/setNote", {}, **_better(400, _CRASH)),
    _ask("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/setNote", f"{_RUNS}/nope/setNote", {"note": "y"}),
    _ask("POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/clear", f"{_RUNS}/nope/clear", {}),
    _ask(
        "POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/clear", f"{_RUN}/clear", {"dry_run": True},
        **_differs(200, _NO_INSTANCES),
    ),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}/upstreamDatasetEvents", f"{_RUNS}/nope/upstreamDatasetEvents"),
    _get(
        "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances", f"{_RUN}/taskInstances", **_differs(200, _NO_INSTANCES)
    ),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances", "/dags/nope/dagRuns/~/taskInstances"),
    _get("/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances", f"{_RUN}/taskInstances?order_by=x"),
    _get(
        "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances", f"{_RUN}/taskInstances?state=bogus",
        **_better(400, _CRASH),
    ),
    _ask("POST", "/dags/~/dagRuns/~/taskInstances/list", None, {"dag_ids": ["nope"]}),
    _ask("POST", "/dags/~/dagRuns/~/taskInstances/list", None, {"state": ["bogus"]}),
    *(
        request
        for prefix, path in (("", "zz"), ("/{map_index}", "zz/0"))
        for request in (
            _get(f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}", f"{_RUN}/taskInstances/{path}"),
            _get(
                f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}/dependencies",
                f"{_RUN}/taskInstances/{path}/dependencies",
            ),
            _get(
                f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}/tries",
                f"{_RUN}/taskInstances/{path}/tries",
            ),
            _get(
                f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}/tries/{{task_try_number}}",
                f"{_RUN}/taskInstances/{path}/tries/1",
            ),
            _ask(
                "PATCH", f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}",
                f"{_RUN}/taskInstances/{path}", {"new_state": "failed"},
            ),
            _ask(
                "PATCH", f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}",
                f"{_RUN}/taskInstances/{path}", {"new_state": "bogus"},
            ),
            _ask(
                "PATCH", f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}{prefix}/setNote",
                f"{_RUN}/taskInstances/{path}/setNote", {"note": "x"},
            ),
        )
    ),
    _get(f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/listMapped", f"{_RUN}/taskInstances/zz/listMapped"),
    _get(f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/links", f"{_RUN}/taskInstances/zz/links"),
    _get(f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/links", "/dags/nope/dagRuns/r1/taskInstances/a/links"),
    _get(
        f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/logs/{{task_try_number}}",
        f"{_RUN}/taskInstances/zz/logs/1", headers={"Accept": "application/json"},
    ),
    _get(
        f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/logs/{{task_try_number}}",
        f"{_RUN}/taskInstances/a/logs/1?token=bad", headers={"Accept": "application/json"},
    ),
    _get(f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/xcomEntries", f"{_RUN}/taskInstances/a/xcomEntries"),
    _get(
        f"{_TRIGGER}/{{dag_run_id}}/taskInstances/{{task_id}}/xcomEntries/{{xcom_key}}",
        f"{_RUN}/taskInstances/a/xcomEntries/k",
    ),
    _ask("POST", "/dags/{dag_id}/clearTaskInstances", "/dags/nope/clearTaskInstances", {}),
    _ask(
        "POST", "/dags/{dag_id}/clearTaskInstances", f"{_DAG}/clearTaskInstances",
        {"dag_run_id": "r1", "start_date": "2021-11-16T11:34:00Z"},
    ),
    _ask("POST", "/dags/{dag_id}/clearTaskInstances", f"{_DAG}/clearTaskInstances", {"dag_run_id": "nope"}),
    _ask("POST", "/dags/{dag_id}/updateTaskInstancesState", f"{_DAG}/updateTaskInstancesState", {}),
    _ask(
        "POST", "/dags/{dag_id}/updateTaskInstancesState", "/dags/nope/updateTaskInstancesState",
        {
            "task_id": "a", "new_state": "failed", "include_upstream": False, "include_downstream": False,
            "include_future": False, "include_past": False, "dag_run_id": "r1",
        },
    ),
    _ask(
        "POST", _TRIGGER, _RUNS, {"run_id": "r7", "logical_date": "2021-11-20T00:00:00Z"},
        **_better(200, "`run_id` is taken for `dag_run_id`"),
    ),
    _ask("DELETE", "/dags/{dag_id}/dagRuns/{dag_run_id}", _RUN),
    _ask("DELETE", "/dags/{dag_id}/dagRuns/{dag_run_id}", _RUN),
)  # fmt: skip

_POOL: Final = {"name": "p1", "slots": 3}
_VARIABLE: Final = {"key": "v1", "value": "1"}
_CONNECTION: Final = {"connection_id": "c1", "conn_type": "http", "extra": '{"token": "t", "x": 1}', "password": "s"}
_ADMIN: Final = (
    _get("/pools"),
    _get("/pools", "/pools?order_by=bogus"),
    _ask("POST", "/pools", None, _POOL),
    _ask("POST", "/pools", None, _POOL),
    _ask("POST", "/pools", None, {"name": "p2"}),
    _ask("POST", "/pools", None, {"name": "p2", "slots": "x"}),
    _ask("POST", "/pools", None, _POOL | {"open_slots": 1}),
    _get("/pools/{pool_name}", "/pools/p1"),
    _get("/pools/{pool_name}", "/pools/nope"),
    _ask("PATCH", "/pools/{pool_name}", "/pools/p1?update_mask=slots", {"slots": 5}),
    _ask("PATCH", "/pools/{pool_name}", "/pools/p1?update_mask=bogus", {"slots": 5}),
    _ask("PATCH", "/pools/{pool_name}", "/pools/p1", {"slots": 5}),
    _ask("PATCH", "/pools/{pool_name}", "/pools/default_pool", {"name": "x", "slots": 5}),
    _ask("PATCH", "/pools/{pool_name}", "/pools/nope", _POOL),
    _ask("DELETE", "/pools/{pool_name}", "/pools/p1"),
    _ask("DELETE", "/pools/{pool_name}", "/pools/p1"),
    _ask("DELETE", "/pools/{pool_name}", "/pools/default_pool"),
    _ask("POST", "/variables", None, _VARIABLE),
    _ask("POST", "/variables", None, _VARIABLE | {"description": "d"}),
    _ask("POST", "/variables", None, {"key": "v1"}),
    _ask("POST", "/variables", None, {"key": "v1", "value": 1}),
    _get("/variables"),
    _get("/variables", "/variables?order_by=description"),
    _get("/variables", "/variables?order_by=-value"),
    _get("/variables/{variable_key}", "/variables/v1"),
    _get("/variables/{variable_key}", "/variables/nope"),
    _ask("PATCH", "/variables/{variable_key}", "/variables/v1", {"key": "v1", "value": "2"}),
    _ask("PATCH", "/variables/{variable_key}", "/variables/v1", {"key": "v2", "value": "2"}),
    _ask("PATCH", "/variables/{variable_key}", "/variables/nope", {"key": "nope", "value": "2"}),
    _ask(
        "PATCH", "/variables/{variable_key}", "/variables/v1?update_mask=value", {"key": "v1", "value": "3"},
        **_better(200, "`update_mask=value` works; Airflow knows the field by another name and refuses its own"),
    ),
    _ask("DELETE", "/variables/{variable_key}", "/variables/v1"),
    _ask("DELETE", "/variables/{variable_key}", "/variables/v1"),
    _ask("POST", "/connections", None, _CONNECTION),
    _ask("POST", "/connections", None, _CONNECTION),
    _ask("POST", "/connections", None, {"connection_id": "c2"}),
    _ask("POST", "/connections", None, {"connection_id": "a b", "conn_type": "x"}),
    _get("/connections"),
    _get("/connections", "/connections?order_by=bogus"),
    _get("/connections/{connection_id}", "/connections/c1"),
    _get("/connections/{connection_id}", "/connections/nope"),
    _ask("PATCH", "/connections/{connection_id}", "/connections/c1?update_mask=login", {"login": "me", "host": "h"}),
    _ask("PATCH", "/connections/{connection_id}", "/connections/c1", {"connection_id": "c2"}),
    _ask("PATCH", "/connections/{connection_id}", "/connections/c1?update_mask=bogus", {"login": "me"}),
    _ask("PATCH", "/connections/{connection_id}", "/connections/nope", {"login": "me"}),
    _ask("POST", "/connections/test", None, {"connection_id": "c1", "conn_type": "http"}),
    _ask("DELETE", "/connections/{connection_id}", "/connections/c1"),
    _ask("DELETE", "/connections/{connection_id}", "/connections/c1"),
)  # fmt: skip

_USER: Final = {"username": "u1", "email": "u1@x.y", "first_name": "U", "last_name": "One", "password": "secret"}
_VIEWER: Final = {"roles": [{"name": "Viewer"}]}
_COUNTER: Final = "the counter of failed logins has both its names, that of the wire and that of the document"
_READ_DAGS: Final = [{"action": {"name": "can_read"}, "resource": {"name": "DAGs"}}]
_COARSE: Final = "a role has what its permissions include besides"
_ACCOUNTS: Final = (
    _get("/users", None, **_better(200, _COUNTER)),
    _get("/users", "/users?order_by=bogus"),
    _get("/users", "/users?order_by=-email", **_better(200, "the greatest first, which Airflow refuses")),
    _ask("POST", "/users", None, _USER | _VIEWER, **_better(200, _COUNTER)),
    _ask("POST", "/users", None, _USER),
    _ask("POST", "/users", None, _USER | {"username": "u2"}),
    _ask("POST", "/users", None, _USER | {"username": "u2", "email": "u2", "roles": [{"name": "Nope"}]}),
    _ask("POST", "/users", None, {}),
    _ask("POST", "/users", None, _USER | {"email": ""}),
    _ask("POST", "/users", None, _USER | {"roles": ["x"]}),
    _ask("POST", "/users", None, _USER | {"login_count": 1}),
    _get("/users/{username}", "/users/u1", **_better(200, _COUNTER)),
    _get("/users/{username}", "/users/nope"),
    _ask("PATCH", "/users/{username}", "/users/u1", _USER | {"first_name": "V"}, **_better(200, _COUNTER)),
    _ask("PATCH", "/users/{username}", "/users/u1", {"first_name": "V"}),
    _ask("PATCH", "/users/{username}", "/users/u1", _USER | {"username": USER}),
    _ask("PATCH", "/users/{username}", "/users/u1?update_mask=bogus", _USER),
    _ask("PATCH", "/users/{username}", "/users/nope", _USER),
    _ask("DELETE", "/users/{username}", "/users/u1"),
    _ask("DELETE", "/users/{username}", "/users/u1"),
    _get("/roles", "/roles?limit=1", **_differs(200, "there is no role Public; permissions are coarser")),
    _get("/roles", "/roles?order_by=bogus"),
    _ask(
        "POST", "/roles", None, {"name": "r1", "actions": _READ_DAGS},
        **_better(200, "the answer is the role; Airflow answers `{}`"),
    ),
    _ask("POST", "/roles", None, {"name": "r2"}, **_better(200, "a role without actions, which crashes Airflow")),
    _ask("POST", "/roles", None, {"name": "r1", "actions": []}),
    _ask("POST", "/roles", None, {"name": "r3", "actions": [{"action": {"name": "x"}, "resource": {"name": "DAGs"}}]}),
    _ask(
        "POST", "/roles", None,
        {"name": "r3", "actions": [{"action": {"name": "can_read"}, "resource": {"name": "x"}}]},
    ),
    _ask("POST", "/roles", None, {"name": "r3", "actions": [{}]}, **_better(400, _CRASH)),
    _ask("POST", "/roles", None, {}),
    _get("/roles/{role_name}", "/roles/r1", **_differs(200, _COARSE)),
    _get("/roles/{role_name}", "/roles/nope"),
    _ask("PATCH", "/roles/{role_name}", "/roles/r1?update_mask=name", {"name": "r9"}, **_differs(200, _COARSE)),
    _ask("PATCH", "/roles/{role_name}", "/roles/r9?update_mask=bogus", {"name": "r9"}),
    _ask("PATCH", "/roles/{role_name}", "/roles/nope", {"name": "r9"}),
    _ask("PATCH", "/roles/{role_name}", "/roles/Viewer", {"name": "V"}, **_differs(409, "built-in roles are fixed")),
    _ask("DELETE", "/roles/{role_name}", "/roles/r9"),
    _ask("DELETE", "/roles/{role_name}", "/roles/r9"),
    _get("/permissions"),
    _get("/permissions", "/permissions?limit=1&offset=2"),
)  # fmt: skip

_QUEUED: Final = "datasets/queuedEvent"
_THING: Final = "s3%3A%2F%2Fbucket%2Fthing"
_REST: Final = (
    _get("/datasets", None, volatile=frozenset({"id"})),
    _get("/datasets", "/datasets?order_by=bogus"),
    _get("/datasets", "/datasets?uri_pattern=THING&dag_ids=makes", volatile=frozenset({"id"})),
    _get(
        "/datasets", "/datasets?dag_ids=nope",
        **_better(200, "the total counts what the filters let through; Airflow's counts all"),
    ),
    _get("/datasets/{uri}", f"/datasets/{_THING}", volatile=frozenset({"id"})),
    _get("/datasets/{uri}", "/datasets/nope"),
    _get("/datasets/events"),
    _get("/datasets/events", "/datasets/events?order_by=bogus"),
    _ask("POST", "/datasets/events", None, {"dataset_uri": "nope"}),
    _ask("POST", "/datasets/events", None, {}),
    _ask("POST", "/datasets/events", None, {"dataset_uri": "x", "extra": None}),
    *(
        _ask(method, operation, path)
        for method in ("GET", "DELETE")
        for operation, path in (
            (f"/dags/{{dag_id}}/{_QUEUED}", f"/dags/waits/{_QUEUED}"),
            (f"/dags/{{dag_id}}/{_QUEUED}/{{uri}}", f"/dags/waits/{_QUEUED}/{_THING}"),
            (f"/{_QUEUED}/{{uri}}", f"/{_QUEUED}/{_THING}"),
        )
    ),
    _ask(
        "POST", "/datasets/events", None, {"dataset_uri": "s3://bucket/thing"},
        **_differs(400, "events are not followed; the answer names the DAGs to trigger instead"),
    ),
    _get("/health", None, **_differs(200, "there is a scheduler within the server, and no triggerer")),
    _get("/version", None, volatile=frozenset({"git_version"})),
    _get("/config", "/config?section=nope", headers={"Accept": "application/json"}),
    _get("/config", "/config", headers={"Accept": "image/png"}),
    _get(
        "/config/section/{section}/option/{option}", "/config/section/core/option/nope",
        headers={"Accept": "application/json"},
    ),
    _get("/providers", None, **_differs(200, "none are told: they are the DAG interpreter's")),
    _get("/plugins"),
    _get("/eventLogs", "/eventLogs?event=nothing"),
    _get("/eventLogs", "/eventLogs?order_by=bogus"),
    _get("/eventLogs", "/eventLogs?included_events=api.delete_pool&limit=1", **_differs(200, "`extra` tells more")),
    _get("/eventLogs/{event_log_id}", "/eventLogs/99999"),
    _ask("DELETE", "/dags/{dag_id}", "/dags/doomed"),
)  # fmt: skip

REQUESTS: Final = tuple(request for request in (*_ANY, *_DAGS, *_RUNS_AND_TASKS, *_ADMIN, *_ACCOUNTS, *_REST))
