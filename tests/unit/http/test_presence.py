"""What is done for a client ends when the client goes; silence is told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from airgate.http.errors import ClientGone
from airgate.http.presence import or_silence, while_present

BOUND = 20.0


class Client:
    """Its request has been sent; it goes when told."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def receive(self) -> dict[str, Any]:
        return await self.messages.get()

    def goes(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})


async def test_work_gives_what_it_gives_while_the_client_is_there() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    before = asyncio.all_tasks()
    assert await while_present(Client().receive, work()) == 7
    assert asyncio.all_tasks() == before


async def test_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        await while_present(Client().receive, work())


async def test_work_is_cancelled_and_finished_when_the_client_goes() -> None:
    client, freed = Client(), []

    async def work() -> None:
        client.goes()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            freed.append(True)

    with pytest.raises(ClientGone):
        await asyncio.wait_for(while_present(client.receive, work()), BOUND)
    assert freed == [True]


async def test_silence_is_told_of_and_nothing_is_missed() -> None:
    gate = asyncio.Event()

    async def items() -> AsyncGenerator[int, None]:
        yield 1
        await gate.wait()
        yield 2

    seen: list[int | None] = []
    async with asyncio.timeout(BOUND), aclosing(items()) as source, aclosing(or_silence(source, 0.001)) as heard:
        async for one in heard:
            seen.append(one)
            if seen.count(None) == 2:
                gate.set()
    assert [one for one in seen if one is not None] == [1, 2]
    assert seen.count(None) >= 2


async def test_closing_leaves_nothing_waiting() -> None:
    async def items() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with aclosing(items()) as source, aclosing(or_silence(source, 0.001)) as heard:
        assert await anext(heard) == 1
        assert await anext(heard) is None
    assert asyncio.all_tasks() == before
