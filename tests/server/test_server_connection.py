"""The server's end of a connection, over real sockets: what a client may do to it, and what it hears."""

from __future__ import annotations

import asyncio
import sys
from asyncio import Task
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from ownkey.server.connection import Connection
from ownkey.server.exchange import Exchange
from ownkey.server.refusal import Limits
from ownkey.talk.errors import OwnkeyError

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 65_536


@dataclass
class Shop:
    """Answers with the path; what it was asked stands in `seen`."""

    connections: set[asyncio.Protocol] = field(default_factory=set)
    tasks: set[Task[None]] = field(default_factory=set)
    seen: list[Exchange] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    refused: list[str] = field(default_factory=list)
    pieces: int = 0
    ended: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def paths(self) -> list[str]:
        return [exchange.path for exchange in self.seen]

    async def serve(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        match exchange.path:
            case "/slow":
                await asyncio.sleep(0.1)
            case "/wait":
                await self.go.wait()
            case "/defect":
                raise RuntimeError("sk-canary")
            case "/stream" | "/defect/stream":
                await self._stream(exchange)
                return
            case "/large":
                exchange.answer(200, PIECE * 160, [])
                return
            case _:
                pass
        exchange.answer(200, exchange.path.encode() + b" " + exchange.body, [])

    async def _stream(self, exchange: Exchange) -> None:
        task = asyncio.current_task()
        assert task is not None
        exchange.on_gone = task.cancel
        exchange.start([])
        try:
            while True:
                await exchange.write(PIECE)
                self.pieces += 1
                if exchange.path == "/defect/stream":
                    raise RuntimeError("sk-canary")
                await asyncio.sleep(0)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise

    def refuse(self, exchange: Exchange, error: OwnkeyError, status: int | None = None) -> None:
        self.refused.append(exchange.path)
        exchange.answer(status or 500, error.message.encode(), [])


@asynccontextmanager
async def shop(limits: Limits | None = None) -> AsyncIterator[Shop]:
    loop = asyncio.get_running_loop()
    shop = Shop()
    server = await loop.create_server(lambda: Connection(shop, shop, loop, limits or Limits()), "127.0.0.1", 0)
    shop.port = server.sockets[0].getsockname()[1]
    try:
        yield shop
    finally:
        server.close()
        for task in list(shop.tasks):
            task.cancel()
        for connection in list(shop.connections):
            assert isinstance(connection, Connection)
            connection.shutdown()
        await eventually(lambda: not shop.tasks)


async def eventually(true: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def said(port: int, *pieces: bytes, end: bool = False, answers: int | None = None) -> bytes:
    """All that comes until the server closes; where it is to stay open, until so many answers have come, and after
    them nothing for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    if end:
        writer.write_eof()
    heard = b""
    try:
        while data := await asyncio.wait_for(
            reader.read(65_536), 20 if answers is None or heard.count(b"HTTP/1.1 ") < answers else 0.4
        ):
            heard += data
        heard += b"[closed]"
    except TimeoutError:
        pass
    writer.close()
    return heard


def statuses(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


def run(main: Callable[[], Awaitable[None]]) -> None:
    """On asyncio's own loop, and on uvloop where there is one, which `ownkey serve` takes."""

    async def whole() -> None:
        await main()

    asyncio.run(whole())
    if sys.platform != "win32":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())


REFUSED = {
    "CL and TE": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "TE and CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + GET,
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef" + GET,
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nabcde" + GET,
    "a negative length": POST + b"Content-Length: -5\r\n\r\n" + GET,
    "a signed length": POST + b"Content-Length: +5\r\n\r\nabcde" + GET,
    "a length past all numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a folded header": b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n" + GET,
    "a folded encoding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "an encoding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two encodings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET /a HTTP/1.1\nHost: x\n\n" + GET,
    "a bare carriage return": b"GET /a HTTP/1.1\r\nX: a\rb\r\n\r\n",
    "a blank before the colon": b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
    "a NUL": b"GET /a HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "chunks by line feeds": CHUNKED + b"3\nabc\n0\n\n",
    "a chunk of 0x3": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a blank in the method": b"GE T /a HTTP/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_G15_what_two_servers_could_read_in_two_ways_is_400_and_the_end(what: str) -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, REFUSED[what])
            assert statuses(heard) == [400]
            assert heard.endswith(b"[closed]")
            assert open_.seen == []

    run(main)


NAMES = (
    b"",
    b" ",
    b"X Y",
    b"X\t",
    b"X,Y",
    b"X;Y",
    b"X\x00",
    b"X\x7f",
    b"X\xe9",
    b"(X)",
    b"X/Y",
    b"X[0]",
    b"X@Y",
    b'X"',
    b"{X}",
)


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_G16_a_header_whose_name_is_none_is_400_and_the_end(name: bytes) -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, b"GET /a HTTP/1.1\r\nHost: x\r\n" + name + b": y\r\n\r\n" + GET)
            assert statuses(heard) == [400]
            assert heard.endswith(b"[closed]")
            assert open_.seen == []

    run(main)


