"""From a workspace to a delivery that is sent again, by the command line alone, with a real server between."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.server import Server

SECRET = "planted-s3cret-of-the-walk"


class Heard(NamedTuple):
    path: str
    headers: dict[str, str]
    body: Any


@contextmanager
def receiver() -> Iterator[tuple[str, queue.Queue[Heard]]]:
    """An HTTP server's address, and what comes to it."""
    heard: queue.Queue[Heard] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard.put(Heard(self.path, headers, json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the signature is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Commands:
    """Runs `airgate` against a server, as somebody at a terminal with its token does."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRGATE_", "AIRFLOW"))}
        self._environment = {**kept, "AIRGATE_SERVER": server.url, "AIRGATE_TOKEN": server.token}

    def __call__(self, *words: str, stdin: str = "", code: int = 0) -> Any:
        """The JSON that a command prints; it must end with this exit code."""
        program = str(Path(sys.executable).with_name("airgate"))
        ended = subprocess.run(
            [program, *words, "--json"], env=self._environment, cwd=self.folder, input=stdin, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        self.said += ended.stdout + ended.stderr
        assert ended.returncode == code, (words, ended.stdout, ended.stderr)
        return json.loads(ended.stdout) if ended.stdout else None


@pytest.fixture
def airgate(server: Server, tmp_path: Path) -> Commands:
    return Commands(server, tmp_path)


def test_run_of_a_dag_is_told_to_a_receiver_shown_and_told_again(server: Server, airgate: Commands) -> None:
    airgate("workspaces", "create", "walked")
    assert [one["name"] for one in airgate("workspaces", "list")] == ["default", "walked"]
    airgate("workspaces", "delete", "walked")
    airgate("workspaces", "update", "default", "--private-target", "127.0.0.0/8")
    airgate("secrets", "set", "walk_token", "--value-stdin", stdin=SECRET)
    assert [one["name"] for one in airgate("secrets", "list")] == ["walk_token"]
    (job,) = airgate("jobs", "list", "--name", "hello")
    with receiver() as (url, heard):
        webhook = {
            "description": "walk",
            "jobs": [job["id"]],
            "url": f"{url}/ended/${{{{run.dag_id}}}}",
            "header": {"Authorization": "Bearer ${{secrets.walk_token}}"},
            "body": {"name": "${{run.conf.name}}", "duration": "${{erathos.total_duration}}"},
            "rules": [{"variable_name": "STATUS", "operation": "EQUAL", "value": "FINISHED"}],
        }
        (airgate.folder / "walk.json").write_text(json.dumps(webhook))
        made = airgate("webhooks", "create", "-f", "walk.json")
        trial = airgate("webhooks", "test", "walk")
        assert (trial["sent"], SECRET in json.dumps(trial)) == (False, False)
        key = airgate("webhooks", "rotate-key", "walk")

        execution = airgate("jobs", "run", "hello", "--conf", '{"name": "Ada"}', "--wait")
        assert execution["status"] == "FINISHED"
        first = heard.get(timeout=30)
        assert (first.path, first.headers["authorization"]) == ("/ended/hello", f"Bearer {SECRET}")
        assert (first.body["name"], type(first.body["duration"])) == ("Ada", int)
        assert first.headers["webhook-signature"].startswith("v1,")

        delivery = server.until(
            lambda: airgate("deliveries", "list", "--webhook", "walk", "--state", "delivered"), "it is written down"
        )[0]
        assert delivery["id"] == first.headers["webhook-id"]
        shown = airgate("deliveries", "show", delivery["id"])
        assert [attempt["status"] for attempt in shown["attempted"]] == [204]

        again = airgate("deliveries", "replay", delivery["id"])
        second = heard.get(timeout=30)
        assert (second.headers["webhook-id"], second.body) == (again["id"], first.body)
        assert again["replay_of"] == delivery["id"]

        airgate("webhooks", "disable", "walk")
        airgate("webhooks", "delete", made["id"])
    assert airgate("webhooks", "show", "walk", code=3) is None
    airgate("secrets", "delete", "walk_token")
    assert SECRET not in airgate.said
    assert SECRET not in server.log.read_text()
    assert key["secret"] not in server.log.read_text()
