"""The database: one writer that commits in groups, a few readers, and what happens when it is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from cryptography.fernet import Fernet

from airgate.model.dag import DagSpec
from airgate.model.errors import InvalidInput, Unavailable
from airgate.store import _schema as schema
from airgate.store._connect import Backend, Timeouts, backend_for
from airgate.store._migrate import migrate
from airgate.store._session import Session
from airgate.store._tx import Tx
from airgate.store._writer import Writer

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

_SEAL = "secret_seal"
_READERS = 3

__all__ = ["Database", "Tx"]


class Database:
    """SQLite or PostgreSQL, opened and migrated.

    Obligations (each has a test, on both):
      * `write` keeps submission order, and its future resolves only after the commit has reached the disk.
      * writes that gathered while a commit was running are committed together.
      * a function that raises undoes its own work only; its neighbours in the group commit.
      * when the database is locked, full or gone, the future raises `Unavailable` and nothing of that function is kept;
        once the database is back, writes work again without a restart.
      * a write whose future raised was not committed. Where the answer of a commit was lost, the future waits until
        the server has said what became of it.
      * a function is called exactly once, on the writer thread; it must not keep the transaction.
      * cancelling a future does not take the write back.
    """

    def __init__(self, backend: Backend, cipher: Fernet) -> None:
        self._backend = backend
        self._cipher = cipher
        self._specs: dict[UUID, DagSpec] = {}
        self._writer = Writer(self._session(), asyncio.get_running_loop())
        self._pool = ThreadPoolExecutor(_READERS, "airgate-store-reader")
        self._apart = ThreadPoolExecutor(1, "airgate-store-apart")
        self._local = threading.local()
        self._sessions: list[Session] = []

    @classmethod
    async def open(cls, url: str, *, secret: bytes, lock_timeout: float = 2.0) -> Database:
        """Connect, migrate to the newest schema, and start the threads.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``; the password may hold any sign.
            secret: the Fernet key that variables and passwords are encrypted with.
            lock_timeout: seconds to wait for another process's lock before giving up.

        Raises:
            InvalidInput: the URL names no database Airgate knows (code ``database_url``), the key is not the one this
                database was made with (``secret_key``), or a newer Airgate has migrated it (``database_newer``).
            Unavailable: the database cannot be had now.
        """
        try:
            cipher = Fernet(secret)
        except ValueError:
            raise InvalidInput("The secret key is no Fernet key.", code="secret_key") from None
        database = cls(backend_for(url, Timeouts(lock=lock_timeout)), cipher)
        try:
            await asyncio.to_thread(database._prepare)
        except BaseException:
            database._pool.shutdown()
            database._apart.shutdown()
            raise
        database._writer.start()
        return database

    async def close(self) -> None:
        """Commit what was submitted, then stop. Writes submitted afterwards raise `Unavailable`."""
        await asyncio.to_thread(self._stop)
        await asyncio.sleep(0)  # the writer's last answers are on their way to this loop

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on a snapshot, on a reader thread. It sees every write whose future has resolved.

        Where the connection turns out to be stale, `fn` is called again on a new one.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(self._read, fn, *args, **kwargs))

    async def read_apart(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read`, on the one thread for reads that may take long: they wait for each other, nobody for them.

        What `fn` keeps from call to call is touched by that thread only.
        """
        return await asyncio.get_running_loop().run_in_executor(self._apart, partial(self._read, fn, *args, **kwargs))

    def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Submit `fn` to the writer. Submission happens at the call, so unawaited writes keep their order too."""
        return self._writer.submit(lambda tx: fn(tx, *args, **kwargs))

    def write_item(self, fn: Callable[[Tx, Sequence[Item]], Sequence[T | Exception]], item: Item) -> asyncio.Future[T]:
        """Like `write`, for many small writes of one kind: items that gathered are passed to one call of `fn`.

        `fn` gives one result per item, in order; an exception among them is raised to that item's caller alone. Items
        keep their order among each other; they may overtake writes that gathered in the same group. Where `fn` itself
        raises, it is called again with each item alone.
        """
        return self._writer.submit_item(fn, item)

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to commit succeeded. An unavailable database is tried again by itself."""
        return self._writer.healthy

    def _read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._session()
            self._sessions.append(session)
        return session.read(fn, *args, **kwargs)

    def _session(self) -> Session:
        return Session(self._backend, self._cipher, self._specs)

    def _prepare(self) -> None:
        session = self._session()
        try:
            tx = session.begin()
            migrate(tx.connection)
            _check_seal(tx)
            session.commit()
        finally:
            session.drop()

    def _stop(self) -> None:
        self._writer.stop()
        self._pool.shutdown()
        self._apart.shutdown()
        for session in self._sessions:
            session.drop()


def _check_seal(tx: Tx) -> None:
    """Refuse a key that what is stored was not encrypted with, before anything is mixed."""
    seal = tx.run(schema.meta.select().where(schema.meta.c.key == _SEAL)).first()
    if seal is None:
        token = tx.lock(_SEAL)
        assert token is not None
        tx.run(schema.meta.insert().values(key=_SEAL, value=token.decode()))
        return
    try:
        tx.unlock(seal.value.encode())
    except Unavailable:
        raise InvalidInput(
            "This database was made with another secret key; give Airgate that key.", code="secret_key"
        ) from None
