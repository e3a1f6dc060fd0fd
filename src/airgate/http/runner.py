"""Runs a dialect: route, read, check in the dialect's order, handle, reply. One runner per dialect and deployment.

This is the hot path of every trigger, so it speaks ASGI directly and builds nothing per request that it does not need.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from airgate.deployments.ports import Deployment
from airgate.http.audit_facts import REFUSALS, word, writes
from airgate.http.cors import Cors
from airgate.http.errors import BodyTooLarge, ClientGone
from airgate.http.operations import Call, Dialect, Operation, Services
from airgate.http.presence import while_present
from airgate.http.replies import Reply
from airgate.http.routing import Router, split_path
from airgate.model.audit import Outcome

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Step = Callable[[Call], Awaitable[None] | None]

_log = structlog.get_logger(__name__)

_DRAINED = 8
"""How many times the limit of a body is read and thrown away, so that a client still sending can hear the refusal."""


class _Route(NamedTuple):
    operation: Operation
    event: str
    writes: bool
    early: tuple[Step, ...]
    """Before the body is read."""
    steps: tuple[Step, ...]


class Runner:
    """Serves a dialect for one deployment.

    Args:
        dialect: the table to serve.
        services: what its handlers may use.
        deployment: for whom.
        max_body: largest request body, in bytes.
        cors: what pages of other origins may do, said with every reply.
    """

    def __init__(
        self, dialect: Dialect, services: Services, deployment: Deployment, max_body: int, cors: Cors | None = None
    ) -> None:
        self._dialect = dialect
        self._services = services
        self._deployment = deployment
        self._max_body = max_body
        self._cors = cors
        self._router = Router((operation, _route(dialect, operation)) for operation in dialect.operations)

    async def serve(self, scope: Scope, receive: Receive, send: Send, raw_path: bytes) -> None:
        """Answer one request. `raw_path` is its path below the dialect's prefix, as it came."""
        call = Call(self._services, self._deployment, scope["headers"])
        call.receive = receive
        try:
            reply = await self._answer(call, scope, receive, raw_path)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets the dialect's own form of it
            reply = self._explained(error, scope)
        if call.event and not call.audited and (call.writes or reply.status in REFUSALS):
            await self._audit(call, reply)
        await self._send(reply, call, scope, send)

    async def _answer(self, call: Call, scope: Scope, receive: Receive, raw_path: bytes) -> Reply:
        if self._dialect.trailing_slash and not raw_path.endswith(b"/"):
            raw_path += b"/"
        segments = split_path(raw_path)
        method = scope["method"]
        if method == "OPTIONS":
            return _options(self._router.methods(segments))
        route, params = self._router.match(method, segments)
        call.operation = route.operation
        call.event = route.event
        call.writes = route.writes
        call.dialect = self._dialect
        call.scope = scope
        call.params = params
        call.raw_query = scope["query_string"]
        call.address = self._services.proxies.address(scope)
        await _take(route.early, call)
        if route.operation.body is not None:
            call.raw_body = await _read(receive, self._max_body)
        await _take(route.steps, call)
        result = await route.operation.handler(call)
        return result if isinstance(result, Reply) else self._dialect.encode(result)

    async def _audit(self, call: Call, reply: Reply) -> None:
        """Keep what became of a call: durably before its reply, but for strangers, who must not fill the disk."""
        entry = None
        try:
            entry = call.audit_entry(reply.status)
            if entry.outcome is Outcome.REFUSED or (call.caller is None and entry.outcome is Outcome.FAILED):
                self._services.audit.refused(entry)
            else:
                await self._services.audit.record(entry)
        except Exception as error:  # noqa: BLE001 - what is done is done, and its answer must not deny it
            _log.error("an audit entry is lost", event_lost=call.event, entry=entry, exc_info=error)

    def _explained(self, error: Exception, scope: Scope) -> Reply:
        reply = self._dialect.explain(error)
        if reply.status >= 500:
            _log.error(
                "request failed", method=scope["method"], path=scope["path"], status=reply.status, exc_info=error
            )
        return reply

    async def _send(self, reply: Reply, call: Call, scope: Scope, send: Send) -> None:
        headers = [*self._dialect.headers, *call.reply_headers, *reply.headers]
        if self._cors is not None:
            headers += self._cors.reply_headers(scope["headers"])
        if reply.media_type is not None:
            headers.append((b"content-type", reply.media_type.encode("latin-1")))
        if reply.stream is None and reply.status != 204:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        if reply.stream is None:
            await send({"type": "http.response.body", "body": reply.body})
            return
        with suppress(ClientGone):
            await while_present(call.receive, _stream(reply.body, reply.stream, send))


async def _stream(first: bytes, following: AsyncIterator[bytes], send: Send) -> None:
    """Send a stream to its end. It is closed at once when nobody reads it any more."""
    try:
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in following:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if isinstance(following, AsyncGenerator):
            await following.aclose()


def _route(dialect: Dialect, operation: Operation) -> _Route:
    event = operation.event or word(operation.method, operation.path)
    changes = writes(operation.method, operation.event, operation.permission)
    checks = [check for check in dialect.checks if check.applies(operation)]
    early = tuple(check.run for check in checks if check.early)
    return _Route(operation, event, changes, early, tuple(check.run for check in checks if not check.early))


async def _take(steps: tuple[Step, ...], call: Call) -> None:
    for step in steps:
        waiting = step(call)
        if waiting is not None:
            await waiting


def _options(methods: tuple[str, ...]) -> Reply:
    return Reply(media_type="text/html; charset=utf-8", headers=((b"allow", ", ".join(methods).encode()),))


async def _read(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge once it is known to exceed `limit`, ClientGone where it never ends."""
    message = await _next_part(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= limit:
        return body
    parts, size = [body], len(body)
    while size <= limit and message.get("more_body", False):
        message = await _next_part(receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size <= limit:
        return b"".join(parts)
    parts.clear()
    while message.get("more_body", False) and size <= limit * _DRAINED:
        message = await _next_part(receive)
        size += len(message.get("body", b""))
    raise BodyTooLarge(limit)


async def _next_part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message
