"""How long each phase may take, and what is said when it takes longer."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from asking import asking, at
from ownkey.talk.errors import ProviderTimeout
from ownkey.transport import Deadlines, Transport
from scripted import Peer, always, answer, chunk
from standing_clock import StandingClock, on_clock, turns

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def test_U01_a_connection_that_is_never_accepted_is_given_up(run) -> None:
    async def main() -> None:
        # With a backlog of 0, Linux lets one connection wait and leaves the others unanswered.
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            transport = Transport(allow_private=[("127.0.0.1", port)])
            began = time.monotonic()
            with pytest.raises(ProviderTimeout, match="to connect"):
                await transport.send(asking(port), Deadlines(connect_s=0.2))
            assert 0.15 < time.monotonic() - began < 10, "which others are given"
            for each in waiting:
                each.close()

    run(main())


def test_a_name_that_is_not_resolved_in_time_is_given_up(run) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def main() -> None:
        with pytest.raises(ProviderTimeout, match="to connect"):
            await Transport(resolve=never).send(
                asking(443, host="api.example.com", scheme="https"), Deadlines(connect_s=0.05)
            )

    run(main())


@pytest.mark.parametrize(
    ("sent", "deadlines", "after_s", "phase"),
    [
        ((), Deadlines(headers_s=0.5), 0.5, "to the first byte, 0.5 s"),
        ((b"HTTP/1.1 200 OK\r\nx: y\r\n",), Deadlines(headers_s=0.5), 0.5, "to the first byte, 0.5 s"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", 0.5) * 9, Deadlines(headers_s=2.0), 2.0, "to the first byte, 2 s"),
        ((CHUNKED + chunk(b"one"),), Deadlines(idle_s=1.0), 1.0, "between bytes, 1 s"),
        ((CHUNKED, *(b"0", 0.5) * 4), Deadlines(idle_s=1.5), 3.0, "between bytes, 1.5 s"),
        ((CHUNKED, *(chunk(b"one"), 0.5) * 9), Deadlines(idle_s=2.0, total_s=3.0), 3.0, "in all, 3 s"),
        ((), Deadlines(total_s=1.0), 1.0, "in all, 1 s"),
    ],
    ids=["silence", "half a head", "only 1xx", "a stall", "a chunk that never begins", "a drip", "in all"],
)
def test_U09_what_is_too_slow_ends_with_its_phase_and_its_connection(
    sent: tuple[bytes | float, ...], deadlines: Deadlines, after_s: float, phase: str
) -> None:
    async def main(clock: StandingClock) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(*sent)
            await peer.until_gone()

        async with at(script) as (server, transport):
            began_s = clock.now
            asked = asyncio.create_task(whole(transport, server.port, deadlines))
            await turns()
            while not asked.done():
                await clock.leap(0.25)
            assert clock.now - began_s == after_s
            with pytest.raises(ProviderTimeout) as caught:
                await asked
            assert caught.value.message == f"127.0.0.1 took too long: {phase}."
            while not server.peers[0].gone.is_set():
                await clock.leap(0.25)

    on_clock(main)


def test_a_stream_may_take_longer_than_the_idle_time_while_bytes_come() -> None:
    async def main(clock: StandingClock) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED, *(chunk(b"x"), 0.75) * 10, b"0\r\n\r\n")
            await peer.until_gone()

        async with at(script) as (server, transport):
            asked = asyncio.create_task(whole(transport, server.port, Deadlines(headers_s=2.0, idle_s=1.0)))
            await turns()
            for _ in range(10):
                assert not asked.done()
                await clock.leap(0.75)
            assert await asked == b"x" * 10

    on_clock(main)


def test_a_reader_that_takes_its_time_is_not_the_provider_being_slow() -> None:
    async def main(clock: StandingClock) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED, 0.75, chunk(b"one"))
            await more.wait()
            await peer.send(chunk(b"two") + b"0\r\n\r\n")
            await peer.until_gone()

        more = asyncio.Event()
        async with at(script) as (server, transport):
            incoming = await transport.send(asking(server.port), Deadlines(idle_s=1.0))
            first = asyncio.create_task(incoming.next())
            await turns()
            await clock.leap(0.75)
            assert await first == b"one"
            await clock.leap(4.0)
            more.set()
            assert await incoming.next() == b"two"

    on_clock(main)


def test_each_request_of_a_kept_connection_has_its_own_deadlines() -> None:
    async def main(clock: StandingClock) -> None:
        async def script(peer: Peer) -> None:
            for _ in range(3):
                await peer.request()
                await peer.send(answer(b"ok"))
            await peer.request()
            await peer.until_gone()

        async with at(script) as (server, transport):
            for headers_s in (1.0, 60.0, 60.0):
                assert await whole(transport, server.port, Deadlines(headers_s=headers_s)) == b"ok"
                await clock.leap(1.0)
            last = asyncio.create_task(whole(transport, server.port, Deadlines(headers_s=2.0)))
            await turns()
            await clock.leap(1.75)
            assert not last.done()
            await clock.leap(0.25)
            with pytest.raises(ProviderTimeout, match="to the first byte, 2 s"):
                await last
            assert len(server.peers) == 1

    on_clock(main)


def test_an_answer_in_time_leaves_no_timer_that_harms_a_later_one() -> None:
    async def main(clock: StandingClock) -> None:
        async with at(always) as (server, transport):
            for _ in range(8):
                assert await whole(transport, server.port, Deadlines(headers_s=1.0, idle_s=1.0)) == b"ok"
                await clock.leap(0.5)
            assert len(server.peers) == 1

    on_clock(main)


async def whole(transport: Transport, port: int, deadlines: Deadlines) -> bytes:
    return await (await transport.send(asking(port), deadlines)).read(1000)