def test_G15_pipelined_requests_are_answered_in_their_order_however_many() -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, SLOW + GET * 40 + SLOW, answers=42)
            assert statuses(heard) == [200] * 42
            assert open_.paths == ["/slow", *["/a"] * 40, "/slow"]

    run(main)


def test_G15_what_was_asked_before_garbage_is_answered_before_the_400() -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, SLOW + GET + b"\0\0\0\r\n\r\n" + GET)
            assert statuses(heard) == [200, 200, 400]
            assert heard.endswith(b"[closed]")

    run(main)


def test_nothing_is_answered_after_a_request_that_closes() -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET)
            assert (statuses(heard), heard.count(b"connection: close")) == ([200], 1)
            assert heard.endswith(b"[closed]")

    run(main)


def test_a_trailer_says_nothing_of_the_request() -> None:
    async def main() -> None:
        async with shop() as open_:
            await said(
                open_.port, CHUNKED + b"3\r\nabc\r\n0\r\nHost: evil\r\nAuthorization: Bearer x\r\n\r\n", answers=1
            )
            (seen,) = open_.seen
            assert seen.body == b"abc"
            assert seen.headers == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]

    run(main)


@pytest.mark.parametrize("head", [POST + b"Content-Length: 9\r\n\r\n", CHUNKED])
def test_a_body_may_come_byte_by_byte(head: bytes) -> None:
    body = b"123456789" if b"Length" in head else b"4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n"

    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, *(bytes([byte]) for byte in head + body), GET, answers=2)
            assert statuses(heard) == [200, 200]
            assert open_.seen[0].body == b"123456789"

    run(main)


def test_A22_an_answer_to_HEAD_has_no_body() -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + GET, answers=2)
            first, second = heard.split(b"HTTP/1.1 ")[1:]
            assert first.endswith(b"content-length: 3\r\n\r\n")
            assert second.endswith(b"/a ")

    run(main)


def test_a_client_of_HTTP_1_0_is_told_whether_its_connection_is_kept() -> None:
    async def main() -> None:
        async with shop() as open_:
            once = await said(open_.port, b"GET /a HTTP/1.0\r\n\r\n")
            assert b"connection: close" in once
            assert once.endswith(b"[closed]")
            kept = await said(open_.port, b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2, answers=2)
            assert (statuses(kept), kept.count(b"connection: keep-alive")) == ([200, 200], 2)

    run(main)


@pytest.mark.parametrize("length", [b"Content-Length: 3\r\n", b""], ids=["with a body", "without"])
def test_an_upgrade_is_declined_and_the_request_answered(length: bytes) -> None:
    """As the HTTP client of Java asks on every first request without TLS."""
    asked = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + length + b"\r\n"

    async def main() -> None:
        async with shop() as open_:
            body = b"abc" if length else b""
            heard = await said(open_.port, POST + asked + body[:1], body[1:] + GET, answers=2)
            assert statuses(heard) == [200, 200]
            assert [seen.body for seen in open_.seen] == [body, b""]
            assert statuses(await said(open_.port, b"GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", answers=1)) == [200]

    run(main)


def test_a_client_that_waits_to_be_told_to_continue_is_told() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await reader.readuntil(b"/p abc")).startswith(b"HTTP/1.1 200 ")
            writer.close()

    run(main)


