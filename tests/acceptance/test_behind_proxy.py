"""A real server behind a proxy, and behind the nginx of the documentation where there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.acceptance.server import PASSWORD, USER, Server, _free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "dags"
CLIENT = "198.51.100.7"
DAG = "my_example_dag"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"AIRGATE_BASE_PATH": "/airgate", "AIRGATE_HTTP_TRUSTED_PROXIES": "127.0.0.0/8"}
    with Server(dags=EXAMPLES, data=tmp_path_factory.mktemp("proxied") / "data", environment=environment) as started:
        started.wait_for_dag(DAG)
        yield started


@contextmanager
def small_proxy(server: Server, *, strip: bool) -> Iterator[str]:
    """A proxy that speaks for `CLIENT` over TLS, and may take the base path off. Gives its address."""

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            path = self.path.removeprefix("/airgate") if strip else self.path
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {**self.headers, "X-Forwarded-For": f"{CLIENT}, 127.0.0.2", "X-Forwarded-Proto": "https"}
            answer = httpx.request(self.command, server.url + path, headers=headers, content=body)
            self.send_response(answer.status_code)
            for name in ("content-type", "content-length"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward  # noqa: N815 - the names that the standard library calls

        def log_message(self, *_: Any) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    Thread(target=proxy.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{proxy.server_port}"
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("strip", [False, True], ids=["keeps the base path", "strips the base path"])
def test_everything_works_behind_a_proxy(server: Server, *, strip: bool) -> None:
    with small_proxy(server, strip=strip) as address:
        run_id = f"behind_a_proxy_{strip}"
        check_dialects(server, address, run_id)
        page = httpx.get(f"{address}/airgate/")
        assert f"https://{address.removeprefix('http://')}/airgate/api/v1/dags/YOUR_DAG/dagRuns" in page.text
        entry = trigger_of(server, run_id)
        assert f'"address": "{CLIENT}"' in entry["extra"]


def check_dialects(server: Server, address: str, run_id: str) -> None:
    with httpx.Client(base_url=f"{address}/airgate", auth=(USER, PASSWORD)) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/airgate/v1/me").status_code == 200
        assert client.get("/local/airflow/api/v1/health").status_code == 200
        assert client.get("/nope/airflow/api/v1/health").json()["title"] == "Deployment not found"
        assert client.post(f"/api/v1/dags/{DAG}/dagRuns", json={"dag_run_id": run_id}).status_code == 200
    assert server.finished(DAG, run_id)["state"] == "success"


def trigger_of(server: Server, run_id: str) -> dict[str, Any]:
    """The audit entry of a trigger, through v1."""
    (entry,) = server.get("/eventLogs", run_id=run_id, event="api.post_dag_run")["event_logs"]
    assert (entry["owner"], entry["dag_id"]) == (USER, DAG)
    return dict(entry)


def test_a_refusal_is_in_the_log_soon_and_survives_a_stop(tmp_path: Path) -> None:
    with Server(dags=EXAMPLES, data=tmp_path / "data") as server:
        for _ in range(3):
            assert httpx.get(f"{server.url}/api/v1/dags", auth=("eve", "guess")).status_code in (401, 403)
        (entry,) = server.until(refusals_of(server), "the refusals are in the log")
        assert entry["owner"] == "eve"
        assert httpx.get(f"{server.url}/api/v1/pools", auth=("mallory", "guess")).status_code in (401, 403)
        server.stop()
        server.start()
        assert {entry["owner"] for entry in refusals_of(server)()} == {"eve", "mallory"}


def refusals_of(server: Server) -> Callable[[], list[dict[str, Any]]]:
    def refusals() -> list[dict[str, Any]]:
        entries = server.get("/eventLogs", limit=100)["event_logs"]
        return [entry for entry in entries if '"outcome": "refused"' in entry["extra"]]

    return refusals


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_the_nginx_of_the_documentation_works(server: Server, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8")
    location = text.partition("```nginx\n")[2].partition("```")[0].replace(":8080", f":{server.port}")
    port = _free_port()
    folders = "".join(f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port}; {location} }} }}\n"
    )
    nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(config)])
    try:
        address = f"http://127.0.0.1:{port}"
        server.until(lambda: _answers(address), "nginx answers")
        check_dialects(server, address, "behind_nginx")
        assert f"{address}/airgate/api/v1/dags/YOUR_DAG/dagRuns" in httpx.get(f"{address}/airgate/").text
        trigger_of(server, "behind_nginx")
        escaped = httpx.get(f"{address}/airgate/api/v1/dags/a%2Fb", auth=(USER, PASSWORD))
        assert "a/b" in escaped.json()["detail"]
        before = {"X-Forwarded-For": CLIENT}  # as a proxy on this machine, before nginx, would say
        httpx.get(f"{address}/airgate/api/v1/pools/p", auth=("eve", "guess"), headers=before)
    finally:
        nginx.terminate()
        nginx.wait(10)
    (refused,) = server.until(refusals_of(server), "the refusal is in the log")
    assert f'"address": "{CLIENT}"' in refused["extra"]


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/airgate/health").status_code == 200
    except httpx.TransportError:
        return False
