"""Targets of webhooks that mean no good: plain sockets that do as they like with whoever connects."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")

Behave = Callable[["Target", socket.socket], None]
"""What is done with a connection whose request has been read."""


class Target:
    """Where webhooks are sent to."""

    def __init__(self, port: int, behave: Behave) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.behave = behave
        self.requests: list[bytes] = []
        self.ended = threading.Event()
        """Set when the test is over: those who wait give up."""
        self.open = 0
        """Connections that are being misbehaved to."""
        self.most_sent = 0
        """Bytes that went to one connection until it was cut."""
        self.lock = threading.Lock()

    def serve(self, connection: socket.socket) -> None:
        """Read one request, and misbehave."""
        with connection, suppress(OSError):
            request = _read(connection)
            if not request:
                return
            with self.lock:
                self.requests.append(request)
                self.open += 1
            try:
                self.behave(self, connection)
            finally:
                with self.lock:
                    self.open -= 1

    def pour(self, connection: socket.socket, block: bytes, blocks: int) -> None:
        """Send a block again and again, until it is enough or nobody takes any more."""
        for number in range(blocks):
            with self.lock:
                self.most_sent = max(self.most_sent, number * len(block))
            connection.sendall(block)


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    length = int(found[1]) if found else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def target(behave: Behave) -> Iterator[Target]:
    """A target on a port of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        made = Target(listening.getsockname()[1], behave)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=made.serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


# ----------------------------------------------------------------------------------------------------------- behaviour


def answers(raw: bytes) -> Behave:
    """Always these bytes, and the end of the connection."""

    def behave(_: Target, connection: socket.socket) -> None:
        connection.sendall(raw)

    return behave


def status(number: int, *lines: str) -> Behave:
    """Always this status."""
    head = "".join(f"{line}\r\n" for line in lines)
    return answers(f"HTTP/1.1 {number} X\r\n{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())


def drips(begin: bytes) -> Behave:
    """One byte a second after `begin`, for ever."""

    def behave(self: Target, connection: socket.socket) -> None:
        connection.sendall(begin)
        while not self.ended.wait(1.0):
            connection.sendall(b"x")

    return behave


def floods(head: bytes, block: bytes, blocks: int) -> Behave:
    """A head, and then as many blocks as are taken."""

    def behave(self: Target, connection: socket.socket) -> None:
        connection.sendall(head)
        self.pour(connection, block, blocks)

    return behave
