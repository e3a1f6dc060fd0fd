"""Secrets are planted wherever there is room for one, everything is done that might show them, and nothing shows one.

What is searched: the server's whole log, every answer, what commands print, the logs of tries, and the files of the
database as bytes. Answers that are to show a secret this once are the only place where one may be found.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus
from uuid import uuid4

import httpx
import pytest

from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from tests.acceptance.server import USER, Server
from tests.support.hostile_targets import Target, answers, status, target

ODD: Final = "\"&/+=%'ä"
"""Signs that look otherwise in URLs, JSON and base64."""
ADMIN: Final = "Pl4nted-admin" + ODD
OTHER: Final = "Pl4nted-other-person" + ODD
WRONG: Final = "Pl4nted-wrong-password" + ODD
BATCH: Final = "Pl4nted-batch-secret"
MAIL: Final = "Pl4nted-mail" + ODD
KEY: Final = base64.urlsafe_b64encode(b"Pl4nted-key-of-all-that-is-kept!").decode()
WORKSPACE: Final = "Pl4nted-in-a-workspace" + ODD
HOST: Final = "pl4nted-host"
REPLACED: Final = "Pl4nted-before-it-was-replaced" + ODD
SIGNING: Final = "whsec_" + base64.b64encode(b"Pl4nted-signing-secret-of-24").decode()
HOOK: Final = "Pl4nted-hook-token-that-is-long"
CONNECTION: Final = "Pl4nted-connection" + ODD
EXTRA: Final = "Pl4nted-extra" + ODD
VARIABLE: Final = "Pl4nted-variable" + ODD
MALFORMED: Final = "Pl4nted-in-what-is-refused" + ODD
PLANTED: Final = (
    ADMIN, OTHER, WRONG, BATCH, MAIL, KEY, WORKSPACE, HOST, REPLACED, SIGNING, HOOK, CONNECTION, EXTRA, VARIABLE,
    MALFORMED,
)  # fmt: skip
DAGS = {
    "leaks.py": """
import logging

from airflow.sdk import Connection, Variable, dag, task


@dag(schedule=None)
def leaks():
    @task
    def tell():
        password = Variable.get("planted_password")
        found = Connection.get("planted")
        print("printed", password, found.password, found.extra_dejson["api_key"])
        logging.getLogger("tests").warning("logged %s %s", password, found.password)
        raise RuntimeError(f"raised {password} {found.password}")

    tell()


@dag(schedule=None)
def target():
    @task
    def nothing():
        pass

    nothing()


leaks()
target()
"""
}


def forms(value: str) -> set[bytes]:
    """A value as it stands in texts of all kinds."""
    texts = {
        value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(json.dumps(value)[1:-1])[1:-1], repr(value)[1:-1],
        base64.b64encode(value.encode()).decode(), base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
        value.removesuffix(ODD), value.removeprefix("whsec_"), base64.b64encode(f"{USER}:{value}".encode()).decode(),
    }  # fmt: skip
    return {text.encode() for text in texts} | {
        value.encode("latin-1"),
        value.removesuffix(ODD).encode().hex().encode(),
    }


FORMS: Final = {value: forms(value) for value in PLANTED}


def planted_in(text: bytes) -> list[str]:
    """The planted values that are in a text, in whatever form."""
    return [value for value, known in FORMS.items() if any(form in text for form in known)]


class Walk:
    """Does all that might show a secret, and keeps what it is answered."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answers: list[tuple[str, bytes]] = []
        self.client = httpx.Client(base_url=server.url, auth=(USER, ADMIN), timeout=30)
        self.below = f"/developers/workspaces/{DEFAULT_WORKSPACE_ID}/"

    def close(self) -> None:
        self.client.close()

    def send(
        self, method: str, path: str, body: Any = None, *, shows: str | None = None, **more: Any
    ) -> httpx.Response:
        """A request whose answer shows no secret, or, this once, the one that it `shows`."""
        if body is not None:
            more |= {"content": body} if isinstance(body, bytes) else {"json": body}
        if path.startswith("/developers/") and "auth" not in more:
            more = {"auth": None, "headers": {"Authorization": f"Api-Key {self.server.token}"}} | more
        answer = self.client.request(method, path, **more)
        text = repr(answer.headers).encode() + answer.content
        if shows is None:
            self.answers.append((f"{method} {path} {answer.status_code}", text))
        else:
            assert shows in answer.text, (method, path, answer.status_code)
            assert set(planted_in(text)) <= {shows, VARIABLE}  # whoever may read variables is shown them
        return answer

    def made(self, path: str, body: Any, **more: Any) -> Any:
        """What is made in the workspace."""
        answer = self.send("POST", self.below + path, body, **more)
        assert answer.status_code == 201, (path, answer.status_code, answer.text)
        return answer.json()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """With every setting that is a secret."""
    dags = tmp_path / "dags"
    dags.mkdir()
    for name, text in DAGS.items():
        (dags / name).write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = str(probe.getsockname()[1])
    environment = {
        "AIRGATE_ADMIN_PASSWORD": ADMIN, "AIRGATE_SECRET_KEY": KEY, "AIRGATE_BATCH_SHARED_SECRET": BATCH,
        "AIRGATE_MAIL_HOST": "127.0.0.1", "AIRGATE_MAIL_PORT": nobody, "AIRGATE_MAIL_SENDER": "a@airgate.test",
        "AIRGATE_MAIL_SECURITY": "none", "AIRGATE_MAIL_USER": "me", "AIRGATE_MAIL_PASSWORD": MAIL,
    }  # fmt: skip
    made = Server(dags=dags, data=tmp_path / "data", environment=environment)
    made.client.auth = httpx.BasicAuth(USER, ADMIN)
    made.start()
    yield made
    made.stop()


