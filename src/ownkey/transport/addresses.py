"""Which addresses belong to the public internet. Everything that is not known to be global is private.

From IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), and the clouds' own documents for
the addresses of their metadata services.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

_NOT_GLOBAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service is 100.100.100.200
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host agent
            "169.254.0.0/16",  # link-local; metadata services
            "172.16.0.0/12",
            "192.0.0.0/24",  # IETF protocols; Oracle's metadata service is 192.0.0.192
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)

# All global unicast addresses so far are of 2000::/3. That leaves out ::/96 (v4-compatible), ::ffff:0:0/96 (v4-mapped),
# 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 100::/64, fc00::/7 (ULA), fe80::/10, fec0::/10 and ff00::/8.
_GLOBAL_V6 = IPv6Network("2000::/3")
_NOT_GLOBAL_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocols: Teredo 2001::/32, ORCHID 2001:10::/28 and 2001:20::/28
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: any IPv4 address, private ones too
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)

# Under whatever prefix, an address of this middle stands for the IPv4 address at its end (RFC 5214 section 6.1).
_ISATAP = (0x00005EFE, 0x02005EFE)

# Where clouds give a machine's own credentials to whoever asks, and what else is link-local: AWS (169.254.169.254,
# 169.254.170.2, fd00:ec2::254), Google (fd20:ce::254), Azure's host agent, Alibaba, Oracle, Scaleway (fd00:42::42).
_METADATA = tuple(map(IPv4Network, ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")))
_METADATA_V6 = tuple(map(IPv6Network, ("fd00:ec2::/32", "fd20:ce::/32", "fd00:42::42/128", "fe80::a9fe:a9fe/128")))
# IPv6 addresses that lead to an IPv4 address, and how many bits stand after it: v4-mapped, v4-compatible,
# v4-translated, NAT64 (RFC 6052), 6to4 (RFC 3056).
_EMBEDDING = tuple(
    (IPv6Network(network), after)
    for network, after in (
        ("::ffff:0:0/96", 0),
        ("::/96", 0),
        ("::ffff:0:0:0/96", 0),
        ("64:ff9b::/96", 0),
        ("2002::/16", 80),
    )
)


@lru_cache(maxsize=1024)
def is_global(address: str) -> bool:
    """Whether `address` (IPv4 or IPv6 text, without a zone) is of the public internet; False where it is none."""
    parsed = parse(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _NOT_GLOBAL_V4)
    if parsed is None or parsed not in _GLOBAL_V6 or any(parsed in network for network in _NOT_GLOBAL_V6):
        return False
    return int(parsed) >> 32 & 0xFFFFFFFF not in _ISATAP


@lru_cache(maxsize=1024)
def is_metadata(address: str) -> bool:
    """Whether `address` is link-local in IPv4, or of a cloud's metadata service, in whatever form it stands."""
    parsed = parse(address)
    if isinstance(parsed, IPv6Address):
        number = int(parsed)
        if any(IPv6Address(number) in network for network in _METADATA_V6):
            return True
        within = (after for network, after in _EMBEDDING if IPv6Address(number) in network)
        return any(_is_metadata_v4(IPv4Address(number >> after & 0xFFFFFFFF)) for after in within)
    return parsed is not None and _is_metadata_v4(parsed)


def _is_metadata_v4(address: IPv4Address) -> bool:
    return any(address in network for network in _METADATA)


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` is, or None."""
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None
