"""What is due when, by a clock that stands still: not before its time, and not after it."""

from __future__ import annotations

import asyncio

import pytest

from asking import asking, at
from ownkey.talk.errors import NetworkError, OwnkeyError, ProviderTimeout
from ownkey.transport import Deadlines, Transport
from scripted import Peer, answer, chunk
from standing_clock import StandingClock, on_clock, turns

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
REFUSED = b"HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n"


class Told:
    """A server that says what it is given to say, and the request that is under way."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        while True:
            await peer.send(await self.says.get())

    async def say(self, said: bytes) -> None:
        self.says.put_nowait(said)
        await turns()


async def whole(transport: Transport, port: int, deadlines: Deadlines) -> bytes:
    return await (await transport.send(asking(port), deadlines)).read(1000)


async def failed(task: asyncio.Task[bytes]) -> ProviderTimeout:
    assert task.done()
    with pytest.raises(ProviderTimeout) as caught:
        await task
    return caught.value


@pytest.mark.parametrize(
    ("deadlines", "phase"),
    [
        (Deadlines(headers_s=2.0, total_s=8.0), "to the first byte, 2 s"),
        (Deadlines(headers_s=8.0, total_s=2.0), "in all, 2 s"),
        (Deadlines(headers_s=2.0, total_s=2.0), "in all, 2 s"),
        (Deadlines(headers_s=2.0, idle_s=1.0, total_s=8.0), "to the first byte, 2 s"),
    ],
)
def test_U09_a_provider_that_says_nothing_has_its_time_and_no_more(deadlines: Deadlines, phase: str) -> None:
    async def main(clock: StandingClock) -> None:
        async with at(Told()) as (server, transport):
            task = asyncio.create_task(whole(transport, server.port, deadlines))
            await turns()
            await clock.leap(1.75)
            assert not task.done()
            await clock.leap(0.25)
            error = await failed(task)
            assert error.message == f"127.0.0.1 took too long: {phase}."
            assert error.status is None
            assert error.perhaps_billed

    on_clock(main)


def test_U09_the_time_between_bytes_counts_from_the_last_of_them() -> None:
    async def main(clock: StandingClock) -> None:
        told = Told()
        async with at(told) as (server, transport):
            task = asyncio.create_task(
                whole(transport, server.port, Deadlines(headers_s=2.0, idle_s=1.0, total_s=60.0))
            )
            await turns()
            await clock.leap(1.5)
            await told.say(CHUNKED)
            for _ in range(5):
                await clock.leap(0.75)
                assert not task.done()
                await told.say(chunk(b"x"))
            await clock.leap(0.875)
            assert not task.done()
            await clock.leap(0.125)
            error = await failed(task)
            assert error.message == "127.0.0.1 took too long: between bytes, 1 s."
            assert error.status == 200
            assert error.perhaps_billed

    on_clock(main)


def test_U09_the_time_in_all_counts_from_the_request_whatever_comes() -> None:
    async def main(clock: StandingClock) -> None:
        told = Told()
        async with at(told) as (server, transport):
            task = asyncio.create_task(whole(transport, server.port, Deadlines(headers_s=2.0, idle_s=2.0, total_s=4.0)))
            await turns()
            await told.say(CHUNKED)
            for _ in range(7):
                await clock.leap(0.5)
                await told.say(chunk(b"x"))
            await clock.leap(0.375)
            assert not task.done()
            await clock.leap(0.125)
            assert (await failed(task)).message == "127.0.0.1 took too long: in all, 4 s."

    on_clock(main)


def test_a_refusal_that_never_ends_is_not_billed() -> None:
    async def main(clock: StandingClock) -> None:
        told = Told()
        async with at(told) as (server, transport):
            task = asyncio.create_task(whole(transport, server.port, Deadlines(idle_s=1.0)))
            await turns()
            await told.say(REFUSED)
            await clock.leap(1.0)
            error = await failed(task)
            assert (error.status, error.perhaps_billed) == (503, False)

    on_clock(main)


def test_what_nobody_waits_for_is_due_only_in_all() -> None:
    async def main(clock: StandingClock) -> None:
        told = Told()
        async with at(told) as (server, transport):
            task = asyncio.create_task(
                transport.send(asking(server.port), Deadlines(headers_s=1.0, idle_s=1.0, total_s=8.0))
            )
            await turns()
            await told.say(CHUNKED + chunk(b"one"))
            incoming = await task
            await clock.leap(6.0)
            assert await incoming.next() == b"one"
            reading = asyncio.create_task(incoming.next())
            await turns()
            await clock.leap(0.75)
            await told.say(chunk(b"two"))
            assert await reading == b"two"
            await clock.leap(1.25)
            with pytest.raises(ProviderTimeout, match="in all, 8 s"):
                await incoming.next()

    on_clock(main)


@pytest.mark.parametrize(("waited_s", "again"), [(0.75, True), (1.0, False)])
def test_a_request_on_a_kept_connection_is_sent_again_only_where_it_closes_within_a_second(
    waited_s: float, again: bool
) -> None:
    """Later the provider took the request, and may bill it."""
    close = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"%d" % peer.number))
        await peer.request()
        await close.wait()

    async def main(clock: StandingClock) -> None:
        async with at(script) as (server, transport):
            assert await whole(transport, server.port, Deadlines()) == b"0"
            task = asyncio.create_task(whole(transport, server.port, Deadlines()))
            await turns()
            await clock.leap(waited_s)
            close.set()
            if again:
                assert await task == b"1"
            else:
                with pytest.raises(NetworkError, match="before it answered") as caught:
                    await task
                assert caught.value.perhaps_billed
            assert len(server.requests) == (3 if again else 2)

    on_clock(main)


def test_a_first_request_that_is_hung_up_on_at_once_is_not_billed_and_later_perhaps() -> None:
    async def main(clock: StandingClock) -> None:
        for waited_s in (0.0, 0.75, 1.0, 5.0):
            close = asyncio.Event()

            async def script(peer: Peer, close: asyncio.Event = close) -> None:
                await peer.request()
                await close.wait()

            async with at(script) as (server, transport):
                task = asyncio.create_task(whole(transport, server.port, Deadlines()))
                await turns()
                await clock.leap(waited_s)
                close.set()
                with pytest.raises(NetworkError) as caught:
                    await task
                assert caught.value.perhaps_billed is (waited_s >= 1.0)
                assert caught.value.status is None

    on_clock(main)


def test_the_time_to_connect_is_not_more_than_the_time_in_all() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def main(clock: StandingClock) -> None:
        for deadlines in (Deadlines(connect_s=2.0, total_s=8.0), Deadlines(connect_s=8.0, total_s=2.0)):
            transport = Transport(resolve=never)
            task = asyncio.create_task(transport.send(asking(443, host="a.test", scheme="https"), deadlines))
            await turns()
            await clock.leap(1.75)
            assert not task.done()
            await clock.leap(0.25)
            with pytest.raises(OwnkeyError, match="to connect, 2 s"):
                await task

    on_clock(main)
