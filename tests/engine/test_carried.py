"""What goes on with a broken answer, byte by byte as providers say it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ownkey import Ownkey
from ownkey.talk.reply import TextDelta
from scripted import Peer, chunk, serve

PROVIDER = """
id       = "{id}"
name     = "{id}"
kind     = "local"
wire     = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
quirks   = {{ prefill = {prefill} }}

[[models]]
id = "m"
"""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return chunk(b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n")


@pytest.mark.parametrize(
    ("said", "told", "rest", "whole"),
    [
        ("Hello ", "Hello", " world", "Hello world"),
        ("One.\n\n", "One.", "\n\nTwo.", "One.\n\nTwo."),
        ("def f():\n    ", "def f():", "\n    return 1", "def f():\n    return 1"),
        ("Hello ", "Hello", "world", "Hello world"),
    ],
)
def test_blanks_that_an_answer_broke_off_with_are_said_once(
    tmp_path: Path, said: str, told: str, rest: str, whole: str
) -> None:
    """They are not told to who takes the answer as the beginning of its own, and begins with them."""

    async def breaks_off(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD, piece(said))

    async def goes_on(peer: Peer) -> None:
        request = await peer.request()
        assert json.loads(request.body)["messages"][-1] == {"role": "assistant", "content": told}
        await peer.send(HEAD, piece(rest, "stop"), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    async def main() -> str:
        (tmp_path / "providers").mkdir()
        async with serve(breaks_off) as one, serve(goes_on) as other:
            for id, port, prefill in (("one", one.port, "false"), ("other", other.port, "true")):
                text = PROVIDER.format(id=id, port=port, prefill=prefill)
                (tmp_path / "providers" / f"{id}.toml").write_text(text)
            async with Ownkey(tmp_path, keychain=False) as ownkey:
                events = ownkey.stream("Go on", "one/m,other/m", accept_unknown_price=True)
                return "".join([event.text async for event in events if isinstance(event, TextDelta)])

    assert asyncio.run(main()) == whole
