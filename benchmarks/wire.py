"""A lean HTTP/1.1 client on one kept connection, so that what is measured is the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


class ConnectionLost(Exception):
    """The server closed the connection within an answer, or before it."""


@dataclass
class Wire:
    """One connection. Requests go one after another."""

    port: int
    headers: Mapping[str, str]
    timeout: float = 60.0
    _socket: socket.socket | None = None
    _rest: bytes = field(default=b"", repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._rest = b""

    def get(self, path: str) -> Any:
        """GET, decoded. Raises for a status other than 200."""
        status, body = self.send("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:500]!r}")
        return json.loads(body)

    def post(self, path: str, body: Mapping[str, Any]) -> int:
        """POST JSON; the status."""
        return self.send("POST", path, json.dumps(body).encode())[0]

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request, one answer.

        Raises:
            OSError, ConnectionLost: there was none.
        """
        try:
            return self._exchange(request(method, path, self.headers, body))
        except (OSError, ConnectionLost):
            self.close()
            raise

    def _exchange(self, message: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(message)
        head = self._until(b"\r\n\r\n")
        status = int(head[9:12])
        fields = _fields(head)
        if fields.get("transfer-encoding") == "chunked":
            body = self._chunks()
        else:
            body = self._take(int(fields.get("content-length", "0")))
        if fields.get("connection") == "close":
            self.close()
        return status, body

    def _until(self, mark: bytes) -> bytes:
        while (at := self._rest.find(mark)) < 0:
            self._receive()
        found, self._rest = self._rest[:at], self._rest[at + len(mark) :]
        return found

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._receive()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._until(b"\r\n"), 16):
            parts.append(self._take(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(parts)

    def _receive(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionLost
        self._rest += data


def request(method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def _fields(head: bytes) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, value in pairs}
