"""Where a delivery may go: public addresses, and the networks its workspace allows besides. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")


def may_go_to(address: Address, allowed: Iterable[str]) -> bool:
    """Whether a request may be sent to an address.

    Private, loopback, link-local (cloud metadata among them), shared, reserved and multicast addresses are only for
    workspaces that allow their network; so are IPv6 addresses that stand for such an IPv4 address.
    """
    meant = _meant(address)
    if any(_inside(one, network) for network in allowed for one in (meant, address)):
        return True
    if isinstance(meant, IPv6Address) and (meant not in _GLOBAL_UNICAST or meant.teredo is not None):
        return False
    return meant.is_global and not meant.is_multicast and not meant.is_reserved


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:
            return address.sixtofour
    return address


def _inside(address: Address, network: str) -> bool:
    found = ip_network(network, strict=False)
    return address.version == found.version and address in found


def parse(text: str) -> Address:
    """The address a resolver gave, without its zone. Raises ValueError."""
    return ip_address(text.partition("%")[0])
