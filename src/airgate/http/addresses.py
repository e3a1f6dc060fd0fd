"""Where a request comes from: the peer, or, behind proxies that are trusted, whom they speak for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

Network = IPv4Network | IPv6Network
Headers = Iterable[tuple[bytes, bytes]]

_FOR: Final = re.compile(r"""(?:^|[;\s])for\s*=\s*("[^"]*"|[^;\s"]*)""", re.IGNORECASE)
_FORWARDED_HOP: Final = re.compile(r'(?:[^,"]|"[^"]*"|")+')
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::\d+)?")
_WITH_PORT: Final = re.compile(r"([0-9.]+):\d+")
_SCHEMES: Final = frozenset({"http", "https"})


class Proxies:
    """The proxies in front of this server, by the networks they are in.

    What a client sends of ``X-Forwarded-For``, ``Forwarded`` and ``X-Forwarded-Proto`` counts only where the peer is
    such a proxy. The chain is read from its right end, where the nearest proxy wrote: the first address that is no
    trusted proxy is the client. Where a hop cannot be understood, whoever reported it counts as the client.
    ``Forwarded`` counts where there is no ``X-Forwarded-For``.
    """

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def address(self, scope: Mapping[str, Any]) -> str | None:
        """The client's address, without its port; None where the server does not know it (a Unix socket)."""
        peer = _peer(scope)
        if not self._trusted or peer is None or not self._trusts(peer):
            return peer
        nearest = peer
        for hop in reversed(_chain(scope["headers"])):
            address = normal(hop)
            if address is None:
                break
            nearest = address
            if not self._trusts(address):
                break
        return nearest

    def scheme(self, scope: Mapping[str, Any]) -> str:
        """``http`` or ``https``, as the client sees it."""
        own: str = scope.get("scheme", "http")
        peer = _peer(scope)
        if not self._trusted or peer is None or not self._trusts(peer):
            return own
        words = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        word = ",".join(words).rpartition(",")[2].strip().lower()
        return word if word in _SCHEMES else own

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


DIRECT: Final = Proxies()
"""No proxy is trusted: the peer is the client."""


def normal(text: str) -> str | None:
    """An address as written in a header, in its usual form, without port, brackets and zone; None for anything else."""
    text = text.strip()
    if bracketed := _BRACKETED.fullmatch(text):
        text = bracketed[1]
    elif with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1]
    parsed = _parsed(text)
    return None if parsed is None else str(parsed)


def _peer(scope: Mapping[str, Any]) -> str | None:
    client = scope.get("client")
    return (client[0] or None) if client else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _chain(headers: Headers) -> list[str]:
    """The hops that the headers tell of, farthest first."""
    plain, standard = [], []
    for name, value in headers:
        if name == b"x-forwarded-for":
            plain.append(value.decode("latin-1"))
        elif name == b"forwarded":
            standard.append(value.decode("latin-1"))
    if plain:
        return ",".join(plain).split(",")
    return [_named(hop) for hop in _FORWARDED_HOP.findall(",".join(standard))]


def _named(hop: str) -> str:
    """Whom one element of a ``Forwarded`` header speaks for; empty where it does not say."""
    found = _FOR.search(hop)
    return "" if found is None else found[1].strip('"')
