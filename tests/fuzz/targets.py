"""What must hold for any bytes at all. Each target is shown bytes, and fails where something does not hold.

`tools/run_fuzz.py` shows them what a coverage-guided fuzzer thinks up; `test_fuzz_targets.py` what Hypothesis does.
"""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from ownkey.catalog import address
from ownkey.catalog.manifest import Provider
from ownkey.catalog.read import Problem, read_manifest
from ownkey.talk.errors import KeyUnreadable, OwnkeyError, UnexpectedResponse
from ownkey.talk.origin import DEFAULT_PORTS, Origin
from ownkey.transport import addresses
from ownkey.vault.envelope import Bound, Root, seal, sealed_under, unseal
from ownkey.wires.sse import Splitter
from ownkey.wires.wire import TABLE

PROVIDERS = Path(address.__file__).parent / "providers"
WIRES = frozenset(TABLE)
MOST_S = 5.0

ROOT = Root(bytes(range(32)))
BOUND = Bound("install-1", "local", "openai", "https://api.openai.com:443", "key_1", 1)
PLAIN = b"sk-test-0123456789abcdef"


def sse(data: bytes) -> None:
    """The same events however the stream is cut, and those that the standard's own steps give."""
    seed, stream = data[:4], data[4:]
    whole, rest = _events([stream])
    assert whole == _by_the_standard(stream)
    cut = random.Random(seed)
    places = sorted(cut.randrange(len(stream) + 1) for _ in range(cut.randrange(1, 12)))
    pieces = [stream[begin:end] for begin, end in zip([0, *places], [*places, len(stream)], strict=True)]
    assert _events(pieces) == (whole, rest)
    assert _events([stream[at : at + 1] for at in range(len(stream))]) == (whole, rest)