LARGE = {
    "200 headers": (431, b"GET /a HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    "a header of 70 KiB": (431, b"GET /a HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
    "a header without end": (431, b"GET /a HTTP/1.1\r\nX: " + b"y" * 4_000_000),
    "a name without end": (431, b"GET /a HTTP/1.1\r\n" + b"y" * 4_000_000),
    "a path without end": (431, b"GET /" + b"y" * 4_000_000),
    "a trailer without end": (431, CHUNKED + b"3\r\nabc\r\n0\r\nX: " + b"y" * 4_000_000),
    "a chunk's name without end": (431, CHUNKED + b"3;x=" + b"y" * 4_000_000),
    "a length of 11 MiB": (413, POST + b"Content-Length: 11534336\r\n\r\n"),
    "a length to continue with": (413, POST + b"Expect: 100-continue\r\nContent-Length: 11534336\r\n\r\n"),
    "chunks of 11 MiB": (413, CHUNKED + (b"10000\r\n" + PIECE + b"\r\n") * 176),
}


@pytest.mark.parametrize("what", LARGE)
def test_G01_G16_what_is_too_large_is_refused_before_it_has_come(what: str) -> None:
    status, asked = LARGE[what]

    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, asked)
            assert statuses(heard) == [status]
            assert heard.endswith(b"[closed]")
            assert open_.seen == []

    run(main)


def test_G01_a_client_that_goes_on_sending_hears_why_it_was_refused() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(POST + b"Content-Length: 40000000\r\n\r\n")
            for _ in range(400):
                writer.write(PIECE)
                await writer.drain()
            assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
            writer.close()

    run(main)


def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    async def main() -> None:
        async with shop(Limits(linger_s=0.2)) as open_:
            _, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(POST + b"Content-Length: 40000000000\r\n\r\n")

            async def send() -> None:
                while True:
                    writer.write(PIECE)
                    await writer.drain()

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(send(), 5)
            writer.close()
            await eventually(lambda: not open_.connections)

    run(main)


@pytest.mark.parametrize(
    ("sent", "path"), [(b"G", ""), (GET[:-2], "/a"), (POST + b"Content-Length: 5\r\n\r\nab", "/p"), (GET + b"G", "")]
)
def test_G02_a_request_that_does_not_end_is_408(sent: bytes, path: str) -> None:
    async def main() -> None:
        async with shop(Limits(request_s=0.2)) as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(sent)
            assert statuses(await reader.read())[-1] == 408
            assert open_.refused == [path]
            writer.close()

    run(main)


def test_a_connection_without_requests_is_closed_after_a_while() -> None:
    async def main() -> None:
        async with shop(Limits(request_s=0.1, idle_s=0.2)) as open_:
            for asked in (b"", GET):
                reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
                writer.write(asked)
                assert (await asyncio.wait_for(reader.read(), 3))[-3:] == (b"/a " if asked else b"")
                writer.close()

    run(main)


def test_G18_a_client_that_takes_nothing_holds_no_more_than_its_buffer_and_is_cut() -> None:
    async def main() -> None:
        async with shop(Limits(room_s=0.4)) as open_:
            _, writer = await asyncio.open_connection("127.0.0.1", open_.port, limit=1024)
            writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.3)
            before = open_.pieces
            assert 0 < before < 256, "no more than the kernels' buffers and our own"
            await eventually(lambda: bool(open_.ended))
            assert (open_.ended, open_.pieces - before < 16) == (["TimeoutError"], True)
            await eventually(lambda: not open_.connections)
            writer.close()

    run(main)


def test_G18_answers_that_nobody_takes_are_not_piled_up() -> None:
    async def main() -> None:
        async with shop(Limits(room_s=0.3, idle_s=0.3, request_s=0.3)) as open_:
            _, writer = await asyncio.open_connection("127.0.0.1", open_.port, limit=1024)
            for _ in range(30):
                writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                await asyncio.sleep(0.005)
            assert 1 <= len(open_.seen) <= 3
            await eventually(lambda: not open_.connections)
            writer.close()

    run(main)


def test_answers_that_had_no_room_are_given_when_there_is() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port, limit=1024)
            writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 4 + GET)
            await asyncio.sleep(0.1)
            heard = bytearray()
            while not heard.endswith(b"/a "):
                heard += await asyncio.wait_for(reader.read(1 << 20), 5)
            assert heard.count(b"HTTP/1.1 200 ") == 5
            writer.close()

    run(main)


def test_G17_a_stream_ends_when_its_client_goes_and_what_it_piped_is_not_begun() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
            await reader.read(1000)
            writer.close()
            await eventually(lambda: bool(open_.ended))
            await eventually(lambda: not open_.connections)
            assert (open_.ended, open_.paths) == (["CancelledError"], ["/stream"])

    run(main)


def test_a_client_that_only_says_that_it_has_asked_all_gets_its_answer() -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, SLOW, end=True)
            assert (statuses(heard), heard.endswith(b"[closed]")) == ([200], True)

    run(main)


