"""One DAG-file process: a DAG file imported once, its answers about dates, and the children it forks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from airgate.engine.ports import FileVersion
from airgate.engine.processes.children import Children
from airgate.engine.processes.replying import Respond, reply
from airgate.engine.processes.slots import EXIT_STATUS_WAIT, ChildSlot
from airgate.engine.wire import FrameConnection
from airgate.model.errors import InvalidInput, Unavailable
from airgate.sdk import protocol

log = structlog.get_logger(__name__)

ANSWERS = frozenset({"RunDates", "Failed"})
"""What a question is answered with; any other message with an id is a question of DAG code."""
ASK_TIMEOUT = 10.0
"""Seconds a timetable may take to answer."""


class NeverForked(Exception):
    """The nursery died before it could fork this process."""


class FileProcess:
    """A DAG-file process, from the fork on. Slots are offered once it has connected and imported its file.

    Args:
        on_slot: called with the version's key when one of its children can take work.
        respond: answers what code at the top of the file, or in a timetable, asks for.
    """

    def __init__(self, version: FileVersion, *, on_slot: Callable[[str], None], respond: Respond) -> None:
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
        self.children = Children(self)
        self._connection: FrameConnection | None = None
        self._questions: dict[int, asyncio.Future[protocol.RunDates]] = {}
        self._next_question = 0
        self._retired = False
        self._on_slot = on_slot
        self._status: asyncio.Future[int] = loop.create_future()
        self._respond = respond
        self._replies: set[asyncio.Task[None]] = set()

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

    def connected(self, connection: FrameConnection, pid: int) -> None:
        """Its process said hello."""
        self._connection = connection
        self.pid = pid
        connection.on_frame = self._frame
        connection.on_closed = self._closed

    def nursery_lost(self) -> None:
        """The nursery is gone: a process that has not said hello by now never will."""
        if self._connection is None:
            self.give_up(NeverForked())

    def reaped(self, message: protocol.ChildGone) -> None:
        """The nursery tells how one of its children ended."""
        if message.pid == self.pid and not self._status.done():
            self._status.set_result(message.status)

    async def exit_status(self) -> int | None:
        """How its process ended (see `ChildGone`), which may be heard a moment after its connection; None: unheard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_STATUS_WAIT):
                return await asyncio.shield(self._status)
        return None

    def give_up(self, reason: Exception) -> None:
        """Its import comes to nothing, if it is not over."""
        if not self.parsed.done():
            self.parsed.set_exception(reason)

    def reserve(self) -> ChildSlot | None:
        """Take an idle child, and have the next one forked."""
        self.last_used = asyncio.get_running_loop().time()
        slot = self.children.reserve()
        if slot is not None:
            self.warm()
        return slot

    def warm(self) -> None:
        """Have as many spares ready as are waited for or kept."""
        missing = max(self.wanted, self.keep) - self.children.ready
        if missing <= 0 or not self.ready or self._retired:
            return
        assert self._connection is not None
        self.children.forking += missing
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
        self.children.discard_idle()

    def retire(self) -> None:
        """Stop it: idle children go, running tries end by themselves, promised slots are kept until they are used."""
        self._retired = True
        self.children.discard_idle()
        self._shut_down()

    def takes(self, slot: ChildSlot) -> bool:
        """Whether a free child is kept (see `Children`)."""
        return not (self._retired or self.dead)

    def slots_changed(self, *, free: bool = False) -> None:
        """Something about its children has changed; with `free`, one of them can take work (see `Children`)."""
        if free:
            self._on_slot(self.version.key)
        else:
            self.warm()
            self._shut_down()

    def _shut_down(self) -> None:
        # An idle child leaves when its parent does, so the parent stays while one is promised to somebody.
        if self._retired and self._connection is not None and not self.children.promised:
            self._connection.send(protocol.UNSOLICITED, protocol.Shutdown())

    def _frame(self, connection: FrameConnection, frame_id: int, body: dict[str, Any]) -> None:
        if frame_id != protocol.UNSOLICITED:
            if body.get("type") in ANSWERS:
                self._answered(frame_id, body)
            else:
                task = asyncio.create_task(reply(connection, frame_id, body, self._respond))
                self._replies.add(task)
                task.add_done_callback(self._replies.discard)
            return
        message = msgspec.convert(body, protocol.ToEngine)
        if isinstance(message, protocol.Parsed) and not self.parsed.done():
            self.parsed.set_result(message)
            self.warm()
        elif isinstance(message, protocol.ChildGone):
            self.children.reaped(message, by_parent=True)

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
        self.give_up(gone)
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(gone)
        self.children.discard_idle()  # they leave with their parent
        if self.parsed.exception() is None and not self._retired:
            self._on_slot(self.version.key)  # who waits for a slot has to ask for another process


def _consume(future: asyncio.Future[Any]) -> None:
    # A parse nobody waits for any more may fail without complaint.
    if not future.cancelled():
        future.exception()
