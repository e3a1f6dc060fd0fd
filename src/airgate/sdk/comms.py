"""Airflow's way to ask its supervisor, over our sockets."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder, ErrorResponse, ToTask, _ResponseFrame
from pydantic import TypeAdapter

from airgate.sdk import protocol

# Building these takes tens of milliseconds, so every decoder shares them.
_BODY: TypeAdapter[Any] = TypeAdapter(ToTask)
_ERROR: TypeAdapter[Any] = TypeAdapter(ErrorResponse)

_OURS = frozenset(
    struct.__struct_config__.tag
    for struct in (protocol.Warm, protocol.NextRun, protocol.ManualInterval, protocol.Shutdown)
)


def use_comms(comms: Any) -> None:
    """Make `comms` what the Task SDK asks."""
    task_runner.SUPERVISOR_COMMS = comms


class TryComms(CommsDecoder[Any, Any]):
    """Airflow's own decoder, on a socket of ours."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(
            log=structlog.get_logger(logger_name="task"), socket=sock, body_decoder=_BODY, err_decoder=_ERROR
        )


class FileComms(TryComms):
    """For code at the top of a DAG file that asks for variables or connections.

    It shares the DAG-file process's connection. Orders of the engine that arrive before an answer are set aside.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._aside: deque[_ResponseFrame] = deque()

    def _read_frame(self, maxfds: int | None = None) -> Any:
        while True:
            frame = super()._read_frame(None)
            if frame.body is not None and frame.body.get("type") in _OURS:
                self._aside.append(frame)
                continue
            return (frame, []) if maxfds else frame

    def set_aside(self) -> Iterator[tuple[int, msgspec.Struct]]:
        """Orders that came while an answer was awaited, oldest first; each is given once."""
        while self._aside:
            frame = self._aside.popleft()
            yield frame.id, msgspec.convert(frame.body, protocol.ToProcess)
