"""Each new connection is checked anew: where it leads to, and who is there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asking import asking
from certificates import Authority
from ownkey.talk.errors import EndpointNotAllowed, NetworkError
from ownkey.transport import Transport
from scripted import Peer, always, answer, serve

NAME = "provider.test"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


async def ended(peer: Peer) -> None:
    """One answer, and then it hangs up."""
    await peer.request()
    await peer.send(answer(b"ok", 200, "connection: close"))


def resolving(addresses: list[str]) -> Any:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(("names", "why"), [(["other.test"], "another name"), ([NAME], "was refused")])
def test_U24_a_certificate_that_changed_meanwhile_is_refused_and_nothing_is_sent(
    run, tmp_path: Path, names: list[str], why: str
) -> None:
    (tmp_path / "others").mkdir()
    mine, others, port = Authority(tmp_path), Authority(tmp_path / "others"), free_port()
    now = (mine if names != [NAME] else others).server(*names)

    async def main() -> None:
        transport = Transport(allow_private=[(NAME, port)], resolve=resolving(["127.0.0.1"]), ssl_context=mine.client())
        request = asking(port, host=NAME, scheme="https")
        async with serve(ended, tls=mine.server(NAME), port=port):
            assert await (await transport.send(request)).read(9) == b"ok"
        async with serve(always, tls=now, port=port) as server:
            for _ in range(3):
                with pytest.raises(NetworkError, match=why):
                    await transport.send(request)
            assert not any(peer.requests for peer in server.peers)
        async with serve(ended, tls=mine.server(NAME), port=port):
            assert await (await transport.send(request)).read(9) == b"ok"
        await transport.aclose()

    run(main())


def test_U24_an_address_that_changed_to_one_that_is_not_allowed_is_not_connected_to(run) -> None:
    port, addresses = free_port(), ["127.0.0.1"]

    async def main() -> None:
        transport = Transport(allow_private=[(NAME, port)], resolve=resolving(addresses))
        request = asking(port, host=NAME)
        async with serve(ended, port=port):
            assert await (await transport.send(request)).read(9) == b"ok"
        addresses[:] = ["169.254.169.254"]
        # The address of before answers no more: it is forgotten, and the name looked up anew.
        with pytest.raises(NetworkError):
            await transport.send(request)
        with pytest.raises(EndpointNotAllowed, match="metadata"):
            await transport.send(request)
        await transport.aclose()

    run(main())


class _Misled(asyncio.SelectorEventLoop):
    """What is to go to 127.0.0.1 goes to 127.0.0.2, as where somebody rewrites addresses on the way."""

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        return await super().create_connection(factory, "127.0.0.2" if host == "127.0.0.1" else host, port, **more)


def test_E08_a_connection_that_led_elsewhere_gets_no_request() -> None:
    async def main() -> None:
        async with serve(always, host="127.0.0.2") as server:
            transport = Transport(allow_private=[("127.0.0.1", server.port)])
            with pytest.raises(EndpointNotAllowed, match="another address than the one checked"):
                await transport.send(asking(server.port, host="127.0.0.1"))
            assert not any(peer.requests for peer in server.peers)
            await transport.aclose()

    with asyncio.Runner(loop_factory=_Misled) as runner:
        runner.run(asyncio.wait_for(main(), 30))
