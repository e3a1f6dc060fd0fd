"""One child process, ready for a try: the slot the scheduler reserves, starts work in, and hears the end of."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import structlog

from airgate.engine.ports import TryListener, Work
from airgate.engine.processes.replying import reply
from airgate.engine.wire import FrameConnection
from airgate.sdk import protocol

log = structlog.get_logger(__name__)

EXIT_STATUS_WAIT = 0.5
"""Seconds to wait, after a child's socket closed, for its parent to tell how it died."""


class SlotOwner(Protocol):
    """The DAG-file process a child was forked by, as the child's slot sees it."""

    def child_free(self, slot: ChildSlot) -> None:
        """It can take (more) work."""

    def child_settled(self, slot: ChildSlot) -> None:
        """It was reserved, and has got its work."""

    def child_gone(self, slot: ChildSlot) -> None:
        """Its process is gone and all has been said. Called once."""


class ChildSlot:
    """A connected child of a DAG-file process. Implements `airgate.engine.ports.Slot`."""

    def __init__(
        self,
        connection: FrameConnection,
        *,
        pid: int,
        file_key: str,
        hostname: str,
        reuse_limit: int,
        owner: SlotOwner,
    ) -> None:
        self.pid = pid
        self.file_key = file_key
        self.hostname = hostname
        self._connection = connection
        self._reuse_left = reuse_limit
        self.reserved = False
        """Whether it was promised to work that has not come yet."""
        self._owner = owner
        self._is_gone = False
        self._listener: TryListener | None = None
        self._stopping: asyncio.TimerHandle | None = None
        self._stop_signal: str | None = None
        self._exit_wait: asyncio.TimerHandle | None = None
        self._answers: set[asyncio.Task[None]] = set()
        connection.on_frame = self._frame
        connection.on_closed = self._closed

    @property
    def busy(self) -> bool:
        """Whether work runs in it (its callbacks included)."""
        return self._listener is not None

    def start(self, work: Work, listener: TryListener) -> bool:
        """See the port."""
        self.reserved = False
        if self._connection.closed:
            return False
        message = protocol.StartTry(
            startup=dict(work.startup),
            log_path=work.log_path,
            env=dict(work.env),
            reuse=self._reuse_left > 1,
            callback=work.callback,
            reason=work.reason,
        )
        self._connection.send(protocol.UNSOLICITED, message)
        self._listener = listener
        self._reuse_left -= 1
        self._owner.child_settled(self)
        return True

    def release(self) -> None:
        """See the port."""
        self.reserved = False
        if not self._connection.closed:
            self._owner.child_free(self)

    def discard(self) -> None:
        """Hang up on an idle child: it exits."""
        self._connection.close()

    def stop(self, grace: float) -> None:
        """See the port."""
        if self._connection.closed or self._stopping is not None:
            return
        self._stop_signal = "SIGTERM"
        self._signal(signal.SIGTERM, group=False)
        self._stopping = asyncio.get_running_loop().call_later(grace, self._kill)

    def exited(self, status: int) -> None:
        """The parent reaped it: `status` is its exit code, or minus the signal that ended it."""
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
            self._finish(f"killed by signal {-status} ({name})")
        elif status > 0:
            self._finish(f"its process exited with code {status}")
        else:
            self._finish(None)
        if self._connection.closed:
            self._gone()

    def _kill(self) -> None:
        self._stop_signal = "SIGKILL"
        self._signal(signal.SIGKILL, group=True)

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        # An open socket proves that the process lives, so the pid is still its own.
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if not group or os.getpgid(self.pid) != self.pid:
                os.kill(self.pid, number)
                return
            # What Bash operators start leads a session of its own, outside the group.
            descendants = psutil.Process(self.pid).children(recursive=True)
            os.killpg(self.pid, number)
            for descendant in descendants:
                with suppress(psutil.Error):
                    descendant.send_signal(number)

    def _frame(self, connection: FrameConnection, frame_id: int, body: dict[str, Any]) -> None:
        if body.get("type") == "Idle":
            self._finish(None)
            if self._stop_signal is None:
                self._owner.child_free(self)
            else:
                self.discard()  # the signal may still be on its way, and must not meet other work
            return
        listener = self._listener
        if listener is None:
            log.warning("A child spoke without work", pid=self.pid, message=body.get("type"))
            return
        task = asyncio.ensure_future(reply(connection, frame_id, body, listener.message))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    def _closed(self, connection: FrameConnection) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
        if self._listener is None:
            self._gone()
            return
        # How it died comes from its parent, a moment later; without a parent nobody will tell.
        loop = asyncio.get_running_loop()
        self._exit_wait = loop.call_later(EXIT_STATUS_WAIT, self._vanished)

    def _vanished(self) -> None:
        cause = f"ended by {self._stop_signal}" if self._stop_signal else "its process vanished"
        self._finish(cause)
        self._gone()

    def _finish(self, reason: str | None) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(reason)

    def _gone(self) -> None:
        if self._exit_wait is not None:
            self._exit_wait.cancel()
        if not self._is_gone:
            self._is_gone = True
            self._owner.child_gone(self)
