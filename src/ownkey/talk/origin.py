"""Where a key may go: scheme, host and port. A key is bound to the origin that it was entered for."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NoReturn
from unicodedata import normalize
from urllib.parse import urlsplit

from msgspec import Struct

from ownkey.talk.errors import EndpointNotAllowed

DEFAULT_PORTS = {"https": 443, "http": 80, "inside": 0}

_URL = re.compile(
    r"(?P<scheme>(?i:https|http|inside))://"
    r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<host>[^\x00-\x20\x7f/?#@:\\\[\]%]{1,253}))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*)",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# The ports that browsers refuse to fetch from (WHATWG Fetch, "bad port"), and those of databases and of Docker.
_BAD_PORTS = frozenset(
    (
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104),
        *(109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515),
        *(526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049),
        *(3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
        *(2375, 2376, 3306, 5432, 6379, 11211, 27017),
    )
)


class Origin(Struct, frozen=True):
    """`host` in lower case, ASCII, an IPv6 address without its brackets. `inside` is a provider in this process."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> tuple[Origin, str]:
        """The origin of a base URL and its path without a slash at the end: `https://api.example.com/v1/` gives `/v1`.

        Raises EndpointNotAllowed, without quoting the URL, for everything that two readers could read differently.
        """
        found = _URL.fullmatch(url)
        if found is None:
            _refuse(_oddity(url))
        scheme = found["scheme"].lower()
        host = _ipv6(found["v6"]) if found["v6"] else _name(found["host"])
        origin = cls(scheme, host, _port(scheme, found["port"]))
        path = found["path"].removesuffix("/")
        if {"", ".", ".."} & set(path.split("/")[1:]):
            _refuse("its path has an empty, `.` or `..` segment")
        if not _read_alike(url, origin, found["path"]):
            _refuse("it can be read in more than one way")
        return origin, path

    def __str__(self) -> str:
        if self.scheme == "inside":
            return f"inside://{self.host}"
        return f"{self.scheme}://{self.bracketed}:{self.port}"

    @property
    def as_browsers_say(self) -> str:
        """As it stands in an Origin header: without a port that the scheme has anyway (RFC 6454 section 6.2)."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.bracketed}{port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def _refuse(why: str) -> NoReturn:
    raise EndpointNotAllowed(
        f"This base URL cannot be used: {why}.", "Write it like https://api.example.com/v1.", param="base_url"
    ) from None


def _oddity(url: str) -> str:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "it holds a blank, a control character or a backslash"
    if not re.match(r"(?i:https?|inside)://", url, re.ASCII):
        return "it does not begin with https:// or http://"
    if "#" in url or "?" in url:
        return "it holds a query or a fragment"
    if "@" in url.split("/")[2]:
        return "it holds a user name or a password"
    if "%" in url:
        return "it holds percent signs"
    return "its host, port or path is malformed"


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        _refuse("its host is not an IPv6 address")


def _name(text: str) -> str:
    """A DNS name or an IPv4 address of four plain decimal numbers, as RFC 6943 section 3.1.1 calls strict."""
    if normalize("NFKC", text) != text:
        _refuse("its host holds characters that stand for others")
    host = text.lower()
    if not host.isascii():
        host = _idna(host)
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("its host is not a name")
    if any(label.startswith("xn--") for label in labels) and _idna(_unicode(host)) != host:
        _refuse("its host is not a name")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            _refuse("its host is a number that is not an IPv4 address")
    return host


def _idna(host: str) -> str:
    """Names whose letters are mapped to others are refused: IDNA 2003 and 2008 differ about them."""
    try:
        encoded = host.encode("idna").decode("ascii")
    except UnicodeError:
        _refuse("its host is not a name")
    if not host.isascii() and _unicode(encoded) != host:
        _refuse("its host holds characters that stand for others")
    return encoded


def _unicode(host: str) -> str:
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        _refuse("its host is not a name")


def _port(scheme: str, text: str | None) -> int:
    if text is None:
        return DEFAULT_PORTS[scheme]
    port = int(text)
    if scheme == "inside" or port > 65_535 or port in _BAD_PORTS:
        _refuse("its port is not one that a provider answers on")
    return port


def _read_alike(url: str, origin: Origin, path: str) -> bool:
    """Whether the standard library reads the same out of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if not host.isascii():
        host = _idna(host)
    elif ":" in host:
        host = _ipv6(host)
    return (parts.scheme, host, port or DEFAULT_PORTS[origin.scheme], parts.path, parts.query, parts.username) == (
        origin.scheme,
        origin.host,
        origin.port,
        path,
        "",
        None,
    )