def _echoes(self: Target, connection: socket.socket) -> None:
    """Gives back all that it was sent, as it came, and in the head."""
    sent = self.requests[-1]
    line = sent.partition(b"\r\n")[0]
    head = b"HTTP/1.1 400 " + line[:200] + b"\r\nx-echo: " + line + b"\r\nlocation: " + line + b"\r\n"
    body = sent + b"\r\n" + base64.b64encode(WORKSPACE.encode())
    connection.sendall(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)


def test_planted_secret_is_shown_nowhere(server: Server, tmp_path: Path) -> None:
    for dag_id in ("leaks", "target"):
        server.wait_for_dag(dag_id)
    walk = Walk(server)
    with target(_echoes) as echo, target(answers(b"HTTP/1.1 200 OK\r\n\r\n")) as takes, target(status(302)) as leads:
        furnish(walk)
        webhooks = listening(walk, echo, takes, leads)
        run_id = server.trigger("leaks")
        server.finished("leaks", run_id)
        attempted(walk, webhooks)
        refused(walk)
        asked(walk, webhooks)
        said = commands(server, webhooks)
        tried = server.task_log("leaks", run_id, "tell")
        walk.close()
        server.stop()
    assert "printed ***" in tried
    assert any(b"***" in text for name, text in walk.answers if "orchestration/deliveries" in name)
    found = {name: planted_in(text) for name, text in walk.answers} | {"the log of a try": planted_in(tried.encode())}
    found |= {f"airgate {' '.join(words)}": planted_in(text) for words, text in said.items()}
    files = [path for path in server.data.rglob("*") if path.is_file() and path.name not in {"cli.json", "secret.key"}]
    assert {"airgate.db", "server.log"} <= {path.name for path in files}
    found |= {str(path.relative_to(server.data)): planted_in(path.read_bytes()) for path in files}
    assert {name: values for name, values in found.items() if values} == {}


def furnish(walk: Walk) -> None:
    """Plant."""
    walk.send("POST", "/api/v1/variables", {"key": "planted_password", "value": VARIABLE}, shows="planted_password")
    connection = {
        "connection_id": "planted", "conn_type": "http", "host": "h.test", "login": "me", "password": CONNECTION,
        "extra": json.dumps({"api_key": EXTRA}),
    }  # fmt: skip
    assert walk.send("POST", "/api/v1/connections", connection).status_code == 200
    person = {"username": "other", "email": "o@x.test", "first_name": "O", "last_name": "P", "password": OTHER}
    assert walk.send("POST", "/api/v1/users", person | {"roles": [{"name": "Op"}]}).status_code == 200
    secret = walk.made("secrets/", {"name": "plain", "value": REPLACED})
    walk.send("PUT", f"{walk.below}secrets/{secret['_id']}/", {"name": "plain", "value": WORKSPACE})
    walk.made("secrets/", {"name": "host", "value": HOST})
    walk.send("PATCH", walk.below, {"private_targets": ["127.0.0.0/8"]})
    hook = {"name": "way-in", "scheme": "token", "deployment": "local", "dag_id": "target", "secret": HOOK}
    walk.made("orchestration/hooks/", hook, shows=HOOK)