def _events(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    try:
        # Blank lines are no part of the rest: it is a JSON body, or a piece of an event.
        return [event for piece in pieces for event in splitter.feed(piece)], splitter.rest.replace(b"\n", b"")
    except UnexpectedResponse:
        return [], b"refused"


def _by_the_standard(stream: bytes) -> list[bytes]:
    """WHATWG HTML, 9.2.6, line by line; an event without data is none here."""
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    found: list[bytes] = []
    data: list[bytes] = []
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        if not line:
            found += [b"\n".join(data)] if any(data) else []
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return found


@cache
def _record() -> bytes:
    return seal(ROOT, BOUND, PLAIN)


def envelope(data: bytes) -> None:
    """Nothing opens but what was sealed: neither these bytes, nor a record that they say how to alter."""
    assert _opens(data, BOUND) is (data == _record())
    assert len(sealed_under(data)) <= 8
    record = bytearray(_record())
    for at in range(0, len(data) - 2, 3):
        place, value = data[at] % (len(record) + 1), data[at + 2]
        if data[at + 1] % 4 == 0:
            record[place:place] = bytes((value,))
        elif data[at + 1] % 4 == 1:
            del record[place : place + value]
        elif place < len(record):
            record[place] = value if data[at + 1] % 4 == 2 else record[place] ^ value
    assert _opens(bytes(record), BOUND) is (bytes(record) == _record())
    text = data.decode("utf-8", "ignore")
    for field in ("install_id", "owner", "provider", "origin", "key_id", "purpose"):
        bound = replace(BOUND, **{field: text})
        assert _opens(_record(), bound) is (bound == BOUND)


def _opens(record: bytes, bound: Bound) -> bool:
    try:
        return unseal(ROOT, bound, record) == PLAIN
    except KeyUnreadable:
        return False


def origin(data: bytes) -> None:
    """An address that is taken is read alike by the standard library, and a second time."""
    url = data.decode("utf-8", "surrogateescape")
    try:
        found, path = Origin.parse(url)
    except OwnkeyError:
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    assert parts.scheme == found.scheme
    assert (parts.port or DEFAULT_PORTS[found.scheme]) == found.port
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert parts.path.removesuffix("/") == path
    assert {".", ".."}.isdisjoint(unquote(parts.path).split("/"))
    if host.isascii():
        _is_host(host, found.host)
    else:
        assert host.encode("idna").decode("ascii") == found.host
    if found.scheme != "inside":
        assert Origin.parse(str(found)) == (found, "")


def _is_host(host: str, read: str) -> None:
    """As `ipaddress` reads it where it is a number; else a name that no resolver takes for one."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        assert host.lower() == read
        last = read.rpartition(".")[2]
        assert not last.isdigit()
        assert not last.startswith("0x")
    else:
        assert ipaddress.ip_address(read) == number


def endpoint(data: bytes) -> None:
    """Neither a base URL that is taken nor a model's name leads a request elsewhere than the base URL says."""
    text = data.decode("utf-8", "replace")
    url, _, model = text.partition("\n")
    assert address.base_url_problem(url) is None or url != _shipped().base_url
    if address.base_url_problem(url) is None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port != 0
        assert (parts.username, parts.query, parts.fragment) == (None, "", "")
        assert ".." not in parts.path.split("/")
    for base in (url, "https://api.example.com/v1"):
        try:
            made = address.endpoint(_shipped(), "/models/{model}:ask", model=model, base_url_override=base)
        except OwnkeyError:
            continue
        parts, begun = urlsplit(made), urlsplit(base)
        assert (parts.scheme, parts.netloc) == (begun.scheme, begun.netloc)
        assert parts.path.startswith(f"{begun.path.rstrip('/')}/models/")
        assert parts.path.count("/") == f"{begun.path.rstrip('/')}/models/x".count("/")
        assert unquote(parts.path.rpartition("/")[2]) == f"{model}:ask"
        assert (parts.query, parts.fragment) == ("", "")


@cache
def _shipped() -> Provider:
    found = read_manifest((PROVIDERS / "openai.toml").read_bytes(), "openai.toml", wires=WIRES)
    assert isinstance(found, Provider)
    return found


def number(data: bytes) -> None:
    """An address is one where `ipaddress` says so too, and of the public internet only where it says so too."""
    text = data.decode("utf-8", "replace")
    raw: list[str] = [str(ipaddress.ip_address(data))] if len(data) in (4, 16) else []
    for each in (text, *raw):
        found = addresses.parse(each)
        try:
            theirs = ipaddress.ip_address(each)
        except ValueError:
            assert found is None
            theirs = None
        assert found == theirs
        if addresses.is_global(each):
            assert theirs is not None
            assert theirs.is_global
            kinds = ("is_private", "is_link_local", "is_loopback", "is_multicast", "is_reserved", "is_unspecified")
            assert not any(getattr(theirs, kind) for kind in kinds)
            assert not addresses.is_metadata(each)
        elif addresses.is_metadata(each):
            assert theirs is not None


def manifest(data: bytes) -> None:
    """A provider, or one line that says what is wrong; soon."""
    began = time.monotonic()
    found = read_manifest(data, "own.toml", wires=WIRES)
    assert time.monotonic() - began < MOST_S
    if isinstance(found, Problem):
        assert str(found).isprintable()
        assert len(str(found)) < 1000
        return
    for wire in (found.wire, *found.speaks):
        spoken = address.as_spoken(found, wire)
        try:
            made = address.endpoint(spoken, "/x", fields=dict.fromkeys(found.fields, "value"))
            address.setting_headers(spoken, dict.fromkeys(found.fields, "value"))
        except OwnkeyError:
            continue
        assert address.base_url_problem(made.partition("?")[0]) is None


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (sse, envelope, origin, endpoint, number, manifest)
}

CORPUS: dict[str, list[bytes]] = {
    "sse": [
        b"0000data: {}\n\ndata: [DONE]\n\n",
        b"0001\xef\xbb\xbfevent: a\r\ndata:b\r\n\r\n: c\r\rdata\rdata: x\r\r",
        b'0002{"error": {"message": "no"}}\n\ndata:\n\n',
    ],
    "envelope": [b"", b"OKEV\x02\x01", _record(), b"\x00\x02\x00", b"\x04\x02\x01\x05\x02\x02", b"\x0e\x03\xff"],
    "origin": [
        *(b"https://api.openai.com/v1", b"http://[::1]:8080/a/", b"http://127.0.0.1:11434", b"inside://demo"),
        *(
            "https://\u65e5\u672c.jp/".encode(),
            b"https://xn--wgv71a.jp",
            b"https://a@b/",
            b"http://0x7f.1/",
            b"https://A.B",
        ),
    ],
    "endpoint": [
        b"https://api.openai.com/v1\ngpt-4o",
        b"http://[::1]:80/\na/../b",
        b"https://x.y:8443\n\xc3\xa9%2e%2e",
    ],
    "number": [
        b"127.0.0.1",
        b"::ffff:169.254.169.254",
        b"64:ff9b::1.2.3.4",
        b"\x08\x08\x08\x08",
        b"2001:db8::1",
        b"1.2",
    ],
    "manifest": [path.read_bytes() for path in sorted(PROVIDERS.glob("*.toml")) if path.stat().st_size < 6000],
}
"""What each begins from."""
