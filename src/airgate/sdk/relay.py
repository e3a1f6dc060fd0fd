"""Lets the Python that an operator starts (virtualenv, external interpreter) talk to the engine like its task.

Airflow's operators give such a program the number of a descriptor in ``__AIRFLOW_SUPERVISOR_FD``. On it the program
asks for variables and the like, and first of all for a descriptor to log to, which only a process on the same machine
can hand out. So the try gives it a socket of its own, hands out the descriptor, and passes everything else on.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airgate.sdk import logs
from airgate.sdk.wire import Wire

_VARIABLE = "__AIRFLOW_SUPERVISOR_FD"
_RELAUNCHES = "_BasePythonVirtualenvOperator"


@contextmanager
def offered(task: Any, comms: Any, sink: logs.Sink) -> Iterator[None]:
    """While this lasts, what the task starts can reach the engine through `comms`; for operators that need it."""
    kind = task.operator_class if isinstance(task, MappedOperator) else type(task)
    if not isinstance(kind, type) or all(base.__name__ != _RELAUNCHES for base in kind.__mro__):
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    os.environ[_VARIABLE] = str(theirs.fileno())
    threading.Thread(target=_pass_on, args=(Wire(ours), comms, sink), name="airgate-relay", daemon=True).start()
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        theirs.close()
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)


def _pass_on(program: Wire, comms: Any, sink: logs.Sink) -> None:
    engine = Wire(comms.socket)
    with suppress(EOFError, OSError):
        while True:
            frame_id, body, _ = program.receive()
            if body is None or body.get("type") == "ResendLoggingFD":
                _hand_out_log(program, frame_id, sink)
                continue
            if body.get("type") == "MaskSecret":
                logs.keep_secret(body["value"], body.get("name"))
            with comms._thread_lock:  # noqa: SLF001 - the lock of the socket that both use
                engine.send(body, frame_id)
                answer = engine.receive()
            program.socket.sendall(_framed(list(answer)))


def _hand_out_log(program: Wire, frame_id: int, sink: logs.Sink) -> None:
    """Give the program a pipe to log to, and log what comes out of it."""
    reading, writing = os.pipe()
    threading.Thread(target=_log_lines, args=(reading, sink), name="airgate-relay-log", daemon=True).start()
    frame = _framed([frame_id, {"type": "SentFDs", "fds": [writing]}, None])
    socket.send_fds(program.socket, [frame], [writing])
    os.close(writing)


def _log_lines(reading: int, sink: logs.Sink) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            # What a program says to its supervisor is not masked yet.
            sink.write(logs.masked(line.rstrip(b"\n")).encode() + b"\n")


def _framed(frame: list[Any]) -> bytes:
    payload = msgspec.msgpack.encode(frame)
    return len(payload).to_bytes(4, "big") + payload
