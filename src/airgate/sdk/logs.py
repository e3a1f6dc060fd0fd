"""Logs of tries: JSON lines in the shape Airflow 3 writes, in the file the engine names.

Airflow's logging is configured once, in the nursery, onto a `Sink`: a descriptor of our own that never changes. A
try points that descriptor, and descriptors 1 and 2, at its log file. So a try pays nothing for configuring logging,
loggers that were cached while the DAG file was imported write to the right place, and whatever DAG code does to
``sys.stdout`` or to descriptor 1 cannot cut off the log.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import sys
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import msgspec
from airflow.sdk._shared.secrets_masker import _secrets_masker
from airflow.sdk.log import configure_logging, reset_logging

_LOWEST_FD = 100
"""The sink keeps clear of the numbers that scripts use."""
_LONGEST_PART = 64 * 1024
"""Bytes of a printed line without an end after which what there is becomes a log line of its own."""
_JWT = re.compile(rb"eyJ[.A-Za-z0-9_-]*")
_EXCEPTION = b'"exception":['

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Sink(io.RawIOBase):
    """The file that Airflow's loggers write to, one whole line at a time. Starts as a copy of `stderr`."""

    def __init__(self) -> None:
        super().__init__()
        self._fd = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD)

    def fileno(self) -> int:
        """The descriptor, the same for the life of the process and of its children."""
        return self._fd

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write log lines whole. What cannot be written (disk full) is dropped: a log must not end a task."""
        line = bytes(data)
        if _EXCEPTION in line:
            line = _as_supervisor(line)
        write_all(self._fd, line)
        return len(data)

    def point_at(self, fd: int) -> None:
        """Make the sink write to what `fd` is open on."""
        os.dup2(fd, self._fd, inheritable=False)

    def silence(self) -> None:
        """Make the sink write nowhere, until it is pointed elsewhere."""
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self.point_at(null)
        os.close(null)


class PrintedLines(io.RawIOBase):
    """What ``sys.stdout`` and ``sys.stderr`` of DAG code write to: every line becomes a log line.

    Args:
        sink: where log lines go.
        fd: 1 or 2, for those who ask for the stream's descriptor to hand it to a subprocess.
        logger: the name the lines carry, as with Airflow's supervisor.
        level: their level.
    """

    def __init__(self, sink: Sink, fd: int, logger: str, level: str) -> None:
        super().__init__()
        self._sink = sink
        self._fd = fd
        self._tail = f'"logger":"{logger}"}}\n'.encode()
        self._level = level
        self._part = bytearray()

    def fileno(self) -> int:
        """Descriptor 1 or 2, which a try points at its log file."""
        return self._fd

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes; lines that are complete are logged at once."""
        chunk = bytes(data)
        head, newline, rest = chunk.rpartition(b"\n")
        if newline:
            self._part += head
            lines = bytes(self._part).split(b"\n")
            self._part = bytearray(rest)
            self._log(lines)
        else:
            self._part += chunk
        if len(self._part) >= _LONGEST_PART:
            self.finish()
        return len(chunk)

    def finish(self) -> None:
        """Log what was printed without the end of a line."""
        if self._part:
            part, self._part = bytes(self._part), bytearray()
            self._log([part])

    def _log(self, lines: list[bytes]) -> None:
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        head = f'{{"timestamp":"{now}","level":"{self._level}","event":'.encode()
        out = bytearray()
        for line in lines:
            text = line.rstrip(b"\r")
            out += head
            out += _encode(masked(text))
            out += b","
            out += self._tail
        write_all(self._sink.fileno(), out)


def write_all(fd: int, data: Any) -> None:
    """Write all of `data`, or drop what cannot be written."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        return


def configure(sink: Sink) -> None:
    """Send everything that is logged, by structlog or the standard library, to the sink."""
    reset_logging()
    configure_logging(json_output=True, output=sink)


class Streams:
    """The standard streams of a process that runs DAG code."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._out: PrintedLines | None = None
        self._err: PrintedLines | None = None

    def capture(self, of: str = "task") -> None:
        """Replace ``sys.stdout`` and ``sys.stderr`` by ones whose lines become log lines.

        Args:
            of: the first part of the loggers' names, as Airflow has them: ``task`` or ``dag_processor``.
        """
        self.settle()
        self._out = PrintedLines(self.sink, 1, f"{of}.stdout", "info")
        self._err = PrintedLines(self.sink, 2, f"{of}.stderr", "error")
        sys.stdout = _text(self._out)
        sys.stderr = _text(self._err)

    def settle(self) -> None:
        """Log what was printed so far, unfinished lines included."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        for lines in (self._out, self._err):
            if lines is not None:
                lines.finish()

    def point_at(self, path: str) -> None:
        """Send log lines, printed lines and raw output of subprocesses to the end of the file at `path`.

        Raises:
            OSError: the file cannot be opened.
        """
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o664)
        try:
            self.sink.point_at(fd)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
        finally:
            os.close(fd)


def _text(lines: PrintedLines) -> io.TextIOWrapper:
    # Writes go straight through to `lines`, so that order between the two streams and the log is kept.
    buffer = io.BufferedWriter(lines, buffer_size=_LONGEST_PART)
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def keep_secret(secret: Any, name: str | None) -> None:
    """Mask this in everything that is logged from now on."""
    _secrets_masker().add_mask(secret, name)


def masked(line: bytes) -> str:
    """The line as text, without secrets known to Airflow and without tokens."""
    if b"eyJ" in line:
        line = _JWT.sub(b"eyJ***", line)
    text = line.decode("utf-8", errors="replace")
    masker = _secrets_masker()
    return str(masker.redact(text)) if masker.replacer is not None else text


def _as_supervisor(lines: bytes) -> bytes:
    """Rename a traceback as Airflow's supervisor does when it writes what a task process has logged."""
    out = []
    for line in lines.splitlines():
        if _EXCEPTION in line:
            event = _decode(line)
            event["error_detail"] = event.pop("exception")
            line = _encode(event)  # noqa: PLW2901
        out.append(line)
    return b"\n".join(out) + b"\n"
