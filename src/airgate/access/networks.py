"""Networks that an identity may be used from. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse(text: str) -> Network:
    """A network in CIDR notation, or a single address. Raises ValueError."""
    if "%" in text:
        raise ValueError("an address of one interface of one machine is no network")
    return ip_network(text, strict=False)


def includes(networks: Sequence[Network], address: str | None) -> bool:
    """Whether the address lies in one of the networks. An unknown one lies in none."""
    found = None if address is None else _address(address)
    return found is not None and any(found in network for network in networks)


def within(inner: Network, outer: Sequence[Network]) -> bool:
    """Whether one of the outer networks includes the whole of the inner one."""
    return any(_is_part(inner, network) for network in outer)


def _is_part(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def neighbourhood(address: str) -> str:
    """What one client may well have all of: the address itself; with IPv6 the 64 bits before its own."""
    found = _address(address)
    if not isinstance(found, IPv6Address):
        return str(found or address)
    return str(ip_network((int(found) >> 64 << 64, 64)))


@functools.lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; one of IPv4 that a socket of IPv6 saw counts as what it is."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
