"""Frames on a socket, the engine's end: Airflow's supervisor framing over asyncio.

See `airgate.sdk.protocol` for what the frames mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec

_HEADER = 4
MAX_FRAME = 256 * 1024 * 1024
"""Bytes. A peer that announces more is cut off: nothing a task may say is that long."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list).decode

OnFrame = Callable[["FrameConnection", int, dict[str, Any]], None]
OnClosed = Callable[["FrameConnection"], None]


class FrameConnection(asyncio.Protocol):
    """One connected process. `on_frame` gets (connection, id, body) for each frame, in order; `on_closed` once.

    While it is open it is a member of `among`. The two callbacks may be replaced meanwhile: after `Hello` a
    connection is handed to whoever it concerns.
    """

    def __init__(self, on_frame: OnFrame, on_closed: OnClosed, among: set[FrameConnection]) -> None:
        self.on_frame = on_frame
        self.on_closed = on_closed
        self._among = among
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: the peer is gone."""
        self.closed = True
        self._among.discard(self)
        self.on_closed(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: cut what has come into frames."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _HEADER:
            length = int.from_bytes(buffer[start : start + _HEADER], "big")
            if length > MAX_FRAME:
                self.close()
                return
            end = start + _HEADER + length
            if len(buffer) < end:
                break
            frame = _decode(memoryview(buffer)[start + _HEADER : end])
            start = end
            self.on_frame(self, frame[0], frame[1] or {})
        if start:
            del buffer[:start]

    def send(self, frame_id: int, body: Any, error: dict[str, Any] | None = None) -> None:
        """Queue a frame. `body` is a map or a protocol Struct. Silently dropped when the peer is gone.

        Raises:
            ValueError: the body holds something MessagePack has no form for.
        """
        if self.closed or self._transport is None:
            return
        try:
            payload = _encode([frame_id, body, error])
        except (TypeError, OverflowError, RecursionError) as problem:
            raise ValueError(f"cannot be written as MessagePack: {problem}") from problem
        self._transport.write(len(payload).to_bytes(_HEADER, "big") + payload)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
