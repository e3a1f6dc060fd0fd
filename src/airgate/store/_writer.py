"""The writer thread: whatever has gathered while a commit was running is committed together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from airgate.model.errors import Unavailable
from airgate.store import _schema as schema
from airgate.store._failures import explain, unavailable
from airgate.store._session import Lost, OutcomeUnknown, Session
from airgate.store._tx import Tx

GROUP = 1000
"""Most submissions in one commit: bounds how long the first of them waits for the last."""
PROBE_SECONDS = 0.5
"""How often an unavailable database is tried while nobody writes."""

Answer = tuple[asyncio.Future[Any], Any, BaseException | None]


class Job(Protocol):
    """Work that succeeds or fails by itself."""

    def run(self, session: Session, tx: Tx, *, alone: bool) -> None:
        """Do the work and keep its result or error. Raises Lost where the whole transaction is over.

        With `alone` there is nothing else in the transaction: it may be left half done if `spoiled` says so.
        """

    @property
    def spoiled(self) -> Exception | None:
        """The error after which the transaction must be rolled back, if there was one."""

    def answers(self) -> list[Answer]:
        """Each future, with the result or the error it gets once the commit has succeeded."""

    def failed(self, error: Exception) -> list[Answer]:
        """Each future, with the error it gets because the commit has failed."""


class Call:
    """One function submitted by `Database.write`."""

    def __init__(self, call: Callable[[Tx], Any], future: asyncio.Future[Any]) -> None:
        self._call = call
        self._future = future
        self._result: Any = None
        self._error: Exception | None = None
        self._alone = False

    def run(self, session: Session, tx: Tx, *, alone: bool) -> None:
        self._alone = alone
        try:
            self._result = self._call(tx) if alone else session.guarded(lambda: self._call(tx))
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            self._error = explain(error)

    @property
    def spoiled(self) -> Exception | None:
        return self._error if self._alone else None

    def answers(self) -> list[Answer]:
        return [(self._future, self._result, self._error)]

    def failed(self, error: Exception) -> list[Answer]:
        return [(self._future, None, self._error or error)]


class Batch:
    """Items of one kind, gathered by `Database.write_item`."""

    def __init__(self, fn: Callable[[Tx, Sequence[Any]], Sequence[Any]]) -> None:
        self._fn = fn
        self._items: list[Any] = []
        self._futures: list[asyncio.Future[Any]] = []
        self._results: list[Any] = []

    def add(self, item: Any, future: asyncio.Future[Any]) -> None:
        """Take one more item."""
        self._items.append(item)
        self._futures.append(future)

    def run(self, session: Session, tx: Tx, *, alone: bool) -> None:
        try:
            self._results = session.guarded(lambda: self._together(tx, self._items))
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to a caller
            # Somebody's item is at fault, and nobody else's: give each a call of its own.
            self._results = [error] if len(self._items) == 1 else [self._single(session, tx, i) for i in self._items]

    def _together(self, tx: Tx, items: Sequence[Any]) -> list[Any]:
        results = list(self._fn(tx, items))
        if len(results) != len(items):
            raise TypeError(f"{self._fn!r} gave {len(results)} results for {len(items)} items")
        return results

    def _single(self, session: Session, tx: Tx, item: Any) -> Any:
        try:
            return session.guarded(lambda: self._together(tx, [item]))[0]
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 - see `run`
            return error

    @property
    def spoiled(self) -> Exception | None:
        return None

    def answers(self) -> list[Answer]:
        return [
            (future, None, result) if isinstance(result, Exception) else (future, result, None)
            for future, result in zip(self._futures, self._results, strict=True)
        ]

    def failed(self, error: Exception) -> list[Answer]:
        return [(future, None, error) for future in self._futures]


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self.healthy = True
        self._session = session
        self._loop = loop
        self._queue: SimpleQueue[tuple[Any, Any, asyncio.Future[Any]] | None] = SimpleQueue()
        self._unsettled: tuple[list[Job], str] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="airgate-store-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was submitted, then end the thread. Blocks."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def submit(self, call: Callable[[Tx], Any]) -> asyncio.Future[Any]:
        """Submit one function."""
        return self._submit(call, _NO_ITEM)

    def submit_item(self, fn: Callable[[Tx, Sequence[Any]], Sequence[Any]], item: Any) -> asyncio.Future[Any]:
        """Submit one item of a batch."""
        return self._submit(fn, item)

    def _submit(self, fn: Any, item: Any) -> asyncio.Future[Any]:
        future = self._loop.create_future()
        if self._closed:
            future.set_exception(unavailable("it has been closed"))
        else:
            self._queue.put((fn, item, future))
        return future

    # ------------------------------------------------------------------------------------------------ on the thread

    def _work(self) -> None:
        running = True
        while running:
            jobs, running = self._gather()
            self._settle()
            if jobs:
                self._commit(jobs)
            elif not self.healthy and running:
                self._probe()
        if self._unsettled is not None:
            # Neither "done" nor "failed" would be the truth, so it is neither.
            self._tell([(future, None, asyncio.CancelledError()) for future, *_ in _all(self._unsettled[0])])
        self._session.drop()

    def _gather(self) -> tuple[list[Job], bool]:
        """Wait for work and take all there is, in order; False once the queue has been closed."""
        jobs: list[Job] = []
        batches: dict[Any, Batch] = {}
        restless = not self.healthy or self._unsettled is not None
        try:
            for number in range(GROUP):
                wait = number == 0
                entry = self._queue.get(block=wait, timeout=PROBE_SECONDS if wait and restless else None)
                if entry is None:
                    return jobs, False
                fn, item, future = entry
                if item is _NO_ITEM:
                    jobs.append(Call(fn, future))
                else:
                    if fn not in batches:
                        jobs.append(batches.setdefault(fn, Batch(fn)))
                    batches[fn].add(item, future)
        except Empty:
            pass
        return jobs, True

    def _commit(self, jobs: list[Job]) -> None:
        try:
            if self._unsettled is not None:
                raise unavailable("it is not known yet what became of the writes before this one")
            answers = self._transaction(jobs)
        except OutcomeUnknown as unknown:
            self.healthy = False
            self._session.drop()
            self._unsettled = (jobs, unknown.transaction_id)
        except Exception as error:  # noqa: BLE001 - the thread must live, and every caller must hear of it
            self.healthy = False
            self._session.drop()
            self._tell([answer for job in jobs for answer in job.failed(_cause(error))])
        else:
            self._tell(answers)

    def _transaction(self, jobs: list[Job]) -> list[Answer]:
        tx = self._session.begin()
        for job in jobs:
            job.run(self._session, tx, alone=len(jobs) == 1)
        spoiled = jobs[0].spoiled
        if isinstance(spoiled, Unavailable):
            raise spoiled
        if spoiled is not None:
            self._session.rollback()
        else:
            self._session.commit()
            self.healthy = True
        return _all(jobs)

    def _settle(self) -> None:
        """Learn what became of the commit whose answer was lost, if there is one."""
        if self._unsettled is None:
            return
        jobs, transaction_id = self._unsettled
        try:
            committed = self._session.outcome(transaction_id)
        except Unavailable:
            self._session.drop()
            return
        self._session.rollback()
        if committed is None:
            return
        self._unsettled = None
        self.healthy = True
        lost = unavailable("the connection to the database server was lost")
        self._tell(_all(jobs) if committed else [answer for job in jobs for answer in job.failed(lost)])

    def _probe(self) -> None:
        """Commit something that changes nothing, so that health is known before somebody asks for it."""
        try:
            tx = self._session.begin()
            tx.run(schema.meta.delete().where(schema.meta.c.key == "probe"))
            tx.run(schema.meta.insert().values(key="probe", value=""))
            self._session.commit()
            self.healthy = True
        except (Unavailable, OutcomeUnknown, SQLAlchemyError):
            self._session.drop()

    def _tell(self, answers: list[Answer]) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, answers)


_NO_ITEM = object()


def _all(jobs: Sequence[Job]) -> list[Answer]:
    return [answer for job in jobs for answer in job.answers()]


def _cause(error: Exception) -> Exception:
    """What the callers of a group hear that could not be committed."""
    cause = error.cause if isinstance(error, Lost) else error
    if isinstance(cause, Unavailable):
        return cause
    return unavailable("the transaction broke off") if isinstance(error, Lost | SQLAlchemyError) else cause


def _resolve(answers: list[Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # cancelled meanwhile; what was written stays written
            continue
        if error is None:
            future.set_result(result)
        elif isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
