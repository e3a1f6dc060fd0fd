"""Processes that have children and a connection to the engine: forking, reaping, and the loop that serves both."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec
from setproctitle import setproctitle

from airgate.sdk import protocol
from airgate.sdk.wire import Wire

_DEFAULT_IN_CHILD = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


class Parent:
    """Serves one connection and reaps the children forked meanwhile. Single-threaded, as forking demands.

    Subclasses implement `handle`. The process ends when the connection closes.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.children: set[int] = set()
        self._alarm, self._alarm_in = socket.socketpair()
        self._alarm.setblocking(False)
        self._alarm_in.setblocking(False)
        self._selector = selectors.DefaultSelector()

    def handle(self, frame_id: int, message: msgspec.Struct) -> None:
        """Act on one message of the engine."""
        raise NotImplementedError

    def reaped(self, pid: int, status: int) -> None:
        """A child is gone: tell the engine. `status` is its exit code, or minus its signal."""
        self.wire.send(protocol.ChildGone(pid=pid, status=status))

    def serve(self) -> NoReturn:
        """Handle messages and reap children until the engine is gone."""
        self._listen()
        self.reap()
        try:
            self._selector.register(self.wire, selectors.EVENT_READ, self._read)
            self._selector.register(self._alarm, selectors.EVENT_READ, self._woken)
            while True:
                for key, _ in self._selector.select():
                    key.data()
        except (EOFError, ConnectionError):
            leave(0)

    def fork(self, become: Callable[[], None]) -> int:
        """Fork a child that runs `become` and never returns from it; gives its pid."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self.children.add(pid)
            return pid
        try:
            signal.set_wakeup_fd(-1)
            for number in _DEFAULT_IN_CHILD:
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            self.wire.close()
            self._alarm.close()
            self._alarm_in.close()
            become()
        except BaseException:
            traceback.print_exc()
        finally:
            leave(70)

    def reap(self) -> None:
        """Collect children that have ended. Those that DAG code started itself are left to it."""
        for pid in tuple(self.children):
            try:
                gone, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # DAG code has waited for any child, and got ours
                self.children.discard(pid)
                continue
            if gone:
                self.children.discard(pid)
                self.reaped(pid, os.waitstatus_to_exitcode(status))

    def _read(self) -> None:
        frame_id, body, _ = self.wire.receive()
        if body is not None:
            self.handle(frame_id, msgspec.convert(body, protocol.ToProcess))
            self._listen()

    def _listen(self) -> None:
        """Be woken when a child ends. Said anew after DAG code has run: an event loop of its own would undo it."""
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(self._alarm_in.fileno(), warn_on_full_buffer=False)

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            while self._alarm.recv(512):
                pass
        self.reap()


def name_process(text: str) -> None:
    """Show in process lists what this process is."""
    if sys.platform != "darwin":  # where it breaks system libraries after a fork
        setproctitle(f"airgate: {text}")


def leave(code: int) -> NoReturn:
    """End this process at once, after what was printed has been written."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _nothing(_number: int, _frame: object) -> None:
    """A handler that only lets the signal be noticed."""
