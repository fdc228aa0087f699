"""Which connections are kept, and for whom."""

from __future__ import annotations

import asyncio
import gc

import pytest

from asking import asking, at
from ownkey.talk.errors import NetworkError, StreamCut, UnexpectedResponse
from ownkey.transport import Deadlines, Transport
from ownkey.transport.connection import Connection, Limits
from ownkey.transport.request import write_request
from scripted import Peer, always, answer, chunk, serve

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def tagged(peer: Peer) -> None:
    """Answers with the number of the connection."""
    await always(peer, answer(b"%d" % peer.number))


async def ask(transport, port: int, **changes) -> bytes:
    return await (await transport.send(asking(port, **changes))).read(1000)


def test_a_connection_serves_one_request_after_another(run) -> None:
    async def main() -> None:
        async with at(tagged) as (server, transport):
            assert [await ask(transport, server.port) for _ in range(50)] == [b"0"] * 50
            await asyncio.gather(*[ask(transport, server.port) for _ in range(8)])
            assert len(server.peers) == 8

    run(main())


def test_E21_a_connection_is_used_by_one_key_and_one_origin_only(run) -> None:
    async def main() -> None:
        async with at(tagged) as (server, transport):
            assert await ask(transport, server.port, pool="a") == b"0"
            assert await ask(transport, server.port, pool="b") == b"1"
            assert await ask(transport, server.port, pool="a") == b"0"
            assert await ask(transport, server.port, pool="b") == b"1"

    run(main())


def test_a_connection_that_was_closed_while_it_waited_is_replaced_once(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"%d" % peer.number))
            if peer.number == 0:
                await peer.request()
                peer.reset()
            else:
                await peer.request()

        async with at(script) as (server, transport):
            assert await ask(transport, server.port) == b"0"
            assert await ask(transport, server.port) == b"1"
            assert [len(peer.requests) for peer in server.peers] == [2, 1]

    run(main())


def test_a_fresh_connection_that_is_closed_is_not_tried_again(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()

        async with at(script) as (server, transport):
            with pytest.raises(NetworkError):
                await ask(transport, server.port)
            assert len(server.requests) == 1

    run(main())


@pytest.mark.parametrize("last", [(b"HTTP/1.1 2",), (1.1,)], ids=["after a byte of the answer", "after a second"])
def test_a_request_that_may_have_been_served_is_not_sent_again(run, last: tuple[bytes | float, ...]) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"ok"))
            await peer.request()
            await peer.send(*last)

        async with at(script) as (server, transport):
            await ask(transport, server.port)
            with pytest.raises(NetworkError):
                await ask(transport, server.port)
            assert len(server.requests) == 2

    run(main())


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"ok", 200, "connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        answer(b"ok", 200, "keep-alive: timeout=1, max=100"),
        answer(b"ok") + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
        answer(b"ok") + b"x",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok",
    ],
    ids=["close", "HTTP/1.0", "keep-alive", "a second answer", "a byte", "204 with a body"],
)
def test_U11_U23_a_connection_is_not_kept_where_the_answer_says_so_or_more_follows(run, reply: bytes) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(reply)
            await peer.until_gone()

        async with at(script) as (server, transport):
            for number in range(2):
                assert await ask(transport, server.port) in (b"ok", b"")
                await server.peers[number].gone.wait()
            assert len(server.peers) == 2

    run(main())


def test_U22_bytes_on_a_waiting_connection_close_it_and_answer_nobody(run) -> None:
    async def main() -> None:
        late = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"%d" % peer.number))
            await late.wait()
            if peer.number == 0:
                await peer.send(answer(b"late"))
                await peer.until_gone()
            else:
                await peer.request()

        async with at(script) as (server, transport):
            assert await ask(transport, server.port) == b"0"
            late.set()
            await server.peers[0].gone.wait()
            assert await ask(transport, server.port) == b"1"

    run(main())


@pytest.mark.parametrize("before", [b"", CHUNKED + chunk(b"one")], ids=["before the headers", "in the body"])
def test_U22_what_is_cancelled_closes_its_connection_and_its_late_bytes_reach_nobody(run, before: bytes) -> None:
    async def main() -> None:
        arrived = asyncio.Event()

        async def script(peer: Peer) -> None:
            if peer.number:
                await tagged(peer)
            await peer.request()
            await peer.send(before)
            arrived.set()
            await peer.until_gone()

        async with at(script) as (server, transport):

            async def whole() -> None:
                incoming = await transport.send(asking(server.port))
                while await incoming.next():
                    pass

            task = asyncio.create_task(whole())
            await arrived.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.peers[0].gone.wait()
            assert await ask(transport, server.port) == b"1"

    run(main())


