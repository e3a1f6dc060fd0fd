"""A small real HTTP server that answers as it was told to, and writes down what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec


class Asked(msgspec.Struct):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Answer(msgspec.Struct):
    body: Any = None
    status: int = 200
    drop: bool = False
    """Close the connection instead of answering."""


class StandIn:
    """Answers are given in order; the last one of a path is given from then on. Unknown paths are 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answers at a path of stable v1, or, where it begins with /, of the server."""
        self.answers[method, path if path.startswith("/") else f"/api/v1/{path}"] = list(answers)

    def get(self, path: str, *bodies: Any) -> None:
        self.on("GET", path, *(Answer(body) for body in bodies))

    def bodies(self, method: str) -> list[Any]:
        return [asked.body for asked in self.asked if asked.method == method]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answers = self.answers.get((asked.method, asked.path))
        if not answers:
            return problem(404, f"{asked.path} not found")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def problem(status: int, detail: str | None, title: str = "Title") -> Answer:
    return Answer({"detail": detail, "status": status, "title": title, "type": "about:blank"}, status)


def listing(key: str, items: list[Any]) -> dict[str, Any]:
    return {key: items, "total_entries": len(items)}


@contextmanager
def running() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=unquote(parts.path),
                query=parse_qs(parts.query),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=json.loads(raw) if raw else None,
            )
            answer = stand_in.answer(asked)
            if answer.drop:
                self.close_connection = True
                return
            is_text = isinstance(answer.body, str)
            body = b"" if answer.body is None else (answer.body if is_text else json.dumps(answer.body)).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 -- the names are http.server's

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the signature is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
