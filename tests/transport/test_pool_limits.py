"""How many connections wait, and that those that are gone are not counted."""

from __future__ import annotations

import asyncio
import gc

from asking import asking, at
from ownkey.transport.connection import Connection, Limits
from ownkey.transport.pool import Pool
from scripted import Peer, always, answer


async def tagged(peer: Peer) -> None:
    await always(peer, answer(b"%d" % peer.number))


async def ask(transport, port: int, **changes) -> bytes:
    return await (await transport.send(asking(port, **changes))).read(1000)


def test_as_many_wait_in_all_as_may_and_no_more(run) -> None:
    async def main() -> None:
        async with at(tagged, limits=Limits(idle_in_all=2)) as (server, transport):
            for number, pool in enumerate("abc"):
                assert await ask(transport, server.port, pool=pool) == b"%d" % number
            await server.peers[2].gone.wait()
            assert not server.peers[0].gone.is_set()
            assert not server.peers[1].gone.is_set()
            # Those that wait are used, and wait again.
            for _ in range(3):
                assert await ask(transport, server.port, pool="a") == b"0"
                assert await ask(transport, server.port, pool="b") == b"1"

    run(main())


def test_as_many_wait_for_one_key_as_may_and_the_youngest_is_taken(run) -> None:
    async def main() -> None:
        async with at(tagged, limits=Limits(idle_per_key=2)) as (server, transport):
            await asyncio.gather(*[ask(transport, server.port) for _ in range(3)])
            await asyncio.wait_for(
                asyncio.wait(
                    [asyncio.ensure_future(peer.gone.wait()) for peer in server.peers], return_when="FIRST_COMPLETED"
                ),
                5,
            )
            assert sum(peer.gone.is_set() for peer in server.peers) == 1
            first = await ask(transport, server.port)
            assert [await ask(transport, server.port) for _ in range(5)] == [first] * 5

    run(main())


def test_one_that_the_server_closed_makes_room_for_another(run) -> None:
    async def main() -> None:
        leave = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer(b"%d" % peer.number))
            if peer.number == 0:
                await leave.wait()
            else:
                await always(peer, answer(b"%d" % peer.number))

        async with at(script, limits=Limits(idle_in_all=1)) as (server, transport):
            assert await ask(transport, server.port, pool="a") == b"0"
            leave.set()
            await server.peers[0].gone.wait()
            await asyncio.sleep(0.05)
            assert await ask(transport, server.port, pool="b") == b"1"
            assert await ask(transport, server.port, pool="b") == b"1"

    run(main())


def test_nothing_of_a_connection_stays_when_it_is_gone(run) -> None:
    """Neither in a timer of ten minutes nor in a circle that waits for the collector."""

    async def main() -> None:
        async with at(tagged) as (server, transport):
            for pool in "abcde":
                await ask(transport, server.port, pool=pool)
        await asyncio.sleep(0.01)
        assert [each for each in gc.get_objects() if isinstance(each, Connection) and id(each) not in others] == []
        del transport
        assert [each for each in gc.get_objects() if isinstance(each, Pool) and id(each) not in others] == []

    gc.collect()
    gc.disable()
    # What servers of other tests hold in this process is theirs.
    others = {id(each) for each in gc.get_objects() if isinstance(each, Connection | Pool)}
    try:
        run(main())
    finally:
        gc.enable()
