"""How an answer ends, and what goes on with one that broke off, byte by byte as providers say it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ownkey import Ownkey
from ownkey.engine.answer import Whole
from ownkey.engine.request import Request, new_id
from ownkey.talk.reply import TextDelta
from ownkey.wires.wire import Door, wire
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
DONE = chunk(b"data: [DONE]\n\n")


def write(home: Path, id: str, port: int, *, prefill: str = "false") -> None:
    (home / "providers").mkdir(exist_ok=True)
    (home / "providers" / f"{id}.toml").write_text(PROVIDER.format(id=id, port=port, prefill=prefill))


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
        await peer.send(HEAD, piece(rest, "stop"), DONE, b"0\r\n\r\n")

    async def main() -> str:
        async with serve(breaks_off) as one, serve(goes_on) as other:
            write(tmp_path, "one", one.port)
            write(tmp_path, "other", other.port, prefill="true")
            async with Ownkey(tmp_path, keychain=False) as ownkey:
                events = ownkey.stream("Go on", "one/m,other/m", accept_unknown_price=True)
                return "".join([event.text async for event in events if isinstance(event, TextDelta)])

    assert asyncio.run(main()) == whole


@pytest.mark.parametrize("passes", [False, True], ids=["translated", "passed through"])
def test_an_answer_is_over_where_it_says_so_though_its_body_is_held_open(tmp_path: Path, passes: bool) -> None:
    async def holds_open(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD, piece("Hello", "stop"), DONE)
        await peer.until_gone()

    async def main() -> None:
        async with serve(holds_open) as one:
            write(tmp_path, "one", one.port)
            async with Ownkey(tmp_path, keychain=False, idle_timeout_s=3600, total_timeout_s=3600) as ownkey:
                door = wire("openai-chat")
                assert isinstance(door, Door)
                ask = door.read_ask(b'{"model":"one/m","messages":[{"role":"user","content":"Go on"}],"stream":true}')
                request = Request(new_id(), ownkey.owner, "one/m", True, door=door, ask=ask, price_accepted=True)
                if not passes:
                    request.chat, request.door, request.ask = request.as_chat(), None, None
                stream = await ownkey.house.engine.run(request)
                assert not isinstance(stream, Whole)
                async with asyncio.timeout(60):
                    while await stream.next() is not None:
                        pass
                    await one.peers[0].gone.wait()
                await ownkey.house.store.book.drain()
                (row,) = ownkey.house.store.book.rows()
                assert (row.state, row.finish, row.error) == ("counted", "stop", None)

    asyncio.run(main())
