"""Frames on a blocking socket: this room's end of `airgate.sdk.protocol`."""

from __future__ import annotations

import os
import socket
from typing import Any, NamedTuple

import msgspec

from airgate.sdk import protocol

_HEADER = 4

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list).decode

Body = dict[str, Any]


class Engine(NamedTuple):
    """Where the engine listens, and the secret that `Hello` carries."""

    path: str
    token: str


class Wire:
    """One connection to the engine. Reads never take more than the frame they return.

    So the socket may be handed to Airflow's own decoder between two frames, and back.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    @classmethod
    def connect(cls, path: str) -> Wire:
        """Connect to the engine. Raises OSError when nobody listens there."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        return cls(sock)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, body: msgspec.Struct | Body, frame_id: int = protocol.UNSOLICITED) -> None:
        """Send a frame. Raises OSError when the engine is gone."""
        payload = _encode([frame_id, body])
        self.socket.sendall(len(payload).to_bytes(_HEADER, "big") + payload)

    def receive(self) -> tuple[int, Body | None, Body | None]:
        """Read one frame: its id, its body, and its error, either of which may be None.

        Raises:
            EOFError: the engine has closed the connection.
        """
        header = self._exactly(_HEADER)
        frame = _decode(self._exactly(int.from_bytes(header, "big")))
        error = frame[2] if len(frame) > 2 else None
        return frame[0], frame[1], error

    def _exactly(self, size: int) -> bytearray:
        buffer = bytearray(size)
        view = memoryview(buffer)
        at = 0
        while at < size:
            try:
                got = self.socket.recv_into(view[at:])
            except ConnectionError:
                got = 0
            if not got:
                raise EOFError("the engine has closed the connection")
            at += got
        return buffer


def hello(
    wire: Wire, engine: Engine, role: str, *, file_key: str = "", python: str = "", sdk_version: str = ""
) -> None:
    """Say `Hello`, as every process does first."""
    wire.send(
        protocol.Hello(
            role=role,
            token=engine.token,
            pid=os.getpid(),
            file_key=file_key,
            parent=os.getppid(),
            python=python,
            sdk_version=sdk_version,
        )
    )