def test_a_client_gone_in_the_middle_of_a_request_is_forgotten() -> None:
    async def main() -> None:
        async with shop() as open_:
            assert await said(open_.port, POST + b"Content-Length: 5\r\n\r\nab", end=True) == b"[closed]"
            await eventually(lambda: not open_.connections)
            assert open_.seen == []

    run(main)


def test_a_defect_is_500_and_quotes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with shop() as open_:
            heard = await said(open_.port, b"GET /defect HTTP/1.1\r\nHost: x\r\n\r\n" + GET, answers=2)
            assert statuses(heard) == [500, 200]
            assert b"canary" not in heard

    run(main)
    printed = capsys.readouterr().err
    assert "RuntimeError" in printed
    assert "in serve" in printed
    assert "Error: sk-canary" not in printed


def test_a_stream_with_a_defect_never_looks_whole() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(b"GET /defect/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = b""
            try:
                while data := await reader.read(65_536):
                    heard += data
            except ConnectionError:
                pass
            assert not heard.endswith(b"0\r\n\r\n")
            writer.close()

    run(main)


@pytest.mark.parametrize("sent", [b"", GET[:-2], POST + b"Content-Length: 5\r\n\r\nab"])
def test_S18_told_to_stop_a_connection_without_a_whole_request_is_closed(sent: bytes) -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(sent)
            await eventually(lambda: bool(open_.connections))
            await asyncio.sleep(0.02)
            (connection,) = open_.connections
            assert isinstance(connection, Connection)
            connection.shutdown()
            assert await asyncio.wait_for(reader.read(), 3) == b""
            writer.close()

    run(main)


def test_S18_told_to_stop_what_is_under_way_is_answered_and_no_more() -> None:
    async def main() -> None:
        async with shop() as open_:
            reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
            await eventually(lambda: bool(open_.seen))
            (connection,) = open_.connections
            assert isinstance(connection, Connection)
            connection.shutdown()
            open_.go.set()
            heard = await asyncio.wait_for(reader.read(), 3)
            assert (statuses(heard), b"connection: close" in heard, open_.paths) == ([200], True, ["/wait"])
            writer.close()

    run(main)


def test_G13_when_all_connections_are_taken_those_that_come_are_told_so_and_the_others_go_on() -> None:
    async def main() -> None:
        async with shop(Limits(connections=20, linger_s=0.2)) as open_:
            idle = [await asyncio.open_connection("127.0.0.1", open_.port) for _ in range(20)]
            await eventually(lambda: len(open_.connections) == 20)
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
                writer.write(GET)
                assert (await asyncio.wait_for(reader.read(), 3)).startswith(b"HTTP/1.1 503 ")
                writer.close()
            assert open_.seen == []
            reader, writer = idle[0]
            writer.write(GET)
            assert (await reader.readuntil(b"/a ")).startswith(b"HTTP/1.1 200 ")
            for _, writer in idle:
                writer.close()
            await eventually(lambda: not open_.connections)
            assert statuses(await said(open_.port, GET, answers=1)) == [200]

    run(main)


def test_G13_those_for_whom_there_is_no_word_are_closed_and_nothing_is_kept_of_them() -> None:
    async def main() -> None:
        async with shop(Limits(connections=5, linger_s=10)) as open_:
            kept = [await asyncio.open_connection("127.0.0.1", open_.port) for _ in range(5 + 64)]
            await eventually(lambda: len(open_.connections) == 69)
            for _ in range(40):
                reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
                with suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 20) == b""
                writer.close()
                assert len(open_.connections) <= 70
            for _, writer in kept:
                writer.close()
            await eventually(lambda: not open_.connections)
            assert statuses(await said(open_.port, GET, answers=1)) == [200]

    run(main)


def test_G13_two_thousand_that_come_in_waves_are_answered_or_told_and_the_server_goes_on() -> None:
    async def main() -> None:
        async with shop(Limits(connections=40)) as open_:
            heard: list[bytes] = []

            async def come() -> None:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", open_.port)
                    writer.write(SLOW)
                    heard.append((await asyncio.wait_for(reader.read(12), 20)) or b"closed")
                    writer.close()
                except ConnectionError:
                    heard.append(b"closed")

            for _ in range(20):
                await asyncio.gather(*[come() for _ in range(100)])
            told = {what: heard.count(what) for what in set(heard)}
            assert set(told) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b"closed"}
            assert min(told[b"HTTP/1.1 200"], told[b"HTTP/1.1 503"]) >= 100
            await eventually(lambda: not open_.tasks)
            assert statuses(await said(open_.port, GET, answers=1)) == [200]

    run(main)
