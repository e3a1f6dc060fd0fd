"""One HTTP try: to the address that was looked at, following nobody elsewhere, within limits of time and size."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from airgate.orchestration.addresses import may_go_to, parse
from airgate.orchestration.requests import Rendered

KEPT_BODY: Final = 16 * 1024
"""Bytes of an answer that are read; the rest is not waited for."""
_SESSIONS: Final = 16
_IDLE_SECONDS: Final = 15.0
_LONGEST_HEAD: Final = 16 * 1024

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
      * whatever the target does, a try ends in time, and no more of the answer than `KEPT_BODY` is kept;
      * an answer whose head has come counts, whatever becomes of its body.

    Args:
        resolve: gives addresses of names.
        tls: how certificates are checked; the system's authorities where it is None.
    """

    def __init__(self, resolve: Resolve = resolve, tls: ssl.SSLContext | None = None) -> None:
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._sessions: OrderedDict[tuple[str, ...], aiohttp.ClientSession] = OrderedDict()

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
            url = _checked(request.url, allowed)
            async with asyncio.timeout(seconds):
                return await self._exchange(url, request, more, allowed, head)
        except TimeoutError:
            return head[0] if head else Answer(error=f"no answer within {seconds:g} s")
        except AddressRefused as error:
            return Answer(error=str(error), refused=True)
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            refused = _refusal(error)
            if refused is not None:
                return Answer(error=str(refused), refused=True)
            return head[0] if head else Answer(error=_words(error))

    async def _exchange(
        self, url: URL, request: Rendered, more: Mapping[str, str], allowed: tuple[str, ...], head: list[Answer]
    ) -> Answer:
        headers = [("User-Agent", "Airgate"), ("Accept", "*/*"), *request.headers, *more.items()]
        session = await self._session(allowed)
        async with session.request(
            request.method, url, headers=headers, data=request.body or None, allow_redirects=False
        ) as response:
            answer = Answer(status=response.status, headers=_decoded(response.raw_headers))
            head.append(answer)
            body = await _beginning(response)
            return msgspec.structs.replace(answer, body=body)

    async def _session(self, allowed: tuple[str, ...]) -> aiohttp.ClientSession:
        """Connections are shared only among those who may go to the same networks."""
        session = self._sessions.pop(allowed, None) or self._opened(allowed)
        self._sessions[allowed] = session
        if len(self._sessions) > _SESSIONS:
            _, oldest = self._sessions.popitem(last=False)
            await oldest.close()
        return session

    def _opened(self, allowed: tuple[str, ...]) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Guarded(self._resolve, allowed),
            use_dns_cache=False,
            ssl=self._tls,
            limit=0,
            keepalive_timeout=_IDLE_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            requote_redirect_url=False,
            max_line_size=_LONGEST_HEAD,
            max_field_size=_LONGEST_HEAD,
        )

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


class _Guarded(AbstractResolver):
    """Gives addresses that were looked at, and no other; connections go to what it gives."""

    def __init__(self, resolve: Resolve, allowed: tuple[str, ...]) -> None:
        self._resolve = resolve
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Called by the library for every new connection to a name."""
        found = await self._resolve(host, port)
        for text in found:
            _refuse_private(host, text, self._allowed)
        return [
            ResolveResult(
                hostname=host,
                host=text,
                port=port,
                family=socket.AF_INET6 if ":" in text else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for text in found
        ]

    async def close(self) -> None:
        """Called by the library."""


def _checked(text: str, allowed: tuple[str, ...]) -> URL:
    """The URL, whose host, where it is an address already, is looked at here: no resolver will be asked.

    Raises:
        AddressRefused: it is not allowed.
        ValueError: it is no URL that can be sent to.
    """
    url = URL(text, encoded=True)
    if url.scheme not in ("http", "https") or not url.host:
        raise AddressRefused("the URL does not begin with https:// or http:// and a host")
    try:
        parse(url.host)
    except ValueError:
        return url
    _refuse_private(url.host, url.host, allowed)
    return url


def _refuse_private(host: str, address: str, allowed: tuple[str, ...]) -> None:
    if not may_go_to(parse(address), allowed):
        raise AddressRefused(f"{host} leads to {address}, which is not public; a workspace may allow its network")


def _refusal(error: BaseException) -> AddressRefused | None:
    """The refusal behind an error of the library, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressRefused):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while len(body) < KEPT_BODY:
        part = await response.content.read(KEPT_BODY - len(body))
        if not part:
            return body
        body += part
    response.close()  # whatever follows is not wanted, nor is the connection that it comes by
    return body


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers)


def _words(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
