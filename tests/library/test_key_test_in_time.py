"""A person waits for the test of a key: it answers within five seconds, whatever the provider does."""

from __future__ import annotations

import asyncio
import itertools
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from house import COMMAND, KEYS, environment, library, make_home
from ownkey import Ownkey
from ownkey.talk.errors import NetworkError, OwnkeyError, ProviderError, ProviderTimeout
from scripted import Peer, Script, answer, chunk, serve

KEY = KEYS["openai"]
MOST_S = 5.0
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
LISTED = b'{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}'

CHAT_CHECKED = """
    id = "{id}"
    name = "{id}"
    kind = "local"
    wire = "openai-chat"
    base_url = "{url}/v1"
    auth = {{ header = "authorization", scheme = "Bearer" }}
    check = "chat"
    default = "m"
    [[models]]
    id = "m"
"""
LISTING = """
    id = "{id}"
    name = "{id}"
    kind = "local"
    wire = "openai-chat"
    base_url = "{url}/v1"
    auth = {{ header = "authorization", scheme = "Bearer" }}
"""
PAGED = """
    id = "paged"
    name = "Paged AI"
    kind = "local"
    wire = "anthropic-messages"
    base_url = "{url}/v1"
    auth = {{ header = "x-api-key", scheme = "" }}
"""


async def slowly(peer: Peer, pieces: Iterator[bytes], every_s: float = 0.1) -> None:
    for piece in pieces:
        await peer.send(piece, every_s)


async def silence(peer: Peer) -> None:
    await peer.request()
    await peer.until_gone()


async def not_even_read(peer: Peer) -> None:
    await peer.gone.wait()


async def head_byte_by_byte(peer: Peer) -> None:
    await peer.request()
    head = b"HTTP/1.1 200 OK\r\nx-slow: "
    await slowly(peer, (bytes([one]) for one in itertools.chain(head, itertools.repeat(b"a"[0]))))


async def endless_headers(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"x: y\r\n" * 100)


