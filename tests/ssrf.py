"""Addresses by which people have reached what is inside: written so that a check reads another place than the socket.

`FORMS` holds them by family. `{port}` stands for a port at which this machine listens. Every name in them leads
inwards: `leads_to` gives the addresses that a resolver of the tests answers with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

INSIDE = (
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",  # AWS, Google, Azure, DigitalOcean, Hetzner, OpenStack
    "169.254.170.2",  # AWS, credentials of a container
    "100.100.100.200",  # Alibaba
    "168.63.129.16",  # Azure's host agent
    "192.0.0.192",  # Oracle
)
RESERVED = (
    *("0.1.2.3", "100.64.0.1", "100.127.255.254", "169.254.0.1", "169.254.42.42", "172.31.255.254", "192.0.0.8"),
    *("192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.254", "255.255.255.255"),
)


def _number(address: str) -> int:
    return int(IPv4Address(address))


def _parts(address: str) -> list[int]:
    return list(IPv4Address(address).packed)


def _digits(zero: str, dot: str = ".") -> Callable[[str], str]:
    return lambda address: "".join(dot if one == "." else chr(ord(zero) + int(one)) for one in address)


def _circled(address: str) -> str:
    return "".join({"0": "⓪", ".": "."}.get(one) or chr(ord("①") + int(one) - 1) for one in address)


def _dots(dot: str) -> Callable[[str], str]:
    return lambda address: address.replace(".", dot)


def _last_two(address: str) -> str:
    a, b, c, d = _parts(address)
    return f"{a}.{b}.{c * 256 + d}"


def _last_three(address: str) -> str:
    a, b, c, d = _parts(address)
    return f"{a}.{(b * 256 + c) * 256 + d}"


# How `inet_aton` and its relatives read a number that is no plain IPv4 address, and how Unicode writes one.
V4: Mapping[str, Callable[[str], str]] = {
    "decimal": lambda address: str(_number(address)),
    "decimal, over 32 bits": lambda address: str(_number(address) + (1 << 32)),
    "hexadecimal": lambda address: hex(_number(address)),
    "hexadecimal, upper case": lambda address: f"0X{_number(address):08X}",
    "hexadecimal parts": lambda address: ".".join(map(hex, _parts(address))),
    "octal": lambda address: f"0{_number(address):o}",
    "octal parts": lambda address: ".".join(f"0{part:o}" for part in _parts(address)),
    "zeros before": lambda address: ".".join(f"{part:03}" for part in _parts(address)),
    "many zeros before": lambda address: ".".join(f"{part:012}" for part in _parts(address)),
    "mixed parts": lambda address: "{:#x}.{}.0{:o}.{}".format(*_parts(address)),
    "three parts": _last_two,
    "two parts": _last_three,
    "a dot after": lambda address: f"{address}.",
    "two dots after": lambda address: f"{address}..",
    "a dot before": lambda address: f".{address}",
    "five parts": lambda address: f"{address}.1",
    "circled digits": _circled,
    "full-width digits": _digits("０"),
    "Arabic digits": _digits("٠"),
    "Devanagari digits": _digits("०"),
    "bold digits": _digits("𝟎"),
    "superscript zero": lambda address: address.replace("0", "⁰") if "0" in address else f"{address}⁰",
    "ideographic dots": _dots("。"),
    "full-width dots": _dots("．"),
    "half-width dots": _dots("｡"),
    "percent-encoded dots": _dots("%2e"),
    "percent-encoded digit": lambda address: f"%3{address[0]}{address[1:]}",
    "percent-encoded twice": lambda address: f"%253{address[0]}{address[1:]}",
    "soft hyphen": lambda address: f"{address[0]}\u00ad{address[1:]}",
    "zero-width space": lambda address: f"{address}\u200b",
    "brackets around IPv4": lambda address: f"[{address}]",
}

# IPv6 addresses that lead to an IPv4 address.
V6: Mapping[str, Callable[[str], str]] = {
    "v4-mapped": lambda address: f"[::ffff:{address}]",
    "v4-mapped in hexadecimal": lambda address: f"[{IPv6Address((0xFFFF << 32) + _number(address)).compressed}]",
    "v4-mapped in full": lambda address: f"[{IPv6Address((0xFFFF << 32) + _number(address)).exploded}]",
    "v4-compatible": lambda address: f"[::{address}]",
    "v4-translated": lambda address: f"[::ffff:0:{address}]",
    "NAT64": lambda address: f"[64:ff9b::{address}]",
    "NAT64, local": lambda address: f"[64:ff9b:1::{address}]",
    "6to4": lambda address: f"[{IPv6Address((0x2002 << 112) + (_number(address) << 80)).compressed}]",
    "Teredo": lambda address: f"[{_teredo(address)}]",
    "ISATAP": lambda address: f"[fe80::5efe:{address}]",
    "ISATAP, global prefix": lambda address: f"[2600:1f00::5efe:{address}]",
    "ISATAP, unique": lambda address: f"[2600:1f00::200:5efe:{address}]",
}


def _teredo(address: str) -> str:
    """RFC 4380 section 4: the client's address stands inverted at the end."""
    return IPv6Address((0x20010000 << 96) + (_number("8.8.8.8") << 64) + (_number(address) ^ 0xFFFFFFFF)).compressed


