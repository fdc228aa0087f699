"""Which of a name's addresses are tried, in which order and for how long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import contextmanager

import pytest
import uvloop

from asking import asking
from ownkey.talk.errors import EndpointNotAllowed, NetworkError, ProviderTimeout
from ownkey.transport import Deadlines, Transport
from scripted import Peer, always, serve
from standing_clock import StandingClock, on_clock, turns
from watch import watching

NAME = "box.lan"


def leading_to(*addresses: str, port: int, asked: list[str] | None = None) -> Transport:
    async def resolve(host: str, _: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return addresses

    return Transport(allow_private=[(NAME, port)], resolve=resolve)


async def ask(transport: Transport, port: int, connect_s: float = 5.0) -> bytes:
    incoming = await transport.send(asking(port, host=NAME), Deadlines(connect_s=connect_s))
    return await incoming.read(100)


@contextmanager
def unanswered(address: str, port: int):
    """Linux lets one connection wait at a backlog of 0, and leaves the others unanswered."""
    with socket.create_server((address, port), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield
        for each in waiting:
            each.close()


def test_six_addresses_are_tried_one_after_the_other_and_no_more() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 9)]

    async def main() -> None:
        for place, answers in ((5, True), (6, False)):
            async with serve(always, host=addresses[place]) as server:
                with watching(lambda _: []) as watch:
                    transport = leading_to(*addresses, port=server.port)
                    if answers:
                        assert await ask(transport, server.port) == b"ok"
                    else:
                        with pytest.raises(NetworkError, match=f"box.lan could not be reached on port {server.port}"):
                            await ask(transport, server.port)
                    assert watch.connects == [(one, server.port) for one in addresses[:6]]
                    await transport.aclose()

    asyncio.run(main())


def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    async def main(clock: StandingClock) -> None:
        async with serve(always) as server:
            with unanswered("127.0.0.2", server.port), unanswered("127.0.0.3", server.port):
                transport = leading_to("127.0.0.2", "127.0.0.3", "127.0.0.1", port=server.port)
                asked = asyncio.create_task(ask(transport, server.port, 6.0))
                await turns()
                await clock.leap(2.0)
                await clock.leap(1.75)
                assert not asked.done()
                await clock.leap(0.25)
                assert await asked == b"ok"
                await transport.aclose()

    on_clock(main)


def test_U01_what_the_last_address_did_is_told_and_the_time_is_that_of_all() -> None:
    async def main(clock: StandingClock) -> None:
        async def ends_after(waits_s: float, *addresses: str) -> asyncio.Task[bytes]:
            asked = asyncio.create_task(ask(leading_to(*addresses, port=port), port, 4.0))
            await turns()
            await clock.leap(waits_s - 0.25)
            assert not asked.done()
            await clock.leap(0.25)
            assert asked.done()
            return asked

        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            with unanswered("127.0.0.2", port):
                asked = await ends_after(4.0, "127.0.0.1", "127.0.0.2")
                with pytest.raises(ProviderTimeout, match="to connect, 4 s"):
                    await asked
                asked = await ends_after(2.0, "127.0.0.2", "127.0.0.1")
                with pytest.raises(NetworkError, match="could not be reached"):
                    await asked

    on_clock(main)


def test_a_name_of_which_no_address_answered_is_looked_up_anew(run) -> None:
    asked: list[str] = []

    async def main() -> None:
        async with serve(always) as server:
            transport = leading_to("127.0.0.2", port=server.port, asked=asked)
            for _ in range(2):
                with pytest.raises(NetworkError):
                    await ask(transport, server.port)
            assert asked == [NAME] * 2
            good = leading_to("127.0.0.1", port=server.port, asked=asked)
            for pool in "ab":
                await (await good.send(asking(server.port, host=NAME, pool=pool))).read(100)
            assert asked == [NAME] * 3
            await good.aclose()

    run(main())


@pytest.mark.parametrize(("written", "host"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_E08_a_connection_that_ends_at_another_address_than_the_one_checked_carries_nothing(
    run, written: str, host: str
) -> None:
    """Linux takes the address of no host for this machine's own."""
    heard: list[bytes] = []

    async def listens(peer: Peer) -> None:
        heard.append(await peer.reader.read(100))
        peer.gone.set()

    async def main() -> None:
        async with serve(listens, host=host) as server:
            transport = leading_to(written, port=server.port)
            with pytest.raises(EndpointNotAllowed, match="another address than the one checked"):
                await ask(transport, server.port)
            await asyncio.wait_for(server.peers[0].gone.wait(), 3)
            assert heard == [b""]

    run(main())


def test_an_address_with_a_zone_is_that_address() -> None:
    async def main() -> None:
        async with serve(always, host="::1") as server:
            transport = leading_to("::1%lo", port=server.port)
            assert await ask(transport, server.port) == b"ok"
            await transport.aclose()

    # The system's resolver knows zones of link-local addresses only; uvloop's reads any.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
