"""The experimental API: how to start an Airflow 1.10.15 that speaks it, and what is asked of it and of Airgate."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.wire.exchange import Credential, Request, Verdict
from tests.conformance.wire.real import PASSWORD, USER, Release

PREFIX: Final = "/api/experimental"
OLD, RBAC = "www", "www_rbac"
"""The two web interfaces of 1.10, each with a copy of the API."""

_MAKE_USER: Final = f"""
from airflow import settings
from airflow.contrib.auth.backends.password_auth import PasswordUser
from airflow.models import User
person = PasswordUser(User())
person.username, person.password = {USER!r}, {PASSWORD!r}
session = settings.Session()
session.add(person)
session.commit()
"""

RELEASE: Final = Release(
    version="1.10.15",
    python="3.8",
    build=("setuptools<58",),
    settings={"AIRFLOW__WEBSERVER__WORKERS": "1", "PYTHONWARNINGS": "ignore"},
    prepare=(("airflow", "initdb"),),
    serve=("airflow", "webserver", "-p", "{port}"),
)
VARIANTS: Final = {
    OLD: {
        "AIRFLOW__WEBSERVER__RBAC": "False",
        "AIRFLOW__API__AUTH_BACKEND": "airflow.contrib.auth.backends.password_auth",
    },
    RBAC: {"AIRFLOW__WEBSERVER__RBAC": "True", "AIRFLOW__API__AUTH_BACKEND": "airflow.api.auth.backend.default"},
}
PREPARE: Final = {OLD: (("python", "-c", _MAKE_USER),), RBAC: ()}

_RUNS, _RUN = "/dags/hello/dag_runs", "/dags/hello/dag_runs/2021-11-16T11:34:00"
_TEXT: Final = "the refusal is JSON, not text"
_HTML: Final = "the error is JSON, not a page of HTML"
_CRASH: Final = "1.10 crashes (500); here the error is a 400 or 404 in JSON"
_URL: Final = "`dag_run_url` is that of the RBAC interface"
_POOL: Final = frozenset({"id"})
_STATE: Final = frozenset({"state"})
_LIST: Final = "GET /dags/{dag_id}/dag_runs"
_ONE: Final = "GET /dags/{dag_id}/dag_runs/{execution_date}"
_INSTANCE: Final = "GET /dags/{dag_id}/dag_runs/{execution_date}/tasks/{task_id}"
_ANY_RUN: Final = frozenset({"id", "start_date", "state"})


def _get(operation: str, path: str, **more: Any) -> Request:
    return Request(operation=operation, method="GET", path=path, **more)


def _post(operation: str, path: str, body: Any, **more: Any) -> Request:
    return Request(operation=operation, method="POST", path=path, body=body, **more)


def _delete(operation: str, path: str, **more: Any) -> Request:
    return Request(operation=operation, method="DELETE", path=path, **more)


def _trigger(body: Any, dag_id: str = "hello", **more: Any) -> Request:
    return _post("POST /dags/{dag_id}/dag_runs", f"/dags/{dag_id}/dag_runs", body, **more)


def _better(status: int, why: str, **more: Any) -> dict[str, Any]:
    return {"verdict": Verdict.BETTER, "status": status, "why": why, **more}


def _differs(status: int, why: str, **more: Any) -> dict[str, Any]:
    return {"verdict": Verdict.DIFFERS, "status": status, "why": why, **more}


_IN_OLD: Final = {"where": frozenset({OLD})}
_IN_RBAC: Final = {"where": frozenset({RBAC})}

_ACCESS: Final = (
    _get("GET /test", "/test"),
    _get("authentication", "/test", credential=Credential.NONE, **_better(401, _TEXT, **_IN_OLD)),
    _get("authentication", "/test", credential=Credential.WRONG, **_better(403, _TEXT, **_IN_OLD)),
    _get(
        "authentication", "/test", credential=Credential.NONE, headers={"Authorization": "Bearer nothing"},
        **_better(403, "a scheme that 1.10 does not know crashes it (500); here it is a 403", **_IN_OLD),
    ),
    Request(operation="any, HEAD", method="HEAD", path="/test"),
    Request(operation="any, OPTIONS", method="OPTIONS", path="/pools"),
    _get("an unknown URL", "/nothing", **_better(404, _HTML)),
    _get("an unknown URL", "/dags/hello/", **_better(404, _HTML)),
    Request(operation="another method", method="PUT", path="/pools", **_better(405, _HTML)),
)  # fmt: skip

_PAUSING: Final = (
    _get("GET /dags/{dag_id}/paused", "/dags/hello/paused"),
    _get("GET /dags/{dag_id}/paused", "/dags/nope/paused", **_better(404, _CRASH)),
    _get("GET /dags/{dag_id}/paused/{paused}", "/dags/hello/paused/anything"),
    _get("GET /dags/{dag_id}/paused/{paused}", "/dags/hello/paused/true"),
    _get("GET /dags/{dag_id}/paused", "/dags/hello/paused"),
    _get("GET /dags/{dag_id}/paused/{paused}", "/dags/nope/paused/true", **_better(404, _CRASH)),
    _get("GET /dags/{dag_id}/paused/{paused}", "/dags/hello/paused/false"),
    _post("GET /dags/{dag_id}/paused/{paused}", "/dags/hello/paused/false", {}, **_better(405, _HTML)),
)

_TRIGGERS: Final = (
    _trigger({"run_id": "r1", "execution_date": "2021-11-16T11:34:00", "conf": {"k": 1}, "unknown": True}),
    _trigger({"run_id": "r1"}),
    _trigger({"run_id": "r1", "execution_date": "2021-11-16T11:34:00"}),
    _trigger({"run_id": "r2", "execution_date": "2021-11-16T11:34:00"}, **_better(400, _CRASH)),
    _trigger({"execution_date": "2021-11-17T11:34:00.123456Z"}),
    _trigger({"execution_date": "2021-11-17T11:34:00.123456Z"}),
    _trigger({"execution_date": "2021-11-18T11:34:00.5", "replace_microseconds": "true"}),
    _trigger({"execution_date": "2021-11-18T11:34:00.5", "replace_microseconds": "no"}),
    _trigger({"execution_date": "2021-11-19T11:34:00+02:00", "conf": '{"k": "text"}'}),
    _trigger({"execution_date": "2021-11-20", "conf": None, "run_id": None, "replace_microseconds": "Y"}),
    _trigger({"execution_date": "20211016T1134"}),
    _trigger({"execution_date": "2021-W41-2", "run_id": ""}),
    _trigger({"execution_date": "18 October 2021 11:34"}),
    _trigger({"execution_date": "2021-294", "conf": ""}),
    _trigger({"execution_date": "2021-10-22 11:34:00", "conf": {}}),
    _trigger({"execution_date": "zzz"}),
    _trigger({"execution_date": ""}),
    _trigger({"execution_date": "2021-02-30"}),
    _trigger({"execution_date": "2021-10-23T11:34:00 CET"}, **_better(400, "`CET` is refused, not taken for UTC")),
    _trigger({"execution_date": "5"}, **_better(400, "a bare number is refused, not taken for an hour of today")),
    _trigger({"execution_date": 1637062440}, **_better(400, _CRASH)),
    _trigger({"replace_microseconds": False}, **_better(200, "a JSON boolean, which crashes 1.10, counts")),
    _trigger({"conf": "not JSON"}, **_better(400, _CRASH)),
    _trigger({"conf": [1]}, **_better(400, _CRASH)),
    _trigger({"run_id": "a list", "conf": "[1]"}, **_differs(400, "conf is an object or nothing")),
    _trigger({"run_id": "with spaces"}, **_differs(400, "run ids have only letters, digits and `_ . ~ : + -`")),
    _trigger({"run_id": "scheduled__2021-01-01"}, **_differs(400, "ids that scheduled runs have are not free")),
    _trigger({}, dag_id="nope"),
    _trigger({"execution_date": "zzz"}, dag_id="nope", **_differs(404, "an unknown DAG is told before a bad date")),
    _trigger({"execution_date": "2019-01-01", "run_id": "early"}),
    _trigger(b"", **_better(400, _HTML)),
    _trigger(b"{bad", **_better(400, _HTML)),
    _trigger([], **_differs(400, "the body is an object; 1.10 takes a list for an empty one")),
    _trigger(None, **_better(400, _HTML)),
    _trigger({"replace_microseconds": "false"}, headers={"Content-Type": "application/x-www-form-urlencoded"}),
    _trigger({}, dag_id="doomed"),
)  # fmt: skip

_READS: Final = (
    _get(_LIST, "/dags/doomed/dag_runs", volatile=_ANY_RUN, **_IN_RBAC),
    _get(_LIST, "/dags/doomed/dag_runs", volatile=_ANY_RUN, **_differs(200, _URL, **_IN_OLD)),
    _get(_LIST, f"{_RUNS}?state=bogus"),
    _get(_LIST, f"{_RUNS}?state=FAILED&limit=1"),
    _get(_LIST, "/dags/nope/dag_runs"),
    _get(_ONE, _RUN, volatile=_STATE),
    _get(_ONE, f"{_RUN}+00:00", volatile=_STATE),
    _get(_ONE, f"{_RUN}%2B00:00", volatile=_STATE),
    _get(_ONE, f"{_RUNS}/2021-11-16T13:34:00%2B02:00", volatile=_STATE),
    _get(
        _ONE, f"{_RUN}%2000:00", **_better(200, "a `+` that became a space is still an offset", volatile=_STATE),
    ),
    _get(_ONE, f"{_RUN}.000001"),
    _get(_ONE, f"{_RUNS}/2021-11-16T11:34:09"),
    _get(_ONE, f"{_RUNS}/zz"),
    _get(_ONE, "/dags/nope/dag_runs/zz"),
    _get(_ONE, "/dags/nope/dag_runs/2021-11-16"),
    _get(
        _INSTANCE, f"{_RUN}/tasks/a", patient=True,
        volatile=frozenset(
            {
                "duration", "end_date", "hostname", "operator", "pid", "priority_weight", "queued_dttm", "start_date",
                "state", "unixname",
            }
        ),
    ),
    _get(_INSTANCE, f"{_RUN}/tasks/zz"),
    _get(_INSTANCE, f"{_RUNS}/2021-11-16T11:34:09/tasks/a"),
    _get(_INSTANCE, f"{_RUNS}/zz/tasks/a"),
    _get(_INSTANCE, "/dags/nope/dag_runs/2021-11-16/tasks/a"),
    _get(
        "GET /dags/{dag_id}/tasks/{task_id}", "/dags/hello/tasks/a",
        **_differs(200, "arguments of an operator's own, such as `bash_command`, are `None`"),
    ),
    _get("GET /dags/{dag_id}/tasks/{task_id}", "/dags/hello/tasks/zz"),
    _get("GET /dags/{dag_id}/tasks/{task_id}", "/dags/nope/tasks/zz"),
    _get("GET /dags/{dag_id}/code", "/dags/hello/code"),
    _get("GET /dags/{dag_id}/code", "/dags/nope/code"),
    _get("GET /latest_runs", "/latest_runs", volatile=frozenset({"start_date"}), **_IN_RBAC),
    _get("GET /latest_runs", "/latest_runs", volatile=frozenset({"start_date"}), **_differs(200, _URL, **_IN_OLD)),
    _get("GET /info", "/info", **_better(200, "Airflow 2 had it, 1.10 had not")),
    _get("GET /config", "/config", **_better(200, "documentation prints it, no Airflow has it")),
    _get(
        "GET /lineage/{dag_id}/{execution_date}", "/lineage/hello/2021-11-16T11:34:00",
        **_better(200, "Airflow 2 had it, 1.10 had not"),
    ),
)  # fmt: skip

_POOLS: Final = (
    _get("GET /pools", "/pools"),
    _post("POST /pools", "/pools", {"name": "p1", "slots": "4", "description": "d"}, volatile=_POOL),
    _post("POST /pools", "/pools", {"name": "p1", "slots": 5.0, "description": "e"}, volatile=_POOL),
    _post("POST /pools", "/pools", {"name": "é", "slots": -1, "description": ""}, volatile=_POOL),
    _post("POST /pools", "/pools", {"name": " ", "slots": 5, "description": "d"}),
    _post("POST /pools", "/pools", {"name": "p1", "slots": "x", "description": "d"}),
    _post("POST /pools", "/pools", {"name": "p1", "slots": None, "description": "d"}, **_better(400, _CRASH)),
    _post("POST /pools", "/pools", {"name": "p1", "slots": 1}, **_better(400, _CRASH)),
    _post("POST /pools", "/pools", {"name": 5, "slots": 1, "description": "d"}, **_better(400, _CRASH)),
    _post(
        "POST /pools", "/pools", {"name": "p1", "slots": 3, "description": "f", "unknown": 1},
        **_better(200, "unknown keys, which crash 1.10, are ignored"),
    ),
    _get("GET /pools/{name}", "/pools/default_pool"),
    _get("GET /pools/{name}", "/pools/%C3%A9", volatile=_POOL),
    _get("GET /pools/{name}", "/pools/nope"),
    _get("GET /pools/{name}", "/pools/%20"),
    _delete("DELETE /pools/{name}", "/pools/default_pool"),
    _delete("DELETE /pools/{name}", "/pools/p1",
        volatile=_POOL | {"slots", "description"},
    ),
    _delete("DELETE /pools/{name}", "/pools/p1"),
    _delete("DELETE /pools/{name}", "/pools/%C3%A9", volatile=_POOL),
)  # fmt: skip

_AT_LAST: Final = (
    _trigger(
        {"execution_date": "2019-01-01", "run_id": "early"}, dag_id="fussy",
        **_better(200, "a date before the start in default_args crashes 1.10; here there is a run"),
    ),
    _delete("DELETE /dags/{dag_id}", "/dags/nope", **_IN_OLD),
    _delete("DELETE /dags/{dag_id}", "/dags/doomed", **_better(200, "the RBAC interface has it not", **_IN_RBAC)),
    _delete("DELETE /dags/{dag_id}", "/dags/doomed", volatile=frozenset({"count", "message"}), **_IN_OLD),
)  # fmt: skip

REQUESTS: Final = (*_ACCESS, *_PAUSING, *_TRIGGERS, *_READS, *_POOLS, *_AT_LAST)
"""In the order in which they are sent."""


def requests_for(variant: str) -> list[Request]:
    """Those that are sent to this web interface."""
    return [request for request in REQUESTS if not request.where or variant in request.where]
