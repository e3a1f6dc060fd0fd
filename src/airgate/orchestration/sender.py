"""One HTTP try: to the address that was looked at, following nobody elsewhere, within limits of time and size."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import msgspec

from airgate.orchestration.addresses import Address, may_go_to, parse
from airgate.orchestration.requests import Rendered

KEPT_BODY: Final = 16 * 1024
"""Bytes of an answer that are read; the rest is not waited for."""
_POOLS: Final = 16
_CONNECTIONS: Final = 512
_IDLE_CONNECTIONS: Final = 64
_IDLE_SECONDS: Final = 15.0

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host and port. Raises OSError where there are none."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a try. `status` None: there was no answer, and `error` says why. `latency` is in seconds."""

    status: int | None = None
    error: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    latency: float = 0.0
    refused: bool = False
    """It was not sent, and will not be however often it is tried: the address is not allowed."""

    @property
    def arrived(self) -> bool:
        """Whether the target took it."""
        return self.status is not None and 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """A header by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class AddressRefused(Exception):
    """The target's name leads to an address that is not allowed."""


async def resolve(host: str, port: int) -> list[str]:
    """Addresses by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Sender:
    """Sends requests.

    Obligations (each has a test):
      * a name is resolved once per connection, and only an address that was checked is connected to;
      * redirects, proxies of the environment, cookies and compressed answers do not exist here;
      * whatever the target does, a try ends within its timeout, and no more of the answer than `KEPT_BODY` is kept;
      * an answer whose head has come counts, whatever becomes of its body.

    Args:
        resolve: gives addresses of names.
        tls: how certificates are checked; the system's authorities where it is None.
    """

    def __init__(self, resolve: Resolve = resolve, tls: ssl.SSLContext | None = None) -> None:
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._pools: OrderedDict[tuple[str, ...], httpcore.AsyncConnectionPool] = OrderedDict()

    async def send(
        self, request: Rendered, more: Mapping[str, str], *, allowed: Iterable[str] = (), seconds: float
    ) -> Answer:
        """One try. `more` are headers of this try alone; `seconds` is the limit for all of it. Never raises."""
        began = time.perf_counter()
        answer = await self._send(request, more, tuple(allowed), seconds)
        return msgspec.structs.replace(answer, latency=time.perf_counter() - began)

    async def _send(
        self, request: Rendered, more: Mapping[str, str], allowed: tuple[str, ...], seconds: float
    ) -> Answer:
        head: list[Answer] = []
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request, more, allowed, seconds, head)
        except TimeoutError:
            return head[0] if head else Answer(error=f"no answer within {seconds:g} s")
        except AddressRefused as error:
            return Answer(error=str(error), refused=True)
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            OSError,
            ssl.SSLError,
        ) as error:
            return head[0] if head else Answer(error=_words(error))
        except (httpcore.UnsupportedProtocol, ValueError) as error:
            return Answer(error=_words(error), refused=True)

    async def _exchange(
        self, request: Rendered, more: Mapping[str, str], allowed: tuple[str, ...], seconds: float, head: list[Answer]
    ) -> Answer:
        url = urlsplit(request.url)
        headers = [("Host", url.netloc), ("Accept", "*/*"), ("User-Agent", "Airgate"), *request.headers, *more.items()]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("Content-Length", str(len(request.body))))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        pool = await self._pool(allowed)
        async with pool.stream(
            request.method,
            request.url,
            headers=[(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers],
            content=request.body,
            extensions={"timeout": timeouts},
        ) as response:
            answer = Answer(status=response.status, headers=_decoded(response.headers))
            head.append(answer)
            body = await _beginning(response.aiter_stream())
            return msgspec.structs.replace(answer, body=body)

    async def _pool(self, allowed: tuple[str, ...]) -> httpcore.AsyncConnectionPool:
        """Connections are shared only among those who may go to the same networks."""
        pool = self._pools.pop(allowed, None)
        if pool is None:
            pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_Guarded(self._resolve, allowed),
            )
        self._pools[allowed] = pool
        if len(self._pools) > _POOLS:
            _, oldest = self._pools.popitem(last=False)
            await oldest.aclose()
        return pool

    async def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            with suppress(Exception):
                await pool.aclose()
        self._pools.clear()


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, and to no other."""

    def __init__(self, resolve: Resolve, allowed: tuple[str, ...]) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the library's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Called by the library for every new connection."""
        trouble: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._plain.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                trouble = error
        raise trouble

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """No delivery goes to a socket of this machine."""
        raise httpcore.UnsupportedProtocol("deliveries go by TCP")

    async def sleep(self, seconds: float) -> None:
        """Called by the library between retries, of which there are none."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        found = [parse(text) for text in await self._resolve(host.strip("[]"), port)]
        for address in found:
            if not may_go_to(address, self._allowed):
                raise AddressRefused(
                    f"{host} leads to {address}, which is not public; a workspace may allow its network"
                )
        return found


async def _beginning(stream: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        parts.append(part)
        size += len(part)
        if size >= KEPT_BODY:
            break
    return b"".join(parts)[:KEPT_BODY]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers)


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"{type(error).__name__}: {text}" if text != type(error).__name__ else text