async def endless_headers_slowly(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    await slowly(peer, itertools.repeat(b"x: y\r\n"))


async def endless_interim_answers(peer: Peer) -> None:
    await peer.request()
    while True:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n", 0.001)


async def interim_answers_slowly(peer: Peer) -> None:
    await peer.request()
    await slowly(peer, itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n"), 0.4)


async def endless_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED, chunk(b'{"data":['))
    while True:
        await peer.send(chunk(b'{"id":"m"},' * 4096))


async def body_byte_by_byte(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED)
    await slowly(peer, itertools.repeat(chunk(b" ")))


async def body_that_stops(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    await peer.until_gone()


async def chunk_name_without_end(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED, b"5;x=")
    while True:
        await peer.send(b"y" * 65_536)


async def trailers_without_end(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED, chunk(LISTED), b"0\r\n")
    await slowly(peer, itertools.repeat(b"x: y\r\n"))


async def half_open(peer: Peer) -> None:
    """It sends no more, and goes on reading."""
    await peer.request()
    peer.writer.write_eof()
    await peer.until_gone()


async def half_open_in_the_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED, b"4")
    peer.writer.write_eof()
    await peer.until_gone()


async def reset(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def deep(peer: Peer) -> None:
    await peer.request()
    await peer.send(answer(b"[" * 900_000))


async def refuses_slowly(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 9000\r\n\r\n")
    await slowly(peer, itertools.repeat(b" "))


SLOW: dict[str, Script] = {
    one.__name__: one
    for one in (
        silence,
        not_even_read,
        head_byte_by_byte,
        endless_headers_slowly,
        interim_answers_slowly,
        body_byte_by_byte,
        body_that_stops,
        trailers_without_end,
        refuses_slowly,
    )
}
AT_ONCE: dict[str, Script] = {
    one.__name__: one
    for one in (
        endless_headers,
        endless_interim_answers,
        endless_body,
        chunk_name_without_end,
        half_open,
        half_open_in_the_body,
        reset,
        deep,
    )
}


@asynccontextmanager
async def opened(home: Path, *places: tuple[str, int]) -> AsyncIterator[Ownkey]:
    make_home(home)
    async with Ownkey(home, keychain=False, allow_private_hosts=places) as ownkey:
        yield ownkey


async def trouble(ownkey: Ownkey, provider: str, url: str | None = None) -> OwnkeyError:
    """What the test of a key at this address says, in time."""
    if url is not None:
        ownkey.providers.set(provider, endpoint=url)
    ownkey.keys.set(provider, KEY)
    began = time.monotonic()
    with pytest.raises(OwnkeyError) as caught:
        await ownkey.keys.test(provider)
    assert time.monotonic() - began < MOST_S, provider
    assert KEY not in str(caught.value)
    return caught.value


async def troubles(ownkey: Ownkey, faults: Mapping[str, Script], manifest: str) -> dict[str, OwnkeyError]:
    """The same for a provider with each of these faults, all tested at once; by the fault's name."""
    async with AsyncExitStack() as stack:
        for name, script in faults.items():
            server = await stack.enter_async_context(serve(script))
            url = f"http://127.0.0.1:{server.port}"
            ownkey.providers.add(manifest.format(id=_id(name), url=url).encode(), f"{name}.toml")
        found = await asyncio.gather(*(trouble(ownkey, _id(name)) for name in faults))
    return dict(zip(faults, found, strict=True))


def _id(name: str) -> str:
    return name.replace("_", "-")


@pytest.mark.row("B20")
def test_a_key_test_answers_in_time_whatever_the_provider_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "home") as ownkey:
            found = await troubles(ownkey, SLOW | AT_ONCE, LISTING)
            late = {name for name, error in found.items() if isinstance(error, ProviderTimeout)}
            assert late == set(SLOW)
            assert all(isinstance(error, ProviderError) for error in found.values())

    asyncio.run(main())


@pytest.mark.row("B20")
def test_a_key_test_by_a_short_answer_is_in_time_and_holds_no_money(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "home") as ownkey:
            found = await troubles(ownkey, SLOW, CHAT_CHECKED)
            assert all(isinstance(error, ProviderTimeout) for error in found.values()), found
            await ownkey.house.store.book.drain()
            for name in SLOW:
                rows = ownkey.house.store.book.rows(provider=_id(name), limit=10)
                assert rows, name
                assert all(row.state != "held" for row in rows), name

    asyncio.run(main())


@pytest.mark.row("B20")
def test_a_list_of_models_that_never_ends_is_in_time(tmp_path: Path) -> None:
    page = b'{"data":[{"id":"m","type":"model"}],"has_more":true,"last_id":"m"}'

    async def pages(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(0.5, answer(page))

    async def main() -> None:
        async with serve(pages) as server, opened(tmp_path / "home") as ownkey:
            ownkey.providers.add(PAGED.format(url=f"http://127.0.0.1:{server.port}").encode(), "paged.toml")
            assert isinstance(await trouble(ownkey, "paged"), ProviderTimeout)
            assert 2 <= len(server.requests) <= 8

    asyncio.run(main())


async def says_nothing(peer: Peer) -> None:
    await peer.until_gone()


async def half_a_hello(peer: Peer) -> None:
    """The beginning of a record of TLS that is said to be of 16 KiB."""
    await peer.reader.read(1)
    await slowly(peer, itertools.chain([b"\x16\x03\x03\x40\x00\x02"], itertools.repeat(b"\x00")))


async def speaks_http(peer: Peer) -> None:
    await peer.reader.read(1)
    await peer.send(answer(b"no TLS here", 400))


async def ends(peer: Peer) -> None:
    await peer.reader.read(1)
    peer.writer.write_eof()
    await peer.until_gone()


@pytest.mark.row("B20")
@pytest.mark.parametrize("fault", [says_nothing, half_a_hello, speaks_http, ends], ids=lambda one: one.__name__)
def test_a_handshake_of_tls_that_does_not_end_is_in_time(fault: Script, tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(fault) as server, opened(tmp_path / "home", ("127.0.0.1", server.port)) as ownkey:
            error = await trouble(ownkey, "openai", f"https://127.0.0.1:{server.port}/v1")
            assert isinstance(error, ProviderTimeout | NetworkError)
            assert server.requests == []

    asyncio.run(main())


@contextmanager
def full(addresses: list[str]) -> Iterator[int]:
    """A port at which nobody accepts: with a backlog of 0, Linux lets one connection wait and answers no other."""
    with socket.create_server((addresses[0], 0), backlog=0) as first:
        port = first.getsockname()[1]
        servers = [first, *(socket.create_server((one, port), backlog=0) for one in addresses[1:])]
        waiting = [(socket.socket(), one) for one in addresses for _ in range(4)]
        for each, address in waiting:
            each.setblocking(False)
            each.connect_ex((address, port))
        yield port
        for each in (*(one for one, _ in waiting), *servers):
            each.close()


@pytest.mark.row("B20")
def test_addresses_at_which_nobody_answers_are_tried_in_time(tmp_path: Path) -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 10)]

    def all_of_them(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    async def main() -> None:
        with full(addresses) as port:
            async with opened(tmp_path / "home", ("full.test", port)) as ownkey:
                error = await trouble(ownkey, "openai", f"http://full.test:{port}/v1")
                assert isinstance(error, ProviderTimeout)

    with patch.object(socket, "getaddrinfo", all_of_them):
        asyncio.run(main())


@pytest.mark.row("B20")
def test_a_dns_that_says_nothing_is_in_time_and_holds_up_nobody_else(tmp_path: Path) -> None:
    answered, real = threading.Event(), socket.getaddrinfo

    def hang(host: str, port: int, *rest: object, **more: object) -> list[object]:
        if str(host).endswith(".hangs.test"):
            answered.wait(60)
        return real("127.0.0.1", port, type=socket.SOCK_STREAM)

    async def healthy(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(LISTED))

    async def main() -> None:
        async with serve(healthy) as server, opened(tmp_path / "home", ("box.lan", server.port)) as ownkey:
            ownkey.providers.set("deepseek", endpoint=f"http://box.lan:{server.port}/v1")
            ownkey.keys.set("deepseek", KEY, force=True)
            for number in range(70):
                name = f"n{number}.hangs.test"
                ownkey.house.transport.guard.forget(name, 443)
                begun = asyncio.ensure_future(ownkey.house.transport.guard.addresses(name, 443, tls=True))
                await asyncio.sleep(0)
                hanging.append(begun)
            refused = [one for one in hanging if one.done()]
            assert len(refused) == 6, "no more than so many threads wait for the DNS"
            with pytest.raises(NetworkError, match="DNS"):
                await refused[0]
            began = time.monotonic()
            hanging[0].cancel()
            error = await trouble(ownkey, "openai", "https://n1.hangs.test/v1")
            assert isinstance(error, ProviderTimeout)
            assert time.monotonic() - began < MOST_S
            answered.set()
            await asyncio.gather(*hanging, return_exceptions=True)
            assert (await ownkey.keys.test("deepseek")).models == 1

    hanging: list[asyncio.Future[tuple[str, ...]]] = []
    with patch.object(socket, "getaddrinfo", hang):
        asyncio.run(main())


HANGING = """
import socket, sys, time

def hang(*_, **__):
    print("asked", file=sys.stderr, flush=True)
    time.sleep(120)

socket.getaddrinfo = hang
sys.argv = ["ownkey", *sys.argv[1:]]
from ownkey.cli.main import main
main()
"""


@pytest.mark.row("B20")
@pytest.mark.parametrize("fault", ["a silent provider", "a silent DNS"])
def test_the_command_answers_in_time_and_ends(fault: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent.settimeout(60)
        port = silent.getsockname()[1]
        url = f"http://127.0.0.1:{port}/v1" if fault == "a silent provider" else "https://api.example.com/v1"
        with library(home) as ownkey:
            ownkey.providers.set("openai", endpoint=url)
            ownkey.keys.set("openai", KEY)
        env = environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{port}")
        program = COMMAND if fault == "a silent provider" else (sys.executable, "-c", HANGING)
        began_s = processor_s()
        subprocess.run([*program, "keys", "list"], env=env, capture_output=True, timeout=60)
        starting_s = processor_s() - began_s
        began_s = processor_s()
        with subprocess.Popen([*program, "keys", "test", "openai"], env=env, stderr=subprocess.PIPE, text=True) as asks:
            assert asks.stderr is not None
            if fault == "a silent provider":
                stack.enter_context(silent.accept()[0])
            else:
                assert asks.stderr.readline() == "asked\n"
            asked_s = time.monotonic()
            told = asks.stderr.read()
            assert asks.wait(60) != 0
            waited_s = time.monotonic() - asked_s
        took_s = processor_s() - began_s
    print(f"{waited_s:.2f} s after it asked; {took_s:.2f} s of a processor, of which {starting_s:.2f} s to start")
    assert "within 3.5 s" in told
    assert waited_s < 10, "in which it would connect, or give up connecting"
    assert took_s < MOST_S - 3.5 or starting_s > 0.75, "what is left of five seconds is enough to start"


def processor_s() -> float:
    """Of a processor's time, what the processes that were begun here and have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
