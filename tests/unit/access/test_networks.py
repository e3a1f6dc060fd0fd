from __future__ import annotations

import pytest

from airgate.access.networks import includes, neighbourhood, parse, within


@pytest.mark.parametrize(
    ("network", "address", "answer"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "::1", False),
        ("0.0.0.0/0", "no address", False),
        ("0.0.0.0/0", None, False),
    ],
)
def test_address_lies_in_the_network_or_not(network: str, address: str | None, answer: bool) -> None:
    assert includes([parse(network)], address) is answer


@pytest.mark.parametrize(
    ("inner", "outer", "answer"),
    [
        ("10.1.0.0/16", ["10.0.0.0/8"], True),
        ("10.0.0.0/8", ["10.1.0.0/16"], False),
        ("10.1.0.0/16", ["192.0.2.0/24", "10.1.0.0/16"], True),
        ("2001:db8::/48", ["2001:db8::/32"], True),
        ("2001:db8::/48", ["0.0.0.0/0"], False),
        ("10.0.0.1", ["::/0"], False),
    ],
)
def test_network_lies_within_others_or_not(inner: str, outer: list[str], answer: bool) -> None:
    assert within(parse(inner), [parse(network) for network in outer]) is answer


def test_addresses_that_one_client_may_have_are_told_as_one() -> None:
    assert neighbourhood("192.0.2.7") == neighbourhood("::ffff:192.0.2.7") == "192.0.2.7"
    assert neighbourhood("192.0.2.8") != neighbourhood("192.0.2.7")
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") == "2001:db8::/64"
    assert neighbourhood("2001:db8:0:1::1") != neighbourhood("2001:db8::1")
    assert neighbourhood("unix") == "unix"


@pytest.mark.parametrize("text", ["fe80::1%eth0", "10.0.0.0/33", "10.0.0", "", "10.0.0.0/8/8", "::/129"])
def test_text_that_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
