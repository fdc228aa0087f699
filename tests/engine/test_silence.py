"""A request that is out and gets no answer may be billed: what was held for it is charged in full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ownkey import Ownkey
from ownkey.store.book import BookRow
from ownkey.talk.errors import OwnkeyError
from scripted import Peer, serve

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
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"


async def asked(home: Path, says: bytes | None, *, stream: bool) -> BookRow:
    """The row of one try at a provider that takes the request, says this and then nothing; None: it hangs up."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if says is not None:
            await peer.send(says)
            await peer.until_gone()

    async with serve(script) as server:
        (home / "providers").mkdir()
        (home / "providers" / "slow.toml").write_text(MANIFEST.format(port=server.port))
        limits = {"headers_timeout_s": 0.2, "idle_timeout_s": 0.2, "retries": 0}
        async with Ownkey(home, keychain=False, **limits) as ownkey:
            answer = anext(ownkey.stream("Hello", "slow/m")) if stream else ownkey.chat("Hello", "slow/m")
            with pytest.raises(OwnkeyError):
                await answer
            await ownkey.house.store.book.drain()
            (row,) = ownkey.house.store.book.rows()
            return row


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