def listening(walk: Walk, echo: Target, takes: Target, leads: Target) -> list[str]:
    """Webhooks that hear of the run, each with secrets in some other place."""
    (job,) = walk.send("GET", f"{walk.below}jobs/?dag_id=leaks").json()["results"]
    header = {
        "X-Plain": "${{secrets.host}}", "Authorization": "Bearer ${{secrets.host}}", "X-Path": "a-${{secrets.host}}-b",
    }  # fmt: skip
    everywhere = {
        "url": echo.url + "${{secrets.plain}}?q=${{secrets.plain}}&h=${{secrets.host}}", "header": header,
        "body": {"${{secrets.plain}}": ["${{secrets.plain}}", {"text": "a ${{secrets.plain}} b"}]},
    }  # fmt: skip
    form = {"header": {"content-type": "application/x-www-form-urlencoded"}, "body": "a=${{secrets.plain}}"}
    kinds: list[dict[str, Any]] = [
        everywhere,
        everywhere | {"url": takes.url + "${{secrets.plain}}"},
        everywhere | {"url": leads.url + "${{secrets.plain}}"},
        {"url": echo.url, **form},
        {"url": "http://${{secrets.host}}.invalid/x"},
        {"url": "http://169.254.169.254/${{secrets.plain}}"},
        {"url": "http://${{secrets.plain}}/"},
        {"url": "${{secrets.plain}}"},
        {"url": echo.url, "body": ["${{secrets.plain}}", "${{run.conf.nothing}}"]},
        {"url": echo.url, "header": {"x-${{secrets.plain}}": "x"}},
        {"url": echo.url, "target": {"kind": "slack", "text": "${{secrets.plain}}"}},
        {"url": echo.url + "${{secrets.host}}", "target": {"kind": "discord", "title": "${{secrets.plain}}"}},
        {"target": {"kind": "email", "to": ["a@x.test"], "title": "${{secrets.host}}", "text": "${{secrets.plain}}"}},
    ]
    made = []
    for number, more in enumerate(kinds):
        body = {"description": f"webhook {number}", "is_active": True, "method": "POST", "jobs": [job["_id"]], **more}
        made.append(str(walk.made("orchestration/webhooks/", body)["_id"]))
    walk.made(f"orchestration/webhooks/{made[0]}/keys/", {"scheme": "v1", "secret": SIGNING}, shows=SIGNING)
    return made


def attempted(walk: Walk, webhooks: list[str]) -> None:
    """Wait until each has been attempted or given up, and read what is kept of it."""

    def over() -> bool:
        listed = walk.send("GET", f"{walk.below}orchestration/deliveries/?page_size=100").json()["results"]
        return {one["webhook"] for one in listed if one["attempts"] or one["state"] != "pending"} == set(webhooks)

    walk.server.until(over, "all are attempted", within=60)
    for one in walk.send("GET", f"{walk.below}orchestration/deliveries/?page_size=100").json()["results"]:
        walk.send("GET", f"{walk.below}orchestration/deliveries/{one['_id']}/")
    for webhook in webhooks:
        for really in (False, True):
            answer = walk.send("POST", f"{walk.below}orchestration/webhooks/{webhook}/test/", {"send": really})
            assert answer.status_code == 200, answer.text


