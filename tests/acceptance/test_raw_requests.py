"""What no HTTP library sends: written to the socket of a running server byte by byte."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.server import PASSWORD, USER, Server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dags"
CREDENTIAL = b"Authorization: Basic " + b64encode(f"{USER}:{PASSWORD}".encode()) + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(dags=EXAMPLES, data=tmp_path_factory.mktemp("raw") / "data") as running:
        running.wait_for_dag("hello")
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        yield opened


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


@pytest.mark.parametrize("line", [b"X: " + b"a" * 999 + b"\r\n", b"a" * 1000])
def test_head_without_end_is_refused_and_the_connection_closed(connection: socket.socket, line: bytes) -> None:
    sent = 0
    with suppress(OSError):  # the server closes, at the latest when its socket's buffer is full
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nY: ")
        for _ in range(100_000):
            connection.sendall(line)
            sent += len(line)
    assert sent < 50_000_000
    with suppress(ConnectionResetError):  # its answer was overtaken by the end of the connection
        assert answer(connection).startswith(b"HTTP/1.1 431 ")


def test_heads_of_pipelined_requests_with_large_bodies_are_not_taken_together(connection: socket.socket) -> None:
    body = b'{"conf": {"n": "' + b"x" * 100_000 + b'"}}'
    head = b"POST /api/v1/dags/hello/dagRuns HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + CREDENTIAL
    request = head + b"Content-Length: %d\r\n" % len(body)
    connection.sendall((request + b"\r\n" + body) * 2 + request + b"Connection: close\r\n\r\n" + body)
    assert answer(connection).count(b"HTTP/1.1 200 ") == 3


def test_trailers_change_nothing_of_a_request(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /api/v1/dags/hello/dagRuns HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + CREDENTIAL + b"\r\n"
    )
    assert answer(connection).startswith(b"HTTP/1.1 401 ")
