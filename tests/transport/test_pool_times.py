"""How long a connection waits for its next request, by a clock that stands still."""

from __future__ import annotations

import pytest

from asking import asking, at
from ownkey.transport.connection import Limits
from scripted import Peer, always, answer
from standing_clock import StandingClock, on_clock, turns


async def tagged(peer: Peer) -> None:
    await always(peer, answer(b"%d" % peer.number))


async def ask(transport, port: int, **changes) -> bytes:
    body = await (await transport.send(asking(port, **changes))).read(1000)
    await turns()
    return body


def test_a_connection_is_used_until_its_time_is_over_and_not_then() -> None:
    async def main(clock: StandingClock) -> None:
        async with at(tagged, limits=Limits(idle_s=8.0)) as (server, transport):
            assert await ask(transport, server.port) == b"0"
            await clock.leap(7.75)
            assert await ask(transport, server.port) == b"0"
            await clock.leap(7.75)
            assert await ask(transport, server.port) == b"0"
            await clock.leap(8.0)
            assert await ask(transport, server.port) == b"1"
            assert server.peers[0].gone.is_set() or not await server.peers[0].reader.read(1)

    on_clock(main)


@pytest.mark.parametrize(
    ("said", "used_s", "over_s"),
    [
        ("timeout=5", 3.75, 4.0),
        ("Timeout=5, max=100", 3.75, 4.0),
        ("max=2, timeout=5", 3.75, 4.0),
        ("timeout=2", 0.75, 1.0),
        ("timeout=9999", 7.75, 8.0),
        ("timeout=999999999", 7.75, 8.0),
        ("timeout=9999999999999999", 7.75, 8.0),
        ("timeout=-5", 7.75, 8.0),
        ("timeout=", 7.75, 8.0),
        ("max=3", 7.75, 8.0),
        ("3", 7.75, 8.0),
        ("timeout:3", 7.75, 8.0),
    ],
)
def test_a_connection_waits_a_second_less_than_the_provider_says_and_never_longer_than_the_limit(
    said: str, used_s: float, over_s: float
) -> None:
    async def script(peer: Peer) -> None:
        await always(peer, answer(b"%d" % peer.number, 200, f"keep-alive: {said}"))

    async def main(clock: StandingClock) -> None:
        async with at(script, limits=Limits(idle_s=8.0)) as (server, transport):
            assert await ask(transport, server.port) == b"0"
            await clock.leap(used_s)
            assert await ask(transport, server.port) == b"0"
            await clock.leap(over_s)
            assert await ask(transport, server.port) == b"1"

    on_clock(main)


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_connection_whose_time_is_over_at_once_is_closed_at_once(seconds: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok", 200, f"keep-alive: timeout={seconds}"))
        await peer.until_gone()

    async def main(clock: StandingClock) -> None:
        async with at(script) as (server, transport):
            await ask(transport, server.port)
            assert server.peers[0].gone.is_set()

    on_clock(main)


def test_connections_that_nobody_asks_for_are_closed_every_ten_seconds() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"%d" % peer.number))
        await peer.until_gone()

    async def main(clock: StandingClock) -> None:
        async with at(script, limits=Limits(idle_s=4.0, idle_in_all=2)) as (server, transport):

            def gone() -> list[bool]:
                return [peer.gone.is_set() for peer in server.peers]

            await ask(transport, server.port, pool="a")
            await clock.leap(7.0)
            await ask(transport, server.port, pool="b")
            await clock.leap(2.75)
            assert gone() == [False, False]
            await clock.leap(0.25)
            assert gone() == [True, False], "the second has a second left"
            await clock.leap(9.75)
            assert gone() == [True, False]
            await clock.leap(0.25)
            assert gone() == [True, True]
            # With none left nobody looks; with the next one it begins anew. Both places are free again.
            await clock.leap(35.0)
            await ask(transport, server.port, pool="c")
            await ask(transport, server.port, pool="d")
            await clock.leap(9.75)
            assert gone() == [True, True, False, False]
            await clock.leap(0.25)
            assert gone() == [True, True, True, True]

    on_clock(main)


def test_one_whose_time_is_over_just_when_it_is_looked_at_is_closed() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await peer.until_gone()

    async def main(clock: StandingClock) -> None:
        async with at(script, limits=Limits(idle_s=10.0)) as (server, transport):
            await ask(transport, server.port)
            await clock.leap(10.0)
            assert server.peers[0].gone.is_set()

    on_clock(main)


def test_one_that_is_taken_leaves_its_place_to_another() -> None:
    async def main(clock: StandingClock) -> None:
        async with at(tagged, limits=Limits(idle_in_all=1, idle_s=8.0)) as (server, transport):
            for _ in range(3):
                assert await ask(transport, server.port, pool="a") == b"0"
            await clock.leap(8.0)
            assert await ask(transport, server.port, pool="a") == b"1"
            await clock.leap(2.0)
            assert await ask(transport, server.port, pool="a") == b"1"
            # The place is taken: nobody else's waits.
            assert await ask(transport, server.port, pool="b") == b"2"
            assert await ask(transport, server.port, pool="b") == b"3"
            await clock.leap(20.0)
            assert await ask(transport, server.port, pool="b") == b"4"
            assert await ask(transport, server.port, pool="b") == b"4"

    on_clock(main)
