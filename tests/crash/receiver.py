"""Receives webhooks while their sender is killed again and again, and writes down what comes."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

FAILING = "/flaky"
"""Below it, half of all deliveries fail when they come first, in a way that chance decides; then they are taken."""
_FAILURES = ("status", "reset", "hang")


class Arrival(NamedTuple):
    """A request that has come."""

    path: str
    delivery: str
    """Its ``webhook-id``."""
    body: bytes
    accepted: bool
    """Whether it was, or was to be, answered with 200."""

    @property
    def told(self) -> dict[str, Any]:
        """Its body, decoded."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """What has come. A signing key per path; what is not signed with it is noted apart."""

    def __init__(self, random: Random) -> None:
        self.arrivals: list[Arrival] = []
        self.badly_signed: list[str] = []
        self.keys: dict[str, Webhook] = {}
        self.came = threading.Event()
        """Set whenever something has come."""
        self.url = ""
        self._random = random
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> str | None:
        """Write down a request; gives how it is to fail, if it is."""
        delivery = headers.get("webhook-id", "")
        try:
            self.keys[path].verify(body, headers)
        except (KeyError, WebhookVerificationError) as error:
            self.badly_signed.append(f"{path} {delivery}: {error!r}")
        with self._lock:
            first = delivery not in self._seen
            self._seen.add(delivery)
            fails = path == FAILING and first and self._random.random() < 0.5
            failure = self._random.choice(_FAILURES) if fails else None
            self.arrivals.append(Arrival(path, delivery, body, accepted=failure is None))
        self.came.set()
        return failure


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # a server that starts again sends much at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders that are killed leave broken connections."""


@contextmanager
def receiving(random: Random) -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver(random)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            failure = receiver.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            if failure == "hang":
                self.rfile.read(1)  # until the sender has given up
            if failure == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if failure in {"hang", "reset"}:
                self.close_connection = True
                return
            self.send_response(200 if failure is None else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is named there
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
