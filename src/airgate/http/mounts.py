"""What answers for a deployment below which prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from airgate.http.operations import Dialect, Guest, Services
from airgate.http.runner import Receive, Runner, Scope, Send
from airgate.model.errors import AirgateError


class Served(Protocol):
    """Answers the requests below a prefix."""

    async def serve(self, scope: Scope, receive: Receive, send: Send, raw_path: bytes) -> None:
        """Answer one request. `raw_path` is its path below the prefix, as it came."""


Mounts = tuple[tuple[bytes, Served], ...]
"""By prefix, the longest first."""


def mounts(dialects: Iterable[Dialect], runner: Callable[[Dialect], Runner], services: Services) -> Mounts:
    """The dialects at their prefixes, and guests at those of their hosts.

    Raises:
        ValueError: two dialects have one prefix, or a guest has no host.
    """
    served: dict[str, Served] = {}
    runners = {dialect.name: runner(dialect) for dialect in dialects}
    for dialect in dialects:
        if dialect.prefix in served:
            raise ValueError(f"two dialects are to be served at {dialect.prefix}")
        served[dialect.prefix] = runners[dialect.name]
    for dialect in dialects:
        if dialect.guest is None:
            continue
        host = served.get(dialect.guest.prefix)
        if host is None:
            raise ValueError(f"{dialect.name} is a guest at {dialect.guest.prefix}, where no dialect is served")
        served[dialect.guest.prefix] = Shared(host, runners[dialect.name], dialect.guest, services)
    return tuple(sorted(((prefix.encode(), it) for prefix, it in served.items()), key=lambda item: -len(item[0])))


def find(table: Mounts, path: bytes) -> tuple[Served, bytes] | None:
    """Who answers for a path, and the path below the prefix."""
    for prefix, served in table:
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"/", b""):
            return served, path[len(prefix) :]
    return None


class Shared:
    """A prefix that a guest shares with its host."""

    def __init__(self, host: Served, guest: Served, terms: Guest, services: Services) -> None:
        self._host = host
        self._guest = guest
        self._segments = frozenset(segment.encode() for segment in terms.segments)
        self._preferred = frozenset((method, path.encode()) for method, path in terms.preferred)
        self._services = services

    async def serve(self, scope: Scope, receive: Receive, send: Send, raw_path: bytes) -> None:
        """Answer one request, as the dialect it is meant for."""
        chosen = self._guest if await self._is_guests(scope, raw_path) else self._host
        await chosen.serve(scope, receive, send, raw_path)

    async def _is_guests(self, scope: Scope, raw_path: bytes) -> bool:
        if raw_path[1:].partition(b"/")[0] in self._segments:
            return True
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return (method, raw_path) in self._preferred and await self._prefers_guest(scope)

    async def _prefers_guest(self, scope: Scope) -> bool:
        header = _authorization(scope)
        if header is None or header[:6].lower() == "basic ":
            return False  # only keys can prefer; nobody's password is looked at twice
        try:
            caller = await self._services.access.authenticate(header, self._services.proxies.address(scope))
        except AirgateError:
            return False  # the host will meet it too, and says it in its own words
        return caller is not None and caller.batch


def _authorization(scope: Mapping[str, object]) -> str | None:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]  # type: ignore[assignment]
    for name, value in headers:
        if name == b"authorization":
            return value.decode("latin-1")
    return None
