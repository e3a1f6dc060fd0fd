"""The database: one writer that commits in groups, a few readers, and what happens when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


class Tx:
    """An open transaction: what every function of this room takes first. Wraps a SQLAlchemy connection."""


class Database:
    """SQLite or PostgreSQL, opened and migrated.

    Obligations (each has a test, on both):
      * `write` keeps submission order, and its future resolves only after the commit has reached the disk.
      * writes that gathered while a commit was running are committed together.
      * a function that raises undoes its own work only; its neighbours in the group commit.
      * when the database is locked, full or gone, the future raises `Unavailable` and nothing of that function is kept;
        once the database is back, writes work again without a restart.
    """

    @classmethod
    async def open(cls, url: str, *, secret: bytes) -> Database:
        """Connect, migrate to the newest schema, and start the threads. `secret` is a Fernet key."""
        raise NotImplementedError

    async def close(self) -> None:
        """Commit what was submitted, then stop."""
        raise NotImplementedError

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on a snapshot, on a reader thread."""
        raise NotImplementedError

    def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Submit `fn` to the writer. Submission happens at the call, so unawaited writes keep their order too."""
        raise NotImplementedError

    def write_item(self, fn: Callable[[Tx, Sequence[Item]], Sequence[T | Exception]], item: Item) -> asyncio.Future[T]:
        """Like `write`, for many small writes of one kind: items that gathered are passed to one call of `fn`.

        `fn` gives one result per item, in order; an exception among them is raised to that item's caller alone.
        """
        raise NotImplementedError

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to commit succeeded."""
        raise NotImplementedError


