"""The edges of every special network: the first and the last address of it, and its neighbours outside.

Written from IANA's special-purpose address registries, not from the code.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from ownkey.transport.addresses import is_global, is_metadata, parse

# First, last, and whether the neighbour before and the one after are of the public internet.
V4 = (
    ("0.0.0.0", "0.255.255.255", None, True),
    ("10.0.0.0", "10.255.255.255", True, True),
    ("100.64.0.0", "100.127.255.255", True, True),
    ("127.0.0.0", "127.255.255.255", True, True),
    ("168.63.129.16", "168.63.129.16", True, True),
    ("169.254.0.0", "169.254.255.255", True, True),
    ("172.16.0.0", "172.31.255.255", True, True),
    ("192.0.0.0", "192.0.0.255", True, True),
    ("192.0.2.0", "192.0.2.255", True, True),
    ("192.31.196.0", "192.31.196.255", True, True),
    ("192.52.193.0", "192.52.193.255", True, True),
    ("192.88.99.0", "192.88.99.255", True, True),
    ("192.168.0.0", "192.168.255.255", True, True),
    ("192.175.48.0", "192.175.48.255", True, True),
    ("198.18.0.0", "198.19.255.255", True, True),
    ("198.51.100.0", "198.51.100.255", True, True),
    ("203.0.113.0", "203.0.113.255", True, True),
    ("224.0.0.0", "255.255.255.255", True, None),
)
V6 = (
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, True),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", True, True),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", True, True),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True, True),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", True, True),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", True, True),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True, None),
)


@pytest.mark.parametrize(("first", "last", "before", "after"), [*V4, *V6])
def test_E06_a_network_that_is_not_public_ends_where_the_registry_says(
    first: str, last: str, before: bool | None, after: bool | None
) -> None:
    assert not is_global(first)
    assert not is_global(last)
    kind = type(ip_address(first))
    if before is not None:
        assert is_global(str(kind(int(ip_address(first)) - 1))) is before
    if after is not None:
        assert is_global(str(kind(int(ip_address(last)) + 1))) is after


@pytest.mark.parametrize("prefix", ["2606:4700::", "2a00:1450:4001:800::"])
def test_E06_an_isatap_address_stands_for_an_ipv4_address_and_is_not_public(prefix: str) -> None:
    base = int(IPv6Address(prefix))
    for middle in (0x00005EFE, 0x02005EFE):
        assert not is_global(str(IPv6Address(base | middle << 32 | int(IPv4Address("8.8.8.8")))))
    for middle in (0x00005EFD, 0x00005EFF, 0x02005EFD, 0x02005EFF, 0x01005EFE):
        assert is_global(str(IPv6Address(base | middle << 32 | int(IPv4Address("8.8.8.8")))))
    assert is_global(str(IPv6Address(base | 1 << 64 | 0x1234 << 32)))


METADATA = (
    *("169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "fd00:ec2::254", "fd00:ec2::", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe"),
    *("::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254"),
    *("2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "2002:6464:64c8:ffff::", "::ffff:100.100.100.200", "64:ff9b::a83f:8110"),
)
NOT_METADATA = (
    *("169.253.255.255", "169.255.0.0", "100.100.100.199", "100.100.100.201", "168.63.129.15", "168.63.129.17"),
    *("192.0.0.191", "192.0.0.193", "127.0.0.1", "10.0.0.1", "8.8.8.8", "::1", "::", "fd00:ec1:ffff::", "fd00:ec3::"),
    *("fd20:cd:ffff::", "fd20:cf::", "fd00:42::41", "fd00:42::43", "fe80::a9fe:a9fd", "fe80::a9fe:a9ff", "fe80::1"),
    *("::ffff:127.0.0.1", "2002:7f00:1::", "2002:0:0:a9fe:a9fe::", "64:ff9b::8.8.8.8", "64:ff9b:1::169.254.169.254"),
    *("2606:4700::a9fe:a9fe", "::1:169.254.169.254", "", "metadata", "169.254.169", "169.254.169.254.1"),
)


@pytest.mark.parametrize("address", METADATA)
def test_E07_where_a_machines_own_credentials_are_given_away(address: str) -> None:
    assert is_metadata(address) is True
    assert is_global(address) is False


@pytest.mark.parametrize("address", NOT_METADATA)
def test_its_neighbours_are_not_there(address: str) -> None:
    assert is_metadata(address) is False


def test_what_is_no_address_is_none() -> None:
    for text in (
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "0x7f.0.0.1",
        "2130706433",
        "::g",
        "[::1]",
        "1.2.3.4/8",
    ):
        assert parse(text) is None
        assert is_global(text) is False
    assert parse("1.2.3.4") == IPv4Address("1.2.3.4")
    assert parse("::1") == IPv6Address("::1")
