"""One HTTP try: to the address that was looked at, following nobody elsewhere, within limits of time and size."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from airgate.orchestration.addresses import may_go_to, parse
from airgate.orchestration.requests import Rendered

KEPT_BODY: Final = 16 * 1024
"""Bytes of an answer that are read; the rest is not waited for."""
_OURS: Final = {"user-agent": "Airgate", "accept": "*/*"}
"""Headers that the author may set otherwise."""
_WAYS: Final = 16
_LOOKUPS: Final = 32
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


class SystemNames:
    """The system's resolver, on threads of its own.

    A name whose servers do not answer keeps a thread for long: those who ask for it meanwhile wait for the same answer,
    so that it keeps no more than one from other names.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_LOOKUPS, "airgate-names")
        self._open: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Addresses of a host. Raises OSError."""
        key = (host, port)
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = asyncio.get_running_loop().run_in_executor(self._pool, _addresses, host, port)
            found.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(found)

    def _answered(self, key: tuple[str, int], found: asyncio.Future[list[str]]) -> None:
        del self._open[key]
        if not found.cancelled():
            found.exception()  # nobody may be waiting for it any more


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is no name of a host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Sender:
    """Sends requests.

    Obligations (each has a test):
      * a name is resolved once per connection, and only an address that was checked is connected to, however it is
        written; connections are shared only among those who may go to the same networks;
      * redirects, proxies of the environment, cookies and compressed answers do not exist here;
      * whatever the target does, a try ends in time, and no more of the answer than `KEPT_BODY` is kept;
      * an answer whose head has come counts, also where its body breaks off or never ends.

    Args:
        resolve: gives addresses of names; the system does where it is None.
        tls: how certificates are checked; the system's authorities where it is None.
    """

    def __init__(self, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._resolve = resolve or SystemNames()
        self._tls = tls or True  # the library has made one of the system's authorities already
        self._ways: dict[tuple[str, ...], _Way] = {}

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
        except aiohttp.InvalidURL as error:
            return Answer(error=f"the URL cannot be sent to: {error}", refused=True)
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            refused = _refusal(error)
            if refused is not None:
                return Answer(error=str(refused), refused=True)
            return head[0] if head else Answer(error=_words(error))

    async def _exchange(
        self, url: URL, request: Rendered, more: Mapping[str, str], allowed: tuple[str, ...], head: list[Answer]
    ) -> Answer:
        headers = [*_OURS.items() - {(name, _OURS.get(name)) for name, _ in request.headers}]
        headers += [*request.headers, *more.items()]
        way = await self._way(allowed)
        way.open += 1
        try:
            async with way.session.request(
                request.method, url, headers=headers, data=request.body or None, allow_redirects=False
            ) as response:
                answer = Answer(status=response.status, headers=_decoded(response.raw_headers))
                head.append(answer)
                return msgspec.structs.replace(answer, body=await _beginning(response))
        finally:
            way.open -= 1

    async def _way(self, allowed: tuple[str, ...]) -> _Way:
        """Connections are shared only among those who may go to the same networks."""
        way = self._ways.pop(allowed, None) or _Way(self._opened(allowed))
        self._ways[allowed] = way
        for key, idle in [(key, one) for key, one in self._ways.items() if one is not way and not one.open]:
            if len(self._ways) > _WAYS:
                del self._ways[key]
                await idle.session.close()
        return way

    def _opened(self, allowed: tuple[str, ...]) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Guarded(self._resolve, allowed),
            use_dns_cache=False,
            ssl=self._tls,
            limit=0,
            keepalive_timeout=_IDLE_SECONDS,
            socket_factory=partial(_socket_to, allowed),
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
        ways = list(self._ways.values())
        self._ways.clear()
        for way in ways:
            await way.session.close()


class _Way:
    """Connections to where some may go, and how many exchanges use them now."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.open = 0


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


def _socket_to(allowed: tuple[str, ...], where: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for a connection: the last look at where it leads, whichever way the address was come by."""
    family, kind, protocol, _, (address, *_) = where
    _refuse_private(str(address), str(address), allowed)
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


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
