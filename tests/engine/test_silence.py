"""A request that is out and gets no answer may be billed: what was held for it is charged in full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ownkey import Ownkey
from ownkey.store.book import BookRow
from ownkey.talk.errors import OwnkeyError, StreamCut
from scripted import Peer, Script, serve

MANIFEST = """
id       = "slow"
name     = "Slow"
kind     = "local"
wire     = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"

[[models]]
id         = "m"
max_output = 1000
price      = {{ input = "2.50", output = "10.00" }}
"""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"


@asynccontextmanager
async def at(home: Path, script: Script, **settings: Any) -> AsyncGenerator[Ownkey]:
    """A house with one provider, that does so."""
    async with serve(script) as server:
        (home / "providers").mkdir()
        (home / "providers" / "slow.toml").write_text(MANIFEST.format(port=server.port))
        async with Ownkey(home, keychain=False, **settings) as ownkey:
            yield ownkey


async def asked_once(ownkey: Ownkey, *, stream: bool) -> None:
    """Until something of the answer is there."""
    await (anext(ownkey.stream("Hello", "slow/m")) if stream else ownkey.chat("Hello", "slow/m"))


async def booked(ownkey: Ownkey) -> BookRow:
    await ownkey.house.store.book.drain()
    (row,) = ownkey.house.store.book.rows()
    return row


async def asked(home: Path, says: bytes | None, *, stream: bool) -> BookRow:
    """The row of one try at a provider that takes the request, says this and then nothing; None: it hangs up."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if says is not None:
            await peer.send(says)
            await peer.until_gone()

    async with at(home, script, headers_timeout_s=0.2, idle_timeout_s=0.2, retries=0) as ownkey:
        with pytest.raises(OwnkeyError):
            await asked_once(ownkey, stream=stream)
        return await booked(ownkey)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("says", [b"", BEGUN], ids=["nothing", "a head"])
def test_U20_a_try_that_met_silence_is_charged_what_was_held(tmp_path: Path, says: bytes, stream: bool) -> None:
    row = asyncio.run(asked(tmp_path, says, stream=stream))
    assert (row.state, row.error) == ("assumed", "upstream_timeout")
    assert row.cost_nano == row.held_nano > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("says", [REFUSED, None], ids=["a refusal", "hangs up at once"])
def test_U20_a_try_that_was_refused_or_not_taken_costs_nothing(
    tmp_path: Path, says: bytes | None, stream: bool
) -> None:
    row = asyncio.run(asked(tmp_path, says, stream=stream))
    assert (row.state, row.cost_nano) == ("released", 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("says", [b"", BEGUN, HEAD], ids=["nothing", "a head", "the head of a stream"])
def test_U20_who_goes_away_while_the_provider_is_silent_is_charged_what_was_held(
    tmp_path: Path, says: bytes, stream: bool
) -> None:
    """Whether what the provider said has been read by then or not."""

    async def main() -> BookRow:
        said = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(says)
            said.set()
            await peer.until_gone()

        async with at(tmp_path, script) as ownkey:
            asking = asyncio.ensure_future(asked_once(ownkey, stream=stream))
            await said.wait()
            await asyncio.sleep(0.1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            return await booked(ownkey)

    row = asyncio.run(main())
    assert (row.state, row.error) == ("assumed", None)
    assert row.cost_nano == row.held_nano > 0


@pytest.mark.parametrize(("says", "stream"), [(BEGUN, False), (HEAD, True)], ids=["whole", "a stream"])
def test_U20_a_connection_that_breaks_after_a_silence_is_charged_what_was_held(
    tmp_path: Path, says: bytes, stream: bool
) -> None:
    async def main() -> BookRow:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(says, 1.1)

        async with at(tmp_path, script, retries=0) as ownkey:
            with pytest.raises(StreamCut):
                await asked_once(ownkey, stream=stream)
            return await booked(ownkey)

    row = asyncio.run(main())
    assert (row.state, row.error) == ("assumed", "upstream_cut")
    assert row.cost_nano == row.held_nano > 0
