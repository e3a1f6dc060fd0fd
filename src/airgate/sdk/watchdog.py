"""Ends a try, or an import, whose engine has died."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil  # type: ignore[import-untyped]

GRACE = 5.0
"""Seconds between SIGTERM, on which Airflow calls the operator's ``on_kill``, and SIGKILL."""

_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux; elsewhere the POLLHUP that is reported anyway


@contextmanager
def while_engine_lives(fd: int) -> Iterator[None]:
    """Meanwhile this process, with all of its group, is killed when the engine at the other end of `fd` is gone.

    For an import: one that hangs would otherwise outlive its engine for ever. No thread is left afterwards.
    """
    stop, stopped = os.pipe()

    def watch() -> None:
        poll = select.poll()
        poll.register(fd, _CLOSED)
        poll.register(stop, select.POLLIN)
        if fd in dict(poll.poll()):
            os.killpg(os.getpgid(0), signal.SIGKILL)

    thread = threading.Thread(target=watch, name="airgate-import", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(stopped, b"!")
        thread.join()
        os.close(stop)
        os.close(stopped)


class Watchdog:
    """Watches the engine's socket from a thread of its own, without reading from it.

    When the engine is gone and `busy` is set, the process is told to end; else it exits at once.
    """

    def __init__(self, fd: int) -> None:
        self.busy = False
        self._fd = fd
        threading.Thread(target=self._watch, name="airgate-watchdog", daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, _CLOSED)
        poll.poll()
        if not self.busy:
            os._exit(0)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(GRACE)
        _kill_all()


def _kill_all() -> None:
    """Kill this process, what it has started (Bash tasks lead a session of their own), and its group."""
    with suppress(psutil.Error):
        for descendant in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                descendant.kill()
    os.killpg(os.getpgid(0), signal.SIGKILL)