def refused(walk: Walk) -> None:
    """Requests that are wrong in every way, with secrets in them."""
    hook = "/hooks/way-in"
    tokens = ({"x-airgate-token": MALFORMED.encode()}, {"x-airgate-token": HOOK}, {"authorization": f"Bearer {HOOK}"})
    for headers in tokens:
        for content in (b"{", b"{}", json.dumps({"password": MALFORMED}).encode()[:-1]):
            walk.send("POST", hook, content, headers=headers, auth=None)
    secrets = f"{walk.below}secrets/"
    bodies: list[Any] = [
        {"name": "plain", "value": MALFORMED}, {"name": "not a name", "value": MALFORMED}, {"value": MALFORMED},
        {"name": "x", "value": [MALFORMED]}, {"name": "x", "value": {"a": MALFORMED}}, {"name": "x", "vale": MALFORMED},
        json.dumps({"name": "x", "value": MALFORMED}).encode()[:-1], b"\xff" + MALFORMED.encode(), [MALFORMED],
        {"name": "x", "value": MALFORMED * 20_000}, {"name": "x", "value": MALFORMED + "\0"},
    ]  # fmt: skip
    for body in bodies:
        answer = walk.send("POST", secrets, body)
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    webhook = f"{walk.below}orchestration/webhooks/"
    (first, *_) = walk.send("GET", webhook).json()["results"]
    for scheme in ("v1", "v1a", "v2"):
        walk.send("POST", f"{webhook}{first['_id']}/keys/", {"scheme": scheme, "secret": MALFORMED})
    for path in ("/api/v1/dags", "/api/v1/connections", "/auth/token", walk.below):
        walk.send("GET", path, auth=(USER, WRONG))
        walk.send("GET", path, auth=None, headers={"Authorization": f"Api-Key {quote(WRONG)}"})
        walk.send("GET", path, auth=None, headers={"Authorization": f"Bearer {quote(WRONG)}"})
    walk.send("POST", "/auth/token", {"username": USER, "password": WRONG}, auth=None)
    walk.send("POST", "/auth/token", {"username": USER, "pasword": WRONG}, auth=None)
    walk.send("POST", "/auth/token", {"username": USER, "password": [WRONG]}, auth=None)
    walk.send("POST", "/api/v1/connections", {"connection_id": "b", "conn_type": "x", "password": [MALFORMED]})
    walk.send("POST", "/api/v1/connections", json.dumps({"password": MALFORMED}).encode()[:-1])
    walk.send("POST", "/api/v1/users", {"username": "other", "password": [MALFORMED]})


def asked(walk: Walk, webhooks: list[str]) -> None:
    """Read everything that there is to read."""
    below = (
        "", "variables/", "secrets/", "jobs/", "executions/", "orchestration/webhooks/", "orchestration/hooks/",
        f"orchestration/webhooks/{webhooks[0]}/", f"orchestration/webhooks/{webhooks[0]}/keys/",
    )  # fmt: skip
    for path in below:
        assert walk.send("GET", walk.below + path).status_code == 200
    for secret in walk.send("GET", f"{walk.below}secrets/").json()["results"]:
        walk.send("GET", f"{walk.below}secrets/{secret['_id']}/")
    for path in ("connections", "connections/planted", "config", "eventLogs?limit=1000", "users", "users/other"):
        walk.send("GET", f"/api/v1/{path}")
    for path in ("audit", "identities", "triggers", "openapi.json", "whoami", "keys"):
        walk.send("GET", f"/api/airgate/v1/{path}")


def commands(server: Server, webhooks: list[str]) -> dict[tuple[str, ...], bytes]:
    """What commands print."""
    said: dict[tuple[str, ...], bytes] = {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRGATE_", "AIRFLOW"))}
    environment |= {"AIRGATE_SERVER": server.url, "AIRGATE_TOKEN": server.token}
    for words in (
        ("secrets", "list"), ("webhooks", "list"), ("webhooks", "show", webhooks[0]), ("webhooks", "test", webhooks[0]),
        ("webhooks", "test", webhooks[0], "--send"), ("deliveries", "list"), ("hooks", "list"), ("audit",),
        ("connections", "list"), ("webhooks", "test", webhooks[7], "--send"), ("secrets", "set", "plain"),
    ):  # fmt: skip
        done = subprocess.run(
            [str(Path(sys.executable).with_name("airgate")), *words],
            env=environment, input=(MALFORMED + "\0\n").encode(), capture_output=True, check=False,
        )  # fmt: skip
        said[words] = done.stdout + done.stderr
        assert b"Traceback" not in done.stderr, (words, done.stderr)
    return said


def test_password_of_a_database_that_cannot_be_reached_is_not_said(tmp_path: Path) -> None:
    password = f"Pl4nted-{uuid4().hex}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"postgresql://me:{password}@127.0.0.1:{probe.getsockname()[1]}/airgate"
        program = str(Path(sys.executable).with_name("airgate"))
        done = subprocess.run(
            [program, "up", f"--dags={tmp_path}", f"--data={tmp_path}/data", "--port=0", f"--database={url}"],
            capture_output=True, check=False, timeout=100,
        )  # fmt: skip
    assert done.returncode != 0
    assert password.encode() not in done.stdout + done.stderr
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes()
