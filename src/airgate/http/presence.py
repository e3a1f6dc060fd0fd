"""Whether the client is still there: what is done for it alone ends when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeVar

from airgate.http.errors import ClientGone

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def while_present(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, unless the client closes the connection first; then `work` is cancelled.

    The request's body must have been read.

    Raises:
        ClientGone: the client is no longer there.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        # Only now is what it holds free again.
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def or_silence(items: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """The items as they come, and None whenever none came for so many seconds. To be closed; `items` is not by it."""
    coming: asyncio.Task[T] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(items))
            await asyncio.wait((coming,), timeout=seconds)
            if not coming.done():
                yield None
                continue
            done, coming = coming, None
            try:
                yield done.result()
            except StopAsyncIteration:
                return
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
