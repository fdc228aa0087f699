"""How an answer is read, whatever bytes a provider sends and however they are cut."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asking import KEY, asking, at, once
from ownkey.talk.errors import NetworkError, ProviderError, StreamCut, UnexpectedResponse
from ownkey.transport.connection import Limits
from scripted import Peer, always, answer, chunk

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIXED = (
    b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Empty:\r\nVary: a\r\nvary: b\r\n"
    b"Set-Cookie: a=1\r\nset-cookie: b=2\r\ntransfer-encoding: chunked\r\n\r\n"
    + chunk(b"data: 1\n\n")
    + b"1;x=y\r\n\n\r\n"
    + chunk(b"data: [DONE]\n\n")
    + b"0\r\nx-trailer: t\r\n\r\n"
)


def test_the_request_carries_its_headers_and_body_and_says_what_the_connection_needs(run) -> None:
    async def main() -> None:
        async with at(always) as (server, transport):
            incoming = await transport.send(asking(server.port, target=b"/v1/x?a=%20b"))
            assert (incoming.status, await incoming.read(100)) == (200, b"ok")
            request = server.requests[0]
            assert (request.method, request.target, request.body) == ("POST", "/v1/x?a=%20b", b'{"model":"m"}')
            assert dict(request.headers) == {
                "host": f"127.0.0.1:{server.port}",
                "accept-encoding": "identity",
                "connection": "keep-alive",
                "authorization": f"Bearer {KEY.decode()}",
                "content-type": "application/json",
                "content-length": "13",
            }
            await (await transport.send(asking(server.port, method=b"GET", body=b""))).read(100)
            assert server.requests[1].header("content-length") is None

    run(main())


def test_U08_an_answer_split_at_every_byte_reads_the_same(run) -> None:
    async def main() -> None:
        cut = 0

        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(MIXED[:cut], 0.001, MIXED[cut:])

        async with at(script) as (server, transport):
            for cut in range(len(MIXED)):
                incoming = await transport.send(asking(server.port))
                assert incoming.status == 200, cut
                assert incoming.headers == {
                    b"content-type": b"text/event-stream",
                    b"x-empty": b"",
                    b"vary": b"a, b",
                    b"set-cookie": b"a=1",
                    b"transfer-encoding": b"chunked",
                }
                assert await incoming.read(1000) == b"data: 1\n\n\ndata: [DONE]\n\n"
            assert len(server.peers) == 1

    run(main())


def test_U08_an_answer_that_comes_byte_by_byte_reads_the_same(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            for byte in MIXED:
                await peer.send(bytes([byte]), 0.0)

        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            assert await incoming.read(1000) == b"data: 1\n\n\ndata: [DONE]\n\n"

    run(main())


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (answer(b"x" * 300_000), 200, b"x" * 300_000),
        (
            CHUNKED + b"".join(chunk(b"y" * size) for size in (1, 2, 15, 16, 17, 255, 4096, 70_000)) + b"0\r\n\r\n",
            200,
            b"y" * 74_402,
        ),
        (CHUNKED + b"00A\r\n0123456789\r\n000\r\n\r\n", 200, b"0123456789"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", 200, b""),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 16 + answer(b"late"), 200, b"late"),
        (b"HTTP/1.1 199 Almost\r\n\r\n" + answer(b"late"), 200, b"late"),
        (answer(b"odd", 599), 599, b"odd"),
        (answer(b"plain", 200, "content-encoding: Identity"), 200, b"plain"),
        (answer(b"plain", 200, "content-encoding:"), 200, b"plain"),
        (answer(b"no", 429, "retry-after: 3"), 429, b"no"),
        (answer(b"busy", 529), 529, b"busy"),
        (answer(b"plain", 200, "content-encoding: identity"), 200, b"plain"),
    ],
    ids=lambda value: None if isinstance(value, int) else "",
)
def test_every_framing_of_HTTP_gives_the_whole_body(run, raw: bytes, status: int, body: bytes) -> None:
    incoming, read = run(once(raw))
    assert (incoming.status, read) == (status, body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_E09_a_redirect_is_an_answer_and_is_not_followed(run, status: int) -> None:
    async def main() -> None:
        async def tempt(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"", status, f"location: http://127.0.0.1:{second.port}/v1/chat/completions"))

        async with at(always) as (second, _), at(tempt) as (server, transport):
            incoming = await transport.send(asking(server.port))
            assert (incoming.status, await incoming.read(10)) == (status, b"")
            assert second.peers == []

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\r\n  folded\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 600 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x02ok",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + answer(b"late"),
        b"HTTP/1.1 103 Hints\r\n\r\n" * 100_000,
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"<!doctype html><p>hello</p>",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
        answer(b"\x1f\x8b\x08", 200, "content-encoding: gzip"),
        answer(b"\x1f\x8b\x08", 200, "content-encoding: gzip", "content-encoding: gzip"),
        answer(b"\x0b", 500, "Content-Encoding: br"),
        answer(b"(\xb5/\xfd", 200, "content-encoding: zstd"),
    ],
)
def test_U05_U06_U23_an_answer_that_is_ambiguous_or_encoded_is_refused(run, raw: bytes) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        run(once(raw))
    assert "127.0.0.1" in caught.value.message


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 101 + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 400_000,
        b"HTTP/1.1 200 OK\r\n" + b"b" * 400_000,
        b"HTTP/1.1 200 " + b"b" * 400_000,
        CHUNKED + b"1;" + b"b" * 400_000,
        CHUNKED + chunk(b"a") + b"0\r\nx-t: " + b"b" * 900_000,
        CHUNKED + chunk(b"a") + b"0\r\n" + b"x-t: b\r\n" * 101 + b"\r\n",
    ],
    ids=["many", "long", "endless value", "endless name", "endless reason", "extension", "trailer", "trailers"],
)
def test_U16_headers_without_end_are_refused(run, raw: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match=r"headers|HTTP/1\.1"):
        run(once(raw))


def test_U16_headers_may_be_as_many_and_as_large_as_the_limit_says(run) -> None:
    """Names and values count."""
    three = b"HTTP/1.1 200 OK\r\nx-a: bcd\r\nx-b: bcd\r\ncontent-length: 0\r\n\r\n"
    for limits, status in ((Limits(headers=3), 200), (Limits(head_bytes=27), 200)):
        incoming, _ = run(once(three, limits=limits))
        assert incoming.status == status
    for limits in (Limits(headers=2), Limits(head_bytes=26)):
        with pytest.raises(UnexpectedResponse, match="headers are too many or too large"):
            run(once(three, limits=limits))


@pytest.mark.parametrize(("size", "good"), [(64, True), (65, False)])
def test_U16_what_is_no_body_may_be_as_long_as_the_limit_says(run, size: int, good: bool) -> None:
    begun = b"HTTP/1.1 200 "
    begun += b"K" * (size - len(begun))

    async def main() -> bytes:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(begun, 0.05, b"\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
            for _ in range(20):
                await peer.send(0.002, b"1\r\na\r\n")
            await peer.send(b"0\r\n\r\n")

        async with at(script, limits=Limits(head_bytes=64)) as (server, transport):
            return await (await transport.send(asking(server.port))).read(10_000)

    if good:
        assert run(main()) == b"a" * 21
    else:
        with pytest.raises(UnexpectedResponse, match="headers are too large"):
            run(main())


def test_a_chunk_that_is_malformed_ends_the_answer_with_an_error_and_not_with_an_end(run) -> None:
    for bad in (b"zz\r\nabc\r\n", b"ffffffffffffffffffff\r\nabc", b"3\r\nabcd\r\n", b"3\nabc\r\n", b"-1\r\n\r\n"):
        with pytest.raises(UnexpectedResponse):
            run(once(CHUNKED + chunk(b"good") + bad))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        CHUNKED,
        CHUNKED + chunk(b"half"),
        CHUNKED + b"a\r\nhalf",
        CHUNKED + chunk(b"half") + b"0\r\n",
    ],
)
def test_a_body_that_ends_too_early_gives_what_came_and_then_StreamCut(run, raw: bytes) -> None:
    async def main() -> bytes:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(raw)

        got = b""
        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            if b"half" in raw:
                got = await incoming.next()
            for _ in range(2):
                with pytest.raises(StreamCut):
                    await incoming.next()
        return got

    assert run(main()) == (b"half" if b"half" in raw else b"")


def test_U10_a_reset_before_the_headers_is_NetworkError_and_after_them_StreamCut(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            if peer.number:
                await peer.send(CHUNKED + chunk(b"one"))
                await reset.wait()
            peer.reset()

        reset = asyncio.Event()
        async with at(script) as (server, transport):
            with pytest.raises(NetworkError, match="before it answered"):
                await transport.send(asking(server.port))
            incoming = await transport.send(asking(server.port))
            assert await incoming.next() == b"one"
            reset.set()
            with pytest.raises(StreamCut):
                await incoming.next()

    run(main())


def test_a_reset_in_a_body_without_length_is_not_its_end(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\none")
            await reset.wait()
            peer.reset()

        reset = asyncio.Event()
        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            assert await incoming.next() == b"one"
            reset.set()
            with pytest.raises(StreamCut):
                await incoming.next()

    run(main())


def test_an_answer_larger_than_asked_for_or_than_the_limit_is_refused(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await always(peer, answer(b"x" * 200_000))

        async with at(script, limits=Limits(body_bytes=200_000)) as (server, transport):
            incoming = await transport.send(asking(server.port))
            with pytest.raises(UnexpectedResponse, match="larger than 199,999 bytes"):
                await incoming.read(199_999)
            assert len(await (await transport.send(asking(server.port))).read(200_000)) == 200_000
        async with at(script, limits=Limits(body_bytes=199_999)) as (server, transport):
            with pytest.raises(UnexpectedResponse, match="too large"):
                await (await transport.send(asking(server.port))).read(1 << 30)

    run(main())


def test_a_provider_is_not_read_from_while_nobody_takes_what_it_sent(run) -> None:
    async def main() -> None:
        total = 64 * 1024 * 1024
        sent = 0

        async def script(peer: Peer) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
            for _ in range(total // 65_536):
                await peer.send(bytes(65_536))
                sent += 65_536

        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < total / 2
            largest = got = 0
            while piece := await incoming.next():
                got += len(piece)
                largest = max(largest, len(piece))
            assert got == total
            assert largest < 1024 * 1024

    run(main())


def test_what_was_closed_unread_never_looks_like_a_whole_answer(run) -> None:
    async def main() -> None:
        async with at(always) as (server, transport):
            incoming = await transport.send(asking(server.port))
            incoming.close()
            with pytest.raises(StreamCut):
                await incoming.next()

    run(main())


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(MIXED)),
        st.integers(0, 8),
        st.sampled_from(
            [b"", b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b":", b" ", b"0", b"f", b"\xff", b"content-length: 3\r\n"]
        ),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(EDITS, st.lists(st.integers(0, len(MIXED)), max_size=3))
def test_U08_a_damaged_answer_ends_the_same_wherever_it_is_cut(
    edits: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    damaged = MIXED
    for place, gone, put in edits:
        damaged = damaged[:place] + put + damaged[place + gone :]
    edges = [0, *sorted(cuts), len(damaged)]

    async def main(*steps: bytes | float) -> tuple[int, bytes] | type[ProviderError]:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(*steps)

        async with at(script) as (server, transport):
            try:
                incoming = await transport.send(asking(server.port))
                return incoming.status, await incoming.read(100_000)
            except ProviderError as error:
                return type(error)

    pieces = [step for start, end in itertools.pairwise(edges) for step in (damaged[start:end], 0.001)]
    assert asyncio.run(main(*pieces)) == asyncio.run(main(damaged))
