"""Ends a try whose engine has died."""

from __future__ import annotations

import os
import select
import signal
import threading

GRACE = 5.0
"""Seconds between SIGTERM, on which Airflow calls the operator's ``on_kill``, and SIGKILL."""

_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux; elsewhere the POLLHUP that is reported anyway


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
        # The child made itself leader of its group, so this reaches what the task has started, too.
        os.killpg(os.getpgid(0), signal.SIGKILL)
