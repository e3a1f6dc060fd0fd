"""Who the client is, behind whatever stands in front."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from airgate.http.addresses import DIRECT, Proxies, normal

TRUSTED = Proxies([ip_network(network) for network in ("10.0.0.0/8", "192.168.0.1/32", "fd00::/8")])
PROXY = "10.0.0.1"


def address(proxies: Proxies, peer: str | None, *headers: tuple[str, str]) -> str | None:
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return proxies.address({"client": (peer, 5000) if peer is not None else None, "headers": encoded})


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.1.1.1, 192.168.0.1", "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1", "198.51.100.1"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        (" 203.0.113.7 ,10.1.1.1 ", "203.0.113.7"),
        ("203.0.113.7:51000", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::1, fd00::2", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.1.1.1", "203.0.113.7"),
        ("", PROXY),
        (",", PROXY),
        ("garbage", PROXY),
        ("203.0.113.7, garbage", PROXY),
        ("203.0.113.7, unknown, 10.1.1.1", "10.1.1.1"),
        ("203.0.113.7 10.1.1.1", PROXY),
        ("999.0.0.1", PROXY),
        ("203.0.113.7:port", PROXY),
        ("[2001:db8::1", PROXY),
        ("<script>", PROXY),
        ("203.0.113.7\x00", PROXY),
        ("0x7f.1", PROXY),
        ("203.0.113.07", PROXY),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(chain: str, client: str) -> None:
    assert address(TRUSTED, PROXY, ("X-Forwarded-For", chain)) == client


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ("For=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ("proto=https; for=203.0.113.7", "203.0.113.7"),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="203.0.113.7:4711", for=10.1.1.1', "203.0.113.7"),
        ('for=198.51.100.1, for="203.0.113.7"', "203.0.113.7"),
        ("for=_hidden", PROXY),
        ("for=unknown, for=10.1.1.1", "10.1.1.1"),
        ("by=203.0.113.7", PROXY),
        ("xfor=203.0.113.7", PROXY),
        ('for="', PROXY),
        ('for="203.0.113.7', PROXY),
        ('host="a,b";for=203.0.113.7', "203.0.113.7"),
        ("", PROXY),
    ],
)
def test_the_standard_header_is_understood_too(header: str, client: str) -> None:
    assert address(TRUSTED, PROXY, ("Forwarded", header)) == client


def test_several_headers_of_one_name_are_one_chain() -> None:
    headers = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "10.1.1.1")]
    assert address(TRUSTED, PROXY, *headers) == "203.0.113.7"


def test_the_usual_header_counts_where_both_are_sent() -> None:
    headers = [("Forwarded", "for=198.51.100.1"), ("X-Forwarded-For", "203.0.113.7")]
    assert address(TRUSTED, PROXY, *headers) == "203.0.113.7"


@pytest.mark.parametrize("peer", ["203.0.113.5", "192.168.0.2", "::1"])
def test_what_others_than_trusted_proxies_say_counts_for_nothing(peer: str) -> None:
    for name, value in (("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=198.51.100.1")):
        assert address(TRUSTED, peer, (name, value)) == peer


def test_nobody_is_trusted_unless_it_is_said() -> None:
    assert address(DIRECT, PROXY, ("X-Forwarded-For", "198.51.100.1")) == PROXY


def test_a_peer_in_the_other_form_of_its_address_is_trusted_too() -> None:
    assert address(TRUSTED, "::ffff:10.0.0.1", ("X-Forwarded-For", "203.0.113.7")) == "203.0.113.7"


@pytest.mark.parametrize("peer", [None, ""])
def test_a_peer_without_address_has_none(peer: str | None) -> None:
    assert address(TRUSTED, peer, ("X-Forwarded-For", "198.51.100.1")) is None


def test_a_long_chain_is_no_trouble() -> None:
    assert address(TRUSTED, PROXY, ("X-Forwarded-For", ",".join(["10.1.1.1"] * 5000))) == "10.1.1.1"
    assert address(TRUSTED, PROXY, ("Forwarded", 'for="' * 5000)) == PROXY


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "1.2.3.4.5", "[]", "[1.2.3.4]x", "::g", "%eth0", "²"])
def test_normal_refuses_what_is_no_address(text: str) -> None:
    assert normal(text) is None
