"""One DAG-file process: a DAG file imported once, its answers about dates, and the children it forks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from airgate.engine.ports import FileVersion
from airgate.engine.processes.slots import ChildSlot
from airgate.engine.wire import FrameConnection
from airgate.model.errors import InvalidInput, Unavailable
from airgate.sdk import protocol

log = structlog.get_logger(__name__)

ASK_TIMEOUT = 10.0
"""Seconds a timetable may take to answer."""


class NeverForked(Exception):
    """The nursery died before it could fork this process."""


class FileProcess:
    """A DAG-file process, from the fork on. Slots are offered once it has connected and imported its file."""

    def __init__(self, version: FileVersion, *, on_slot: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.version = version
        self.pid = 0
        self.parsed: asyncio.Future[protocol.Parsed] = loop.create_future()
        self.parsed.add_done_callback(_consume)
        self.last_used = loop.time()
        self.wanted = 0
        """Spares the scheduler waits for now."""
        self.keep = 0
        """Spares kept beyond what is waited for."""
        self._connection: FrameConnection | None = None
        self._idle: deque[ChildSlot] = deque()
        self._children: dict[int, ChildSlot] = {}
        self._questions: dict[int, asyncio.Future[protocol.RunDates]] = {}
        self._next_question = 0
        self._forking = 0
        self._retired = False
        self._on_slot = on_slot

    @property
    def alive(self) -> bool:
        """Whether its process is connected."""
        return self._connection is not None and not self._connection.closed

    @property
    def ready(self) -> bool:
        """Whether its file was imported and it can fork children."""
        return self.alive and self.parsed.done() and self.parsed.exception() is None

    @property
    def dead(self) -> bool:
        """Whether its process has come and gone."""
        return self._connection is not None and self._connection.closed

    @property
    def busy(self) -> bool:
        """Whether any of its children runs work."""
        return any(child.busy for child in self._children.values())

    def connected(self, connection: FrameConnection, pid: int) -> None:
        """Its process said hello."""
        self._connection = connection
        self.pid = pid
        connection.on_frame = self._frame
        connection.on_closed = self._closed

    def nursery_lost(self) -> None:
        """The nursery is gone: a process that has not said hello by now never will."""
        if self._connection is None and not self.parsed.done():
            self.parsed.set_exception(NeverForked())

    def child_connected(self, slot: ChildSlot) -> None:
        """A spare said hello."""
        self._forking = max(0, self._forking - 1)
        if self._retired:
            slot.discard()
            return
        self._children[slot.pid] = slot
        self.child_free(slot)

    def child_free(self, slot: ChildSlot) -> None:
        """A child can take work."""
        if self._retired:
            slot.discard()
            return
        self._idle.append(slot)
        self._on_slot(self.version.key)

    def child_reaped(self, message: protocol.ChildGone) -> None:
        """The nursery tells how a child ended that it had adopted."""
        child = self._children.get(message.pid)
        if child is not None:
            child.exited(message.status)

    def child_gone(self, slot: ChildSlot) -> None:
        """A child's process is gone."""
        self._children.pop(slot.pid, None)
        if slot in self._idle:
            self._idle.remove(slot)
            self.warm()

    def reserve(self) -> ChildSlot | None:
        """Take an idle child, and have the next one forked."""
        self.last_used = asyncio.get_running_loop().time()
        if not self._idle:
            return None
        slot = self._idle.popleft()
        self.warm()
        return slot

    def warm(self) -> None:
        """Have as many spares ready as are waited for or kept."""
        missing = max(self.wanted, self.keep) - len(self._idle) - self._forking
        if missing <= 0 or not self.ready or self._retired:
            return
        assert self._connection is not None
        self._forking += missing
        self._connection.send(protocol.UNSOLICITED, protocol.Warm(spares=missing))

    async def ask(self, question: protocol.NextRun | protocol.ManualInterval) -> protocol.RunDates:
        """Put a question to the DAG's timetable. Raises Unavailable or InvalidInput."""
        if not self.ready:
            raise Unavailable(f"The process of DAG file {self.version.file} is not running; try again.")
        assert self._connection is not None
        self.last_used = asyncio.get_running_loop().time()
        self._next_question += 1
        number = self._next_question
        answer: asyncio.Future[protocol.RunDates] = asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        self._connection.send(number, question)
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                return await answer
        except TimeoutError:
            raise Unavailable(f"The timetable of DAG {question.dag_id} took longer than {ASK_TIMEOUT:.0f} s.") from None
        finally:
            self._questions.pop(number, None)

    def drop_spares(self) -> None:
        """Let go of idle children; the next use forks anew."""
        self.keep = 0
        while self._idle:
            self._idle.popleft().discard()

    def retire(self) -> None:
        """Stop it: idle children go, running tries end by themselves."""
        self._retired = True
        if self._connection is not None:
            self._connection.send(protocol.UNSOLICITED, protocol.Shutdown())
        while self._idle:
            self._idle.popleft().discard()

    def _frame(self, connection: FrameConnection, frame_id: int, body: dict[str, Any]) -> None:
        if frame_id != protocol.UNSOLICITED:
            self._answered(frame_id, body)
            return
        message = msgspec.convert(body, protocol.ToEngine)
        if isinstance(message, protocol.Parsed) and not self.parsed.done():
            self.parsed.set_result(message)
            self.warm()
        elif isinstance(message, protocol.ChildGone):
            child = self._children.get(message.pid)
            if child is not None:
                child.exited(message.status)
            else:
                self._died_unborn(message)

    def _died_unborn(self, message: protocol.ChildGone) -> None:
        # A child that never said hello, or whose end was known already. Only the former frees a place in the queue;
        # mistaking one for the other costs a spare too many, never one too few.
        self._forking = max(0, self._forking - 1)
        self.warm()

    def _answered(self, number: int, body: dict[str, Any]) -> None:
        answer = self._questions.get(number)
        if answer is None or answer.done():
            return
        if body.get("type") == "RunDates":
            answer.set_result(msgspec.convert(body, protocol.RunDates))
        else:
            answer.set_exception(InvalidInput(str(body.get("message", "The timetable failed.")), code="timetable"))

    def _closed(self, connection: FrameConnection) -> None:
        gone = Unavailable(f"The process of DAG file {self.version.file} has ended; try again.")
        if not self.parsed.done():
            self.parsed.set_exception(gone)
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(gone)


def _consume(future: asyncio.Future[Any]) -> None:
    # A parse nobody waits for any more may fail without complaint.
    if not future.cancelled():
        future.exception()
