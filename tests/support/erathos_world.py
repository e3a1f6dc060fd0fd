"""A server with workspaces over a real store, whoever a test lets in, and receivers for what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from uuid import UUID

import httpx
import msgspec

from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.mail import NoMailer
from airgate.orchestration.sender import Sender
from airgate.orchestration.service import Around, Orchestration
from airgate.store import workspaces
from tests.support.memory_deployment import new_id
from tests.support.memory_triggers import MemoryTriggers
from tests.support.native_world import ADMIN, LOCAL, NativeWorld

WORKSPACES = "/developers/workspaces/"
HOME = f"{WORKSPACES}{DEFAULT_WORKSPACE_ID}/"


class ErathosWorld:
    """The world of `NativeWorld`, with orchestration. Everything that was answered is remembered in `answers`."""

    def __init__(self, native: NativeWorld) -> None:
        self.native = native
        self.database = native.database
        self.answers: list[str] = []
        self.triggers = MemoryTriggers(native.world)
        self.sender = Sender()
        self.orchestration = Orchestration(
            Around(
                database=native.database,
                deployments=native.deployments,
                embedded=LOCAL,
                address="http://airgate",
                start_run=self._start,
                mailer=NoMailer(),
                tell_owner=_nobody,
                clock=native.clock,
                new_id=new_id,
                random_bytes=lambda length: b"7" * length,
                random_text=lambda: "made-up-secret-of-a-hook",
                chance=lambda: 0.5,
                sender=self.sender,
            ),
            blocks_changed=lambda: None,
        )

    async def _start(self, deployment: str, request: TriggerRequest) -> DagRun:
        return (await self.triggers.accept(self.native.deployments[deployment], request)).run

    def client(self, authorization: str | None = ADMIN, home: str = HOME) -> Client:
        """Somebody who asks; paths are below a workspace."""
        asking = self.native.client(authorization, orchestration=self.orchestration, triggers=self.triggers)
        return Client(asking, home, self.answers)

    async def allow_loopback(self) -> None:
        """Let deliveries go to receivers of the test."""

        def allow(tx: Any) -> None:
            home = workspaces.get(tx, DEFAULT_WORKSPACE_ID)
            workspaces.update(tx, msgspec.structs.replace(home, private_targets=("127.0.0.0/8",)))

        await self.database.write(allow)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Let outbox and dispatcher work meanwhile."""
        task = asyncio.create_task(self.orchestration.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _nobody(owner: str, subject: str, text: str) -> None:
    pass


class Client:
    """Asks a server; expects a status."""

    def __init__(self, client: httpx.AsyncClient, home: str, answers: list[str]) -> None:
        self.raw = client
        self.home = home
        self._answers = answers
        self.status = 0
        """Of the last answer."""

    async def ask(self, method: str, path: str, body: Any = None, *, expect: int | None = None, **more: Any) -> Any:
        """The JSON of the answer, whose status must be this."""
        given = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        url = path if path.startswith("/") else self.home + path
        answer = await self.raw.request(method, url, **given, **more)
        self._answers.append(answer.text)
        self.status = answer.status_code
        assert answer.status_code < 500, (method, url, answer.text)
        if expect is not None:
            assert answer.status_code == expect, (method, url, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def get(self, path: str, *, expect: int = 200) -> Any:
        return await self.ask("GET", path, expect=expect)

    async def post(self, path: str, body: Any = None, *, expect: int = 201, **more: Any) -> Any:
        return await self.ask("POST", path, {} if body is None else body, expect=expect, **more)

    async def __aenter__(self) -> Self:
        await self.raw.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.raw.__aexit__()

    async def job(self, name: str = "load") -> str:
        """The id of a new external job."""
        return str((await self.post("jobs/", {"name": name}))["_id"])

    async def webhook(self, job: str, **changes: Any) -> dict[str, Any]:
        """A new webhook."""
        made: dict[str, Any] = await self.post("orchestration/webhooks/", webhook(job, **changes))
        return made


def webhook(job: str, **changes: Any) -> dict[str, Any]:
    """The body that creates a webhook."""
    body = {
        "description": "tell somebody",
        "is_active": True,
        "method": "POST",
        "url": "https://example.com/x",
        "header": None,
        "body": {"table": "${{erathos.table_name}}"},
        "rules": [],
        "jobs": [job],
    }
    return body | changes


class Heard(NamedTuple):
    """A request that has come."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An HTTP server that writes down what comes, and answers 200."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()
        self.url = ""

    async def next(self) -> Heard:
        """The next request; waits for it."""
        async with asyncio.timeout(20):
            return await self.heard.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                pairs = (line.partition(":") for line in head[1:] if line)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.heard.put_nowait(Heard(method, path, headers, body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver at an address of this machine."""
    one = Receiver()
    server = await asyncio.start_server(one._serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield one


def key(text: str) -> UUID:
    """An id in an answer."""
    return UUID(text)