def test_closing_an_unfinished_answer_closes_its_connection_and_a_finished_one_keeps_it(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            if peer.number == 0:
                await peer.send(CHUNKED + chunk(b"one"))
                await peer.until_gone()
            await peer.send(answer(b"%d" % peer.number))
            await tagged(peer)

        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            assert await incoming.next() == b"one"
            incoming.close()
            with pytest.raises(StreamCut):
                await incoming.next()
            await server.peers[0].gone.wait()
            finished = await transport.send(asking(server.port))
            assert await finished.read(10) == b"1"
            finished.close()
            assert await ask(transport, server.port) == b"1"

    run(main())


def test_an_answer_before_the_whole_request_was_taken_is_read_and_the_connection_dropped(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.send(answer(b"too large", 413))
            await peer.until_gone()

        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port, body=bytes(32 * 1024 * 1024)))
            assert (incoming.status, await incoming.read(100)) == (413, b"too large")
            await server.peers[0].gone.wait()

    run(main())


def test_connections_that_waited_too_long_or_are_too_many_are_closed(run) -> None:
    async def main() -> None:
        async with at(tagged, limits=Limits(idle_s=0.05)) as (server, transport):
            assert await ask(transport, server.port) == b"0"
            await asyncio.sleep(0.1)
            assert await ask(transport, server.port) == b"1"
            await server.peers[0].gone.wait()
        async with at(tagged, limits=Limits(idle_per_key=2)) as (server, transport):
            await asyncio.gather(*[ask(transport, server.port) for _ in range(5)])
            await asyncio.wait([asyncio.create_task(peer.gone.wait()) for peer in server.peers], timeout=0.2)
            assert sum(not peer.gone.is_set() for peer in server.peers) == 2

    run(main())


def test_an_error_in_reading_closes_the_connection(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc")
            await peer.until_gone()

        async with at(script) as (server, transport):
            with pytest.raises(UnexpectedResponse):
                await ask(transport, server.port)
            await server.peers[0].gone.wait()

    run(main())


def test_closing_the_transport_closes_all_and_fails_what_is_under_way(run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"one"))
            await peer.until_gone()

        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port))
            assert await incoming.next() == b"one"
            reading = asyncio.create_task(incoming.next())
            await asyncio.sleep(0)
            await transport.aclose()
            with pytest.raises(StreamCut):
                await reading
            with pytest.raises(NetworkError, match="is closed"):
                await transport.send(asking(server.port))
            await server.peers[0].gone.wait()

    run(main())


def test_a_request_on_a_connection_that_is_gone_fails_at_once(run) -> None:
    async def main() -> None:
        async with at(tagged) as (server, _):
            loop = asyncio.get_running_loop()
            key = (asking(server.port).origin, "key-1")
            never = Connection(loop, key, Limits(), lambda _: None, lambda _: None)
            gone = Connection(loop, key, Limits(), lambda _: None, lambda _: None)
            await loop.create_connection(lambda: gone, "127.0.0.1", server.port)
            assert gone.alive
            gone.abort()
            for connection in (never, gone):
                assert not connection.alive
                received = connection.ask(write_request(asking(server.port)), Deadlines(), loop.time())
                with pytest.raises(NetworkError, match="is closed"):
                    await received.begin()
            await gone.closed
            assert server.requests == []

    run(main())


def test_a_transport_that_is_closed_while_it_connects_sends_nothing(run) -> None:
    async def main() -> None:
        resolved = asyncio.Event()

        async def resolve(host: str, port: int) -> list[str]:
            await resolved.wait()
            return ["127.0.0.1"]

        async with serve(tagged) as server:
            transport = Transport(allow_private=[("box.lan", server.port)], resolve=resolve)
            task = asyncio.create_task(transport.send(asking(server.port, host="box.lan")))
            await asyncio.sleep(0)
            await transport.aclose()
            resolved.set()
            with pytest.raises(NetworkError, match="is closed"):
                await task
            await asyncio.wait_for(server.peers[0].gone.wait(), 3)
            assert server.requests == []

    run(main())


def test_closing_waits_until_every_connection_is_closed(run) -> None:
    async def main() -> None:
        others = [each for each in gc.get_objects() if isinstance(each, Connection)]
        async with at(tagged) as (server, transport):
            for pool in "abc":
                await ask(transport, server.port, pool=pool)
            made = [each for each in gc.get_objects() if isinstance(each, Connection) and each not in others]
            assert len(made) == 3
            began = asyncio.get_running_loop().time()
            await transport.aclose()
            assert asyncio.get_running_loop().time() - began < 0.5
            assert all(each.closed.done() for each in made)
            for peer in server.peers:
                await asyncio.wait_for(peer.gone.wait(), 3)
            await transport.aclose()

    run(main())