V6_ALONE = (
    *("::", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::0:1", "100::1", "2001::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254"),
    *(
        "fd00:42::42",
        "fd12:3456::1",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff05::2",
        "ff0e::1",
    ),
)
ZONES = ("fe80::1%lo", "fe80::1%25lo", "fe80::1%251", "::1%lo", "::1%25eth0", "fe80::a9fe:a9fe%25ens5")

NAMES = (
    *(
        "localhost",
        "LOCALHOST",
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
        "a.localhost",
        "broadcasthost",
    ),
    *("metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal"),
    *("metadata.azure.internal", "metadata.azure.com", "metadata.tencentyun.com", "metadata.packet.net"),
    *("metadata.platformequinix.com", "rancher-metadata", "metadata.exoscale.internal", "100.100.100.200.nip.io"),
    *("127.0.0.1.nip.io", "169.254.169.254.sslip.io", "localtest.me", "lvh.me", "vcap.me", "0x7f000001.example"),
    *("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
    *("host.docker.internal", "gateway.docker.internal", "host.containers.internal", "consul.service.consul"),
    *(
        "fritz.box",
        "router",
        "wpad",
        "printer.local",
        "db.internal",
        "vault.corp",
        "intranet",
        "api.openai.com.evil.example",
    ),
    *(
        "xn--lcalhost-nbh",
        "lоcalhost",
        "lοcalhost",
        "localhоst",
        "ℓocalhost",
        "ⓛocalhost",
        "loc\u0430lhost",
        "ＬＯＣＡＬＨＯＳＴ",
    ),
    *("localhoſt", "localhost.", "localhost..", "local\u200bhost", "local\u00adhost", "localhost\u3002", "%6cocalhost"),
)

# A reader that takes one of these for another place than the other does.
READINGS = (
    *("https://api.openai.com@127.0.0.1:{port}", "https://api.openai.com:443@127.0.0.1:{port}/v1"),
    *("https://127.0.0.1:{port}@api.openai.com", "https://user:pass@127.0.0.1:{port}", "https://:@127.0.0.1:{port}"),
    *("https://@127.0.0.1:{port}", "https://a@b@127.0.0.1:{port}", "https://api.openai.com%40127.0.0.1:{port}"),
    *("https://127.0.0.1:{port}%40api.openai.com", "https://127.0.0.1:{port}#@api.openai.com/"),
    *("https://127.0.0.1:{port}?@api.openai.com/", "https://127.0.0.1:{port}\\@api.openai.com/"),
    *("https://api.openai.com\\@127.0.0.1:{port}", "https://api.openai.com\\.127.0.0.1:{port}"),
    *("https:\\\\127.0.0.1:{port}", "https:/\\127.0.0.1:{port}", "https:/127.0.0.1:{port}", "https:127.0.0.1:{port}"),
    *("https:///127.0.0.1:{port}", "https:////127.0.0.1:{port}", "//127.0.0.1:{port}", "127.0.0.1:{port}"),
    *("https://127.0.0.1:{port}:443", "https://127.0.0.1:443:{port}", "https://api.openai.com:443:127.0.0.1:{port}"),
    *(
        "https://127.0.0.1:0{port}",
        "https://127.0.0.1:+{port}",
        "https://127.0.0.1: {port}",
        "https://127.0.0.1:{port} ",
    ),
    *(
        "https://127.0.0.1:{port}\n",
        "https://127.0.0.1\t:{port}",
        "https://127.0\t.0.1:{port}",
        "ht\ttps://127.0.0.1:{port}",
    ),
    *("https://127.0.0.1\r\nHost: api.openai.com:{port}", "https://127.0.0.1\x00.openai.com:{port}"),
    *(
        " https://127.0.0.1:{port}",
        "https://api.openai.com,127.0.0.1:{port}",
        "https://api.openai.com;127.0.0.1:{port}",
    ),
    *("https://api.openai.com/v1/../../@127.0.0.1:{port}", "https://127.0.0.1:{port}/v1/../admin"),
    *("https://127.0.0.1:{port}/./", "https://127.0.0.1:{port}//admin", "https://127.0.0.1:{port}/%2e%2e/admin"),
    *(
        "https://[::1]:{port}@api.openai.com",
        "https://[::1]127.0.0.1:{port}",
        "https://[::1:{port}",
        "https://::1:{port}",
    ),
    *(
        "https://[::1]%00:{port}",
        "https://[[::1]]:{port}",
        "https://[127.0.0.1:{port}]",
        "https://[::ffff:127.1]:{port}",
    ),
    *("https://127.0.0.1:{port}/?url=https://api.openai.com", "https://127.0.0.1:{port}/#https://api.openai.com"),
    *(
        "https://１２７.0.0.1:{port}",
        "https://127.0.0.1：{port}",
        "https：//127.0.0.1:{port}",
        "https://127.0.0.1:{port}／v1",
    ),
    *(
        "https://api.openai.com＠127.0.0.1:{port}",
        "https://api.openai.com﹫127.0.0.1:{port}",
        "https://api.openai.com＃.127.0.0.1",
    ),
)
SCHEMES = (
    *("file:///etc/passwd", "file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:{port}/_GET", "ftp://127.0.0.1:{port}/"),
    *("dict://127.0.0.1:{port}/info", "ldap://127.0.0.1:{port}/", "tftp://127.0.0.1:{port}/x", "ws://127.0.0.1:{port}"),
    *(
        "unix:///run/docker.sock",
        "http+unix://%2Frun%2Fdocker.sock/v1",
        "data:application/json,{{}}",
        "jar:http://127.0.0.1!/",
    ),
    *(
        "javascript:fetch('http://127.0.0.1')",
        "view-source:http://127.0.0.1:{port}",
        "netdoc:///etc/passwd",
        "smb://127.0.0.1/x",
    ),
    *(
        "http://127.0.0.1:{port}",
        "http://localhost:{port}/v1",
        "http://[::1]:{port}",
        "http://10.0.0.1",
        "http://api.openai.com",
    ),
    *("HTTP://127.0.0.1:{port}", "hTTps://127.0.0.1:{port}", "https://169.254.169.254/latest/meta-data"),
    *(
        "http://169.254.169.254/latest/meta-data/iam/security-credentials",
        "http://metadata.google.internal/computeMetadata/v1",
    ),
    *(
        "http://100.100.100.200/latest/meta-data",
        "http://192.0.0.192/latest",
        "http://168.63.129.16/machine?comp=goalstate",
    ),
)
PORTS = tuple(
    f"https://127.0.0.1:{port}"
    for port in (
        *("0", "00", "1", "22", "23", "25", "53", "110", "111", "135", "139", "143", "389", "445", "465", "587", "993"),
        *(
            "2049",
            "2375",
            "2376",
            "3306",
            "5432",
            "6379",
            "11211",
            "27017",
            "65536",
            "99999",
            "-1",
            "0x50",
            "٤٤٣",
            "443a",
            "",
        ),
    )
)


def _each(write: Callable[[str], str], addresses: Sequence[str]) -> list[str]:
    return [f"https://{write(address)}:{{port}}/v1" for address in addresses]


FORMS: Mapping[str, Sequence[str]] = {
    **{f"IPv4: {name}": _each(write, INSIDE) for name, write in V4.items()},
    **{f"IPv6: {name}": _each(write, INSIDE) for name, write in V6.items()},
    "IPv4 as it is": _each(str, (*INSIDE, *RESERVED)),
    "IPv6 as it is": [f"https://[{address}]:{{port}}/v1" for address in V6_ALONE],
    "zones": [f"https://[{address}]:{{port}}/v1" for address in ZONES],
    "names": [f"https://{name}:{{port}}/v1" for name in NAMES],
    "readings": READINGS,
    "schemes": SCHEMES,
    "ports": PORTS,
}

# What a name may answer with, so that no connection is made: one address inside is enough.
ANSWERS: Mapping[str, Sequence[str]] = {
    **{f"one {address}": [address] for address in (*INSIDE, *RESERVED, *V6_ALONE)},
    **{f"{name} {address}": [write(address)[1:-1]] for name, write in V6.items() for address in INSIDE[:4]},
    "public, then inside": ["93.184.215.14", "127.0.0.1"],
    "inside, then public": ["127.0.0.1", "93.184.215.14"],
    "IPv4 public, IPv6 inside": ["93.184.215.14", "::1"],
    "IPv6 public, IPv4 inside": ["2606:2800:21f:cb07::1", "10.0.0.1"],
    "sixty public, one inside": ["93.184.215.14"] * 60 + ["10.0.0.1"],
    "a thousand": ["93.184.215.14"] * 999 + ["127.0.0.1"],
    "a zone": ["fe80::1%lo"],
    "none": [],
    "no address": ["nonsense"],
    "a short number": ["127.1"],
}


def leads_to(name: str) -> list[str]:
    """Every name leads inwards, those of clouds' metadata services to these."""
    return ["169.254.169.254"] if "meta" in name or "instance-data" in name else ["127.0.0.1"]
